//! The clips that the command carries in itself, so that the demo needs no files.

use bytes::Bytes;
use levada_serve::client::medium::Medium;

/// One shipped clip.
#[derive(Clone, Copy, Debug)]
pub struct Clip {
    /// The mount that it is published on.
    pub mount: &'static str,
    /// What a person is told it is.
    pub kind: &'static str,
    bytes: &'static [u8],
}

impl Clip {
    /// The clip as something to play.
    pub fn medium(&self) -> Medium {
        Medium::Memory(self.mount.trim_start_matches('/').to_owned(), Bytes::from_static(self.bytes))
    }
}

/// All of them; `media/README.md` tells what they are.
pub const CLIPS: [Clip; 6] = [
    Clip {
        mount: "/testcard.ogv",
        kind: "Theora + Vorbis",
        bytes: include_bytes!("../../../../media/testcard.ogv"),
    },
    Clip {
        mount: "/fractal.webm",
        kind: "VP8 + Opus",
        bytes: include_bytes!("../../../../media/fractal.webm"),
    },
    Clip { mount: "/speech.opus", kind: "Opus", bytes: include_bytes!("../../../../media/speech.opus") },
    Clip { mount: "/chords.ogg", kind: "Vorbis", bytes: include_bytes!("../../../../media/chords.ogg") },
    Clip { mount: "/chords.mp3", kind: "MP3", bytes: include_bytes!("../../../../media/chords.mp3") },
    Clip { mount: "/speech.aac", kind: "AAC", bytes: include_bytes!("../../../../media/speech.aac") },
];
