//! The keys of a session's two directions, each of which gives way to the next.

use super::window::Window;
use chacha20poly1305::{AeadInPlace, ChaCha20Poly1305, Key, KeyInit, Nonce, Tag};

/// Bytes that sealing adds.
pub const TAG: usize = 16;

/// What one end seals with. Every [`EPOCH`] datagrams the key is replaced by one that follows from it, but not it from that: who finds
/// a key later cannot read what was said before.
pub struct Sealing {
    key: [u8; 32],
    cipher: ChaCha20Poly1305,
    next: u64,
}

/// What the other end opens with. It keeps the key before the last as well, for what was overtaken.
pub struct Opening {
    key: [u8; 32],
    cipher: ChaCha20Poly1305,
    before: Option<ChaCha20Poly1305>,
    epoch: u64,
    window: Window,
}

impl Sealing {
    pub fn new(key: [u8; 32]) -> Sealing {
        Sealing { cipher: cipher(&key), key, next: 0 }
    }

    /// The number that the next datagram will have.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Seals `body` in place and appends its tag; `head` says the number and is bound to it.
    pub fn seal(&mut self, head: &[u8], body_at: usize, datagram: &mut Vec<u8>) {
        let number = self.next;
        self.next += 1;
        if number > 0 && number.is_multiple_of(EPOCH) {
            self.key = follow(&self.key);
            self.cipher = cipher(&self.key);
        }
        let body = &mut datagram[body_at..];
        // it fails for bodies of gigabytes only
        let tag = self.cipher.encrypt_in_place_detached(&nonce(number), head, body).unwrap_or_default();
        datagram.extend_from_slice(&tag);
    }
}

impl Opening {
    pub fn new(key: [u8; 32]) -> Opening {
        Opening { cipher: cipher(&key), key, before: None, epoch: 0, window: Window::new() }
    }

    /// Opens `body` in place: its number, and whether no higher one came before. None where it is not of this session, or was there already.
    pub fn open(&mut self, low: u32, head: &[u8], body: &mut [u8], tag: &[u8; TAG]) -> Option<(u64, bool)> {
        let number = self.window.unwrap(low);
        if !self.window.is_new(number) {
            return None;
        }
        let (epoch, tag) = (number / EPOCH, Tag::from_slice(tag));
        let mut open = |cipher: &ChaCha20Poly1305| {
            cipher.decrypt_in_place_detached(&nonce(number), head, body, tag).ok()
        };
        if epoch == self.epoch {
            open(&self.cipher)?;
        } else if epoch + 1 == self.epoch {
            open(self.before.as_ref()?)?;
        } else if epoch > self.epoch && epoch - self.epoch <= MOST_AHEAD {
            let (mut before, mut key) = (self.key, follow(&self.key));
            for _ in self.epoch + 1..epoch {
                (before, key) = (key, follow(&key));
            }
            let next = cipher(&key);
            open(&next)?;
            (self.key, self.epoch, self.before) = (key, epoch, Some(cipher(&before)));
            self.cipher = next;
        } else {
            return None;
        }
        let is_highest = self.window.highest().is_none_or(|highest| number > highest);
        self.window.take(number).then_some((number, is_highest))
    }
}

fn follow(key: &[u8; 32]) -> [u8; 32] {
    blake3::derive_key("levada talk 2026-11 the key of the next epoch", key)
}

fn cipher(key: &[u8; 32]) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(Key::from_slice(key))
}

/// As in Noise: four zeros and the number, though the other way round in no respect.
fn nonce(number: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&number.to_le_bytes());
    nonce.into()
}

/// Datagrams of a key: three minutes of the default call.
pub const EPOCH: u64 = 1 << 15;
/// Epochs that a datagram may be ahead of what was heard last: some 45 minutes of silence.
const MOST_AHEAD: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(sealing: &mut Sealing) -> (u32, Vec<u8>) {
        let number = sealing.next() as u32;
        let mut datagram = b"hello".to_vec();
        sealing.seal(b"head", 0, &mut datagram);
        (number, datagram)
    }

    fn open(opening: &mut Opening, (number, datagram): &(u32, Vec<u8>)) -> Option<bool> {
        let mut body = datagram.clone();
        let tag = body.split_off(body.len() - TAG);
        let found = opening.open(*number, b"head", &mut body, &tag.try_into().unwrap());
        assert!(found.is_none() || body == b"hello");
        found.map(|(_, highest)| highest)
    }

    #[test]
    fn keys_follow_each_other_and_late_datagrams_are_still_read() {
        let (mut sealing, mut opening) = (Sealing::new([7; 32]), Opening::new([7; 32]));
        let all: Vec<_> = (0..3 * EPOCH + 2).map(|_| sealed(&mut sealing)).collect();
        let at = |n: u64| &all[n as usize];
        assert_eq!(open(&mut opening, at(0)), Some(true));
        assert_eq!(open(&mut opening, at(EPOCH)), Some(true));
        assert_eq!(open(&mut opening, at(EPOCH - 1)), Some(false), "sealed with the key before");
        assert_eq!(open(&mut opening, at(EPOCH)), None, "was there already");
        assert_eq!(open(&mut opening, at(3 * EPOCH + 1)), Some(true), "two keys further");
        let mut forged = at(3 * EPOCH).clone();
        forged.1[2] ^= 1;
        assert_eq!(open(&mut opening, &forged), None);
        assert_eq!(open(&mut opening, at(3 * EPOCH)), Some(false));
    }
}
