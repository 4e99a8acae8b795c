//! The clips that ffmpeg made (`tests/data/make.sh`), and their pages.

use levada_media::{Cut, Format, Page, Role};

/// A clip by its path below `tests/data`.
#[derive(Clone, Copy, Debug)]
pub struct Clip {
    pub path: &'static str,
    pub format: Format,
}

pub const ALL: &[Clip] = &[
    Clip { path: "mpa/cbr.mp3", format: Format::Mp3 },
    Clip { path: "mpa/vbr.mp3", format: Format::Mp3 },
    Clip { path: "mpa/half.mp3", format: Format::Mp3 },
    Clip { path: "mpa/shine.mp3", format: Format::Mp3 },
    Clip { path: "mpa/layer2.mp3", format: Format::Mp3 },
    Clip { path: "adts/lc.aac", format: Format::Adts },
    Clip { path: "flv/h264-aac.flv", format: Format::Flv },
    Clip { path: "flv/mp3.flv", format: Format::Flv },
];

impl Clip {
    pub fn bytes(self) -> Vec<u8> {
        std::fs::read(format!("{}/tests/data/{}", env!("CARGO_MANIFEST_DIR"), self.path)).unwrap()
    }

    /// The pages of the whole clip, fed in one piece.
    pub fn pages(self) -> Vec<Page> {
        cut(self.format, [&self.bytes()[..]]).0
    }
}

/// The pages of `pieces`, polled after each, and the bytes skipped.
pub fn cut<'a>(format: Format, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Page>, u64) {
    let mut cutter = format.cutter();
    let mut pages = Vec::new();
    let mut drain = |cutter: &mut Box<dyn Cut>| pages.extend(std::iter::from_fn(|| cutter.poll()));
    for piece in pieces {
        cutter.push(piece);
        drain(&mut cutter);
    }
    cutter.finish();
    drain(&mut cutter);
    (pages, cutter.skipped())
}

/// What someone gets who joins before page `at`: the header set in force, then everything from the next entry on.
pub fn joined_at(pages: &[Page], at: usize) -> Option<Vec<u8>> {
    let entry = at + pages[at..].iter().position(|page| page.role == Role::Entry)?;
    let mut set: Vec<&Page> = Vec::new();
    let mut open = false;
    for page in &pages[..entry] {
        if page.role == Role::Header {
            if !open {
                set.clear();
            }
            set.push(page);
        }
        open = page.role == Role::Header;
    }
    let stream = set.into_iter().chain(&pages[entry..]);
    Some(stream.flat_map(|page| page.bytes.iter().copied()).collect())
}

/// A small generator of chances (xorshift64*): the same seed, the same chances.
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }
}
