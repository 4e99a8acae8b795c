//! Mounts, and the gateways in and out of them.
#![forbid(unsafe_code)]

pub mod http;
mod name;
mod piece;
mod session;

pub use name::{BadName, MountName};
pub use piece::Piece;
pub use session::{End, Session, SessionId};
