//! The file that is being written.

use super::{
    name::{self, Pattern},
    shape::Write,
};
use crate::config::{Keep, Rotate};
use bytes::Bytes;
use std::{
    fs::File,
    io::{self, Write as _},
    path::PathBuf,
    time::{Instant, SystemTime},
};

/// Writes one file after the other. Blocks as long as the disk does; what is written is out of this process's hands.
pub struct Tape {
    pattern: Pattern,
    ending: &'static str,
    rotate: Option<Rotate>,
    keep: Option<Keep>,
    headers: Bytes,
    open: Option<Open>,
    /// What it has done.
    pub seen: Seen,
}

/// What a tape has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Files begun.
    pub files: u64,
    /// Bytes in all of them.
    pub bytes: u64,
    /// The file that is open.
    pub file: Option<PathBuf>,
}

struct Open {
    file: File,
    path: PathBuf,
    began: Instant,
    /// Whole pages only.
    bytes: u64,
}

impl Tape {
    /// A tape without a file.
    pub fn new(pattern: Pattern, ending: &'static str, rotate: Option<Rotate>, keep: Option<Keep>) -> Tape {
        Tape { pattern, ending, rotate, keep, headers: Bytes::new(), open: None, seen: Seen::default() }
    }

    /// Whether the file is as long as it may be.
    pub fn is_full(&self) -> bool {
        let Some((open, rotate)) = self.open.as_ref().zip(self.rotate) else { return false };
        match rotate {
            Rotate::Time(time) => open.began.elapsed() >= time,
            Rotate::Bytes(bytes) => open.bytes >= bytes,
        }
    }

    /// Writes what comes next; `rolls` lets an entry begin another file where this one is full.
    ///
    /// # Errors
    /// The disk's; then the file is closed with what was whole in it.
    pub fn write(&mut self, what: Write, rolls: bool) -> io::Result<()> {
        match what {
            Write::Headers(headers) => {
                self.headers = headers;
                Ok(())
            }
            Write::Cut => self.close(),
            Write::Entry(bytes) => {
                if rolls && self.is_full() {
                    self.close()?;
                }
                if self.open.is_none() {
                    self.begin()?;
                    let headers = self.headers.clone();
                    self.put(&headers)?;
                }
                self.put(&bytes)
            }
            Write::More(bytes) => self.put(&bytes),
        }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When the disk has not taken what the system said it would.
    pub fn close(&mut self) -> io::Result<()> {
        self.seen.file = None;
        self.open.take().map_or(Ok(()), |open| open.file.sync_data())
    }

    fn begin(&mut self) -> io::Result<()> {
        let (file, path) = name::create(&self.pattern.at(SystemTime::now()), self.ending)?;
        tracing::info!(file = %path.display(), "recording begins");
        if let Some(keep) = self.keep {
            name::sweep(self.pattern.files(self.ending), keep, &path);
        }
        self.seen.files += 1;
        self.seen.file = Some(path.clone());
        self.open = Some(Open { file, path, began: Instant::now(), bytes: 0 });
        Ok(())
    }

    /// Before the first entry there is no file, and nothing that could begin one.
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        if let Err(why) = open.file.write_all(bytes) {
            // half a page is no use to anybody, and an empty file neither
            let _as_it_is = open.file.set_len(open.bytes);
            if open.bytes <= self.headers.len() as u64 {
                let _as_it_is = std::fs::remove_file(&open.path);
            }
            self.open = None;
            self.seen.file = None;
            return Err(why);
        }
        open.bytes += bytes.len() as u64;
        self.seen.bytes += bytes.len() as u64;
        Ok(())
    }
}
