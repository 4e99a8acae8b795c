//! Puts the pieces of packets together again.

use super::page::Piece;
use bytes::{Bytes, BytesMut};

/// The packet of one stream that goes on over the end of its page. At most [`LONGEST_PACKET`] bytes are held; a
/// longer packet is dropped.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    partial: Option<BytesMut>,
}

impl Assembler {
    /// Pages were lost: what was begun will never be whole.
    pub(super) fn tear(&mut self) {
        self.partial = None;
    }

    /// The packet that ends with `piece` of `page`, if all of it has been seen.
    pub(super) fn take(&mut self, piece: &Piece, page: &Bytes) -> Option<Bytes> {
        let inside = piece.range.end <= page.len() && piece.range.start <= piece.range.end;
        let bytes = if inside { page.slice(piece.range.clone()) } else { Bytes::new() };
        if piece.begins {
            self.partial = None;
            if piece.ends {
                return Some(bytes);
            }
            self.partial = Some(BytesMut::new());
        }
        let partial = self.partial.as_mut()?;
        if partial.len() + bytes.len() > LONGEST_PACKET {
            self.partial = None;
            return None;
        }
        partial.extend_from_slice(&bytes);
        self.partial.take_if(|_| piece.ends).map(BytesMut::freeze)
    }
}

/// Longest packet that is put together, in bytes; a Theora key frame of 4K pictures stays below.
const LONGEST_PACKET: usize = 8 << 20;
