//! Native calls in a world, a behaviour a file.
#![allow(clippy::unwrap_used)] // a test may fail so

mod clean;
mod drift;
mod ends;
mod hostile;
mod jitter;
#[path = "../kit/mod.rs"]
mod kit;
mod limited;
mod loss;
mod pictures;
mod restart;
mod roaming;
