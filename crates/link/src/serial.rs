//! Packets one after the other at a rate, exactly.

use crate::config::LinkConfig;

/// A wire of one rate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Serial {
    /// Bits per second; zero for no limit.
    rate: u64,
    /// What is left of a nanosecond when the last packet had left, in `rate`ths; so a rate never drifts.
    carry: u64,
    /// When the last packet had left.
    left: u64,
    overhead: Overhead,
}

/// What the wire adds to each packet (netem's `rate … PACKETOVERHEAD CELLSIZE CELLOVERHEAD`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overhead {
    /// Bytes a packet, less than nothing where the lengths given count more than the wire does.
    pub packet: i32,
    /// Packets are sent in cells of so many bytes; zero for none.
    pub cell: u32,
    /// Bytes a cell.
    pub per_cell: i32,
}

/// A packet being sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// When its first bit goes out.
    pub(crate) begins: u64,
    /// When its last bit is out; `u64::MAX` for never.
    pub(crate) ends: u64,
    /// How many bits go out in between.
    pub(crate) bits: u64,
}

impl Overhead {
    /// How many bytes a packet of `length` is on the wire.
    pub(crate) fn wire(&self, length: u32) -> u64 {
        let bytes = (i64::from(length) + i64::from(self.packet)).max(0) as u64;
        if self.cell == 0 {
            return bytes;
        }
        let per_cell = (i64::from(self.cell) + i64::from(self.per_cell)).max(0) as u64;
        bytes.div_ceil(u64::from(self.cell)).saturating_mul(per_cell)
    }
}

impl Serial {
    pub(crate) fn new(config: &LinkConfig) -> Serial {
        let rate = config.rate.map_or(0, |rate| rate.0.max(1));
        Serial { rate, overhead: config.overhead, ..Serial::default() }
    }

    /// Whether there is a rate.
    pub(crate) fn limits(&self) -> bool {
        self.rate != 0
    }

    /// Begins to send a packet of `length` at `now`.
    pub(crate) fn send(&mut self, now: u64, length: u32) -> Service {
        let bits = self.bits(length);
        let ends = now.saturating_add(self.duration(now, bits));
        self.left = ends;
        Service { begins: now, ends, bits }
    }

    /// How many bits a packet of `length` is on the wire.
    pub(crate) fn bits(&self, length: u32) -> u64 {
        self.overhead.wire(length).min(LONGEST_WIRE) * 8
    }

    /// The last packet had left at `now`.
    pub(crate) fn had_left(&mut self, now: u64) {
        self.left = now;
    }

    /// How long `bits` take from `now` on; of what is left of a nanosecond account is kept while packets follow on
    /// each other.
    pub(crate) fn duration(&mut self, now: u64, bits: u64) -> u64 {
        if self.rate == 0 {
            return 0;
        }
        let carry = if now == self.left { self.carry } else { 0 };
        // Bits times a billion fit 64 bits; only with a carry of a rate beyond all wires the sum does not.
        match (bits * 1_000_000_000).checked_add(carry) {
            Some(parts) => {
                self.carry = parts % self.rate;
                parts / self.rate
            }
            None => 0,
        }
    }
}

/// The longest packet on the wire, in bytes: 2^30, so that its bits times a billion fit 64 bits.
const LONGEST_WIRE: u64 = 1 << 30;
