//! One end of a call with a program of the seminar.

use super::blocks::{Blocks, Counts, Next};
use super::{control::Step, latest::Latest};
use crate::{Call, Conceal};
use bytes::Bytes;
use levada_codec::compat::{self as codec, ConfigError, Packer, Unpacker};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How a call with a program of the seminar is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// The program and its parameters.
    pub codec: codec::Config,
    /// Who is called.
    pub peer: SocketAddr,
    /// How long blocks wait to be heard, `-b`. Default 150 ms.
    pub buffering: Duration,
    /// The least quantization step, `-q`. Default 128.
    pub q: u32,
    /// How often the step is looked at, `-r`. Default 1 s.
    pub control_period: Duration,
}

impl Config {
    /// The seminar's defaults.
    pub fn new(codec: codec::Config, peer: SocketAddr) -> Config {
        let (buffering, control_period) = (Duration::from_millis(150), Duration::from_secs(1));
        Config { codec, peer, buffering, q: 128, control_period }
    }

    /// Blocks that wait: as much as `buffering`, rounded up.
    pub fn blocks_to_buffer(&self) -> u32 {
        let blocks =
            self.buffering.as_secs_f64().max(0.001) * f64::from(self.codec.rate) / self.codec.frames as f64;
        blocks.ceil().clamp(1.0, 2_000.0) as u32
    }
}

/// What a call did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams received and good.
    pub received: u64,
    /// Bytes in those that were sent.
    pub sent_bytes: u64,
    /// Bytes in those that were received.
    pub received_bytes: u64,
    /// Datagrams that were none of this layer.
    pub refused: u64,
    /// Datagrams of somebody else than the peer.
    pub strangers: u64,
    /// What became of received blocks.
    pub blocks: Counts,
    /// The quantization step now; 0 where there is none.
    pub q: u32,
}

/// One end of a call with a program of the seminar.
///
/// Who is called is always listened to; of others, the first who sent a good datagram, until it is silent for a second. At most 64
/// datagrams wait to be sent; the oldest leave first.
#[derive(Debug)]
pub struct CompatCall {
    config: Config,
    packer: Packer,
    unpacker: Unpacker,
    buffer: Buffer,
    step: Option<Step>,
    conceal: Conceal,
    peer: Option<(SocketAddr, Instant)>,
    number: u16,
    next_control: Option<Instant>,
    values: Vec<i32>,
    rendered: Vec<i32>,
    last_was_there: bool,
    outgoing: VecDeque<Bytes>,
    stats: Stats,
}

#[derive(Debug)]
enum Buffer {
    Numbered(Blocks),
    Latest(Latest),
}

impl CompatCall {
    /// # Errors
    /// That the parameters do not fit together.
    pub fn new(config: Config) -> Result<CompatCall, ConfigError> {
        let codec = config.codec;
        let control = codec.layer.control();
        Ok(CompatCall {
            packer: Packer::new(codec)?,
            unpacker: Unpacker::new(codec)?,
            buffer: match codec.layer.is_numbered() {
                true => Buffer::Numbered(Blocks::new(config.blocks_to_buffer(), codec.values())),
                false => Buffer::Latest(Latest::default()),
            },
            step: control.map(|control| Step::new(control, config.q)),
            conceal: Conceal::new(codec.channels, codec.rate),
            peer: None,
            number: 0,
            next_control: None,
            values: vec![0; codec.values()],
            rendered: vec![0; codec.values()],
            last_was_there: false,
            outgoing: VecDeque::new(),
            stats: Stats::default(),
            config,
        })
    }

    /// What it did so far.
    pub fn stats(&self) -> Stats {
        let blocks = match &self.buffer {
            Buffer::Numbered(blocks) => blocks.counts(),
            Buffer::Latest(latest) => Counts { late: latest.dropped(), ..self.stats.blocks },
        };
        Stats { blocks, q: self.q(), ..self.stats }
    }

    /// What it is made with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Blocks that wait to be heard.
    pub fn level(&self) -> usize {
        match &self.buffer {
            Buffer::Numbered(blocks) => blocks.level(),
            Buffer::Latest(_) => 0,
        }
    }

