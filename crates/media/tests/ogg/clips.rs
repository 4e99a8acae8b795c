//! The clips of `tests/data/ogg`, and what is made of them on the fly.

use levada_media::container::ogg::{self, PageHeader};
use levada_media::{Format, Page, Role};
use std::{fs, path::Path};

/// Every clip as its program wrote it.
pub const ALL: [&str; 9] = [
    "vorbis.ogg",
    "opus.opus",
    "flac.oga",
    "speex.spx",
    "theora.ogv",
    "theora-flac.ogv",
    "oggenc.ogg",
    "vlc.ogv",
    "chain.ogg",
];

/// The bytes of a clip.
pub fn clip(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ogg").join(name)).unwrap()
}

/// The pages of `bytes`, fed at once.
pub fn pages(bytes: &[u8]) -> Vec<Page> {
    fed([bytes])
}

/// The pages of bytes that come in `parts`.
pub fn fed<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<Page> {
    let mut cutter = Format::Ogg.cutter();
    let mut pages = Vec::new();
    for part in parts {
        cutter.push(part);
        pages.extend(std::iter::from_fn(|| cutter.poll()));
    }
    cutter.finish();
    pages.extend(std::iter::from_fn(|| cutter.poll()));
    pages
}

/// The bytes of `pages`, one after the other.
pub fn join<'a>(pages: impl IntoIterator<Item = &'a Page>) -> Vec<u8> {
    pages.into_iter().flat_map(|page| page.bytes.iter().copied()).collect()
}

/// What somebody gets who joins when page `at` comes: the headers in force, and everything from the next entry
/// on; `None` where no entry follows.
pub fn joined_at(pages: &[Page], at: usize) -> Option<Vec<u8>> {
    let entry = at + pages.get(at..)?.iter().position(|page| page.role == Role::Entry)?;
    let last_header = pages[..entry].iter().rposition(|page| page.role == Role::Header)?;
    let others = |page: &Page| page.role != Role::Header;
    let first_header = pages[..last_header].iter().rposition(others).map_or(0, |before| before + 1);
    Some([join(&pages[first_header..=last_header]), join(&pages[entry..])].concat())
}

/// What of a clip's pages `keep` wants.
pub fn only(bytes: &[u8], mut keep: impl FnMut(&PageHeader) -> bool) -> Vec<u8> {
    let pages = pages(bytes);
    join(pages.iter().filter(|page| PageHeader::parse(&page.bytes).is_some_and(|header| keep(&header))))
}

/// A clip whose stream `serial` is laid into pages anew after its headers, `sizes` entries of lacing on each in
/// turn, wherever packets begin and end; `granule` is the position after the data packet of that number.
pub fn torn(bytes: &[u8], serial: u32, sizes: &[usize], granule: impl Fn(i64) -> i64) -> Vec<u8> {
    let mut sizes = sizes.iter().cycle();
    let (mut out, mut lacing, mut body) = (Vec::new(), Vec::new(), Vec::new());
    let (mut sequence, mut wanted, mut inside, mut packets) = (0, *sizes.next().unwrap(), false, 0);
    for page in pages(bytes) {
        let header = PageHeader::parse(&page.bytes).unwrap();
        if page.role == Role::Header || header.serial != serial {
            sequence = if header.serial == serial { header.sequence + 1 } else { sequence };
            out.extend_from_slice(&page.bytes);
            continue;
        }
        let (table, mut rest) = page.bytes[27..].split_at(header.segments.into());
        for (number, &length) in table.iter().enumerate() {
            lacing.push(length);
            body.extend_from_slice(&rest[..length.into()]);
            rest = &rest[length.into()..];
            packets += i64::from(length < 255);
            let last = header.last && number + 1 == table.len();
            if lacing.len() < wanted && !last {
                continue;
            }
            let ends = lacing.iter().any(|&length| length < 255);
            let granule = if ends { granule(packets - 1) } else { -1 };
            let header = PageHeader { continued: inside, last, granule, sequence, ..header };
            out.extend_from_slice(&ogg::write(&header, &lacing, &body));
            inside = lacing.last() == Some(&255);
            (lacing, body, wanted, sequence) = (Vec::new(), Vec::new(), *sizes.next().unwrap(), sequence + 1);
        }
    }
    out
}
