//! What any bytes must not be able to do: one function for each door, which panics when a promise is broken.
//!
//! The functions are called by libFuzzer (`make fuzz`, in `fuzz/engine`) and by the tests, which replay the corpus and
//! some thousand mutations of it (`fuzz/tests/corpus.rs`).
#![forbid(unsafe_code)]

mod mutant;
mod pieces;
mod targets;

pub use mutant::Mutator;
pub use pieces::{Pieces, text};
pub use targets::{TARGETS, Target, find};
