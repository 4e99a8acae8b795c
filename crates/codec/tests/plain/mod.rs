//! Decoders of levada's own formats, written from `BITSTREAM.md`: slow, in 64-bit numbers and by definitions instead of fast
//! algorithms. What our encoders say is judged by them, and our decoders beside them.
#![allow(dead_code)] // each test file uses its own part

pub mod coder;
pub mod lossless;
pub mod native;
pub mod spectrum;
pub mod wavelet;
