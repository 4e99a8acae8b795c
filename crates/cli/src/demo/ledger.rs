//! What was published on a mount: every byte of the last half minute, and when.

use levada_media::{Page, Role};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The ledger of one mount. It holds half a minute; the oldest bytes leave first.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    header: Vec<u8>,
    /// Bytes behind the header, the first of which has the number `first`.
    bytes: VecDeque<u8>,
    first: u64,
    pages: VecDeque<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The number of its first byte.
    begins: u64,
    published: Instant,
}

/// What a comparison with the ledger found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Everything agrees; so long ago the last of it was published.
    Same(Duration),
    /// The byte of this number differs.
    Differs(u64),
    /// Nothing of that number has been published, or not in the last half minute.
    Unknown(u64),
}

impl Ledger {
    /// Notes a page that is published now.
    pub fn write(&self, page: &Page) {
        let mut book = self.book();
        if page.role == Role::Header && book.pages.is_empty() {
            return book.header.extend_from_slice(&page.bytes);
        }
        let begins = book.end();
        book.bytes.extend(page.bytes.iter());
        book.pages.push_back(Entry { begins, published: Instant::now() });
        book.forget();
    }

    /// The header set.
    pub fn header(&self) -> Vec<u8> {
        self.book().header.clone()
    }

    /// Where the newest run of bytes that begins with a page and with `head` was published.
    pub fn find(&self, head: &[u8]) -> Option<u64> {
        let mut book = self.book();
        let begins: Vec<u64> = book.pages.iter().rev().map(|page| page.begins).collect();
        begins.into_iter().find(|begins| book.compare(*begins, head).is_none())
    }

    /// Compares `bytes` with what was published from number `from` on.
    pub fn check(&self, from: u64, bytes: &[u8]) -> Found {
        let mut book = self.book();
        match book.compare(from, bytes) {
            None => Found::Same(book.age(from + bytes.len() as u64)),
            Some(at) if at >= book.end() || at < book.first => Found::Unknown(at),
            Some(at) => Found::Differs(at),
        }
    }

    /// Bytes published behind the header.
    pub fn published(&self) -> u64 {
        self.book().end()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn end(&self) -> u64 {
        self.first + self.bytes.len() as u64
    }

    /// The number of the first byte that is not the same or not here.
    fn compare(&mut self, from: u64, bytes: &[u8]) -> Option<u64> {
        let Some(skip) = from.checked_sub(self.first) else { return Some(from) };
        let mut known = self.bytes.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX));
        let wrong = bytes.iter().position(|byte| known.next() != Some(byte))?;
        Some(from + wrong as u64)
    }

    /// How long ago the byte before number `end` was published.
    fn age(&self, end: u64) -> Duration {
        let page = self.pages.partition_point(|page| page.begins < end).checked_sub(1);
        page.and_then(|page| self.pages.get(page)).map_or(Duration::ZERO, |page| page.published.elapsed())
    }

    fn forget(&mut self) {
        while self.pages.front().is_some_and(|page| page.published.elapsed() > REMEMBERED) {
            self.pages.pop_front();
            let begins = self.pages.front().map_or(self.end(), |page| page.begins);
            let gone = usize::try_from(begins - self.first).unwrap_or(usize::MAX).min(self.bytes.len());
            self.bytes.drain(..gone);
            self.first = begins;
        }
    }
}

const REMEMBERED: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn ledger(pages: &[&'static str]) -> Ledger {
        let ledger = Ledger::default();
        ledger.write(&Page::new(Bytes::from_static(b"HEAD"), Role::Header));
        pages
            .iter()
            .for_each(|page| ledger.write(&Page::new(Bytes::from_static(page.as_bytes()), Role::Entry)));
        ledger
    }

    #[test]
    fn what_was_published_is_found_and_agrees() {
        let ledger = ledger(&["abc", "def", "abc", "xyz"]);
        assert_eq!((ledger.header(), ledger.published()), (b"HEAD".to_vec(), 12));
        assert_eq!(ledger.find(b"abc"), Some(6), "the newest");
        assert_eq!(ledger.find(b"abcd"), Some(0));
        assert_eq!(ledger.find(b"bc"), None, "a newcomer begins with a page");
        assert!(matches!(ledger.check(3, b"defabc"), Found::Same(_)));
    }

    #[test]
    fn a_lost_a_changed_and_an_invented_byte_are_told() {
        let ledger = ledger(&["abc", "def"]);
        assert_eq!(ledger.check(0, b"abce"), Found::Differs(3));
        assert_eq!(ledger.check(3, b"defg"), Found::Unknown(6));
    }
}
