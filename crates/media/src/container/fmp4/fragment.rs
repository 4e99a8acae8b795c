//! A fragment: where samples are and when, and the samples (ISO 14496-12 8.8.4 to 8.8.12).

use super::boxes::{put, put_full};
use bytes::{BufMut, Bytes, BytesMut};

/// A frame in its track's ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) dts: u64,
    /// How much later it is shown than decoded.
    pub(super) ahead: i32,
    pub(super) span: u32,
    pub(super) key: bool,
    pub(super) data: Bytes,
}

/// Fragment number `sequence` with these samples of these tracks, behind the boxes in `before`; tracks without samples are
/// left out.
pub(super) fn fragment(before: BytesMut, sequence: u32, tracks: &[(u32, Vec<Sample>)]) -> Bytes {
    let bytes: usize = tracks.iter().flat_map(|(_, samples)| samples).map(|sample| sample.data.len()).sum();
    let count: usize = tracks.iter().map(|(_, samples)| samples.len()).sum();
    let mut out = before;
    let begins = out.len();
    out.reserve(bytes + 16 * count + 256);
    let mut patches = Vec::new();
    put(&mut out, b"moof", |out| {
        put_full(out, b"mfhd", 0, 0, |out| out.put_u32(sequence));
        let mut before = 0;
        for (id, samples) in tracks.iter().filter(|(_, samples)| !samples.is_empty()) {
            patches.push((put_run(out, *id, samples), before));
            before += samples.iter().map(|sample| sample.data.len()).sum::<usize>();
        }
    });
    let data = out.len() - begins + 8;
    for (at, before) in patches {
        let offset = u32::try_from(data + before).unwrap_or(u32::MAX);
        out[at..at + 4].copy_from_slice(&offset.to_be_bytes());
    }
    put(&mut out, b"mdat", |out| {
        tracks.iter().flat_map(|(_, samples)| samples).for_each(|sample| out.put_slice(&sample.data));
    });
    out.freeze()
}

/// Writes one track's run; gives where its offset has to be written.
fn put_run(out: &mut BytesMut, id: u32, samples: &[Sample]) -> usize {
    let mut offset = 0;
    put(out, b"traf", |out| {
        put_full(out, b"tfhd", 0, BASE_IS_MOOF, |out| out.put_u32(id));
        put_full(out, b"tfdt", 1, 0, |out| out.put_u64(samples.first().map_or(0, |sample| sample.dts)));
        put_full(out, b"trun", 1, OFFSET | SPANS | SIZES | FLAGS | AHEAD, |out| {
            out.put_u32(u32::try_from(samples.len()).unwrap_or(u32::MAX));
            offset = out.len();
            out.put_u32(0);
            for sample in samples {
                out.put_u32(sample.span);
                out.put_u32(u32::try_from(sample.data.len()).unwrap_or(u32::MAX));
                out.put_u32(if sample.key { KEY } else { NOT_KEY });
                out.put_i32(sample.ahead);
            }
        });
    });
    offset
}

const BASE_IS_MOOF: u32 = 0x2_0000;
const OFFSET: u32 = 0x1;
const SPANS: u32 = 0x100;
const SIZES: u32 = 0x200;
const FLAGS: u32 = 0x400;
const AHEAD: u32 = 0x800;
/// Depends on no other (ISO 14496-12 8.8.3.1).
const KEY: u32 = 0x0200_0000;
const NOT_KEY: u32 = 0x0101_0000;
