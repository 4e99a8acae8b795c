//! Another participant, as one of a room knows it: what it is called, the keys of what it says, and its sound.

use super::pair::Pair;
use super::report::{Report, Tally};
use super::seal::Openers;
use super::told::Person;
use crate::native::{Playout, Rendition};
use crate::secure::Words;
use bytes::Bytes;
use levada_codec::packet::Codec;
use levada_link::room::{DisplayName, Participant};

/// Somebody else in the room.
pub struct Other {
    pub participant: Participant,
    pub pair: Pair,
    /// What both see, once both have met.
    pub words: Option<Words>,
    pub openers: Openers,
    /// Made with the first frame.
    playout: Option<Playout>,
    rendition: Option<Rendition>,
    /// Frames that did not open.
    pub refused: u64,
    pub tally: Tally,
    /// Its loudest sample of the last block; 1 is full scale.
    pub level: f32,
}

/// What is heard of others, where it is played.
#[derive(Clone, Copy, Debug)]
pub struct Ear {
    /// Frames a second, and of a block.
    pub rate: u32,
    pub frames: u16,
    /// The share of frames that may come too late.
    pub late: f64,
}

impl Other {
    pub fn new(participant: Participant, pair: Pair) -> Other {
        Other {
            participant,
            pair,
            words: None,
            openers: Openers::default(),
            playout: None,
            rendition: None,
            refused: 0,
            tally: Tally::default(),
            level: 0.0,
        }
    }

    /// Both know each other.
    pub fn met(&mut self, name: DisplayName, words: Words) {
        self.words = Some(words);
        if !name.as_str().is_empty() {
            self.participant.name = name; // as it says itself, not as the server does
        }
    }

    pub fn person(&self, number: u8) -> Person {
        Person { number, name: self.participant.name.clone() }
    }

    /// A frame of its sound, opened.
    pub fn put(&mut self, now: f64, ear: Ear, rendition: Rendition, counter: u32, sound: Bytes) {
        self.tally.note(counter);
        if self.playout.is_none() {
            // whatever its blocks are, ours are as long as this: PCM has all lengths
            let own = Rendition { codec: Codec::Pcm, frames: ear.frames, rate: ear.rate };
            self.playout = Playout::new(ear.rate, own, ear.late);
        }
        let Some(playout) = &mut self.playout else { return };
        let time = counter.wrapping_mul(u32::from(rendition.frames));
        if self.rendition.replace(rendition).is_some_and(|before| before != rendition) {
            playout.restart(); // another timeline: the counter counts other frames
        }
        playout.put(now, rendition, time, sound);
    }

    /// Adds what it says to the block that is played from `now` on.
    pub fn mix(&mut self, now: f64, block: &mut [i16], sum: &mut [i32]) {
        let Some(playout) = &mut self.playout else { return };
        playout.play(now, block);
        let loudest = block.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
        self.level = f32::from(loudest) / 32_768.0;
        sum.iter_mut().zip(block).for_each(|(sum, x)| *sum += i32::from(*x));
    }

    /// What is to be told to it of its sound.
    pub fn report(&mut self) -> Option<Report> {
        let queue = self.playout.as_ref().map_or(0.0, |playout| playout.jitter().rise());
        self.tally.report(queue)
    }

    pub fn set_late(&mut self, late: f64) {
        self.playout.iter_mut().for_each(|playout| playout.jitter_mut().set_late(late));
    }

    pub fn playout(&self) -> Option<&Playout> {
        self.playout.as_ref()
    }
}
