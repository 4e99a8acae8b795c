//! Makes sound of frames as they come: in time, without jumps, at the speed of this end's clock.

use super::drift::Servo;
use super::jitter::{Counts, Jitter};
use super::stretch::Stretch;
use super::wire::Rendition;
use crate::Conceal;
use bytes::Bytes;
use levada_codec::packet::Decoder;
use levada_media::resample::Resampler;

/// Frames in, blocks to play out.
///
/// Small differences between the delay that there is and the one that is aimed at are played away by some hundred parts in a million,
/// which also follows the other clock; larger ones by saying a period of the sound twice or not at all.
#[derive(Debug)]
pub struct Playout {
    /// Frames a second here, and seconds of a block.
    rate: u32,
    ahead: f64,
    rendition: Rendition,
    jitter: Jitter,
    decoder: Decoder,
    stretch: Stretch,
    resampler: Resampler,
    servo: Servo,
    conceal: Conceal,
    block: Vec<i16>,
    floats: Vec<f32>,
    /// Whether the first frame's time has come.
    playing: bool,
    /// When the delay was last made shorter, and how long it is too short or too long already.
    changed: f64,
    delay: f64,
    /// What was done to it since it was measured.
    jump: f64,
}

impl Playout {
    /// For a loudspeaker at `rate` with blocks as long as the rendition's; none where no codec makes such a rendition.
    pub fn new(rate: u32, rendition: Rendition, late: f64) -> Option<Playout> {
        let frames = usize::from(rendition.frames);
        Some(Playout {
            rate,
            ahead: rendition.period(),
            rendition,
            jitter: Jitter::new(rendition, late),
            decoder: Decoder::new(rendition.codec, frames).ok()?,
            stretch: Stretch::new(rendition.rate),
            resampler: Resampler::new(2, rendition.rate, rate),
            servo: Servo::default(),
            conceal: Conceal::new(2, rendition.rate),
            block: vec![0; 2 * frames],
            floats: Vec::new(),
            playing: false,
            changed: 0.0,
            delay: 0.0,
            jump: 0.0,
        })
    }

    /// What became of frames.
    pub fn counts(&self) -> Counts {
        self.jitter.counts()
    }

    /// What the frames' times tell.
    pub fn jitter(&self) -> &Jitter {
        &self.jitter
    }

    /// The same, to let another share come too late.
    pub fn jitter_mut(&mut self) -> &mut Jitter {
        &mut self.jitter
    }

    /// Seconds that a frame waits from when the quickest would come to when it is played.
    pub fn delay(&self) -> f64 {
        self.delay
    }

    /// What the delay should be: as long as the network makes frames late, and a block of ours, since frames are decoded up to so long
    /// before they are played.
    pub fn target(&self, now: f64) -> f64 {
        self.jitter.target(now) + self.ahead + MARGIN
    }

    /// How much faster than ours the other clock is, in parts per million.
    pub fn skew(&self) -> f64 {
        self.servo.skew() * 1e6
    }

    /// Up to which frame of sound all was played out; none while nothing is.
    pub fn heard(&self) -> Option<i64> {
        let Rendition { codec, frames, .. } = self.rendition;
        let waiting = self.resampler.waiting() + self.stretch.waiting() + codec.delay(usize::from(frames));
        self.jitter.next().filter(|_| self.playing).map(|next| next - waiting as i64)
    }

    /// Frames a second of theirs.
    pub fn theirs(&self) -> u32 {
        self.rendition.rate
    }

    /// The other end begins anew.
    pub fn restart(&mut self) {
        self.jitter.restart(self.rendition);
        self.playing = false;
    }

    /// A frame came.
    pub fn put(&mut self, now: f64, rendition: Rendition, time: u32, frame: Bytes) {
        if rendition != self.rendition {
            let Ok(decoder) = Decoder::new(rendition.codec, usize::from(rendition.frames)) else { return };
            if rendition.rate != self.rendition.rate {
                self.stretch = Stretch::new(rendition.rate);
                self.resampler = Resampler::new(2, rendition.rate, self.rate);
                self.conceal = Conceal::new(2, rendition.rate);
                self.playing = false;
            }
            (self.decoder, self.rendition) = (decoder, rendition);
            self.block = vec![0; 2 * usize::from(rendition.frames)];
            self.jitter.rendition(rendition);
        }
        self.jitter.put(now, time, frame);
    }

