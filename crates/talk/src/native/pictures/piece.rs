//! What is in the datagrams of a call's pictures.
//!
//! Their heads are those of sound: the kind says which they are, and the time is when the picture was captured, in frames of the sender's
//! sound, so that both go by one clock. The bodies:
//!
//! ```text
//! piece    picture's number 2 | index 1 | last index 1 | key 1 bit, 0 1 bit, half width 11 bits, half height 11 bits, pictures a second 8 bits | slice
//! missing  so many times: picture's number 2 | index 1, or 255 for all of it
//! ```

use bytes::Bytes;

/// The kind of a datagram with a piece: no [`Rendition`](crate::native::Rendition) has it.
pub const PIECE: u8 = 0xc0;
/// The kind of one that says which pieces are missing.
pub const MISSING: u8 = 0xc1;
/// A flag of sound's datagrams: a picture was lost for good, and one that stands alone is asked for.
pub const LOST: u8 = 4;
/// A flag of sound's datagrams: whoever sends it looks at pictures.
pub const WATCHES: u8 = 8;
/// Pieces of a picture, at most.
pub const PIECES: usize = 255;
/// In place of an index: all pieces.
pub const ALL: u8 = 255;

/// What pictures are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Samples a row: even, up to 4,094.
    pub width: u16,
    /// Rows: likewise.
    pub height: u16,
    /// Pictures a second, about: 1 to 255.
    pub rate: u8,
}

/// A picture as it was coded: what is sent, and what is received when all of it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coded {
    /// When it was captured, in frames of the sender's sound, modulo 2^32.
    pub time: u32,
    /// What it is like.
    pub form: Form,
    /// Whether it stands alone.
    pub key: bool,
    /// What a decoder draws, in this order.
    pub slices: Vec<Bytes>,
}

/// One datagram's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The picture's, modulo 2^16.
    pub number: u16,
    /// Which of its pieces.
    pub index: u8,
    /// Which is the last.
    pub last: u8,
    /// Of the picture.
    pub key: bool,
    /// Of the picture.
    pub form: Form,
    /// What a decoder draws.
    pub slice: &'a [u8],
}

impl Form {
    fn write(self, key: bool) -> [u8; 4] {
        let half = |side: u16| u32::from(side / 2).min(0x7ff);
        (u32::from(key) << 31 | half(self.width) << 19 | half(self.height) << 8 | u32::from(self.rate))
            .to_be_bytes()
    }

    /// None where there is nothing to be seen.
    fn read(bytes: [u8; 4]) -> Option<(bool, Form)> {
        let all = u32::from_be_bytes(bytes);
        let half = |bits: u32| 2 * (bits & 0x7ff) as u16;
        let form = Form { width: half(all >> 19), height: half(all >> 8), rate: all as u8 };
        let is_one = form.width > 0 && form.height > 0 && form.rate > 0 && all >> 30 & 1 == 0;
        is_one.then_some((all >> 31 == 1, form))
    }
}

impl<'a> Piece<'a> {
    /// Bytes before the slice.
    pub const HEAD: usize = 8;

    /// The body of its datagram.
    pub fn write(&self) -> Bytes {
        let mut out = Vec::with_capacity(Piece::HEAD + self.slice.len());
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&[self.index, self.last]);
        out.extend_from_slice(&self.form.write(self.key));
        out.extend_from_slice(self.slice);
        out.into()
    }

    /// Takes a body apart; none where it is not one.
    pub fn read(body: &'a [u8]) -> Option<Piece<'a>> {
        let (&[a, b, index, last, f, g, h, i], slice) = body.split_first_chunk()?;
        let (key, form) = Form::read([f, g, h, i])?;
        let fits = index <= last && usize::from(last) < PIECES && !slice.is_empty();
        fits.then_some(Piece { number: u16::from_be_bytes([a, b]), index, last, key, form, slice })
    }
}

/// The body that says what is missing: at most 300 entries of it.
pub fn write_missing(missing: &[(u16, u8)]) -> Bytes {
    let entries = missing.iter().take(300);
    entries
        .flat_map(|(number, index)| [(number >> 8) as u8, *number as u8, *index])
        .collect::<Vec<u8>>()
        .into()
}

/// What such a body says; none where it is not one.
pub fn read_missing(body: &[u8]) -> Option<impl Iterator<Item = (u16, u8)>> {
    let entries = body.chunks_exact(3);
    let whole = entries.remainder().is_empty();
    whole.then(|| entries.map(|entry| (u16::from_be_bytes([entry[0], entry[1]]), entry[2])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_back_and_stumps_do_not() {
        let form = Form { width: 640, height: 360, rate: 25 };
        let piece = Piece { number: 65_535, index: 3, last: 9, key: true, form, slice: b"slice" };
        let body = piece.write();
        assert_eq!(Piece::read(&body), Some(piece));
        (0..=Piece::HEAD).for_each(|end| assert_eq!(Piece::read(&body[..end]), None, "{end}"));
        for (at, byte) in [(2, 10), (3, 255), (7, 0), (4, 0xc0)] {
            let mut bad = body.to_vec();
            bad[at] = byte;
            assert_eq!(Piece::read(&bad), None, "{at}");
        }
        let missing = [(7, 0), (65_535, ALL)];
        let body = write_missing(&missing);
        assert!(read_missing(&body).unwrap().eq(missing) && read_missing(&body[1..]).is_none());
    }
}
