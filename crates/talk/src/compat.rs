//! Calls with the seminar's programs: their datagrams, their buffer and their rules, without their faults.

mod blocks;
mod call;
mod control;
mod latest;
mod pictures;

pub use blocks::Counts;
pub use call::{CompatCall, Config, Stats};
pub use pictures::{PicturesConfig, PicturesStats, RawPictures};
