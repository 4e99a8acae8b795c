//! Reads a capture of either format as its bytes arrive.

use crate::pcap::{MICRO, NANO};
use crate::pcapng::{LONGEST_BLOCK, read};
use crate::{Interface, InterfaceId, LinkType, Note, Packet};
use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

/// Reads pcap and pcapng of either byte order and any precision, pushed in pieces of any size.
///
/// A capture may end anywhere, because it still grows or because whoever wrote it died: [`Reader::poll`] then gives
/// `None` and [`Reader::left`] says how many bytes of an unfinished record wait for the rest. It holds one record, of
/// 16 MiB at the most, and what was pushed beyond it.
///
/// ```
/// use levada_capture::{Interface, Item, Packet, Reader, pcapng::{About, Writer}};
/// use std::time::Duration;
/// # let mut capture = Writer::new(Vec::new(), &About::default())?;
/// # let server = capture.interface(&Interface::ethernet("server-eth0"))?;
/// # capture.packet(&Packet::new(server, Duration::from_secs(1), &[0; 60]))?;
/// # let file = capture.into_inner();
/// let mut reader = Reader::new();
/// reader.push(&file);
/// let mut packets = 0;
/// while let Some(item) = reader.poll()? {
///     if let Item::Packet(packet) = item {
///         assert_eq!(packet.length, 60);
///         packets += 1;
///     }
/// }
/// assert_eq!((packets, reader.interfaces()[0].name.as_str(), reader.left()), (1, "server-eth0", 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    /// How much of the buffer was read.
    done: usize,
    /// How many bytes were read before those in the buffer.
    gone: u64,
    format: Option<Format>,
    interfaces: Vec<Interface>,
}

