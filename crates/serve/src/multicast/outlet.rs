//! Sends the pages of a transport stream as datagrams.

use super::{Address, Packing, TRANSPORT, rtp::Header, socket};
use bytes::{Buf, BytesMut};
use levada_media::Page;
use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    net::UdpSocket,
    time::{Instant, sleep},
};

/// A socket and what waits to fill a datagram: less than one. A picture's datagrams are spread over some milliseconds,
/// as switches and receivers drop what comes all at once.
pub struct Outlet {
    socket: UdpSocket,
    address: Address,
    held: BytesMut,
    datagram: Vec<u8>,
    began: Instant,
    sequence: u16,
    source: u32,
    stats: Arc<Stats>,
}

/// What an outlet counts; it only grows.
#[derive(Debug, Default)]
pub struct Stats {
    /// Datagrams sent.
    pub datagrams: AtomicU64,
    /// Bytes of the transport stream in them.
    pub bytes: AtomicU64,
    /// Datagrams that the system did not take, or said that nobody awaits them.
    pub errors: AtomicU64,
}

impl Outlet {
    /// An outlet to `address`.
    ///
    /// # Errors
    /// When the system has no way there.
    pub fn open(address: &Address) -> io::Result<Outlet> {
        let mut chance = [0; 6];
        getrandom::fill(&mut chance).map_err(|why| io::Error::other(why.to_string()))?;
        let [a, b, c, d, e, f] = chance;
        Ok(Outlet {
            socket: socket::sender(address)?,
            address: address.clone(),
            held: BytesMut::new(),
            datagram: Vec::new(),
            began: Instant::now(),
            sequence: u16::from_be_bytes([a, b]),
            source: u32::from_be_bytes([c, d, e, f]),
            stats: Arc::default(),
        })
    }

    /// What it counts.
    pub fn stats(&self) -> Arc<Stats> {
        self.stats.clone()
    }

    /// The address of ours that receivers see.
    pub fn local(&self) -> IpAddr {
        socket::local(&self.socket, &self.address)
    }

    /// Sends the full datagrams of what waits and of `page`, at an even pace if they are many.
    pub async fn send(&mut self, page: &Page) {
        self.held.extend_from_slice(&page.bytes);
        let size = self.address.packets * PACKET;
        let count = self.held.len() / size;
        let at_once = (count / SPREAD).max(AT_ONCE);
        for n in 0..count {
            if n > 0 && n % at_once == 0 {
                sleep(TICK).await;
            }
            self.datagram(size).await;
        }
    }

    /// Sends what waits, full or not.
    pub async fn flush(&mut self) {
        let size = self.held.len() / PACKET * PACKET;
        if size > 0 {
            self.datagram(size).await;
        }
    }

    /// Whether anything waits.
    pub fn holds(&self) -> bool {
        self.held.len() >= PACKET
    }

    async fn datagram(&mut self, size: usize) {
        self.datagram.clear();
        if self.address.packing == Packing::Rtp {
            // the time of sending, as RFC 2250 2 has it; the counter wraps by design
            let timestamp = (self.began.elapsed().as_micros() * 9 / 100) as u32;
            let header =
                Header { payload: TRANSPORT, sequence: self.sequence, timestamp, source: self.source };
            self.datagram.extend(header.to_bytes());
            self.sequence = self.sequence.wrapping_add(1);
        }
        self.datagram.extend_from_slice(&self.held[..size]);
        self.held.advance(size);
        match self.socket.send(&self.datagram).await {
            Ok(_) => {
                self.stats.datagrams.fetch_add(1, Relaxed);
                self.stats.bytes.fetch_add(size as u64, Relaxed);
            }
            Err(_) => drop(self.stats.errors.fetch_add(1, Relaxed)),
        }
    }
}

/// A datagram that is not full goes out after this.
pub const PARTIAL: Duration = Duration::from_millis(20);
const PACKET: usize = 188;
/// Datagrams that go out together always: an ordinary picture.
const AT_ONCE: usize = 4;
/// Ticks over which more are spread.
const SPREAD: usize = 8;
const TICK: Duration = Duration::from_millis(1);
