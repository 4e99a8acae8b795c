//! Finds frames in a run of bytes, and leaves out tags and garbage.

use super::Header;
use crate::{
    Tags,
    container::{
        id3::{self, Look},
        window::Window,
    },
};
use bytes::Bytes;

/// What is found.
pub(crate) enum Unit<H> {
    /// A whole frame.
    Frame(H, Bytes),
    /// What a tag before the frames said.
    Tags(Tags),
}

/// Holds at most one frame and the header after it, or the beginning of a tag.
pub(crate) struct Reader<H> {
    pub(crate) window: Window,
    /// The header that the frames look like, once two in a row did.
    sync: Option<Sync<H>>,
    /// How far behind a header of free format the next one was looked for already.
    searched: usize,
}

/// Frames follow one another; each goes out as soon as its last byte is there.
struct Sync<H> {
    header: H,
    /// Bytes of a free-format frame without padding.
    free: usize,
}

enum Step<H> {
    Unit(Unit<H>),
    Again,
    Wait,
}

impl<H: Header> Default for Reader<H> {
    fn default() -> Self {
        Reader { window: Window::default(), sync: None, searched: 0 }
    }
}

impl<H: Header> Reader<H> {
    /// The next unit, `None` when more bytes are needed.
    pub(crate) fn poll(&mut self) -> Option<Unit<H>> {
        loop {
            match self.step() {
                Step::Unit(unit) => return Some(unit),
                Step::Again => {}
                Step::Wait if self.window.ended() => return self.leave(),
                Step::Wait => return None,
            }
        }
    }

    /// What is left after the end is no whole frame.
    fn leave(&mut self) -> Option<Unit<H>> {
        self.window.skip(self.window.front().len() as u64);
        None
    }

    /// What follows is a new beginning.
    pub(crate) fn restart(&mut self) {
        self.window.restart();
        (self.sync, self.searched) = (None, 0);
    }

    fn step(&mut self) -> Step<H> {
        match id3::look(self.window.front()) {
            Look::Short if !self.window.ended() => return Step::Wait,
            Look::Id3(size) => return self.read_tag(size),
            Look::Other(size) => return self.skip(size),
            _ => {}
        }
        let Some(sync) = &self.sync else { return self.hunt() };
        let front = self.window.front();
        if front.len() < H::LEN {
            return Step::Wait;
        }
        let Some(header) = H::parse(front).filter(|header| header.same(&sync.header)) else {
            self.sync = None;
            return self.hunt();
        };
        let size = header.size().unwrap_or(sync.free + header.padding());
        if front.len() < size {
            return Step::Wait;
        }
        let frame = self.window.take(size);
        Step::Unit(Unit::Frame(header, frame))
    }

    fn read_tag(&mut self, size: usize) -> Step<H> {
        let wanted = size.min(id3::WORTH_READING);
        if self.window.front().len() < wanted && !self.window.ended() {
            return Step::Wait;
        }
        let tags = id3::tags(&self.window.front()[..wanted.min(self.window.front().len())]);
        self.window.skip(size as u64);
        if tags.is_empty() { Step::Again } else { Step::Unit(Unit::Tags(tags)) }
    }

    fn skip(&mut self, size: usize) -> Step<H> {
        self.window.skip(size as u64);
        Step::Again
    }

    /// Looks for a header that is followed by its like, and throws away what is before it.
    fn hunt(&mut self) -> Step<H> {
        let front = self.window.front();
        for at in 0..front.len() {
            let rest = &front[at..];
            let found = match H::parse(rest) {
                Some(header) => self.confirm(header, rest, if at == 0 { self.searched } else { 0 }),
                None if rest.len() < H::LEN && rest[0] == 0xff && !self.window.ended() => Confirm::Wait(0),
                None if at > 0 && id3::look(rest) != Look::No => return self.skip(at),
                None => Confirm::No,
            };
            match found {
                Confirm::Yes(sync) => {
                    self.sync = Some(sync);
                    self.searched = 0;
                    return self.skip(at);
                }
                Confirm::Wait(searched) => {
                    self.searched = searched;
                    self.window.skip(at as u64);
                    return Step::Wait;
                }
                Confirm::No => {}
            }
        }
        self.searched = 0;
        self.window.skip(self.window.front().len() as u64);
        Step::Wait
    }

    fn confirm(&self, header: H, rest: &[u8], searched: usize) -> Confirm<H> {
        let Some(size) = header.size() else { return self.measure(header, rest, searched) };
        let sync = Sync { header, free: 0 };
        match self.follows(&header, rest, size) {
            Some(true) => Confirm::Yes(sync),
            Some(false) => Confirm::No,
            None => Confirm::Wait(0),
        }
    }

    /// Whether a like header or a tag begins at `size`; `None` when more bytes are needed.
    fn follows(&self, header: &H, rest: &[u8], size: usize) -> Option<bool> {
        let Some(next) = rest.get(size..) else { return self.window.ended().then_some(false) };
        let tag = id3::look(next);
        match (H::parse(next), tag) {
            (Some(next), _) => Some(next.same(header)),
            (None, Look::Id3(_) | Look::Other(_)) => Some(true),
            (None, _) if self.window.ended() => Some(next.is_empty()),
            (None, Look::Short) => None,
            (None, Look::No) if next.len() < H::LEN => None,
            (None, Look::No) => Some(false),
        }
    }

    /// The size of a free-format frame, which only the next header tells.
    fn measure(&self, header: H, rest: &[u8], searched: usize) -> Confirm<H> {
        // a frame is longer than its header and its padding, or there would be no end of them
        for size in searched.max(H::LEN + header.padding())..LARGEST_FREE {
            if rest.len() < size + H::LEN {
                return if self.window.ended() { Confirm::No } else { Confirm::Wait(size) };
            }
            if H::parse(&rest[size..]).is_some_and(|next| next.same(&header)) {
                return Confirm::Yes(Sync { header, free: size.saturating_sub(header.padding()) });
            }
        }
        Confirm::No
    }
}

enum Confirm<H> {
    Yes(Sync<H>),
    No,
    /// How far the search for the next header has come.
    Wait(usize),
}

/// Four times what the largest bit rate of the tables needs.
const LARGEST_FREE: usize = 8 * 1024;
