//! The clips that ffmpeg made (`tests/data/make.sh`), and their pages.

use levada_media::{Cut, Demux, Format, Page, Role, container};
use std::sync::Arc;

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
    Clip { path: "webm/vp8-opus.webm", format: Format::WebM },
    Clip { path: "webm/vp9.webm", format: Format::WebM },
    Clip { path: "webm/live.webm", format: Format::WebM },
    Clip { path: "webm/unknown.webm", format: Format::WebM },
    Clip { path: "webm/opus.webm", format: Format::WebM },
    Clip { path: "webm/h264-aac.mkv", format: Format::WebM },
    Clip { path: "webm/av1.mkv", format: Format::WebM },
    Clip { path: "ts/h264-aac.ts", format: Format::MpegTs },
    Clip { path: "ts/h265.ts", format: Format::MpegTs },
    Clip { path: "ts/mpeg2-mp2.ts", format: Format::MpegTs },
    Clip { path: "ts/mp2.ts", format: Format::MpegTs },
];

impl Clip {
    pub fn bytes(self) -> Vec<u8> {
        std::fs::read(self.file()).unwrap()
    }

    /// The same as a file, for programs.
    pub fn file(self) -> String {
        format!("{}/tests/data/{}", env!("CARGO_MANIFEST_DIR"), self.path)
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

/// A stream as a channel has it: each page with the header set that is in force after it.
pub struct Stream {
    pub pages: Vec<Page>,
    sets: Vec<Arc<Vec<u8>>>,
}

impl Stream {
    /// Takes the pages of `bytes` from a cutter of `format`.
    pub fn cut(format: Format, bytes: &[u8]) -> Stream {
        let mut stream = Stream { pages: Vec::new(), sets: Vec::new() };
        let mut cutter = format.cutter();
        cutter.push(bytes);
        while let Some(page) = cutter.poll() {
            stream.push(page, cutter.header_set().map(|set| set.to_vec()));
        }
        cutter.finish();
        while let Some(page) = cutter.poll() {
            stream.push(page, cutter.header_set().map(|set| set.to_vec()));
        }
        stream
    }

    fn push(&mut self, page: Page, set: Option<Vec<u8>>) {
        let before = self.sets.last().cloned().unwrap_or_default();
        let open = self.pages.last().is_some_and(|page| page.role == Role::Header);
        self.sets.push(match (page.role, set) {
            (Role::Header, Some(set)) => Arc::new(set),
            (Role::Header, None) if open => Arc::new([&before[..], &page.bytes].concat()),
            (Role::Header, None) => Arc::new(page.bytes.to_vec()),
            _ => before,
        });
        self.pages.push(page);
    }

    /// What someone gets who joins before page `at`: the header set in force, then everything from the next entry on.
    pub fn joined_at(&self, at: usize) -> Option<Vec<u8>> {
        let entry = at + self.pages[at..].iter().position(|page| page.role == Role::Entry)?;
        let mut joined = self.sets[entry].to_vec();
        self.pages[entry..].iter().for_each(|page| joined.extend_from_slice(&page.bytes));
        Some(joined)
    }
}

/// A demuxer of `format`.
pub fn demuxer(format: Format) -> Box<dyn Demux> {
    match format {
        Format::Mp3 => Box::new(container::mpa::Demux::new()),
        Format::Adts => Box::new(container::adts::Demux::new()),
        Format::Flv => Box::new(container::flv::Demux::new()),
        Format::WebM => Box::new(container::webm::Demux::new()),
        Format::MpegTs => Box::new(container::ts::Demux::new()),
        other => panic!("{other:?} has no demuxer here"),
    }
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
