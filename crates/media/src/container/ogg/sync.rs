//! Finds pages in a stream of bytes that may hold anything else as well.

use super::page::{self, Look, PageHeader};
use bytes::{Buf, Bytes, BytesMut};

/// Takes bytes in any split and gives whole pages whose checksum agrees.
///
/// Holds at most one unfinished page (64 KiB) beyond what was pushed since the last `None`. Checking costs at
/// most [`PATIENCE`] times the bytes that pass, however the false pages are nested: a page that turns out
/// false is searched for others inside while that credit lasts, and skipped as a whole afterwards.
#[derive(Debug)]
pub(super) struct Sync {
    buffer: BytesMut,
    /// Bytes that must be there before it is worth looking again.
    need: usize,
    skipped: u64,
    credit: usize,
    ended: bool,
}

impl Sync {
    pub(super) fn new() -> Sync {
        Sync { buffer: BytesMut::new(), need: 0, skipped: 0, credit: CREDIT, ended: false }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next page, `None` when more bytes are needed.
    pub(super) fn poll(&mut self) -> Option<(PageHeader, Bytes)> {
        while !self.buffer.is_empty() && self.buffer.len() >= self.need {
            match PageHeader::look(&self.buffer) {
                Look::Page(header) if self.buffer.len() >= header.size() => {
                    if let Some(bytes) = self.take(header.size()) {
                        return Some((header, bytes));
                    }
                }
                Look::Page(header) if !self.ended => self.need = header.size(),
                Look::Short(need) if !self.ended => self.need = need,
                _ => self.search(),
            }
        }
        None
    }

    /// Bytes thrown away so far.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The input ended: an unfinished page is a false one, but may have true ones inside.
    pub(super) fn finish(&mut self) {
        self.ended = true;
        self.need = 0;
    }

    /// The page of `size` bytes at the beginning, if it is sound.
    fn take(&mut self, size: usize) -> Option<Bytes> {
        self.need = 0;
        if page::is_sound(self.buffer.get(..size)?) {
            self.earn(size);
            return Some(self.buffer.split_to(size).freeze());
        }
        match self.credit.checked_sub(size) {
            Some(credit) => {
                self.credit = credit;
                self.search();
            }
            None => self.skip(size),
        }
        None
    }

    /// Skips to the next place after the first byte where a page may begin.
    fn search(&mut self) {
        let rest = self.buffer.get(1..).unwrap_or_default();
        let begins = |at: &usize| {
            let here = rest.get(*at..).unwrap_or_default();
            page::CAPTURE.iter().zip(here).all(|(want, have)| want == have)
        };
        let found = (0..rest.len()).filter(|at| rest.get(*at) == Some(&b'O')).find(begins);
        self.skip(1 + found.unwrap_or(rest.len()));
    }

    fn skip(&mut self, bytes: usize) {
        let bytes = bytes.min(self.buffer.len());
        self.buffer.advance(bytes);
        self.skipped += bytes as u64;
        self.need = 0;
        self.earn(bytes);
    }

    fn earn(&mut self, bytes: usize) {
        self.credit = CREDIT.min(self.credit + PATIENCE * bytes);
    }
}

/// How many times each byte may be checked in vain, on average.
const PATIENCE: usize = 8;
/// Bytes that may be checked in vain at once.
const CREDIT: usize = PATIENCE * PageHeader::LONGEST;