/// What a capture holds, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// An interface was described: it is among [`Reader::interfaces`].
    Interface(InterfaceId),
    /// A packet.
    Packet(Packet<'a>),
    /// A note.
    Note(Note<'a>),
}

/// Why a capture cannot be read on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It begins like nothing that we know.
    #[error("this is neither pcap nor pcapng{0}")]
    Unknown(&'static str),
    /// A record that cannot be.
    #[error("damaged at byte {offset}: {what}")]
    Damaged {
        /// How many good bytes come before it.
        offset: u64,
        /// What is wrong with it.
        what: &'static str,
    },
}

#[derive(Debug)]
enum Format {
    Classic { big_endian: bool, nano: bool, extra: usize },
    Blocks(read::Sections),
}

impl Reader {
    /// A reader that has seen nothing.
    pub fn new() -> Reader {
        Reader::default()
    }

    /// Takes in the next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.done > 0 && (self.done == self.buffer.len() || self.done >= COMPACT) {
            self.buffer.drain(..self.done);
            self.gone += self.done as u64;
            self.done = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next thing in the capture, `None` until there are more bytes.
    ///
    /// # Errors
    /// Where the file is damaged; asked again, it says so again.
    pub fn poll(&mut self) -> Result<Option<Item<'_>>, Error> {
        if self.format.is_none() {
            if !self.begin()? {
                return Ok(None);
            }
            if !self.interfaces.is_empty() {
                return Ok(Some(Item::Interface(InterfaceId(0))));
            }
        }
        match self.format {
            Some(Format::Classic { big_endian, nano, extra }) => self.record(big_endian, nano, extra),
            _ => self.block(),
        }
    }

    /// The interfaces described so far, those of all sections of the file.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// How many bytes wait for the rest of a record: at the end of a file, whether it was cut off.
    pub fn left(&self) -> usize {
        self.buffer.len() - self.done
    }

    /// How many bytes were read.
    pub fn offset(&self) -> u64 {
        self.gone + self.done as u64
    }

    fn damaged(&self, what: &'static str) -> Error {
        Error::Damaged { offset: self.offset(), what }
    }

    /// Finds out what it is; `false` where that takes more bytes.
    fn begin(&mut self) -> Result<bool, Error> {
        let Some(magic) = self.buffer.first_chunk::<4>() else { return Ok(false) };
        if *magic == [0x0a, 0x0d, 0x0d, 0x0a] {
            self.format = Some(Format::Blocks(read::Sections::default()));
            return Ok(true);
        }
        let (big_endian, magic) = match (u32::from_le_bytes(*magic), u32::from_be_bytes(*magic)) {
            (known @ (MICRO | NANO | MODIFIED), _) => (false, known),
            (_, known @ (MICRO | NANO | MODIFIED)) => (true, known),
            (_, other) => return Err(Error::Unknown(looks_like(other))),
        };
        let Some(head) = self.buffer.first_chunk::<24>() else { return Ok(false) };
        let link = word(&head[20..], big_endian).unwrap_or_default();
        let snaplen = word(&head[16..], big_endian).unwrap_or_default();
        // The upper half says how long the frame check sequence is.
        self.interfaces.push(Interface { link: LinkType(link as u16), snaplen, ..Interface::ethernet("") });
        let extra = if magic == MODIFIED { 8 } else { 0 };
        self.format = Some(Format::Classic { big_endian, nano: magic == NANO, extra });
        self.done = 24;
        Ok(true)
    }

    fn record(&mut self, big_endian: bool, nano: bool, extra: usize) -> Result<Option<Item<'_>>, Error> {
        let rest = &self.buffer[self.done..];
        let field = |at: usize| word(rest.get(at..)?, big_endian);
        let (Some(seconds), Some(fraction), Some(kept), Some(length)) =
            (field(0), field(4), field(8), field(12))
        else {
            return Ok(None);
        };
        let kept = kept as usize;
        if kept > LONGEST_BLOCK {
            return Err(self.damaged("a packet longer than 16 MiB"));
        }
        let body = 16 + extra;
        if rest.len() < body + kept {
            return Ok(None);
        }
        let start = self.done + body;
        self.done = start + kept;
        // Some writers let the fraction run over a second.
        let fraction = if nano { u64::from(fraction) } else { u64::from(fraction) * 1000 };
        let at = Duration::from_secs(seconds.into()) + Duration::from_nanos(fraction);
        let bytes = Cow::Borrowed(&self.buffer[start..start + kept]);
        Ok(Some(Item::Packet(Packet { bytes, length, ..Packet::new(InterfaceId(0), at, &[]) })))
    }

    fn block(&mut self) -> Result<Option<Item<'_>>, Error> {
        loop {
            let Some((kind, body)) = self.next_block()? else { return Ok(None) };
            let offset = self.offset();
            let Some(Format::Blocks(sections)) = &mut self.format else { return Ok(None) };
            let length = body.len() + 12;
            match sections.enter(kind, &self.buffer[body.clone()], &mut self.interfaces) {
                Err(what) => return Err(Error::Damaged { offset, what }),
                Ok(read::Entered::Nothing) => self.done += length,
                Ok(read::Entered::Interface(id)) => {
                    self.done += length;
                    return Ok(Some(Item::Interface(id)));
                }
                Ok(read::Entered::Packet | read::Entered::Note) => {
                    self.done += length;
                    let item = sections.item(kind, &self.buffer[body]);
                    return item.map(Some).map_err(|what| Error::Damaged { offset, what });
                }
            }
        }
    }

    /// The kind of the next whole block, and where its body is.
    fn next_block(&mut self) -> Result<Option<(u32, Range<usize>)>, Error> {
        let Some(Format::Blocks(sections)) = &mut self.format else { return Ok(None) };
        let rest = &self.buffer[self.done..];
        let Some(head) = rest.first_chunk::<12>() else { return Ok(None) };
        let begins = head[..4] == [0x0a, 0x0d, 0x0d, 0x0a];
        if begins && !sections.begin([head[8], head[9], head[10], head[11]]) {
            return Err(self.damaged("a section of unknown byte order"));
        }
        let big_endian = sections.big_endian();
        let (kind, length) = (word(head, big_endian), word(&head[4..], big_endian));
        let (Some(kind), Some(length)) = (kind, length.map(|length| length as usize)) else {
            return Ok(None);
        };
        if length < 12 || length % 4 != 0 || length > LONGEST_BLOCK {
            return Err(self.damaged("a block of impossible length"));
        }
        if rest.len() < length {
            return Ok(None);
        }
        if word(&rest[length - 4..], big_endian) != Some(length as u32) {
            return Err(self.damaged("a block that ends with another length than it begins with"));
        }
        Ok(Some((kind, self.done + 8..self.done + length - 4)))
    }
}

/// The 32 bits that `bytes` begin with.
pub(crate) fn word(bytes: &[u8], big_endian: bool) -> Option<u32> {
    let word = bytes.first_chunk::<4>()?;
    Some(if big_endian { u32::from_be_bytes(*word) } else { u32::from_le_bytes(*word) })
}

fn looks_like(magic: u32) -> &'static str {
    match magic {
        0x1f8b_0000..=0x1f8b_ffff => " but gzip: unpack it first",
        0x28b5_2ffd => " but zstd: unpack it first",
        0x464c_5601 => " but Flash video",
        _ => "",
    }
}

/// Alexey Kuznetsov's libpcap of 1999: eight bytes more a packet.
const MODIFIED: u32 = 0xa1b2_cd34;
/// What was read is thrown away when it is this much.
const COMPACT: usize = 1 << 20;

#[cfg(test)]
mod tests;
