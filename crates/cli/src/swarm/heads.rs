//! A source's bytes as splitters take them: the head of the stream, and pieces that know where a player may begin.

use super::wire::Wire;
use bytes::Bytes;
use levada_media::{Cut, Format, Page, Role};
use levada_swarm::{head::HttpHead, native::wire::LONGEST};

/// What a splitter takes.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// The head, from now on: an answer to HTTP and the container's header pages.
    Head(Vec<u8>),
    /// The next bytes; `entry` where a player may begin with them.
    Bytes {
        /// The bytes.
        bytes: Bytes,
        /// Whether one may begin here.
        entry: bool,
    },
}

/// Cuts a source's bytes into pieces, and keeps its head.
pub struct Heads {
    answer: String,
    cutter: Box<dyn Cut>,
    set: Vec<u8>,
    in_header: bool,
    told: bool,
    changed: bool,
    /// Pieces with the pages of a header that is not whole yet: the head goes before them. At most [`MOST_HELD`].
    held: Vec<Piece>,
    kind: Kind,
}

enum Kind {
    /// Peers get the bytes as they come.
    Plain,
    /// On wire B peers fetch so much, whatever it is.
    Fixed(u16),
    /// Chunks begin where players may.
    Cut(Pack),
}

/// Pages on their way into chunks.
#[derive(Default)]
struct Pack {
    bytes: Vec<u8>,
    entry: bool,
}

impl Heads {
    /// Of a source that says `content_type`; peers of wire B fetch `header_size` bytes.
    pub fn new(wire: Wire, content_type: &str, header_size: u16) -> Heads {
        let cutter = Format::from_content_type(content_type).cutter();
        let answer = HttpHead::answer(content_type);
        let kind = match wire {
            Wire::Old(levada_swarm::Wire::A) => Kind::Plain,
            Wire::Old(levada_swarm::Wire::B) => Kind::Fixed(header_size),
            Wire::Native => Kind::Cut(Pack::default()),
        };
        let (set, held) = (Vec::new(), Vec::new());
        Heads { answer, cutter, set, in_header: false, told: false, changed: true, held, kind }
    }

    /// Takes what came of the stream at once.
    pub fn push(&mut self, bytes: &Bytes) -> Vec<Piece> {
        if let Kind::Fixed(size) = self.kind {
            let first = !std::mem::replace(&mut self.told, true);
            let head = first.then(|| Piece::Head(vec![0; size.into()]));
            return head.into_iter().chain([Piece::Bytes { bytes: bytes.clone(), entry: false }]).collect();
        }
        let mut pieces = Vec::new();
        self.cutter.push(bytes);
        while let Some(mut page) = self.cutter.poll() {
            page.set = page.set.or_else(|| self.cutter.header_set());
            self.page(&page, &mut pieces);
        }
        if let Kind::Plain = self.kind {
            pieces.push(Piece::Bytes { bytes: bytes.clone(), entry: false });
        }
        self.flush(&mut pieces);
        pieces
    }

    /// Takes a page of a stream that is cut already.
    pub fn page(&mut self, page: &Page, pieces: &mut Vec<Piece>) {
        if page.role == Role::Header {
            if !self.in_header {
                self.set.clear();
            }
            self.set.extend_from_slice(&page.bytes);
            if let Some(set) = &page.set {
                self.set = set.to_vec();
            }
            self.changed = true;
        }
        self.in_header = page.role == Role::Header;
        if let Kind::Cut(pack) = &mut self.kind {
            pack.put(&page.bytes, page.role == Role::Entry, pieces);
        }
    }

    /// Nothing more is here at the moment: what has come waits for nothing that may be long in coming.
    pub fn flush(&mut self, pieces: &mut Vec<Piece>) {
        if let Kind::Cut(pack) = &mut self.kind {
            pieces.extend(pack.take());
            if self.changed && self.in_header && self.held.len() + pieces.len() <= MOST_HELD {
                return self.held.append(pieces);
            }
        }
        pieces.splice(0..0, self.held.drain(..));
        // Half a header is none.
        if self.changed && !self.in_header {
            self.changed = false;
            pieces.insert(0, Piece::Head([self.answer.as_bytes(), &self.set].concat()));
        }
    }
}

impl Pack {
    fn put(&mut self, page: &[u8], entry: bool, pieces: &mut Vec<Piece>) {
        // Frames of sound are entries all, and many fit into a chunk that begins with one.
        let fits = self.entry && self.bytes.len() + page.len() <= LONGEST;
        if entry && !fits {
            pieces.extend(self.take());
        }
        self.entry |= entry && self.bytes.is_empty();
        self.bytes.extend_from_slice(page);
        if self.bytes.len() >= LONGEST {
            let rest = self.bytes.split_off(self.bytes.len() / LONGEST * LONGEST);
            pieces.extend(self.take());
            self.bytes = rest;
        }
    }

    fn take(&mut self) -> Option<Piece> {
        let entry = std::mem::take(&mut self.entry);
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        (!bytes.is_empty()).then_some(Piece::Bytes { bytes, entry })
    }
}

/// Pieces of a header: a quarter of a megabyte and more, where headers have some kilobytes.
const MOST_HELD: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_chunks_begin_where_players_may_and_nothing_is_lost() {
        let clip = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../media/testcard.ogv")).unwrap();
        let mut heads = Heads::new(Wire::Native, "application/ogg", 0);
        let pieces: Vec<_> =
            clip.chunks(9_000).flat_map(|part| heads.push(&Bytes::copy_from_slice(part))).collect();
        let (mut all, mut entries) = (Vec::new(), 0);
        for piece in &pieces {
            if let Piece::Bytes { bytes, entry } = piece {
                assert!(!entry || bytes.starts_with(b"OggS"), "an entry begins with a page");
                entries += u32::from(*entry);
                all.extend_from_slice(bytes);
            }
        }
        assert!(entries > 2 && clip.starts_with(&all) && clip.len() - all.len() < 70_000, "{entries}");
        let Some(Piece::Head(head)) = pieces.first() else { panic!("the head comes first") };
        assert!(head.starts_with(b"HTTP/1.0 200 OK\r\n"));
    }
}
