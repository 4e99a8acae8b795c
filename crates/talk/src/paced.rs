//! A call between its devices and the network, one block at a time.

use bytes::Bytes;
use levada_link::{Input, Machine, Output, Transmit};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What makes datagrams of captured blocks, and blocks to play of datagrams.
pub trait Call {
    /// Samples of a block, all channels interleaved.
    fn samples(&self) -> usize;

    /// When the `n`th block begins, counted from the first.
    fn begins(&self, n: u64) -> Duration;

    /// A datagram came.
    fn arrive(&mut self, now: Instant, from: SocketAddr, bytes: Bytes);

    /// A block was captured, and one is to be played.
    fn cycle(&mut self, now: Instant, captured: &[i16], played: &mut [i16]);

    /// What is to be sent, until there is nothing more.
    fn transmit(&mut self, now: Instant) -> Option<(SocketAddr, Bytes)>;

    /// Whether the call cannot go on.
    fn is_over(&self) -> bool {
        false
    }
}

/// The devices of a call.
pub trait Sound {
    /// How many samples wait to be captured, where a device has a clock of its own; nothing where blocks are taken by the
    /// clock of the call.
    fn waiting(&self) -> Option<usize>;

    /// Fills a block; false when there is no more to come.
    fn capture(&mut self, block: &mut [i16]) -> bool;

    /// Plays a block.
    fn play(&mut self, block: &[i16]);
}

/// Why a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// There is nothing more to say.
    Captured,
    /// The call itself is over.
    Over,
}

/// A call and its devices, to be driven.
///
/// With virtual devices, blocks are due by the driver's clock, which may run fast or slow by some parts in a million; what a
/// machine slept through, half a second and more, is not made good. With real ones, whenever a block was captured.
#[derive(Debug)]
pub struct Paced<C, S> {
    call: C,
    sound: S,
    captured: Vec<i16>,
    played: Vec<i16>,
    /// How fast the devices' clock is, in parts per million of the driver's.
    skew: f64,
    began: Option<Instant>,
    blocks: u64,
    ended: Option<Ended>,
    told: bool,
}

impl<C: Call, S: Sound> Paced<C, S> {
    /// Begins when it is first woken.
    pub fn new(call: C, sound: S) -> Paced<C, S> {
        let block = vec![0; call.samples()];
        let (began, ended) = (None, None);
        Paced {
            call,
            sound,
            captured: block.clone(),
            played: block,
            skew: 0.0,
            began,
            blocks: 0,
            ended,
            told: false,
        }
    }

    /// Lets the devices' clock be fast by so many parts in a million; slow where negative.
    pub fn skewed(mut self, ppm: f64) -> Paced<C, S> {
        self.skew = ppm;
        self
    }

    /// The call.
    pub fn call(&mut self) -> &mut C {
        &mut self.call
    }

    /// The call, to be looked at.
    pub fn look(&self) -> &C {
        &self.call
    }

    /// The devices.
    pub fn sound(&mut self) -> &mut S {
        &mut self.sound
    }

    /// The devices, to be looked at.
    pub fn devices(&self) -> &S {
        &self.sound
    }

    /// How many blocks there were.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The call and its devices, apart.
    pub fn into_parts(self) -> (C, S) {
        (self.call, self.sound)
    }

    /// When the next block is due: by now where a device says so.
    fn due(&mut self, now: Instant) -> Instant {
        let began = *self.began.get_or_insert(now);
        match self.sound.waiting() {
            Some(samples) if samples >= self.captured.len() => now,
            Some(_) => now + LOOK_AGAIN,
            None => began + self.call.begins(self.blocks + 1).div_f64(1.0 + self.skew * 1e-6),
        }
    }

    fn cycle(&mut self, now: Instant) {
        if !self.sound.capture(&mut self.captured) {
            self.ended = Some(Ended::Captured);
            return;
        }
        self.call.cycle(now, &self.captured, &mut self.played);
        self.sound.play(&self.played);
        self.blocks += 1;
    }
}

impl<C: Call, S: Sound> Machine for Paced<C, S> {
    type Event = Ended;

    fn handle(&mut self, now: Instant, input: Input) {
        if let Input::Datagram { from, bytes } = input {
            self.call.arrive(now, from, bytes);
        }
        let late = now.saturating_duration_since(self.due(now));
        if late > SLEPT && self.sound.waiting().is_none() {
            self.began = self.began.map(|began| began + late);
        }
        while self.ended.is_none() && self.due(now) <= now {
            self.cycle(now);
        }
        if self.ended.is_none() && self.call.is_over() {
            self.ended = Some(Ended::Over);
        }
    }

    fn poll(&mut self, now: Instant) -> Output<Ended> {
        if let Some((to, bytes)) = self.call.transmit(now) {
            return Output::Send(Transmit::Datagram { to, bytes });
        }
        match self.ended {
            Some(ended) if !std::mem::replace(&mut self.told, true) => Output::Event(ended),
            Some(_) => Output::Wait(None),
            None => Output::Wait(Some(self.due(now))),
        }
    }
}

/// A block that is so late was slept through.
const SLEPT: Duration = Duration::from_millis(500);
/// How soon a device is asked again whether it has a block.
const LOOK_AGAIN: Duration = Duration::from_micros(500);
