//! What speaks to other servers, and what plays files as if they were live: for `levada push` and `pull`, for relays
//! and for file mounts.

pub mod http;
pub mod icecast;
pub mod icy;
pub mod pace;
pub mod medium;
pub mod player;
pub mod playlist;
mod tls;

pub use http::Client;
pub use icecast::{Sender, Target};
pub use pace::Pacer;
pub use player::Player;
