//! Pictures of a call: a small codec on the same entropy coder, where they come from, and how they are kept.
//!
//! A picture becomes slices, each a run of macroblocks in a datagram of its own that is read by itself, beside the picture before.
//! What a slice that did not come would have drawn stays as it was. All arithmetic of a decoder is in integers, so that its
//! pictures are the encoder's on every machine.
//!
//! ```
//! use levada_codec::video::{Decoder, Encoder, Scene};
//!
//! let scene = Scene::new(64, 48, 7);
//! let (mut encoder, mut decoder) = (Encoder::new(64, 48).expect("even"), Decoder::new(64, 48).expect("even"));
//! for number in 0..3 {
//!     let slices = encoder.encode(&scene.picture(number), 900);
//!     slices.iter().for_each(|slice| assert!(decoder.decode(slice).is_ok()));
//!     assert_eq!(decoder.picture(), encoder.picture());
//! }
//! ```

mod block;
mod dct;
mod decoder;
mod encoder;
mod model;
mod motion;
mod picture;
mod scene;
pub mod y4m;

pub use decoder::{Decoder, Drawn, Refused};
pub use encoder::Encoder;
pub use picture::Picture;
pub use scene::Scene;

/// Pictures are not larger than this, either way.
pub const LARGEST: usize = 1_920;
/// Bytes that a slice has at most.
pub const SLICE: usize = 1_100;

#[cfg(test)]
mod tests;
