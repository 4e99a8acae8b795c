//! What flows: frames, tracks, time, and the containers they travel in.
//!
//! Everything here is pure: bytes go in, values come out, nobody reads a clock or a socket.
//! A container is read at one of two depths. A [`Cut`] passes the bytes on exactly as they came, as
//! [`Page`]s that know where a newcomer may begin; a [`Demux`] opens them into [`Frame`]s, and a [`Mux`]
//! closes frames into pages of another container.
#![forbid(unsafe_code)]

pub mod codec;
pub mod container;
mod frame;
pub mod resample;
pub mod splice;
mod tags;
mod time;
mod track;

pub use container::{Cut, Demux, Error, Format, Item, Mux, Page, Role};
pub use frame::Frame;
pub use splice::Splice;
pub use tags::Tags;
pub use time::{Span, Timebase, Timestamp};
pub use track::{Codec, Kind, TrackId, TrackInfo};
