//! One Ogg page: header, lacing, packets, checksum (RFC 3533 §6).

use super::crc;
use crate::codec::array;
use bytes::Bytes;
use std::ops::Range;

/// The fixed part of a page's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageHeader {
    /// The page begins with the rest of a packet that began on an earlier page.
    pub continued: bool,
    /// First page of its logical stream ("BOS").
    pub first: bool,
    /// Last page of its logical stream ("EOS").
    pub last: bool,
    /// Position after the last packet that ends here, in units of the codec; -1 when none ends here.
    pub granule: i64,
    /// Names the logical stream.
    pub serial: u32,
    /// Counts the pages of the logical stream.
    pub sequence: u32,
    /// Entries of the lacing table.
    pub segments: u8,
    /// Length of the body in bytes, at most 65,025.
    pub body: u16,
}

/// What the beginning of some bytes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// A page with this header, as far as one can tell without its checksum.
    Page(PageHeader),
    /// Undecided before there are this many bytes.
    Short(usize),
    /// No page.
    Not,
}

impl PageHeader {
    /// Length of the header without the lacing table.
    pub const FIXED: usize = 27;
    /// Length of the longest page.
    pub const LONGEST: usize = PageHeader::FIXED + 255 + 255 * 255;

    /// Reads the header at the beginning of `bytes`, which must hold the lacing table too but need not hold
    /// the body; `None` where there is none. The checksum is not looked at, see [`is_sound`].
    pub fn parse(bytes: &[u8]) -> Option<PageHeader> {
        match PageHeader::look(bytes) {
            Look::Page(header) => Some(header),
            _ => None,
        }
    }

    /// Length of the whole page in bytes.
    pub fn size(&self) -> usize {
        PageHeader::FIXED + usize::from(self.segments) + usize::from(self.body)
    }

    /// The granule, where a packet ends on this page.
    pub fn mark(&self) -> Option<i64> {
        Some(self.granule).filter(|granule| *granule >= 0)
    }

    /// The three flags as they are written.
    fn flags(&self) -> u8 {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        flag(self.continued, CONTINUED) | flag(self.first, FIRST) | flag(self.last, LAST)
    }

    pub(super) fn look(bytes: &[u8]) -> Look {
        let Some(fixed) = bytes.first_chunk::<{ PageHeader::FIXED }>() else {
            let begins = CAPTURE.iter().zip(bytes).all(|(want, have)| want == have);
            return if begins { Look::Short(PageHeader::FIXED) } else { Look::Not };
        };
        let [b'O', b'g', b'g', b'S', 0, flags @ 0..8, rest @ .., segments] = *fixed else { return Look::Not };
        let Some(lacing) = bytes.get(PageHeader::FIXED..PageHeader::FIXED + usize::from(segments)) else {
            return Look::Short(PageHeader::FIXED + usize::from(segments));
        };
        Look::Page(PageHeader {
            continued: flags & CONTINUED != 0,
            first: flags & FIRST != 0,
            last: flags & LAST != 0,
            granule: array(&rest, 0).map_or(-1, i64::from_le_bytes),
            serial: array(&rest, 8).map_or(0, u32::from_le_bytes),
            sequence: array(&rest, 12).map_or(0, u32::from_le_bytes),
            segments,
            body: lacing.iter().map(|&length| u16::from(length)).sum(),
        })
    }
}

/// What of a packet is on one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it is, counted from the beginning of the page.
    pub range: Range<usize>,
    /// Whether the packet begins here.
    pub begins: bool,
    /// Whether the packet ends here.
    pub ends: bool,
}

/// The pieces of packets on `page`, in order; none where it is not a page.
///
/// The first one begins a packet unless the page is a continued one, the last one ends a packet unless the
/// lacing table is full of 255.
pub fn pieces(page: &[u8]) -> impl Iterator<Item = Piece> + '_ {
    let header = PageHeader::parse(page);
    let segments = header.map_or(0, |header| usize::from(header.segments));
    let mut lacing = page.get(PageHeader::FIXED..PageHeader::FIXED + segments).unwrap_or_default();
    let mut begins = header.is_some_and(|header| !header.continued);
    let mut at = PageHeader::FIXED + segments;
    std::iter::from_fn(move || {
        let short = lacing.iter().position(|&length| length < 255);
        let (piece, rest) = lacing.split_at_checked(short.map_or(lacing.len(), |short| short + 1))?;
        let _ = piece.first()?;
        let end = at + piece.iter().map(|&length| usize::from(length)).sum::<usize>();
        let found = Piece { range: at..end.min(page.len()), begins, ends: short.is_some() };
        (lacing, at, begins) = (rest, end, true);
        Some(found).filter(|piece| piece.range.start <= piece.range.end)
    })
}

/// Whether `page` is one whole page whose checksum agrees.
pub fn is_sound(page: &[u8]) -> bool {
    let size = PageHeader::parse(page).map(|header| header.size());
    size == Some(page.len()) && array(page, CHECKSUM).map(u32::from_le_bytes) == Some(checksum(page))
}

