//! zlib streams, made as short as one likes to wait for.

use super::runs::Runs;
use flate2::{Compress, Compression, FlushCompress, Status};

/// How much work goes into a short stream. Every decoder reads all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// Layers that transform: bytes and runs of them under the best codes, which takes a tenth of zlib's time and is as short.
    /// All others as [`Effort::Zlib`].
    #[default]
    Quick,
    /// As zlib's own best level does it, which is what the seminar's programs send.
    Zlib,
    /// An optimal parse (Zopfli's): some 5 to 9 % shorter on what the wavelet layers send, for hundreds of times the work.
    Thorough,
}

/// Makes zlib streams.
pub struct Deflater(Way);

enum Way {
    Runs(Box<Runs>),
    Zlib(Compress),
    Optimal,
}

impl Deflater {
    /// One that works as hard as `effort` on what was `transformed`, or on sound as it is.
    pub fn new(effort: Effort, transformed: bool) -> Deflater {
        Deflater(match effort {
            Effort::Quick if transformed => Way::Runs(Runs::new().into()),
            Effort::Quick | Effort::Zlib => Way::Zlib(Compress::new(Compression::best(), true)),
            Effort::Thorough => Way::Optimal,
        })
    }

    /// Appends `bytes` to `out`, compressed.
    pub fn deflate(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match &mut self.0 {
            Way::Runs(runs) => runs.deflate(bytes, out),
            Way::Optimal => optimal(bytes, out),
            Way::Zlib(compress) => {
                compress.reset();
                out.reserve(bytes.len() + bytes.len() / 8 + 64); // what does not compress grows by 5 bytes in 16 kB, and by 6
                let ended = compress.compress_vec(bytes, out, FlushCompress::Finish);
                debug_assert!(matches!(ended, Ok(Status::StreamEnd)), "there was room");
            }
        }
    }
}

fn optimal(bytes: &[u8], out: &mut Vec<u8>) {
    let options = zopfli::Options {
        iteration_count: ITERATIONS,
        maximum_block_splits: 1,
        ..zopfli::Options::default()
    };
    let before = out.len();
    if zopfli::compress(options, zopfli::Format::Zlib, bytes, &mut *out).is_err() {
        out.truncate(before); // writing into memory does not fail
        Runs::new().deflate(bytes, out);
    }
}

/// Three passes and one split get all but a percent or two of what fifteen and all splits get from a plane of two thousand
/// bytes, in a tenth of their time.
const ITERATIONS: std::num::NonZeroU64 = std::num::NonZeroU64::new(3).expect("three");

impl std::fmt::Debug for Deflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Way::Runs(_) => "Deflater(Runs)",
            Way::Zlib(_) => "Deflater(Zlib)",
            Way::Optimal => "Deflater(Optimal)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Refused, inflate::Inflater};
    use super::*;

    #[test]
    fn streams_open_to_what_they_were_made_of() {
        let bytes: Vec<u8> = (0..2048_u32).map(|n| ((n * n) >> 7) as u8).collect();
        let mut lengths = Vec::new();
        for effort in [Effort::Zlib, Effort::Quick, Effort::Thorough] {
            let mut packed = vec![9];
            Deflater::new(effort, true).deflate(&bytes, &mut packed);
            let mut opened = vec![0; bytes.len()];
            Inflater::new().inflate(&packed[1..], &mut opened).unwrap();
            assert_eq!(opened, bytes);
            lengths.push(packed.len());
        }
        assert!(lengths[2] <= lengths[0], "{lengths:?}");
    }

    #[test]
    fn bombs_and_stumps_are_refused() {
        let mut bomb = Vec::new();
        Deflater::new(Effort::Zlib, true).deflate(&vec![0; 10 << 20], &mut bomb);
        let (mut inflater, mut out) = (Inflater::new(), vec![0; 2048]);
        assert_eq!(inflater.inflate(&bomb, &mut out), Err(Refused::Size));
        let mut short = Vec::new();
        Deflater::new(Effort::Quick, true).deflate(&[1; 2047], &mut short);
        assert_eq!(inflater.inflate(&short, &mut out), Err(Refused::Size));
        assert_eq!(inflater.inflate(b"no stream", &mut out), Err(Refused::Deflate));
        assert_eq!(inflater.inflate(b"", &mut out), Err(Refused::Size));
    }
}
