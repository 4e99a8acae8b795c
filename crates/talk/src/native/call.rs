//! One end of a native call.

use super::jitter::Counts;
use super::pictures::Pictures;
use super::playout::Playout;
use super::rate::{Plan, Rate};
use super::wire::{BYE, Body, MOST, REPORT, Rendition, Report};
use crate::secure::{self, Event, Head, Opened, Secure};
use crate::{Call, Near, Place};
use bytes::Bytes;
use levada_codec::packet::{Codec, Encoder};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How a native call is made. Sound is stereo.
#[derive(Clone, Debug)]
pub struct Config {
    /// How our sound is coded, which also is how long blocks are. Default: the native codec, 240 frames, 44,100 a second.
    pub rendition: Rendition,
    /// Bits a second of sound, copies not counted. Default: as many as come through.
    pub bitrate: Option<u32>,
    /// Bits a second on the wire, at most. Default 400,000.
    pub most: u32,
    /// Older frames that each datagram carries as well: each costs the rate again, and mends a loss. Default: as many as losses and jitter ask for.
    pub copies: Option<u8>,
    /// The share of frames that may come too late: less is safer and slower. Default 0.005.
    pub late: f64,
    /// What is done about loudspeakers that are heard by microphones. Default: nothing.
    pub place: Place,
    /// Bits a second of pictures, at most; they get what sound leaves. Default: none are sent.
    pub pictures: Option<u32>,
    /// Who is called, and what keeps the call to the two.
    pub secure: secure::Config,
}

impl Config {
    /// The defaults.
    pub fn new(secure: secure::Config) -> Config {
        let rendition = Rendition { codec: Codec::Native, frames: 240, rate: 44_100 };
        Config {
            rendition,
            bitrate: None,
            most: 400_000,
            copies: None,
            late: 0.005,
            place: Place::default(),
            pictures: None,
            secure,
        }
    }
}

/// What a call did so far, and how it is. Times are in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// Datagrams with sound sent.
    pub sent: u64,
    /// Bytes in them, and in those of handshakes.
    pub sent_bytes: u64,
    /// Datagrams received and good.
    pub received: u64,
    /// Bytes in them.
    pub received_bytes: u64,
    /// Datagrams that were none.
    pub refused: u64,
    /// What became of frames.
    pub frames: Counts,
    /// The share of ours that is lost on the way.
    pub loss: f64,
    /// The share of theirs that was not there when it was to be heard, in the last seconds.
    pub unheard: f64,
    /// The delay that the jitter buffer aims at, and the one that it has.
    pub target: f64,
    /// The latter.
    pub buffered: f64,
    /// From a sound's beginning to its datagram: block and codec.
    pub capture: f64,
    /// There and back.
    pub rtt: f64,
    /// How long ours wait in a queue somewhere.
    pub queue: f64,
    /// A block.
    pub playback: f64,
    /// Bits a second that may be sent.
    pub rate: f64,
    /// How it is sent.
    pub plan: Option<Plan>,
    /// How much faster the other clock is, in parts per million.
    pub skew: f64,
    /// Whether the microphone is turned down, since something howled.
    pub soft: bool,
    /// The loudest sample of the last block captured, and played: 1 is full scale.
    pub levels: [f32; 2],
}

/// One end of a native call. At most 64 datagrams wait to be sent; the oldest leave first.
#[derive(Debug)]
pub struct NativeCall {
    config: Config,
    secure: Secure,
    near: Near,
    encoder: Encoder,
    playout: Playout,
    rate: Rate,
    pictures: Pictures,
    heard: Heard,
    began: Option<Instant>,
    last: f64,
    /// Where the next block begins, in frames of sound.
    time: u32,
    /// The last frames, the newest first, and how many of them were not sent.
    recent: VecDeque<Bytes>,
    fresh: usize,
    hung_up: bool,
    /// Bytes of datagrams that were sealed in this cycle.
    sealed: usize,
    opened: Vec<u8>,
    events: VecDeque<Told>,
    stats: Stats,
}

/// What a call tells the program around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Something between the two ends.
    Session(Event),
    /// The other end hung up.
    HungUp,
    /// The two ends howl at each other; the microphone is turned down for a while.
    Howling {
        /// The tone's frequency.
        hertz: u32,
    },
}

/// What was received of a session.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    session: u64,
    hello: [u8; 4],
    highest: u64,
    at: f64,
    received: u16,
    /// Since the last report.
    unreported: u32,
    reported: f64,
}