/// The same page in another logical stream and at another place in it; what is no page comes back as it is.
pub fn rewrite_serial(page: &[u8], serial: u32, sequence: u32) -> Bytes {
    match PageHeader::parse(page) {
        Some(header) => rewrite(page, &PageHeader { serial, sequence, ..header }),
        None => Bytes::copy_from_slice(page),
    }
}

/// The same page with the flags, granule, serial and sequence of `header`.
pub(super) fn rewrite(page: &[u8], header: &PageHeader) -> Bytes {
    let mut page = page.to_vec();
    if let Some(fixed) = page.first_chunk_mut::<{ PageHeader::FIXED }>() {
        fixed[5] = header.flags();
        fixed[6..14].copy_from_slice(&header.granule.to_le_bytes());
        fixed[14..18].copy_from_slice(&header.serial.to_le_bytes());
        fixed[18..22].copy_from_slice(&header.sequence.to_le_bytes());
        seal(&mut page);
    }
    page.into()
}

/// Writes a page of `header` around `body`, whose packets are laid out by `lacing`. The header's `segments` and
/// `body` are taken from the arguments, of which at most 255 entries and the bytes they speak of are used.
pub fn write(header: &PageHeader, lacing: &[u8], body: &[u8]) -> Bytes {
    let lacing = lacing.get(..255).unwrap_or(lacing);
    let length: usize = lacing.iter().map(|&length| usize::from(length)).sum();
    let mut page = Vec::with_capacity(PageHeader::FIXED + lacing.len() + length);
    page.extend_from_slice(CAPTURE);
    page.extend_from_slice(&[0, header.flags()]);
    page.extend_from_slice(&header.granule.to_le_bytes());
    page.extend_from_slice(&header.serial.to_le_bytes());
    page.extend_from_slice(&header.sequence.to_le_bytes());
    page.extend_from_slice(&[0, 0, 0, 0, lacing.len() as u8]);
    page.extend_from_slice(lacing);
    page.extend_from_slice(body.get(..length).unwrap_or(body));
    page.resize(PageHeader::FIXED + lacing.len() + length, 0);
    seal(&mut page);
    page.into()
}

/// Puts the right checksum into a page.
fn seal(page: &mut [u8]) {
    let sum = checksum(page);
    if let Some(field) = page.get_mut(CHECKSUM..CHECKSUM + 4) {
        field.copy_from_slice(&sum.to_le_bytes());
    }
}

/// The checksum of a page, its own field taken as zero.
fn checksum(page: &[u8]) -> u32 {
    let (head, rest) = page.split_at(CHECKSUM.min(page.len()));
    let body = rest.get(4..).unwrap_or_default();
    crc::update(crc::update(crc::update(0, head), &[0; 4]), body)
}

/// What every page begins with.
pub(super) const CAPTURE: &[u8; 4] = b"OggS";
const CONTINUED: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4;
/// Where the checksum stands.
const CHECKSUM: usize = 22;

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> PageHeader {
        let (segments, body) = (0, 0);
        let (continued, first, last) = (false, true, false);
        PageHeader { continued, first, last, granule: 77, serial: 9, sequence: 3, segments, body }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let page = write(&header(), &[255, 1, 0, 255], &[7; 511]);
        assert!(is_sound(&page));
        let read = PageHeader::parse(&page).unwrap();
        assert_eq!(read, PageHeader { segments: 4, body: 511, ..header() });
        let found: Vec<Piece> = pieces(&page).collect();
        let piece = |range, ends| Piece { range, begins: true, ends };
        assert_eq!(found, [piece(31..287, true), piece(287..287, true), piece(287..542, false)]);
    }

    #[test]
    fn rewriting_changes_names_only() {
        let page = write(&header(), &[3], b"abc");
        let moved = rewrite_serial(&page, 1, 2);
        let (read, before) = (PageHeader::parse(&moved).unwrap(), PageHeader::parse(&page).unwrap());
        assert_eq!(read, PageHeader { serial: 1, sequence: 2, ..before });
        assert!(is_sound(&moved));
        assert_eq!(rewrite_serial(&moved, 9, 3), page);
    }

    #[test]
    fn a_flipped_bit_is_unsound() {
        let page = write(&header(), &[3], b"abc");
        for bit in 0..page.len() * 8 {
            let mut bad = page.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_sound(&bad), "bit {bit}");
        }
    }

    #[test]
    fn short_and_foreign_bytes_are_told_apart() {
        let page = write(&header(), &[3], b"abc");
        assert_eq!(PageHeader::look(&page[..3]), Look::Short(27));
        assert_eq!(PageHeader::look(&page[..27]), Look::Short(28));
        assert_eq!(PageHeader::look(b"OggX"), Look::Not);
        assert_eq!(pieces(b"OggS").count(), 0);
        assert_eq!(rewrite_serial(b"short", 1, 2), b"short".as_slice());
    }
}
