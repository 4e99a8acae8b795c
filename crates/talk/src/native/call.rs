//! One end of a native call.

use super::jitter::{Counts, Jitter, Next};
use super::wire::{Packet, Report};
use crate::{Call, Conceal};
use bytes::Bytes;
use levada_codec::native::{Decoder, Encoder, Goal};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How a native call is made. Sound is stereo at 44,100 frames a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// Who is called.
    pub peer: SocketAddr,
    /// Which blocks: 0 for 1024 frames, 1 for 480, 2 for 240, 3 for 120. Default 2.
    pub size: u8,
    /// Bits a second of sound, copies not counted. Default 96,000.
    pub bitrate: u32,
    /// Older frames that each datagram carries as well: each costs the rate again, and mends a loss. Default: as many as losses ask for.
    pub copies: Option<u8>,
    /// The share of frames that may come too late: less is safer and slower. Default 0.005.
    pub late: f64,
}

impl Config {
    /// The defaults.
    pub fn new(peer: SocketAddr) -> Config {
        Config { peer, size: 2, bitrate: 96_000, copies: None, late: 0.005 }
    }
}

/// What a call did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// Datagrams sent.
    pub sent: u64,
    /// Bytes in them.
    pub sent_bytes: u64,
    /// Datagrams received and good.
    pub received: u64,
    /// Datagrams that were none.
    pub refused: u64,
    /// What became of frames.
    pub frames: Counts,
    /// The share of ours that the peer lost lately.
    pub loss: f64,
    /// The delay that the jitter buffer aims at, in seconds.
    pub target: f64,
}

/// One end of a native call. At most 64 datagrams wait to be sent; the oldest leave first.
#[derive(Debug)]
pub struct NativeCall {
    config: Config,
    frames: usize,
    encoder: Encoder,
    decoder: Decoder,
    jitter: Jitter,
    conceal: Conceal,
    number: u32,
    began: Option<Instant>,
    older: VecDeque<Bytes>,
    report: Report,
    outgoing: VecDeque<Bytes>,
    stats: Stats,
}

impl NativeCall {
    /// None where there is no such block size.
    pub fn new(config: Config) -> Option<NativeCall> {
        let frames = *SIZES.get(usize::from(config.size))?;
        let period = Duration::from_secs_f64(frames as f64 / f64::from(RATE));
        Some(NativeCall {
            frames,
            encoder: Encoder::new(frames)?,
            decoder: Decoder::new(frames)?,
            jitter: Jitter::new(period, config.late),
            conceal: Conceal::new(2, RATE),
            number: 0,
            began: None,
            older: VecDeque::new(),
            report: Report::default(),
            outgoing: VecDeque::new(),
            stats: Stats::default(),
            config,
        })
    }

    /// What it did so far.
    pub fn stats(&self) -> Stats {
        Stats { frames: self.jitter.counts(), target: self.jitter.target(), ..self.stats }
    }

    fn since(&mut self, now: Instant) -> Duration {
        now.duration_since(*self.began.get_or_insert(now))
    }

    /// Notes for the next report that a number came.
    fn note(&mut self, number: u32) {
        let ahead = number.wrapping_sub(self.report.highest) as i32;
        let (highest, before) = match ahead {
            _ if self.report.received == 0 => (number, 0),
            1..=16 => {
                (number, (u32::from(self.report.before) << 1 | 1).wrapping_shl(ahead as u32 - 1) as u16)
            }
            -16..0 => (self.report.highest, self.report.before | 1 << (-ahead - 1)),
            0 => (self.report.highest, self.report.before),
            _ => (number, 0),
        };
        self.report = Report { highest, before, received: self.report.received.wrapping_add(1).max(1) };
    }

    fn copies(&self) -> usize {
        let asked = match self.stats.loss {
            loss if loss < 0.005 => 0,
            loss if loss < 0.08 => 1,
            loss if loss < 0.25 => 2,
            _ => 3,
        };
        self.config.copies.map_or(asked, usize::from).min(4)
    }

