//! Machines, what they exchange, the links between them, and time that may be virtual.
#![forbid(unsafe_code)]

mod bucket;
mod chance;
mod config;
pub mod distribution;
pub mod drive;
#[cfg(feature = "tokio")]
pub mod drive_tokio;
mod emulate;
pub mod guarded;
mod kernel;
mod line;
mod loss;
pub mod machine;
pub mod nat;
mod outage;
pub mod profile;
mod queue;
#[cfg(feature = "quic")]
pub mod quic;
mod replay;
pub mod room;
mod serial;
mod shaper;
mod slots;
mod spelling;
pub mod tc;
pub mod trace;
pub mod units;
pub mod world;

pub use bucket::{Bucket, Peak};
pub use chance::{Chance, Odds};
pub use config::{Compat, ConfigError, LinkConfig, Order, Reorder};
pub use distribution::Distribution;
pub use emulate::{Backlog, Counts, Delivered, Dropped, Entry, Link, Outcome, Why};
pub use guarded::{Door, Guarded};
pub use loss::{FourStates, Gilbert, Loss, PacketList};
pub use machine::{Input, Machine, Output, StreamId, StreamInput, StreamOutput, Transmit};
pub use nat::Nat;
pub use outage::{Outages, Spans, When};
pub use profile::Profile;
pub use queue::{Discipline, Room};
pub use replay::{Replay, ReplayError};
pub use serial::Overhead;
pub use slots::{Pause, Slots};
pub use spelling::Library;
pub use units::{Bitrate, Percent, Size, UnitError};
pub use world::World;
