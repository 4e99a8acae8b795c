//! Pages that say what they are, so that every byte of a listener's body can be checked.

use bytes::Bytes;
use levada_media::{Page, Role};
use std::time::Duration;

/// What a page says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Numbered {
    /// Which stream it is of.
    pub(in super::super) stream: u8,
    /// `H`eader, `E`ntry or `P`lain.
    pub(in super::super) kind: u8,
    /// The header set it needs, or is part of.
    pub(in super::super) set: u8,
    pub(in super::super) number: u32,
}

impl Numbered {
    /// `#`, stream, kind, set, number, size, filling.
    pub(in super::super) fn bytes(self, size: usize) -> Bytes {
        let mut page = vec![b'#', self.stream, self.kind, self.set];
        page.extend_from_slice(&self.number.to_be_bytes());
        page.extend_from_slice(&(size as u32).to_be_bytes());
        page.extend((0..size).map(|n| self.filling(n)));
        page.into()
    }

    /// The page that `body` begins with, and its length; `None` when it is not all there. Panics at any byte that is
    /// not as it was sent.
    pub(in super::super) fn read(body: &[u8]) -> Option<(Numbered, usize)> {
        if let Some(first) = body.first() {
            assert_eq!(*first, b'#', "a page begins where one should");
        }
        let head: [u8; HEAD] = body.get(..HEAD)?.try_into().ok()?;
        let number = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        let size = u32::from_be_bytes([head[8], head[9], head[10], head[11]]) as usize;
        let numbered = Numbered { stream: head[1], kind: head[2], set: head[3], number };
        let filling = body.get(HEAD..HEAD + size)?;
        assert!(filling.iter().enumerate().all(|(n, byte)| *byte == numbered.filling(n)), "{numbered:?}");
        Some((numbered, HEAD + size))
    }

    /// All pages of a body, and what is left after the last whole one.
    pub(in super::super) fn read_all(mut body: &[u8]) -> (Vec<Numbered>, &[u8]) {
        let mut pages = Vec::new();
        while let Some((page, length)) = Numbered::read(body) {
            pages.push(page);
            body = &body[length..];
        }
        (pages, body)
    }

    fn filling(self, n: usize) -> u8 {
        (n as u32).wrapping_mul(31).wrapping_add(self.number) as u8
    }
}

/// Makes the pages of one stream, 100 ms each.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Script {
    pub(in super::super) stream: u8,
    pub(in super::super) set: u8,
    pub(in super::super) next: u32,
}

impl Script {
    /// Of a stream without headers.
    pub(in super::super) fn of(stream: u8) -> Script {
        Script { stream, set: 0, next: 0 }
    }

    /// The pages of the next header set.
    pub(in super::super) fn headers(&mut self) -> Vec<Page> {
        self.set += 1;
        let part = |number| Numbered { stream: self.stream, kind: b'H', set: self.set, number };
        (0..SET as u32).map(|number| Page::new(part(number).bytes(50), Role::Header)).collect()
    }

    pub(in super::super) fn entry(&mut self, size: usize) -> Page {
        self.page(b'E', Role::Entry, size)
    }

    pub(in super::super) fn plain(&mut self, size: usize) -> Page {
        self.page(b'P', Role::Plain, size)
    }

    fn page(&mut self, kind: u8, role: Role, size: usize) -> Page {
        let numbered = Numbered { stream: self.stream, kind, set: self.set, number: self.next };
        self.next += 1;
        Page::new(numbered.bytes(size), role).at(Duration::from_millis(100) * self.next)
    }
}

/// What a listener may see, whatever was done to it: pages follow each other, or the next is an entry; and what is not
/// a header comes after the whole set it needs. Sets have [`SET`] pages; set 0 has none.
pub(in super::super) fn check_story(pages: &[Numbered]) {
    let mut last: Option<Numbered> = None;
    let mut set: Vec<Numbered> = Vec::new();
    for page in pages {
        if page.kind == b'H' {
            if page.number == 0 {
                set.clear();
            }
            set.push(*page);
        } else {
            let had = set.first().map_or(0, |first| first.set);
            assert!(page.set == 0 || page.set == had, "{page:?} comes after its header set, not {had}");
            let whole = set.len() == SET && set.iter().all(|part| part.stream == page.stream);
            assert!(page.set == 0 || whole, "{page:?} after {set:?}");
            let follows =
                last.is_some_and(|last| last.stream == page.stream && last.number + 1 == page.number);
            assert!(follows || page.kind == b'E', "{page:?} after {last:?}");
            last = Some(*page);
        }
    }
}

pub(in super::super) const SET: usize = 2;
const HEAD: usize = 12;
