//! The link model between two sockets: for systems without namespaces, and for running without any privilege.
//!
//! Datagrams meet all that the model does. A TCP stream is relayed: it meets rate, queue, delay and jitter, in order; what
//! the link would lose stalls it for a retransmission's time instead, since its ends have their own connection with the
//! relay and never see a loss.

use levada_link::{ConfigError, Link, LinkConfig, Profile};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;

mod datagrams;
mod streams;
mod way;
#[cfg(target_os = "linux")]
pub(crate) use datagrams::relay;
pub use datagrams::udp;
pub use streams::tcp;

/// What has passed a proxy, towards the server and back.
#[derive(Debug, Default)]
pub struct Passed {
    /// Packets or pieces that came.
    pub came: [AtomicU64; 2],
    /// Those that were sent on; counted before whoever gets them can know.
    pub went: [AtomicU64; 2],
}

/// Why there is no proxy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The link cannot be so.
    #[error(transparent)]
    Link(#[from] ConfigError),
    /// A socket.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Something that came: when, and what.
type Came = (Instant, Vec<u8>);

/// One direction of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// Towards the server.
    There,
    /// From it.
    Back,
}

impl Side {
    const BOTH: [Side; 2] = [Side::There, Side::Back];

    /// What the link is that way.
    fn of(self, profile: &Profile) -> &LinkConfig {
        match self {
            Side::There => &profile.up,
            Side::Back => &profile.down,
        }
    }

    /// The seed of that way's chance.
    fn seed(self, seed: u64) -> u64 {
        seed ^ self as u64
    }

    fn came(self, passed: &Passed) {
        passed.came[self as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A link that way, on a thread of its own: where to put what came. It ends when that is dropped and all is sent.
    ///
    /// Holds 1,024 pieces that the link has not taken in yet; whoever puts more waits, or drops them.
    fn open(
        self,
        link: Link,
        passed: Arc<Passed>,
        mut send: impl FnMut(&[u8]) + Send + 'static,
    ) -> io::Result<(SyncSender<Came>, std::thread::JoinHandle<()>)> {
        let (inbox, pieces) = sync_channel(WAITING);
        let forward = move |bytes: &[u8]| {
            passed.went[self as usize].fetch_add(1, Ordering::Relaxed);
            send(bytes);
        };
        Ok((inbox, way::carry(link, pieces, forward)?))
    }
}

/// Refuses what cannot be, before anybody comes.
fn check(profile: &Profile) -> Result<(), ConfigError> {
    Side::BOTH.iter().try_for_each(|side| side.of(profile).check())
}

/// Pieces between a socket and its link.
const WAITING: usize = 1_024;

#[cfg(test)]
mod tests;