impl NativeCall {
    /// None where no codec makes such a rendition. `seed` is to be used once.
    pub fn new(config: Config, seed: [u8; 32]) -> Option<NativeCall> {
        let rendition = config.rendition;
        rendition.code()?;
        let most = f64::from(config.most) + config.pictures.map_or(0.0, f64::from);
        let begin =
            config.pictures.map_or(BEGIN, |_| BEGIN_WITH_PICTURES).max(Rate::alone(rendition.period()));
        // what tells this program's time from that of another at the same place
        let tale = blake3::derive_key("levada talk 2026-11 what tells programs apart", &seed);
        let hello = [VERSION, tale[0], tale[1], tale[2]];
        let secure = Secure::new(secure::Config { hello, ..config.secure.clone() }, seed);
        Some(NativeCall {
            secure,
            near: Near::new(config.place, rendition.rate, usize::from(rendition.frames)),
            encoder: Encoder::new(rendition.codec, usize::from(rendition.frames)).ok()?,
            playout: Playout::new(rendition.rate, rendition, config.late)?,
            rate: Rate::new(if rendition.codec == Codec::Native { begin } else { most }, most),
            pictures: Pictures::new(config.pictures),
            heard: Heard::default(),
            began: None,
            last: 0.0,
            time: 0,
            recent: VecDeque::new(),
            fresh: 0,
            hung_up: false,
            sealed: 0,
            opened: Vec::with_capacity(1_500),
            events: VecDeque::new(),
            stats: Stats::default(),
            config,
        })
    }

    /// What it is made with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What it did so far.
    pub fn stats(&self) -> Stats {
        let Rendition { codec, frames, rate } = self.config.rendition;
        let seconds = |frames: usize| frames as f64 / f64::from(rate);
        let block = usize::from(frames);
        Stats {
            refused: self.stats.refused + self.secure.stats().refused,
            frames: self.playout.counts(),
            loss: self.rate.loss(),
            target: self.playout.target(self.last),
            buffered: self.playout.delay(),
            capture: seconds(block + codec.delay(block)) + self.near.delay(),
            soft: self.near.is_soft(),
            rtt: self.rate.rtt(),
            queue: self.rate.queue(),
            playback: seconds(block),
            rate: self.rate.rate(),
            skew: self.playout.skew(),
            ..self.stats
        }
    }