    fn send(&mut self, captured: &[i16]) {
        self.number = self.number.wrapping_add(1);
        let budget = self.config.bitrate as usize * self.frames / (8 * RATE as usize);
        let mut frame = Vec::new();
        self.encoder.encode(captured, Goal::Bytes(budget.clamp(12, 1_100)), &mut frame);
        self.older.push_front(frame.into());
        let copies = self.copies();
        self.older.truncate(copies + 1);
        let packet = Packet {
            size: self.config.size,
            number: self.number,
            time: self.number.wrapping_mul(self.frames as u32),
            report: self.report,
            frames: self.older.iter().cloned().collect(),
        };
        // what the next datagram repeats is kept even where this one repeats less
        let mut datagram = Vec::new();
        packet.write(LONGEST, &mut datagram);
        self.stats.sent += 1;
        self.stats.sent_bytes += datagram.len() as u64;
        if self.outgoing.len() == WAITING {
            self.outgoing.pop_front();
        }
        self.outgoing.push_back(datagram.into());
    }

    fn play(&mut self, now: Instant, played: &mut [i16]) {
        let now = self.since(now);
        match self.jitter.take(now) {
            Next::Nothing => played.fill(0),
            Next::Stretch => self.conceal.lost(played),
            Next::Missing => {
                self.decoder.lost(played);
                self.conceal.lost(played);
            }
            Next::Frame(frame) => self.decode(&frame, played),
            Next::Both(first, second) => {
                self.decode(&first, played);
                let mut other = vec![0; played.len()];
                if self.decoder.decode(&second, &mut other).is_ok() {
                    blend(played, &other);
                }
            }
        }
    }

    fn decode(&mut self, frame: &[u8], played: &mut [i16]) {
        match self.decoder.decode(frame, played) {
            Ok(()) => self.conceal.heard(played),
            Err(_) => self.conceal.lost(played),
        }
    }
}

impl Call for NativeCall {
    fn samples(&self) -> usize {
        2 * self.frames
    }

    fn begins(&self, n: u64) -> Duration {
        let nanos = u128::from(n) * self.frames as u128 * 1_000_000_000 / u128::from(RATE);
        Duration::from_nanos(nanos.min(u128::from(u64::MAX)) as u64)
    }

    fn arrive(&mut self, now: Instant, from: SocketAddr, bytes: Bytes) {
        let packet =
            Packet::read(&bytes).filter(|packet| from == self.config.peer && packet.size == self.config.size);
        let Some(packet) = packet else {
            self.stats.refused += 1;
            return;
        };
        self.stats.received += 1;
        if packet.report.received > 0 {
            // the sixteen before the highest, over some hundred datagrams
            let lost = f64::from(16 - packet.report.before.count_ones()) / 16.0;
            let begun = packet.report.highest.wrapping_sub(20) < u32::MAX / 2;
            self.stats.loss += if begun { (lost - self.stats.loss) * 0.01 } else { 0.0 };
        }
        self.note(packet.number);
        let now = self.since(now);
        for (older, frame) in packet.frames.into_iter().enumerate().rev() {
            self.jitter.put(now, packet.number.wrapping_sub(older as u32), frame);
        }
    }

    fn cycle(&mut self, now: Instant, captured: &[i16], played: &mut [i16]) {
        self.send(captured);
        self.play(now, played);
    }

    fn transmit(&mut self, _: Instant) -> Option<(SocketAddr, Bytes)> {
        Some((self.config.peer, self.outgoing.pop_front()?))
    }
}

/// Lets one block give way to the other.
fn blend(first: &mut [i16], second: &[i16]) {
    let length = first.len().max(1) as f32;
    for (n, (a, b)) in first.iter_mut().zip(second).enumerate() {
        let share = n as f32 / length;
        *a = (f32::from(*a) * (1.0 - share) + f32::from(*b) * share) as i16;
    }
}

const RATE: u32 = 44_100;
const SIZES: [usize; 4] = [1_024, 480, 240, 120];
/// Bytes of a datagram.
const LONGEST: usize = 1_200;
/// Datagrams that wait to be sent.
const WAITING: usize = 64;
