//! What one may want to turn in egress.

use std::time::Duration;

/// The knobs of [`super::Egress`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Reactor threads; 0, the default, is one per core.
    pub reactors: usize,
    /// How far a listener may fall behind, beyond the burst it began with, before it is moved to the newest entry:
    /// 10 s by default. Each second costs as much memory per rendition and reactor as the stream has bytes in it.
    pub lag: Duration,
    /// The same in bytes, for streams whose time is not known and for bursts: 8 MiB by default.
    pub lag_bytes: usize,
    /// How often a listener may be moved within a minute before it is dropped as too slow; 5 by default.
    pub skips: u32,
    /// How long a socket may take nothing at all before its listener is dropped as too slow; 30 s by default.
    pub stall: Duration,
    /// Bytes that the kernel may hold unsent per listener (`TCP_NOTSENT_LOWAT`); 128 KiB by default. A slow listener
    /// costs this much kernel memory and the connection's window, not the kernel's default of up to 4 MiB.
    pub unsent: u32,
    /// The kernel's send buffer per listener (`SO_SNDBUF`); 256 KiB by default, of which the system may allow less. It
    /// bounds a listener's rate to this much per round trip.
    pub send_buffer: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            reactors: 0,
            lag: Duration::from_secs(10),
            lag_bytes: 8 << 20,
            skips: 5,
            stall: Duration::from_secs(30),
            unsent: 128 << 10,
            send_buffer: 256 << 10,
        }
    }
}

impl Config {
    /// How many reactors to start.
    pub(super) fn reactors(&self) -> usize {
        match self.reactors {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            reactors => reactors,
        }
    }
}
