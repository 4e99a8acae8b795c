//! InterCom's layers: what each of its programs puts into a datagram, to the byte.
//!
//! A [`Packer`] makes datagrams of blocks, an [`Unpacker`] makes blocks of datagrams. The quantization step is an argument of
//! both, since it is not on the wire. Source of all formats: the programs themselves, run with known input.

mod body;
mod code;
mod deflate;
mod dwt;
mod filters;
mod hearing;
mod inflate;
pub mod layer;
mod octaves;
mod pack;
mod quantize;
mod runs;
mod stereo;
mod transform;
mod unpack;
pub mod video;
mod wpt;

pub use deflate::Effort;
pub use dwt::Dwt;
pub use filters::Wavelet;
pub use hearing::{steps, threshold};
pub use layer::Layer;
pub use pack::Packer;
pub use quantize::Rebuild;
pub use unpack::Unpacker;
pub use wpt::Wpt;

pub(crate) use quantize::{quantize, rebuild};
pub(crate) use stereo::Stereo;
pub(crate) use transform::{Kind as TransformKind, Transform};

use hearing::steps as hearing_steps;

/// What both ends of a call must agree upon, and how well this end works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Which program is spoken.
    pub layer: Layer,
    /// Frames a block. Default 1024.
    pub frames: usize,
    /// 2, or 1 in layers that know mono. Default 2.
    pub channels: usize,
    /// Frames a second. Default 44,100.
    pub rate: u32,
    /// For the wavelet layers. Default db5.
    pub wavelet: Wavelet,
    /// For the wavelet layers; threshold-of-hearing's bands are 2^levels. Default 6.
    pub levels: u32,
    /// How hard the encoder looks for short streams.
    pub effort: Effort,
    /// How the decoder fills the quantizer's bins.
    pub rebuild: Rebuild,
}

impl Config {
    /// The seminar's defaults.
    pub fn new(layer: Layer) -> Config {
        Config {
            layer,
            frames: 1024,
            channels: 2,
            rate: 44_100,
            wavelet: Wavelet::DB5,
            levels: 6,
            effort: Effort::default(),
            rebuild: Rebuild::default(),
        }
    }

    /// How many values a block has.
    pub fn values(&self) -> usize {
        self.frames * self.channels
    }

    /// Samples of each neighbour that an overlapped transform takes.
    fn overlap(&self) -> usize {
        if self.layer.is_overlapped() { self.wavelet.taps().len() << self.levels } else { 0 }
    }

    /// Whether a call can be made of it.
    ///
    /// # Errors
    /// The sentence that says what does not fit.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !(1..=16_384).contains(&self.frames) {
            return Err(ConfigError::Frames);
        }
        if self.channels != 2 && !(self.channels == 1 && self.layer.has_mono()) {
            return Err(ConfigError::Channels(self.layer, self.channels));
        }
        if self.layer != Layer::Minimal && self.layer.largest(self) > LARGEST {
            return Err(ConfigError::Frames);
        }
        if !(100..=768_000).contains(&self.rate) {
            return Err(ConfigError::Rate);
        }
        if self.layer.is_wavelet() {
            let even = self.levels <= 12 && self.frames.is_multiple_of(1 << self.levels);
            if !even || self.frames >> self.levels == 0 {
                return Err(ConfigError::Levels { levels: self.levels, frames: self.frames });
            }
            if self.overlap() > self.frames {
                return Err(ConfigError::Overlap { needs: self.overlap(), frames: self.frames });
            }
        }
        Ok(())
    }
}

/// What does not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A block does not fit into a datagram.
    #[error("blocks of so many frames do not fit into a datagram; 1024 is usual")]
    Frames,
    /// This layer has no such number of channels.
    #[error("{0} does not know {1} channels")]
    Channels(Layer, usize),
    /// Nothing plays at this rate.
    #[error("the rate is to be between 100 and 768,000 frames a second")]
    Rate,
    /// Blocks cannot be halved so often.
    #[error("blocks of {frames} frames cannot be halved {levels} times")]
    Levels {
        /// So often.
        levels: u32,
        /// So many.
        frames: usize,
    },
    /// The overlap is longer than a block.
    #[error(
        "the overlap takes {needs} frames of each neighbour, blocks have {frames}: fewer levels or a shorter wavelet"
    )]
    Overlap {
        /// What the filters reach.
        needs: usize,
        /// What there is.
        frames: usize,
    },
}

/// Why a datagram is not one of this layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It is too short or too long.
    #[error("wrong length")]
    Length,
    /// What is compressed in it is no zlib stream.
    #[error("no zlib stream")]
    Deflate,
    /// It opens to less or more than a block.
    #[error("not as long as a block when opened")]
    Size,
}

/// What the seminar's programs receive at most.
const LARGEST: usize = 32_768;