    /// Where the other end is, while there is a session with one.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.secure.peer()
    }

    /// What happened, until there is nothing more.
    pub fn told(&mut self) -> Option<Told> {
        self.events.pop_front()
    }

    /// Lets silence be sent instead of what is captured.
    pub fn mute(&mut self, muted: bool) {
        self.near.mute(muted);
    }

    /// Whether silence is sent.
    pub fn is_muted(&self) -> bool {
        self.near.is_muted()
    }

    /// Lets another share of frames come too late from now on.
    pub fn set_late(&mut self, late: f64) {
        self.config.late = late;
        self.playout.jitter_mut().set_late(late);
    }

    /// Pictures, both ways.
    pub fn pictures(&mut self) -> &mut Pictures {
        &mut self.pictures
    }

    /// The same, to be looked at.
    pub fn see(&self) -> &Pictures {
        &self.pictures
    }

    /// Seconds of the call at some time.
    pub fn clock(&mut self, at: Instant) -> f64 {
        self.since(at)
    }

    /// Says good-bye, to be sent.
    pub fn hang_up(&mut self) {
        // what says it may be lost
        for _ in 0..3 {
            self.secure.seal(Head { flags: BYE, ..Head::default() }, &[]);
        }
    }

    fn since(&mut self, now: Instant) -> f64 {
        now.duration_since(*self.began.get_or_insert(now)).as_secs_f64()
    }

    fn tell(&mut self) {
        while let Some(event) = self.secure.event() {
            if matches!(event, Event::Opened { .. }) {
                self.hung_up = false;
            }
            self.push(Told::Session(event));
        }
    }

    fn push(&mut self, told: Told) {
        if self.events.len() < EVENTS {
            self.events.push_back(told);
        }
    }

    /// Takes apart what was sealed by the other end.
    fn read(&mut self, now: f64, opened: Opened, length: usize) -> Option<()> {
        let Head { flags, kind, counts, time } = opened.head;
        if opened.session < self.heard.session {
            return Some(()); // overtaken by the session that counts
        }
        if opened.session > self.heard.session {
            if self.heard.session > 0 && self.heard.hello != opened.hello {
                self.playout.restart(); // another program, whose time is another
                self.pictures.restart();
            }
            self.heard = Heard { session: opened.session, hello: opened.hello, ..Heard::default() };
        }
        self.note(now, opened.number);
        (self.stats.received, self.stats.received_bytes) =
            (self.stats.received + 1, self.stats.received_bytes + length as u64);
        if flags & BYE != 0 {
            if !std::mem::replace(&mut self.hung_up, true) {
                self.push(Told::HungUp);
            }
            return Some(());
        }
        if Pictures::is_kind(kind) {
            return self.pictures.read(now, kind, time, &self.opened);
        }
        let rendition = Rendition::of(kind)?;
        self.pictures.flagged(now, flags);
        let frames = usize::from(counts >> 4) + 1 + usize::from(counts & 15);
        let sound = std::mem::take(&mut self.opened);
        let body = Body::read(&sound, flags & REPORT != 0, frames);
        if let Some(body) = &body {
            for (older, frame) in body.frames.iter().enumerate().rev() {
                let time = time.wrapping_sub(older as u32 * u32::from(rendition.frames));
                self.playout.put(now, rendition, time, Bytes::copy_from_slice(frame));
            }
        }
        let report = body.map(|body| body.report);
        self.opened = sound;
        if let Some(report) = report? {
            self.rate.report(now, report);
        }
        Some(())
    }

    /// Notes for the next report that a number came.
    fn note(&mut self, now: f64, number: u64) {
        let heard = &mut self.heard;
        if heard.received == 0 && heard.highest == 0 || number > heard.highest {
            (heard.highest, heard.at) = (number, now);
        }
        heard.received = heard.received.wrapping_add(1);
        heard.unreported += 1;
    }

    /// A report, when one is due: every 50 ms or twelve datagrams.
    fn report(&mut self, now: f64) -> Option<Report> {
        let heard = &mut self.heard;
        if heard.unreported == 0 || (heard.unreported < 12 && now - heard.reported < 0.05) {
            return None;
        }
        (heard.unreported, heard.reported) = (0, now);
        let jitter = self.playout.jitter();
        Some(Report {
            highest: heard.highest as u16,
            received: heard.received,
            queue: (jitter.rise() * 1e4) as u16, // saturates
            held: ((now - heard.at) * 1e3) as u8,
            spread: (jitter.spread() / 0.004) as u8,
        })
    }

    fn send(&mut self, now: f64, captured: &[i16]) {
        let rendition = self.config.rendition;
        // with pictures, sound takes what is good enough
        let rate = self.rate.rate();
        let (share, enough) = match self.pictures.share() {
            true => (rate.min((0.5 * rate).max(SOUND_LEAST)), SOUND_BITS.min(0.3 * rate)),
            false => (rate, MOST_BITS),
        };
        let (most, copies) = (self.config.bitrate.map_or(enough, f64::from), self.config.copies);
        let mut plan = self.rate.plan(share, rendition, most, copies);
        if self.config.bitrate.is_some() {
            // as asked for, whatever comes through
            plan.budget =
                ((most * rendition.period() / 8.0) as usize).min(super::rate::BODY - Report::LENGTH - 2);
        }
        let mut frame = Vec::with_capacity(plan.budget);
        self.encoder.encode(self.near.captured(captured), plan.budget, &mut frame);
        self.recent.push_front(frame.into());
        self.recent.truncate(MOST);
        self.fresh = (self.fresh + 1).min(MOST);
        let time = self.time;
        self.time = time.wrapping_add(u32::from(rendition.frames));
        self.stats.plan = Some(plan);
        if self.fresh < plan.together || !self.secure.is_open() {
            return;
        }
        self.seal(now, time, plan);
        self.fresh = 0;
    }

    fn seal(&mut self, now: f64, time: u32, plan: Plan) {
        let report = self.report(now);
        let fits = super::rate::BODY - report.map_or(0, |_| Report::LENGTH);
        let (mut frames, mut length) = (Vec::with_capacity(MOST), 0);
        for frame in self.recent.iter().take((self.fresh + plan.copies).min(MOST)) {
            length += frame.len() + 2;
            if length > fits && !frames.is_empty() {
                break;
            }
            frames.push(&frame[..]);
        }
        let fresh = self.fresh.min(frames.len());
        let counts = ((fresh - 1) << 4 | (frames.len() - fresh).min(15)) as u8;
        let flags = self.pictures.flags() | if report.is_some() { REPORT } else { 0 };
        let kind = self.config.rendition.code().unwrap_or(0);
        let mut body = Vec::with_capacity(length + Report::LENGTH);
        Body { report, frames }.write(&mut body);
        self.stats.sent += u64::from(self.seal_one(now, Head { flags, kind, counts, time }, &body) > 0);
    }

    /// Seals one datagram; bytes of it.
    fn seal_one(&mut self, now: f64, head: Head, body: &[u8]) -> usize {
        let Some(number) = self.secure.seal(head, body) else { return 0 };
        if number == 0 {
            self.rate.restart(); // another session
        }
        let length = Head::LENGTH + body.len() + 16;
        self.rate.sent(now, number, length);
        self.sealed += length + 28;
        length
    }

    /// What there is to send of pictures, after the sound.
    fn send_pictures(&mut self, now: f64) {
        let bytes = std::mem::take(&mut self.sealed);
        let network = (self.rate.rate(), self.rate.rtt());
        self.pictures.cycle(now, self.time, self.config.rendition.rate, bytes, network);
        while self.secure.is_open() {
            let Some((kind, time, body)) = self.pictures.transmit(now) else { break };
            self.seal_one(now, Head { kind, time, ..Head::default() }, &body);
        }
        self.sealed = 0;
    }
}

