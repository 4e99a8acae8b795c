//! Microphones, speakers, cameras, files and test signals.
//!
//! A [`Source`] gives blocks of interleaved 16-bit sound, a [`Sink`] takes them. Files, tones and pipes have no clock of their
//! own and give or take a block whenever they are asked; sound cards do, behind one lock-free ring each.
#![deny(unsafe_code)] // but for what talks to cameras and to the scheduler: camera/kernel.rs, urgent.rs

#[cfg(target_os = "linux")]
pub mod camera;
#[cfg(feature = "cpal")]
pub mod card;
mod file;
pub mod pictures;
mod pipe;
#[cfg(target_os = "linux")]
pub mod pulse;
mod sink;
mod source;
mod tone;
mod urgent;
mod wave;

pub use file::File;
pub use pictures::Pictures;
pub use pipe::Pipe;
pub use sink::Sink;
pub use source::Source;
pub use tone::Tone;
pub use urgent::{Urgency, hurry};
pub use wave::Wave;

/// The form of sound at a device's door: interleaved 16-bit samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Frames a second.
    pub rate: u32,
    /// 1 or 2.
    pub channels: usize,
    /// Frames that are asked for at a time: what a sound card is to be set up for.
    pub block: usize,
}

/// Why a device cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{name}: {why}")]
    File {
        /// Its name.
        name: String,
        /// What the system says.
        why: std::io::Error,
    },
    /// A file is not one of the formats that are known.
    #[error("{name}: {why} (WAV, FLAC, MP3 and Ogg Vorbis are read)")]
    Format {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// No device is called so.
    #[error(
        "no device is called {name}: a number or a part of a name of --list-devices, a file, tone, null or - would be one"
    )]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// Nothing that gives pictures is called so.
    #[error(
        "no pictures are called {name}: camera, /dev/video0, a FILE.y4m or test would be some (whom to call stands before --video)"
    )]
    NoPictures {
        /// What was asked for.
        name: String,
    },
    /// A file of pictures is none.
    #[error("{name}: {why}")]
    Film {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no camera, or it does not want to.
    #[error("{name}: {why}")]
    Camera {
        /// What it is called.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// The sound server is not there or does not want to.
    #[error("the sound server: {why}")]
    Server {
        /// What it says.
        why: String,
    },
}

impl Error {
    fn file(name: &str) -> impl Fn(std::io::Error) -> Error {
        move |why| Error::File { name: name.into(), why }
    }
}

/// A sound card as a person may choose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The number that `--input` or `--output` may give.
    pub index: u32,
    /// What the server calls it.
    pub name: String,
    /// What a person calls it.
    pub description: String,
    /// Whether it captures; otherwise it plays.
    pub captures: bool,
    /// Channels.
    pub channels: u8,
    /// Frames a second.
    pub rate: u32,
}

/// All sound cards, first those that capture.
///
/// # Errors
/// That there is no sound server.
pub fn list() -> Result<Vec<Card>, Error> {
    #[cfg(target_os = "linux")]
    let cards = pulse::list();
    #[cfg(not(target_os = "linux"))]
    let cards: Result<Vec<Card>, Error> =
        Err(Error::Server { why: "this build has none for this system (its feature cpal has)".into() });
    #[cfg(feature = "cpal")]
    let cards = match (cards, card::list()) {
        (Ok(cards), Ok(own)) => {
            let mut all: Vec<Card> = cards.into_iter().chain(own).collect();
            all.sort_by_key(|card| !card.captures);
            Ok(all)
        }
        (cards, own) => own.or(cards),
    };
    cards
}
