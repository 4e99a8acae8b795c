//! How `talk` compresses blocks of sound and pictures.
#![forbid(unsafe_code)]

pub mod compat;
pub mod entropy;
pub mod lapped;
pub mod lossless;
mod mdct;
pub mod native;
pub mod opus;
pub mod packet;
pub mod spectrum;
pub mod video;
pub mod wavelet;

pub use mdct::Fft;

#[doc = include_str!("../BITSTREAM.md")]
pub mod bitstream {}
