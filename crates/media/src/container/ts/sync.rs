//! Finds packets in a run of bytes.

use super::packet::{Packet, SIZE, SYNC};
use crate::container::window::Window;

/// Once three packets in a row began with the sync byte, each goes out with its last byte, until one does not.
#[derive(Default)]
pub(super) struct Sync {
    pub(super) window: Window,
}

impl Sync {
    /// The next packet, `None` when more bytes are needed.
    pub(super) fn poll(&mut self) -> Option<Packet> {
        let front = self.window.front();
        let whole = front.first().is_none_or(|&first| first == SYNC);
        self.window.sync &= whole;
        if !self.window.sync && !self.hunt() {
            return None;
        }
        if self.window.front().len() < SIZE {
            let left = if self.window.ended() { self.window.front().len() } else { 0 };
            self.window.skip(left as u64);
            return None;
        }
        Packet::parse(self.window.take(SIZE))
    }

    /// Skips to where packets seem to begin; whether they do.
    fn hunt(&mut self) -> bool {
        let front = self.window.front();
        for at in 0..front.len() {
            let mut three = (0..3).map(|n| front.get(at + n * SIZE));
            match three.try_fold(true, |all, byte| byte.map(|&byte| all && byte == SYNC)) {
                Some(false) => {}
                Some(true) => return self.found_at(at),
                // not all three are there yet
                None if !self.window.ended() && is_hopeful(front, at) => {
                    self.window.skip(at as u64);
                    return false;
                }
                None if self.window.ended() && is_hopeful(front, at) && front.len() - at >= SIZE => {
                    return self.found_at(at);
                }
                None => {}
            }
        }
        self.window.skip(front.len() as u64);
        false
    }

    fn found_at(&mut self, at: usize) -> bool {
        self.window.skip(at as u64);
        self.window.sync = true;
        true
    }
}

/// Whether what is there of three sync bytes from `at` on is one.
fn is_hopeful(front: &[u8], at: usize) -> bool {
    (0..3).filter_map(|n| front.get(at + n * SIZE)).all(|&byte| byte == SYNC)
}