impl Call for NativeCall {
    fn samples(&self) -> usize {
        2 * usize::from(self.config.rendition.frames)
    }

    fn begins(&self, n: u64) -> Duration {
        let Rendition { frames, rate, .. } = self.config.rendition;
        let nanos = u128::from(n) * u128::from(frames) * 1_000_000_000 / u128::from(rate);
        Duration::from_nanos(nanos.min(u128::from(u64::MAX)) as u64)
    }

    fn arrive(&mut self, now: Instant, from: SocketAddr, bytes: Bytes) {
        let mut body = std::mem::take(&mut self.opened);
        let opened = self.secure.arrive(now, from, &bytes, &mut body);
        self.opened = body;
        self.tell();
        let now = self.since(now);
        let good = opened.map(|opened| self.read(now, opened, bytes.len()));
        self.stats.refused += u64::from(good == Some(None));
    }

    fn cycle(&mut self, now: Instant, captured: &[i16], played: &mut [i16]) {
        self.secure.wake(now);
        self.tell();
        let now = self.since(now);
        if now - self.last > SLEPT {
            // this machine slept: what is said now is said now
            let slept = ((now - self.last) / self.config.rendition.period()) as u32;
            self.time = self.time.wrapping_add(slept.wrapping_mul(u32::from(self.config.rendition.frames)));
        }
        self.last = now;
        self.send(now, captured);
        self.send_pictures(now);
        let before = self.playout.counts();
        self.playout.play(now, played);
        if let Some(hertz) = self.near.played(played) {
            self.push(Told::Howling { hertz: hertz as u32 });
        }
        self.pictures.heard(now, self.playout.heard(), self.playout.theirs());
        let after = self.playout.counts();
        if after != before {
            let unheard = f64::from(u8::from(after.missing > before.missing));
            self.stats.unheard += (unheard - self.stats.unheard) * self.config.rendition.period() / 5.0;
        }
        self.stats.levels = [captured, played]
            .map(|block| f32::from(block.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0)) / 32_768.0);
    }

    fn transmit(&mut self, _: Instant) -> Option<(SocketAddr, Bytes)> {
        let (to, bytes) = self.secure.transmit()?;
        self.stats.sent_bytes += bytes.len() as u64;
        Some((to, bytes))
    }
}

/// Bits a second on the wire at first.
const BEGIN: f64 = 256_000.0;
const BEGIN_WITH_PICTURES: f64 = 400_000.0;
/// Bits a second of sound beside pictures, at most; and on the wire, with all that is around it, as long as there are so many.
const SOUND_BITS: f64 = 96_000.0;
const SOUND_LEAST: f64 = 72_000.0;
/// Bits a second of sound, at most: more is not heard.
const MOST_BITS: f64 = 320_000.0;
/// Whoever is not asked for a block so long was asleep.
const SLEPT: f64 = 0.4;
const EVENTS: usize = 32;
/// Of what is in datagrams.
const VERSION: u8 = 3;
