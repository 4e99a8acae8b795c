//! How `talk` compresses blocks of sound and pictures.
#![forbid(unsafe_code)]

pub mod compat;
pub mod opus;
