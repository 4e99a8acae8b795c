//! Where sound goes to.

use crate::{Error, Form, Wave};
use std::io::Write;
use std::path::Path;

/// Where sound goes to.
#[derive(Debug)]
#[non_exhaustive]
pub enum Sink {
    /// Nowhere.
    Null,
    /// A WAV file.
    Wave(Wave),
    /// Raw samples to standard output.
    Stdout,
    /// A loudspeaker.
    #[cfg(target_os = "linux")]
    Pulse(crate::pulse::Playback),
    /// A loudspeaker, through what the system itself offers.
    #[cfg(feature = "cpal")]
    Card(Box<crate::card::Playback>),
}

impl Sink {
    /// What is called `name`: `null`, `-` for raw samples on standard output, a file that ends in `.wav`, or a sound card by number or part
    /// of its name; `default` is the system's.
    ///
    /// # Errors
    /// That there is none, or what is wrong with it.
    pub fn open(name: &str, form: Form) -> Result<Sink, Error> {
        let is_wave = Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case("wav"));
        match name {
            "null" => Ok(Sink::Null),
            "-" => Ok(Sink::Stdout),
            _ if is_wave => Ok(Sink::Wave(Wave::create(name, form)?)),
            _ => card(name, form),
        }
    }

    /// Whether it is a loudspeaker.
    pub fn is_card(&self) -> bool {
        !matches!(self, Sink::Null | Sink::Wave(_) | Sink::Stdout)
    }

    /// Whether it was a sound card that is not there any longer: it may come back, and be opened again.
    pub fn is_gone(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Sink::Pulse(playback) => playback.is_gone(),
            #[cfg(feature = "cpal")]
            Sink::Card(playback) => playback.is_gone(),
            _ => false,
        }
    }

    /// Takes a block.
    ///
    /// # Errors
    /// That a file or a pipe takes no more.
    pub fn write(&mut self, block: &[i16]) -> std::io::Result<()> {
        match self {
            Sink::Null => Ok(()),
            Sink::Wave(wave) => wave.write(block),
            Sink::Stdout => {
                let bytes: Vec<u8> = block.iter().flat_map(|sample| sample.to_le_bytes()).collect();
                let mut out = std::io::stdout().lock();
                out.write_all(&bytes)?;
                out.flush()
            }
            #[cfg(target_os = "linux")]
            Sink::Pulse(playback) => {
                playback.write(block);
                Ok(())
            }
            #[cfg(feature = "cpal")]
            Sink::Card(playback) => {
                playback.write(block);
                Ok(())
            }
        }
    }

    /// Ends it well: a file knows its length.
    ///
    /// # Errors
    /// That a file cannot be ended.
    pub fn finish(self) -> std::io::Result<()> {
        match self {
            Sink::Wave(wave) => wave.finish(),
            _ => Ok(()),
        }
    }
}

/// A sound card: the sound server's where there is one, else the system's own.
fn card(name: &str, form: Form) -> Result<Sink, Error> {
    #[cfg(target_os = "linux")]
    let found = crate::pulse::Playback::open(name, form).map(Sink::Pulse);
    #[cfg(not(target_os = "linux"))]
    let found: Result<Sink, Error> = Err(Error::Unknown { name: name.into() });
    #[cfg(feature = "cpal")]
    let found = found.or_else(|why| match crate::card::Playback::open(name, form) {
        Ok(card) => Ok(Sink::Card(Box::new(card))),
        Err(own) => Err(if cfg!(target_os = "linux") { why } else { own }),
    });
    #[cfg(not(any(target_os = "linux", feature = "cpal")))]
    let _none = form;
    found
}
