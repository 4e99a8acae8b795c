//! The keys of what one participant says to all others.
//!
//! ```text
//! generation 1 | counter 4 | AES-256-GCM of the sound ‖ tag 16
//! ```
//!
//! The nonce is the generation, seven zeros and the counter; the sender's number is bound to it. A generation of 0 is not sealed at all.

use super::noise::{self, TAG};
use crate::native::Rendition;
use crate::secure::Window;
use aes_gcm::Aes256Gcm;
use levada_link::room::wire::FRAME_HEAD;
use std::collections::VecDeque;

/// A key that others are told, and what is sealed with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SenderKey {
    /// 1 to 255, then 1 again.
    pub generation: u8,
    pub key: [u8; 32],
    pub rendition: Rendition,
}

/// What one seals with.
pub struct Sealer {
    pub key: SenderKey,
    cipher: Aes256Gcm,
}

/// What one opens of another: at most [`KEPT`] keys, the newest first.
#[derive(Default)]
pub struct Openers {
    keys: VecDeque<Opener>,
    /// Over all keys, since the counter goes on.
    window: Window,
    /// The newest key with which something was opened.
    newest: Option<u8>,
}

struct Opener {
    key: SenderKey,
    cipher: Aes256Gcm,
    /// When it is given up, once a newer one is in use.
    until: Option<f64>,
}

/// A frame that was opened.
pub struct Frame {
    pub rendition: Rendition,
    pub counter: u32,
}

impl SenderKey {
    /// Bytes.
    pub const LENGTH: usize = 34;

    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(self.generation);
        out.extend_from_slice(&self.key);
        out.push(self.rendition.code().unwrap_or(0));
    }

    pub fn read(bytes: &[u8]) -> Option<SenderKey> {
        let bytes: &[u8; SenderKey::LENGTH] = bytes.try_into().ok()?;
        let key = std::array::from_fn(|n| bytes[1 + n]);
        let rendition = Rendition::of(bytes[33])?;
        (bytes[0] != 0).then_some(SenderKey { generation: bytes[0], key, rendition })
    }
}

impl Sealer {
    pub fn new(key: SenderKey) -> Sealer {
        Sealer { cipher: noise::cipher(&key.key), key }
    }

    /// A whole frame of a sound.
    pub fn seal(&self, from: u8, counter: u32, sound: &[u8]) -> Vec<u8> {
        let mut frame = head(self.key.generation, counter, sound);
        let nonce = nonce(self.key.generation, counter);
        // it fails for sounds of gigabytes only
        let tag = noise::seal(&self.cipher, &nonce, &[from], &mut frame[FRAME_HEAD..]).unwrap_or_default();
        frame.extend_from_slice(&tag);
        frame
    }
}

/// A frame that is not sealed.
pub fn bare(counter: u32, sound: &[u8]) -> Vec<u8> {
    head(0, counter, sound)
}

/// Generation and counter of a frame, and the rest.
pub fn parts(frame: &[u8]) -> Option<(u8, u32, &[u8])> {
    let (head, rest) = frame.split_first_chunk::<FRAME_HEAD>()?;
    Some((head[0], u32::from_be_bytes([head[1], head[2], head[3], head[4]]), rest))
}

impl Openers {
    /// Another key; false where it is not newer than what there is.
    pub fn add(&mut self, key: SenderKey) -> bool {
        let newer = self.keys.front().is_none_or(|first| is_newer(key.generation, first.key.generation));
        if newer {
            self.keys.push_front(Opener { cipher: noise::cipher(&key.key), key, until: None });
            self.keys.truncate(KEPT);
        }
        newer
    }

    /// The generation of the newest key.
    pub fn latest(&self) -> Option<u8> {
        self.keys.front().map(|opener| opener.key.generation)
    }

    /// Opens a frame of participant `from` into `sound`; none where it is not its own, was there before, or is of a key given up.
    pub fn open(&mut self, now: f64, from: u8, frame: &[u8], sound: &mut Vec<u8>) -> Option<Frame> {
        let (generation, counter, rest) = parts(frame)?;
        let (sealed, tag) = rest.split_last_chunk::<TAG>()?;
        let number = u64::from(counter);
        if !self.window.is_new(number) {
            return None;
        }
        self.keys.retain(|opener| opener.until.is_none_or(|until| now < until));
        let opener = self.keys.iter().find(|opener| opener.key.generation == generation)?;
        sound.clear();
        sound.extend_from_slice(sealed);
        if noise::open(&opener.cipher, &nonce(generation, counter), &[from], sound, tag).is_none() {
            sound.clear();
            return None;
        }
        self.window.take(number);
        let rendition = opener.key.rendition;
        if self.newest.is_none_or(|newest| is_newer(generation, newest)) {
            self.newest = Some(generation);
            let older = self.keys.iter_mut().skip_while(|opener| opener.key.generation != generation).skip(1);
            older.for_each(|opener| opener.until = Some(opener.until.unwrap_or(now + OVERTAKEN)));
        } else if self.newest != Some(generation) && self.newest_rendition() != Some(rendition) {
            return None; // overtaken by what is coded otherwise: nobody could decode both by turns
        }
        Some(Frame { rendition, counter })
    }

