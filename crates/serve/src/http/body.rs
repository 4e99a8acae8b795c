//! The body of a source's request: endless, counted, or chunked (RFC 9112 §7.1), decoded as it comes.

use super::Fields;

/// Turns the bytes behind a head into the bytes of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Until the connection closes.
    Endless,
    /// This many bytes more.
    Counted(u64),
    /// In chunks.
    Chunked(Chunk),
}

/// Where in a chunked body we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// In a size line; hexadecimal digits so far, and whether an extension is being skipped.
    Size { value: u64, digits: u8, skipping: bool },
    /// This many bytes of data to come.
    Data(u64),
    /// The line end behind the data.
    End,
    /// The last chunk was there: nothing more belongs to the stream.
    Done,
}

impl Body {
    /// The body that a head announces.
    pub fn of(head: &impl AsRef<Fields>) -> Body {
        let fields = head.as_ref();
        if fields.has_token("transfer-encoding", "chunked") {
            return Body::Chunked(Chunk::START);
        }
        match fields.get("content-length").and_then(|length| length.parse().ok()) {
            Some(length) => Body::Counted(length),
            None => Body::Endless,
        }
    }

    /// Hands the stream's part of `bytes` to `sink`; false when the body is over.
    ///
    /// # Errors
    /// When a chunk's size is no number.
    pub fn feed(&mut self, bytes: &[u8], mut sink: impl FnMut(&[u8])) -> Result<bool, BadChunk> {
        match self {
            Body::Endless => sink(bytes),
            Body::Counted(left) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                sink(&bytes[..take]);
                *left -= take as u64;
            }
            Body::Chunked(chunk) => chunk.feed(bytes, &mut sink)?,
        }
        Ok(!self.over())
    }

    /// Whether the body has ended by its own word.
    pub fn over(&self) -> bool {
        matches!(self, Body::Counted(0) | Body::Chunked(Chunk::Done))
    }
}

impl Chunk {
    const START: Chunk = Chunk::Size { value: 0, digits: 0, skipping: false };

    fn feed(&mut self, mut bytes: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<(), BadChunk> {
        while let Some(&byte) = bytes.first() {
            let mut used = 1;
            *self = match *self {
                Chunk::Done => return Ok(()),
                Chunk::Data(left) => {
                    used = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    sink(&bytes[..used]);
                    let left = left - used as u64;
                    if left == 0 { Chunk::End } else { Chunk::Data(left) }
                }
                Chunk::End if byte == b'\n' => Chunk::START,
                Chunk::End if byte == b'\r' => Chunk::End,
                Chunk::End => return Err(BadChunk),
                Chunk::Size { value, digits, skipping } => size_byte(value, digits, skipping, byte)?,
            };
            bytes = &bytes[used..];
        }
        Ok(())
    }
}

fn size_byte(value: u64, digits: u8, skipping: bool, byte: u8) -> Result<Chunk, BadChunk> {
    match (byte, char::from(byte).to_digit(16)) {
        (b'\n', _) if digits == 0 => Err(BadChunk),
        (b'\n', _) if value == 0 => Ok(Chunk::Done),
        (b'\n', _) => Ok(Chunk::Data(value)),
        (_, Some(digit)) if !skipping && digits < MOST_DIGITS => {
            Ok(Chunk::Size { value: value << 4 | u64::from(digit), digits: digits + 1, skipping })
        }
        (b';' | b' ' | b'\t' | b'\r', _) => Ok(Chunk::Size { value, digits, skipping: true }),
        _ if skipping => Ok(Chunk::Size { value, digits, skipping }),
        _ => Err(BadChunk),
    }
}

/// A chunked body whose sizes cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed chunk in the request body")]
pub struct BadChunk;

/// Fifteen hexadecimal digits stay within 64 bits with room to spare.
const MOST_DIGITS: u8 = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_out_whole_at_any_split() {
        let wire = b"4\r\nWiki\r\n6;ext=1\r\npedia \r\nA\r\nin chunks.\r\n0\r\n\r\n";
        for split in 0..wire.len() {
            let mut body = Body::Chunked(Chunk::START);
            let mut out = Vec::new();
            let going = body.feed(&wire[..split], |b| out.extend_from_slice(b)).unwrap();
            assert!(going || split > 40);
            assert!(!body.feed(&wire[split..], |b| out.extend_from_slice(b)).unwrap());
            assert_eq!(out, b"Wikipedia in chunks.");
        }
    }

    #[test]
    fn nonsense_sizes_are_refused() {
        for wire in [&b"zz\r\n"[..], b"\r\n", b"FFFFFFFFFFFFFFFFF\r\n", b"1\r\nab"] {
            assert_eq!(Body::Chunked(Chunk::START).feed(wire, |_| ()), Err(BadChunk));
        }
    }

    #[test]
    fn a_counted_body_ends_by_its_count() {
        let mut out = Vec::new();
        assert_eq!(Body::Counted(3).feed(b"abcdef", |b| out.extend_from_slice(b)), Ok(false));
        assert_eq!(out, b"abc");
    }
}
