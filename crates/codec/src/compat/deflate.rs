//! zlib streams: made as short as one likes to wait for, and opened no further than a block is long.

use super::Refused;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// How much work goes into a short stream. Every decoder reads all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// As zlib's own best level does it.
    #[default]
    Quick,
    /// An optimal parse (Zopfli's): some 5 to 9 % shorter on what the wavelet layers send, for thirty times the work.
    Thorough,
}

/// Makes zlib streams.
pub struct Deflater {
    effort: Effort,
    compress: Compress,
}

impl Deflater {
    /// One that works as hard as `effort`.
    pub fn new(effort: Effort) -> Deflater {
        Deflater { effort, compress: Compress::new(Compression::best(), true) }
    }

    /// Appends `bytes` to `out`, compressed.
    pub fn deflate(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let before = out.len();
        if self.effort == Effort::Thorough && self.optimal(bytes, out) {
            return;
        }
        out.truncate(before);
        self.compress.reset();
        out.reserve(bytes.len() + bytes.len() / 8 + 64); // what does not compress grows by 5 bytes in 16 kB, and by 6
        let ended = self.compress.compress_vec(bytes, out, FlushCompress::Finish);
        debug_assert!(matches!(ended, Ok(Status::StreamEnd)), "there was room");
    }

    fn optimal(&self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        let options = zopfli::Options {
            iteration_count: ITERATIONS,
            maximum_block_splits: 1,
            ..zopfli::Options::default()
        };
        zopfli::compress(options, zopfli::Format::Zlib, bytes, out).is_ok()
    }
}

/// Three passes and one split get all but a percent or two of what fifteen and all splits get from a plane of two thousand
/// bytes, in a tenth of their time.
const ITERATIONS: std::num::NonZeroU64 = std::num::NonZeroU64::new(3).expect("three");

impl std::fmt::Debug for Deflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deflater").field("effort", &self.effort).finish_non_exhaustive()
    }
}

/// Opens zlib streams.
#[derive(Debug)]
pub struct Inflater(Decompress);

impl Inflater {
    /// Holds 32 kB of window and no more, whatever comes.
    pub fn new() -> Inflater {
        Inflater(Decompress::new(true))
    }

    /// Opens a stream that fills `out` exactly. What holds more is a bomb and is left where it says so.
    pub fn inflate(&mut self, compressed: &[u8], out: &mut [u8]) -> Result<(), Refused> {
        self.0.reset(true);
        match self.0.decompress(compressed, out, FlushDecompress::Finish) {
            Ok(Status::StreamEnd) if self.0.total_out() == out.len() as u64 => Ok(()),
            Ok(_) => Err(Refused::Size),
            Err(_) => Err(Refused::Deflate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_open_to_what_they_were_made_of() {
        let bytes: Vec<u8> = (0..2048_u32).map(|n| ((n * n) >> 7) as u8).collect();
        let mut lengths = Vec::new();
        for effort in [Effort::Quick, Effort::Thorough] {
            let mut packed = vec![9];
            Deflater::new(effort).deflate(&bytes, &mut packed);
            let mut opened = vec![0; bytes.len()];
            Inflater::new().inflate(&packed[1..], &mut opened).unwrap();
            assert_eq!(opened, bytes);
            lengths.push(packed.len());
        }
        assert!(lengths[1] <= lengths[0], "{lengths:?}");
    }

    #[test]
    fn bombs_and_stumps_are_refused() {
        let mut bomb = Vec::new();
        Deflater::new(Effort::Quick).deflate(&vec![0; 10 << 20], &mut bomb);
        let (mut inflater, mut out) = (Inflater::new(), vec![0; 2048]);
        assert_eq!(inflater.inflate(&bomb, &mut out), Err(Refused::Size));
        let mut short = Vec::new();
        Deflater::new(Effort::Quick).deflate(&[1; 2047], &mut short);
        assert_eq!(inflater.inflate(&short, &mut out), Err(Refused::Size));
        assert_eq!(inflater.inflate(b"no stream", &mut out), Err(Refused::Deflate));
        assert_eq!(inflater.inflate(b"", &mut out), Err(Refused::Size));
    }
}
