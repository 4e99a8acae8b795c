//! RTMP as a state machine: handshake, chunks, AMF, sessions, client and server.
#![forbid(unsafe_code)]

mod address;
pub mod amf0;
mod capabilities;
pub mod chunk;
pub mod client;
mod ending;
pub mod fuzz;
pub mod handshake;
pub mod message;
mod pages;
mod refusal;
pub mod server;
mod status;
pub mod tag;
mod wire;

pub use address::{Address, Error as AddressError};
pub use capabilities::Capabilities;
pub use pages::Pages;
pub use refusal::Refusal;
pub use status::Status;
pub use wire::{Error, Stats};
