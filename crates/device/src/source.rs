//! Where sound comes from.

use crate::{Error, File, Form, Pipe, Tone};
use std::path::Path;

/// Where sound comes from.
#[derive(Debug)]
#[non_exhaustive]
pub enum Source {
    /// Nothing.
    Silence,
    /// A test tone.
    Tone(Tone),
    /// A sound file, decoded and resampled.
    File(File),
    /// Raw samples from standard input.
    Pipe(Pipe),
    /// A microphone.
    #[cfg(target_os = "linux")]
    Pulse(crate::pulse::Capture),
    /// A microphone, through what the system itself offers.
    #[cfg(feature = "cpal")]
    Card(Box<crate::card::Capture>),
}

impl Source {
    /// What is called `name`: `null`, `tone` or `tone:HERTZ`, `-` for raw samples on standard input, a file, or a sound card by number
    /// or part of its name; `default` is the system's.
    ///
    /// # Errors
    /// That there is none, or what is wrong with it.
    pub fn open(name: &str, form: Form) -> Result<Source, Error> {
        match name.split_once(':').unwrap_or((name, "")) {
            ("null" | "silence", "") => return Ok(Source::Silence),
            ("-", "") => return Ok(Source::Pipe(Pipe::stdin(form))),
            ("tone", hertz) => {
                let hertz = if hertz.is_empty() { Some(440.0) } else { hertz.parse().ok() };
                let hertz = hertz.filter(|hertz: &f64| (1.0..=f64::from(form.rate) / 2.0).contains(hertz));
                let unknown = || Error::Unknown { name: name.into() };
                return Ok(Source::Tone(Tone::new(hertz.ok_or_else(unknown)?, form)));
            }
            _ => {}
        }
        if Path::new(name).is_file() {
            return Ok(Source::File(File::open(name, form)?));
        }
        card(name, form)
    }

    /// How many samples wait, where the source has a clock of its own.
    pub fn waiting(&self) -> Option<usize> {
        match self {
            #[cfg(target_os = "linux")]
            Source::Pulse(capture) => Some(capture.waiting()),
            #[cfg(feature = "cpal")]
            Source::Card(capture) => Some(capture.waiting()),
            _ => None,
        }
    }

    /// Whether it is a microphone.
    pub fn is_card(&self) -> bool {
        self.waiting().is_some()
    }

    /// Whether it was a sound card that is not there any longer: it may come back, and be opened again.
    pub fn is_gone(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Source::Pulse(capture) => capture.is_gone(),
            #[cfg(feature = "cpal")]
            Source::Card(capture) => capture.is_gone(),
            _ => false,
        }
    }

    /// Fills a block, with silence where nothing is there; false when there will be nothing any longer.
    pub fn read(&mut self, block: &mut [i16]) -> bool {
        match self {
            Source::Silence => block.fill(0),
            Source::Tone(tone) => tone.read(block),
            Source::File(file) => return file.read(block),
            Source::Pipe(pipe) => return pipe.read(block),
            #[cfg(target_os = "linux")]
            Source::Pulse(capture) => return capture.read(block),
            #[cfg(feature = "cpal")]
            Source::Card(capture) => return capture.read(block),
        }
        true
    }
}

/// A sound card: the sound server's where there is one, else the system's own.
fn card(name: &str, form: Form) -> Result<Source, Error> {
    #[cfg(target_os = "linux")]
    let found = crate::pulse::Capture::open(name, form).map(Source::Pulse);
    #[cfg(not(target_os = "linux"))]
    let found: Result<Source, Error> = Err(Error::Unknown { name: name.into() });
    #[cfg(feature = "cpal")]
    let found = found.or_else(|why| match crate::card::Capture::open(name, form) {
        Ok(card) => Ok(Source::Card(Box::new(card))),
        Err(own) => Err(if cfg!(target_os = "linux") { why } else { own }),
    });
    #[cfg(not(any(target_os = "linux", feature = "cpal")))]
    let _none = form;
    found
}