    fn q(&self) -> u32 {
        self.step.as_ref().map_or(0, Step::q)
    }

    fn is_stranger(&self, now: Instant, from: SocketAddr) -> bool {
        from != self.config.peer
            && self.peer.is_some_and(|(peer, heard)| peer != from && now.duration_since(heard) < FORGET)
    }

    fn control(&mut self, now: Instant) {
        let Some(step) = &mut self.step else { return };
        let period = self.config.control_period.max(Duration::from_millis(1));
        let due = *self.next_control.get_or_insert(now + period);
        if now >= due {
            step.period();
            self.next_control = Some((due + period).max(now));
        }
    }

    fn send(&mut self, captured: &[i16]) {
        // the first number is 1; 2^15 numbers
        self.number = (self.number + 1) % (1 << 15);
        let mut datagram = Vec::with_capacity(4 * captured.len());
        let q = self.q();
        self.packer.pack(self.number, q, captured, &mut datagram);
        self.stats.sent += 1;
        self.stats.sent_bytes += datagram.len() as u64;
        if let Some(step) = &mut self.step {
            step.sent();
        }
        if self.outgoing.len() == WAITING {
            self.outgoing.pop_front();
        }
        self.outgoing.push_back(datagram.into());
    }

    fn play(&mut self, played: &mut [i16]) {
        let q = self.step.as_ref().map_or(1, |step| step.q());
        let (values, begun) = match &mut self.buffer {
            Buffer::Latest(latest) => {
                let (block, begun) = (latest.take(), self.stats.received > 0);
                self.stats.blocks.heard += u64::from(block.is_some());
                self.stats.blocks.missing += u64::from(begun && block.is_none());
                (block, begun)
            }
            Buffer::Numbered(blocks) => match blocks.take() {
                Next::Nothing => (None, false),
                Next::Missing => (None, true),
                Next::Block(values) => (Some(values), true),
            },
        };
        self.unpacker.render(values, q, &mut self.rendered);
        let mut there = values.is_some();
        if self.config.codec.layer.is_overlapped() {
            // what is rendered now came a block ago
            std::mem::swap(&mut there, &mut self.last_was_there);
        }
        if !there {
            return if begun { self.conceal.lost(played) } else { played.fill(0) };
        }
        for (out, value) in played.iter_mut().zip(&self.rendered) {
            *out = (*value).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        }
        self.conceal.heard(played);
    }
}

impl Call for CompatCall {
    fn samples(&self) -> usize {
        self.config.codec.values()
    }

    fn begins(&self, n: u64) -> Duration {
        let nanos = u128::from(n) * self.config.codec.frames as u128 * 1_000_000_000;
        Duration::from_nanos((nanos / u128::from(self.config.codec.rate)).min(u128::from(u64::MAX)) as u64)
    }

    fn arrive(&mut self, now: Instant, from: SocketAddr, bytes: Bytes) {
        if self.is_stranger(now, from) {
            self.stats.strangers += 1;
            return;
        }
        if self.unpacker.read(&bytes, &mut self.values).is_err() {
            self.stats.refused += 1;
            return;
        }
        self.peer = Some((from, now));
        self.stats.received += 1;
        self.stats.received_bytes += bytes.len() as u64;
        if let Some(step) = &mut self.step {
            step.received();
        }
        match (&mut self.buffer, self.unpacker.number(&bytes)) {
            (Buffer::Numbered(blocks), Some(number)) => blocks.put(number, &mut self.values),
            (Buffer::Latest(latest), _) => latest.put(&mut self.values),
            (Buffer::Numbered(_), None) => {}
        }
    }

    fn cycle(&mut self, now: Instant, captured: &[i16], played: &mut [i16]) {
        self.send(captured);
        self.play(played);
        self.control(now);
    }

    fn transmit(&mut self, _: Instant) -> Option<(SocketAddr, Bytes)> {
        Some((self.config.peer, self.outgoing.pop_front()?))
    }
}

/// A peer that has been silent so long may be somebody else now.
const FORGET: Duration = Duration::from_secs(1);
/// Datagrams that wait to be sent.
const WAITING: usize = 64;
