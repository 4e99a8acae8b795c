//! When each message of a stream was sent or came, as a table: what one needs to see the gaps between them without a
//! packet capture.

use anyhow::{Context, Result};
use levada_media::{
    Page,
    container::flv::{
        self,
        tag::{Kind, Tag},
    },
};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

/// A table of comma-separated values that grows a row a message.
pub struct Times {
    out: BufWriter<File>,
    number: u64,
    last: Option<f64>,
}

impl Times {
    /// Begins the table in a new file, if one is wanted.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn open(path: Option<&Path>) -> Result<Option<Times>> {
        let Some(path) = path else { return Ok(None) };
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut out = BufWriter::new(file);
        writeln!(out, "{COLUMNS}")?;
        Ok(Some(Times { out, number: 0, last: None }))
    }

    /// Notes that a message of this kind, media time and size was sent or came just now.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn note(&mut self, kind: &str, timestamp: u32, bytes: usize) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let gap = self.last.map(|last| format!("{:.3}", (now - last) * 1e3)).unwrap_or_default();
        writeln!(self.out, "{},{now:.6},{gap},{kind},{timestamp},{bytes}", self.number)?;
        self.number += 1;
        self.last = Some(now);
        Ok(())
    }

    /// As [`Times::note`], for a page of a stream: a tag where it is one.
    ///
    /// # Errors
    /// As [`Times::note`].
    pub fn note_page(&mut self, page: &Page) -> Result<()> {
        match flv::unwrap(&page.bytes) {
            Some(tag) => self.note_tag(&tag),
            None => {
                let at = page.at.unwrap_or_default().as_millis();
                self.note("page", u32::try_from(at).unwrap_or(u32::MAX), page.bytes.len())
            }
        }
    }

    /// As [`Times::note`], for a tag.
    ///
    /// # Errors
    /// As [`Times::note`].
    pub fn note_tag(&mut self, tag: &Tag) -> Result<()> {
        self.note(kind(tag), tag.timestamp, tag.payload.len())
    }

    /// Writes what is not written yet.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn finish(mut self) -> Result<()> {
        Ok(self.out.flush()?)
    }
}

/// In words what a tag carries.
fn kind(tag: &Tag) -> &'static str {
    match tag.kind {
        Kind::Script => "data",
        Kind::Audio if tag.is_setup() => "audio-header",
        Kind::Audio => "audio",
        Kind::Video if tag.is_setup() => "video-header",
        Kind::Video if tag.is_key_picture() => "key",
        Kind::Video => "video",
    }
}

/// Since 1970 in seconds, since the message before in milliseconds, the stream's own time in milliseconds, bytes.
const COLUMNS: &str = "number,time_s,gap_ms,kind,timestamp_ms,bytes";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_a_row_with_its_gap() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut times = Times::open(Some(file.path())).unwrap().unwrap();
        times.note("key", 40, 1_000).unwrap();
        times.note("audio", 43, 10).unwrap();
        times.finish().unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(rows[0].join(","), COLUMNS);
        assert_eq!((rows[1][2], rows[1][3], rows[1][4]), ("", "key", "40"));
        assert!(rows[2][2].parse::<f64>().unwrap() >= 0.0 && rows[2][5] == "10");
    }
}