    /// Fills a block that is played from `now` on.
    pub fn play(&mut self, now: f64, out: &mut [i16]) {
        if !self.playing {
            self.playing = self.jitter.has_begun() && self.jitter.delay(now, 0.0) >= self.target(now);
            if !self.playing {
                return out.fill(0);
            }
        }
        self.floats.resize(out.len(), 0.0);
        let mut done = 0;
        // each turn brings a block at least, so this ends
        for _ in 0..64 {
            done += 2 * self.resampler.pull(&mut self.floats[done..]);
            if done == out.len() {
                break;
            }
            self.feed(now, done / 2);
        }
        self.floats[done..].fill(0.0);
        out.iter_mut().zip(&self.floats).for_each(|(out, x)| *out = x.round() as i16);
    }

    /// Brings another block, of which the first frame is played `after` frames from `now`.
    fn feed(&mut self, now: f64, after: usize) {
        let rate = f64::from(self.rendition.rate);
        let plays = now + after as f64 / f64::from(self.rate);
        self.delay = self.jitter.delay(plays, self.resampler.waiting() as f64 / rate);
        let target = self.target(now);
        let (error, period) = (self.delay - target, self.rendition.period());
        let (short, long) = (0.000_4 + 0.02 * target, 0.002 + 0.4 * period + 0.01 * target);
        let mut jump = 0.0;
        if error < -short && !self.jitter.is_ready() {
            // nothing is there and it may wait: made up, and the frame comes after it
            self.lost();
            let counts = self.jitter.counts_mut();
            (counts.stretched, counts.missing) = (counts.stretched + 1, counts.missing + 1);
            jump = period;
        } else {
            self.decode();
            if error < -short {
                let more = self.stretch.lengthen(error < -0.012, -error);
                self.jitter.counts_mut().stretched += u64::from(more > 0);
                jump = more as f64 / rate;
            } else if error > long && now - self.changed > PAUSE {
                jump = -(self.shorten(now, error) as f64) / rate;
            }
        }
        let resampler = &mut self.resampler;
        self.stretch.take(|sound| resampler.push(sound));
        self.servo.follow(self.delay, error, std::mem::replace(&mut self.jump, jump), period);
        self.resampler.set_step(rate / f64::from(self.rate) * (1.0 + self.servo.ratio()));
    }

    /// Frames less.
    fn shorten(&mut self, now: f64, error: f64) -> usize {
        for _ in 0..4 {
            if self.stretch.waiting() as f64 >= 0.018 * f64::from(self.rendition.rate)
                || !self.jitter.is_ready()
            {
                break;
            }
            self.decode();
        }
        let less = self.stretch.shorten(error > 0.03, error);
        self.jitter.counts_mut().shortened += u64::from(less > 0);
        self.changed = if less > 0 { now } else { now - 0.8 * PAUSE };
        less
    }

    fn decode(&mut self) {
        let Some(frame) = self.jitter.take() else { return self.lost() };
        match self.decoder.decode(&frame, &mut self.block) {
            Ok(()) => {
                self.conceal.heard(&mut self.block);
                self.stretch.push(&self.block);
            }
            Err(_) => self.lost(),
        }
    }

    fn lost(&mut self) {
        self.decoder.lost(&mut self.block);
        self.conceal.lost(&mut self.block);
        self.stretch.push(&self.block);
    }
}

/// What the resampler's filter needs ahead (16 frames), and a little: more than what frames may be too early for without anything done.
const MARGIN: f64 = 0.000_5;
/// Between two times at which the delay is made shorter: at 10 ms each, a fifth faster at most.
const PAUSE: f64 = 0.05;
