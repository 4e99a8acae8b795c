//! The native call: packets that stand alone, a jitter buffer in milliseconds, and reports of what arrived.
//!
//! Not yet in it: encryption, and a rate that follows the network. Nothing may offer it to people before it has the first.

mod call;
mod jitter;
mod wire;

pub use call::{Config, NativeCall, Stats};
pub use jitter::{Jitter, Next};
pub use wire::{Packet, Report};
