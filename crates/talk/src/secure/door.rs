//! Decides who may knock: strangers cost nothing that grows.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Lets a few handshakes a second begin, and more only where the caller is at the address that it gives: it is told a cookie there,
/// which it must bring back. Nothing is kept of anybody.
#[derive(Debug)]
pub struct Door {
    secret: [u8; 32],
    began: Option<Instant>,
    /// Handshakes that may begin now without a cookie, and with one.
    free: Bucket,
    shown: Bucket,
}

/// What becomes of one who knocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knock {
    /// May come in.
    Enter,
    /// Is to come again with this.
    Bring([u8; COOKIE]),
    /// Is not heard.
    Ignore,
}

#[derive(Debug)]
struct Bucket {
    level: f64,
    most: f64,
    filled: Option<Instant>,
}

/// Bytes of a cookie; zeros are none.
pub const COOKIE: usize = 16;

impl Door {
    pub fn new(secret: [u8; 32]) -> Door {
        let bucket = |most| Bucket { level: most, most, filled: None };
        Door { secret, began: None, free: bucket(FREE), shown: bucket(SHOWN) }
    }

    /// Somebody knocks.
    pub fn knock(&mut self, now: Instant, from: SocketAddr, cookie: &[u8; COOKIE]) -> Knock {
        if *cookie != [0; COOKIE] {
            // this minute's, or the one before
            let minute = self.minute(now);
            let fits = [minute, minute.wrapping_sub(1)].iter().any(|m| self.cookie(*m, from) == *cookie);
            if fits && self.shown.take(now) {
                return Knock::Enter;
            }
        }
        if self.free.take(now) {
            return Knock::Enter;
        }
        let minute = self.minute(now);
        if *cookie == [0; COOKIE] { Knock::Bring(self.cookie(minute, from)) } else { Knock::Ignore }
    }

    fn minute(&mut self, now: Instant) -> u64 {
        let began = *self.began.get_or_insert(now);
        now.duration_since(began).as_secs() / 60
    }

    fn cookie(&self, minute: u64, from: SocketAddr) -> [u8; COOKIE] {
        let mut said = [0; 26];
        said[..8].copy_from_slice(&minute.to_le_bytes());
        match from.ip() {
            IpAddr::V4(ip) => said[8..12].copy_from_slice(&ip.octets()),
            IpAddr::V6(ip) => said[8..24].copy_from_slice(&ip.octets()),
        }
        said[24..].copy_from_slice(&from.port().to_le_bytes());
        let hash = blake3::keyed_hash(&self.secret, &said);
        std::array::from_fn(|n| hash.as_bytes()[n].max(1)) // never all zeros
    }
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        let filled = *self.filled.get_or_insert(now);
        let more = now.duration_since(filled).min(Duration::from_secs(60)).as_secs_f64() * self.most;
        (self.level, self.filled) = ((self.level + more).min(self.most), Some(now));
        let enough = self.level >= 1.0;
        self.level -= if enough { 1.0 } else { 0.0 };
        enough
    }
}

/// Handshakes a second that begin without a cookie: a call needs one.
const FREE: f64 = 8.0;
/// With one: some milliseconds of computing a second.
const SHOWN: f64 = 32.0;

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // where a test begins
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_asked_to_show_where_it_is() {
        let (mut door, now) = (Door::new([3; 32]), Instant::now());
        let at = |n: u16| SocketAddr::from(([10, 0, 0, 1], n));
        assert!((0..8).all(|n| door.knock(now, at(n), &[0; COOKIE]) == Knock::Enter));
        let Knock::Bring(cookie) = door.knock(now, at(9), &[0; COOKIE]) else { panic!("a ninth") };
        assert_eq!(door.knock(now, at(8), &cookie), Knock::Ignore, "another's cookie");
        assert_eq!(door.knock(now + Duration::from_millis(50), at(9), &cookie), Knock::Enter);
        let entered = (0..1_000).filter(|_| door.knock(now, at(9), &cookie) == Knock::Enter).count();
        assert!(entered < 33, "{entered}");
        assert_eq!(door.knock(now + Duration::from_secs(1), at(7), &[0; COOKIE]), Knock::Enter);
    }
}
