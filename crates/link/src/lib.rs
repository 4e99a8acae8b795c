//! Machines, what they exchange, the links between them, and time that may be virtual.
#![forbid(unsafe_code)]

pub mod units;

pub use units::{Bitrate, Percent, Size, UnitError};
