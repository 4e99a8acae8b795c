//! Cookies of a server of rooms: who brings one is where it says that it is.

use super::wire::COOKIE;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// Made of a secret, an address and the minute; nothing is kept of whoever got one.
pub(super) struct Cookies {
    secret: [u8; 32],
    began: Option<Instant>,
}

impl Cookies {
    pub(super) fn new(secret: [u8; 32]) -> Cookies {
        Cookies { secret, began: None }
    }

    /// The address's of this minute.
    pub(super) fn bake(&mut self, now: Instant, of: SocketAddr) -> [u8; COOKIE] {
        let minute = self.minute(now);
        self.of(minute, of)
    }

    /// Whether it is the address's of this minute, or the one before.
    pub(super) fn is_of(&mut self, now: Instant, of: SocketAddr, cookie: [u8; COOKIE]) -> bool {
        let minute = self.minute(now);
        [minute, minute.wrapping_sub(1)].iter().any(|minute| self.of(*minute, of) == cookie)
    }

    fn minute(&mut self, now: Instant) -> u64 {
        let began = *self.began.get_or_insert(now);
        now.duration_since(began).as_secs() / 60
    }

    fn of(&self, minute: u64, of: SocketAddr) -> [u8; COOKIE] {
        let mut said = [0; 26];
        said[..8].copy_from_slice(&minute.to_le_bytes());
        match of.ip() {
            IpAddr::V4(ip) => said[8..12].copy_from_slice(&ip.octets()),
            IpAddr::V6(ip) => said[8..24].copy_from_slice(&ip.octets()),
        }
        said[24..].copy_from_slice(&of.port().to_le_bytes());
        let hash = blake3::keyed_hash(&self.secret, &said);
        std::array::from_fn(|n| hash.as_bytes()[n].max(1)) // never all zeros
    }
}
