//! What one says to all others: blocks of sound, coded as the room has it, sealed with a key that changes with who is there.

use super::report::{Pace, Report};
use super::seal::{self, Sealer, SenderKey};
use crate::native::Rendition;
use levada_codec::packet::{Codec, Encoder};
use std::time::{Duration, Instant};

/// One's own voice.
pub struct Speaker {
    /// How sound is coded where all can hear that.
    own: Rendition,
    pace: Pace,
    encoder: Encoder,
    /// What that makes.
    rendition: Rendition,
    /// Captured, and not yet a whole block of the rendition.
    waiting: Vec<i16>,
    /// The next frame's.
    counter: u32,
    using: Option<Sealer>,
    /// What is used once all have it, or at this time.
    next: Option<(Sealer, Instant)>,
    generation: u8,
    /// Not sealed at all.
    open: bool,
    block: Vec<u8>,
}

/// What everybody speaks where a browser is: bare Opus.
pub const OPUS: Rendition = Rendition { codec: Codec::Opus, frames: 960, rate: RATE };
/// Frames a second in rooms.
pub const RATE: u32 = 48_000;

impl Speaker {
    /// None where no codec makes such a rendition.
    pub fn new(own: Rendition, bits: u32) -> Option<Speaker> {
        own.code()?;
        let encoder = Encoder::new(own.codec, usize::from(own.frames)).ok()?;
        Some(Speaker {
            own,
            pace: Pace::new(bits),
            encoder,
            rendition: own,
            waiting: Vec::new(),
            counter: 0,
            using: None,
            next: None,
            generation: 0,
            open: false,
            block: Vec::new(),
        })
    }

    /// What is or will be sealed with from now on, if there is a key.
    pub fn key(&self) -> Option<SenderKey> {
        self.next.as_ref().map(|(sealer, _)| sealer.key).or(self.using.as_ref().map(|sealer| sealer.key))
    }

    /// The generation that others are to have before it is used.
    pub fn awaited(&self) -> Option<u8> {
        self.next.as_ref().map(|(sealer, _)| sealer.key.generation)
    }

    /// How frames are coded now.
    pub fn rendition(&self) -> Rendition {
        self.rendition
    }

    /// What is coded by from the next key on: Opus for all, or one's own.
    pub fn wants(&self, opus: bool) -> Rendition {
        let longer = Rendition { frames: 960.max(self.own.frames), ..self.own };
        match () {
            () if opus => OPUS,
            () if self.pace.is_starved() && longer.code().is_some() && self.own.codec != Codec::Pcm => longer,
            () => self.own,
        }
    }

    /// Bits a second of sound, as much as comes through to all.
    pub fn bits(&self) -> u32 {
        self.pace.bits()
    }

    /// One of the others tells what came.
    pub fn report(&mut self, now: Instant, report: Report) {
        self.pace.report(now, report);
    }

    /// Another key, to be told to all others and used once they have it.
    pub fn renew(&mut self, now: Instant, opus: bool, key: [u8; 32]) -> SenderKey {
        self.generation = seal::next(self.generation);
        let key = SenderKey { generation: self.generation, key, rendition: self.wants(opus) };
        // whoever left is not heard longer than this, however often others come and go
        let at = self.next.as_ref().map_or(now + WAIT, |(_, at)| *at);
        self.next = Some((Sealer::new(key), at));
        key
    }

    /// Uses the next key where it is time to.
    pub fn advance(&mut self, now: Instant, all_have_it: bool) {
        if let Some((sealer, _)) = self.next.take_if(|(_, at)| all_have_it || now >= *at) {
            self.code(sealer.key.rendition);
            self.using = Some(sealer);
        }
    }

    /// Time goes on.
    pub fn wake(&mut self, now: Instant) {
        self.pace.wake(now);
    }

    /// Whether what is said is not sealed from now on.
    pub fn set_open(&mut self, open: bool) {
        self.open = open;
        if open {
            self.code(OPUS);
        } else if let Some(rendition) = self.using.as_ref().map(|sealer| sealer.key.rendition) {
            self.code(rendition);
        }
    }

    /// Time that was slept through.
    pub fn skip(&mut self, seconds: f64) {
        self.counter = self.counter.wrapping_add((seconds / self.rendition.period()) as u32);
    }

    /// Takes a block of stereo sound; whole frames of it go to `send`, if there is anybody to hear them.
    pub fn say(&mut self, from: u8, captured: &[i16], heard: bool, mut send: impl FnMut(Vec<u8>)) {
        self.waiting.extend_from_slice(captured);
        let whole = 2 * usize::from(self.rendition.frames);
        while self.waiting.len() >= whole {
            let counter = self.counter;
            self.counter = counter.wrapping_add(1);
            if heard {
                self.block.clear();
                let budget = self.budget();
                self.encoder.encode(&self.waiting[..whole], budget, &mut self.block);
                match &self.using {
                    _ if self.block.is_empty() || self.block.len() > MOST => {}
                    _ if self.open => send(seal::bare(counter, &self.block)),
                    Some(sealer) => send(sealer.seal(from, counter, &self.block)),
                    None => {}
                }
            }
            self.waiting.drain(..whole);
        }
    }

    fn budget(&self) -> usize {
        ((f64::from(self.pace.bits()) * self.rendition.period() / 8.0) as usize).clamp(8, MOST)
    }

    fn code(&mut self, rendition: Rendition) {
        if rendition == self.rendition {
            return;
        }
        if let Ok(encoder) = Encoder::new(rendition.codec, usize::from(rendition.frames)) {
            (self.encoder, self.rendition) = (encoder, rendition);
        }
    }
}

/// So long it is waited until all have the next key.
const WAIT: Duration = Duration::from_secs(1);
/// Bytes of a coded block: with all that is around it, a datagram of 1,200.
const MOST: usize = 1_170;
