//! What speaks to other servers, and what plays files as if they were live: for `levada push` and `pull`, for relays
//! and for file mounts.

pub mod backoff;
pub mod hls;
pub mod http;
pub mod icecast;
pub mod icy;
pub mod medium;
pub mod pace;
pub mod player;
pub mod playlist;
pub mod receiver;
pub mod rtmp;
#[cfg(test)]
mod script;
mod tls;
pub mod uplink;
pub mod webrtc;

pub use http::Client;
pub use icecast::{Sender, Target};
pub use pace::Pacer;
pub use player::Player;
pub use receiver::{Received, Receiver};
pub use uplink::Uplink;
