//! How `talk` compresses blocks of sound and pictures.
#![forbid(unsafe_code)]

pub mod compat;
pub mod entropy;
pub mod lossless;
mod mdct;
pub mod native;
pub mod opus;
pub mod packet;
pub mod spectrum;
pub use mdct::Mdct;
pub mod resample;
pub mod wavelet;
