//! Mounts, and the gateways in and out of them.
//!
//! A source's bytes flow from [`front`] through a [`Mount`]'s channel and its [`Rendition`] to [`egress`], which
//! writes them to every listener. Gateways ([`icecast`]) know mounts; none knows another gateway.
#![forbid(unsafe_code)]

pub mod access;
pub mod admin;
mod admission;
pub mod api;
pub mod auth;
pub mod client;
pub mod config;
pub mod conn;
pub mod demand;
pub mod directory_yp;
mod doors;
pub mod egress;
pub mod events;
mod file_source;
pub mod files;
pub mod front;
pub mod history;
pub mod hls;
pub mod http;
pub mod icecast;
pub mod intro;
mod meter;
pub mod metrics;
mod mount;
mod mounts;
pub mod multicast;
mod name;
pub mod ordinary;
mod piece;
mod places;
pub mod playlist;
pub mod record;
mod refresh;
pub mod relay;
mod reload;
pub mod rendition;
pub mod renditions;
pub mod room;
pub mod rtmp;
mod server;
mod session;
mod sessions;
mod slate;
mod source;
pub mod stamp;
mod station;
pub mod status;
pub mod switch;
pub mod teams;
pub mod tls;
pub mod ui;
pub mod webrtc;
pub mod websocket;
pub mod xml;

pub use config::Config;
pub use front::Door;
pub use meter::{BOUNDS, GapsView, Meter, Tempo};
pub use mount::{Intake, LetGo, Mount, MountStats, Refused};
pub use mounts::{Claim, Mounts};
pub use name::{BadName, MountName};
pub use piece::Piece;
pub use places::{Place, Stay};
pub use reload::{CannotServe, Load};
pub use rendition::{Rendition, RenditionId};
pub use server::Server;
pub use session::{End, Session, SessionId};
pub use sessions::Sessions;
pub use source::{Origin, Source};
pub use station::{Counters, Station};

/// How the server names itself; some clients look for "Icecast" before they send titles.
pub const SERVER: &str = concat!("levada/", env!("CARGO_PKG_VERSION"), " (Icecast 2.4.4 compatible)");
