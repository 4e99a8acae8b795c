//! Rooms in a world, a behaviour a file.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // a test may fail so; only where time begins a clock is read

mod browsers;
mod comings;
mod house;
mod limited;
mod listening;
mod three;
