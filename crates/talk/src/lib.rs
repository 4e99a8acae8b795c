//! A full-duplex call between two endpoints.
//!
//! A [`Call`] makes datagrams of captured blocks and blocks to play of datagrams; [`Paced`] puts it between devices and a
//! network as a [`Machine`](levada_link::Machine), with real or virtual time.
#![forbid(unsafe_code)]

pub mod compat;
mod conceal;
mod echo;
mod howl;
pub mod native;
mod near;
mod paced;
pub mod room;
pub mod secure;

pub use conceal::Conceal;
pub use echo::Echo;
pub use howl::Howl;
pub use near::{Near, Place};
pub use paced::{Call, Ended, Paced, Sound};
