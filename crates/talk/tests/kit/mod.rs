//! What behaviours share: devices that are numbers, and two ends in a world.
#![allow(dead_code, clippy::unwrap_used, clippy::disallowed_methods)] // each test file uses its own part; only here a clock is read

use levada_link::world::{Access, HostId, World};
use levada_talk::{Call, Paced, Sound};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A sound that can be recognised anywhere: three gliding tones, different in each channel.
pub fn said(frame: usize, channel: usize) -> i16 {
    static SAID: OnceLock<Vec<i16>> = OnceLock::new();
    let make = |n: usize| {
        let (t, channel) = ((n / 2) as f64 / 44_100.0, n % 2);
        let glide = (t * 0.37 + channel as f64).sin();
        let tone = |hertz: f64, loud: f64| loud * (std::f64::consts::TAU * hertz * t + 40.0 * glide).sin();
        (tone(311.0, 5_000.0) + tone(877.0, 2_500.0) + tone(2_203.0, 1_200.0)) as i16
    };
    let said = SAID.get_or_init(|| (0..2 * 70 * 44_100).map(make).collect());
    said[(2 * frame + channel) % said.len()]
}

/// A microphone of [`said`], and a loudspeaker that remembers.
#[derive(Debug, Default)]
pub struct Desk {
    pub frames: usize,
    pub quiet: bool,
    pub heard: Vec<i16>,
}

impl Sound for Desk {
    fn waiting(&self) -> Option<usize> {
        None
    }

    fn capture(&mut self, block: &mut [i16]) -> bool {
        for frame in block.chunks_exact_mut(2) {
            let n = self.frames;
            frame.iter_mut().enumerate().for_each(|(c, x)| *x = if self.quiet { 0 } else { said(n, c) });
            self.frames += 1;
        }
        true
    }

    fn play(&mut self, block: &[i16]) {
        self.heard.extend_from_slice(block);
    }
}

pub fn world<M: levada_link::Machine>(seed: u64) -> World<M> {
    World::new(Instant::now(), seed)
}

pub fn access(words: &str) -> Access {
    Access::both(&words.parse().unwrap())
}

/// Where the first and the second host are.
pub fn ends() -> (std::net::SocketAddr, std::net::SocketAddr) {
    (HostId(0).address(), HostId(1).address())
}

pub fn secs(n: f64) -> Duration {
    Duration::from_secs_f64(n)
}

/// In decibels, of the frames from `from` on, were they said `delay` frames before: clamped at 99.
pub fn snr(heard: &[i16], from: usize, frames: usize, delay: usize) -> f64 {
    let (mut signal, mut noise) = (0.0, 1e-9);
    for n in from..(from + frames).min(heard.len() / 2) {
        for channel in 0..2 {
            let truth = f64::from(said(n - delay, channel));
            signal += truth * truth;
            noise += (truth - f64::from(heard[2 * n + channel])).powi(2);
        }
    }
    (10.0_f64 * (signal / noise).log10()).min(99.0)
}

/// The delay in frames, up to `most`, at which `frames` frames from `from` on are best explained; multiples of `grain`.
pub fn delay(heard: &[i16], from: usize, frames: usize, most: usize, grain: usize) -> (usize, f64) {
    let delays = (0..=most.min(from)).step_by(grain).map(|delay| (delay, snr(heard, from, frames, delay)));
    delays.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
}

/// What a call of a paced machine is.
pub fn look<C: Call, S: Sound>(world: &World<Paced<C, S>>, host: u32) -> &C {
    world.machine(HostId(host)).unwrap().look()
}
