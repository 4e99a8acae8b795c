//! The native call: sealed datagrams that stand alone, a jitter buffer in milliseconds, a rate that follows the network, and reports of
//! what arrived.

mod call;
mod drift;
mod jitter;
mod mos;
mod pictures;
mod playout;
mod rate;
mod stretch;
mod wire;

pub use call::{Config, NativeCall, Stats, Told};
pub use jitter::{Counts, late};
pub use mos::opinion;
pub use pictures::{Ask, Coded, Form, Pictures, Piece, Received, Receiving, Sent};
pub use rate::Plan;
pub use wire::{Body, Rendition, Report};

pub(crate) use playout::Playout;