    /// Takes a frame that is not sealed, where its counter is new.
    pub fn take_bare(&mut self, counter: u32) -> bool {
        self.window.take(u64::from(counter))
    }

    fn newest_rendition(&self) -> Option<Rendition> {
        let newest = self.keys.iter().find(|opener| Some(opener.key.generation) == self.newest)?;
        Some(newest.key.rendition)
    }
}

/// The generation after this one.
pub fn next(generation: u8) -> u8 {
    if generation == u8::MAX { 1 } else { generation + 1 }
}

fn is_newer(generation: u8, than: u8) -> bool {
    (1..128).contains(&generation.wrapping_sub(than))
}

fn head(generation: u8, counter: u32, sound: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(FRAME_HEAD + sound.len() + TAG);
    frame.push(generation);
    frame.extend_from_slice(&counter.to_be_bytes());
    frame.extend_from_slice(sound);
    frame
}

fn nonce(generation: u8, counter: u32) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[0] = generation;
    nonce[8..].copy_from_slice(&counter.to_be_bytes());
    nonce
}

/// Keys of another that are kept: while it waits for all to have the next one, others may follow.
const KEPT: usize = 4;
/// So long a key is good once the next one is in use: for what was overtaken on the way.
const OVERTAKEN: f64 = 2.0;

#[cfg(test)]
mod tests {
    use super::*;
    use levada_codec::packet::Codec;

    fn key(generation: u8) -> SenderKey {
        let rendition = Rendition { codec: Codec::Native, frames: 240, rate: 48_000 };
        SenderKey { generation, key: [generation; 32], rendition }
    }

    #[test]
    fn what_is_sealed_opens_once_and_nothing_else_does() {
        let sealer = Sealer::new(key(1));
        let mut openers = Openers::default();
        assert!(openers.add(key(1)) && !openers.add(key(1)));
        let mut sound = Vec::new();
        let frame = sealer.seal(3, 70, b"a block of sound");
        assert!(!frame.windows(8).any(|part| b"a block of sound".windows(8).any(|said| said == part)));
        for at in 0..frame.len() {
            let mut forged = frame.clone();
            forged[at] ^= 4;
            assert!(openers.open(0.0, 3, &forged, &mut sound).is_none(), "{at}");
        }
        assert!(openers.open(0.0, 4, &frame, &mut sound).is_none(), "as if another had said it");
        let opened = openers.open(0.0, 3, &frame, &mut sound).expect("it opens");
        assert_eq!((opened.counter, &sound[..]), (70, &b"a block of sound"[..]));
        assert!(openers.open(0.0, 3, &frame, &mut sound).is_none(), "once");
        assert!(!openers.take_bare(70) && openers.take_bare(71));
    }

    #[test]
    fn keys_follow_each_other_and_old_ones_are_given_up() {
        let mut openers = Openers::default();
        let mut sound = Vec::new();
        let mut generation = 250;
        let mut counter = 0;
        for turn in 0..20 {
            let (old, new) = (generation, next(generation));
            openers.add(key(old));
            openers.add(key(new));
            let mut says = |openers: &mut Openers, now, generation| {
                counter += 1;
                let frame = Sealer::new(key(generation)).seal(3, counter, b"sound");
                openers.open(now, 3, &frame, &mut sound).is_some()
            };
            let now = f64::from(turn) * 50.0;
            assert!(says(&mut openers, now, old) && says(&mut openers, now, new));
            assert!(says(&mut openers, now + 1.9, old), "overtaken");
            assert!(!says(&mut openers, now + 2.1, old) && says(&mut openers, now + 2.1, new));
            assert!(!openers.add(key(old)), "an old one that is told again");
            generation = new;
        }
    }

    #[test]
    fn keys_come_back_from_their_bytes() {
        let mut bytes = Vec::new();
        key(9).write(&mut bytes);
        assert!(SenderKey::read(&bytes) == Some(key(9)));
        assert!(SenderKey::read(&bytes[1..]).is_none());
        bytes[0] = 0;
        assert!(SenderKey::read(&bytes).is_none(), "generation 0 is none");
    }
}
