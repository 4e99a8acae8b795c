//! The native wire and its rules: teams whose lag grows with the logarithm of their size.
//!
//! The stream is dealt in stripes, chunk number modulo their count, and each stripe goes down a tree of its own. A peer
//! passes on in one stripe and mostly is a leaf in the others, so that all upload about what they download. The
//! splitter says who is whose parent, by tickets that a parent can check; it sends nothing to an address that has not
//! shown that it is there. Every chunk carries a proof that it is the splitter's, checked before it goes anywhere.

pub mod bridge;
mod home;
mod parity;
pub mod pass;
pub mod peer;
mod playout;
mod reach;
mod ring;
pub mod seal;
pub mod splitter;
pub mod standby;
mod trees;
pub mod wire;

pub use bridge::Bridge;
pub use pass::Pass;
pub use peer::Peer;
pub use seal::{Key, Seal};
pub use splitter::Splitter;
pub use standby::Standby;

#[cfg(test)]
mod nat_tests;
#[cfg(test)]
mod tests;
