//! The head of the stream: asked for in parts, until all of it is here.

use super::*;

#[derive(Default)]
pub(super) struct Head {
    pub(super) wanted: usize,
    pub(super) got: BytesMut,
    pub(super) asked: Option<Instant>,
    pub(super) told: bool,
}

impl Peer {
    pub(super) fn want_head(&mut self, now: Instant) {
        if self.head.got.len() < self.head.wanted {
            self.head.asked = Some(now);
            let from = self.head.got.len() as u32;
            self.say(self.config.splitter, &Message::HeadWanted { from });
        }
    }

    pub(super) fn take_head(&mut self, now: Instant, at: u32, total: u32, bytes: &[u8]) {
        if self.head.told || total as usize > LONGEST_HEAD || bytes.len() > LONGEST {
            return;
        }
        if total as usize != self.head.wanted {
            // Another head by now.
            self.head = Head { wanted: total as usize, ..Head::default() };
        }
        if at as usize == self.head.got.len() {
            self.head.got.extend_from_slice(bytes);
            self.head.asked = None;
            if self.head.got.len().is_multiple_of(HEAD_PARTS * LONGEST) {
                // All that one question is answered with is here.
                self.want_head(now);
            }
        }
    }
}
