//! What goes between the bytes of the stream on the way to one listener.

use super::{icy::Interleave, reel::Reel};
use bytes::Bytes;

/// How a listener's body is laid out. Another kind is another variant here and a file like `icy.rs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// The stream's bytes and nothing else.
    #[default]
    Raw,
    /// A title block after each `metaint` bytes of this listener's body, as `icy-metaint` announced it.
    Icy {
        /// Bytes between blocks; 0 is taken as 1.
        metaint: usize,
    },
}

/// A framing, and how far one listener's body has come in it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layout {
    Raw,
    Icy(Interleave),
}

impl From<Framing> for Layout {
    fn from(framing: Framing) -> Layout {
        match framing {
            Framing::Raw => Layout::Raw,
            Framing::Icy { metaint } => Layout::Icy(Interleave::new(metaint)),
        }
    }
}

impl Layout {
    /// How many bytes of the stream may follow now; 0 when an insert is due.
    pub(super) fn room(&self) -> usize {
        match self {
            Layout::Raw => usize::MAX,
            Layout::Icy(icy) => icy.room(),
        }
    }

    /// What is left of the insert that is due.
    pub(super) fn insert<'a>(&self, reel: &'a Reel) -> &'a [u8] {
        match self {
            Layout::Raw => &[],
            Layout::Icy(icy) => icy.insert(reel),
        }
    }

    /// `bytes` of the stream were written, at most as many as there was room for; the next is at `offset`.
    pub(super) fn pass_body(&mut self, bytes: usize, offset: u64, reel: &Reel) {
        match self {
            Layout::Raw => {}
            Layout::Icy(icy) => icy.pass_body(bytes, || reel.title_at(offset)),
        }
    }

    /// The rest of an insert that is begun or due, which then counts as written.
    pub(super) fn take_insert(&mut self, reel: &Reel) -> Bytes {
        if self.room() > 0 {
            return Bytes::new();
        }
        let rest = Bytes::copy_from_slice(self.insert(reel));
        self.pass_insert(rest.len());
        rest
    }

    /// `bytes` of the insert were written.
    pub(super) fn pass_insert(&mut self, bytes: usize) {
        match self {
            Layout::Raw => {}
            Layout::Icy(icy) => icy.pass_insert(bytes),
        }
    }

    /// The listener is on another reel now: what was told there says nothing here.
    pub(super) fn move_on(&mut self) {
        match self {
            Layout::Raw => {}
            Layout::Icy(icy) => icy.forget(),
        }
    }
}
