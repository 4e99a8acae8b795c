//! Packets that wait for a link, and which of them leave when there are too many.

use crate::units::nanos;
use crate::{Bitrate, Size};
use std::collections::VecDeque;
use std::time::Duration;

mod codel;
pub(crate) use codel::Codel;

/// How many packets may wait; the one being sent does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// So many packets.
    Packets(u32),
    /// So many bytes.
    Bytes(Size),
    /// As many bytes as leave in this time at the link's rate (of the rate, the bucket and the trace, the lowest). On
    /// a link with none of them, where packets wait only for an outage to end, a thousand packets.
    Time(Duration),
}

impl Default for Room {
    /// A thousand packets, as netem.
    fn default() -> Room {
        Room::Packets(1_000)
    }
}

impl Room {
    /// The most packets and the most bytes, on a link whose lowest rate is `slowest`.
    pub(crate) fn limits(self, slowest: Option<Bitrate>) -> (u64, u64) {
        match (self, slowest) {
            (Room::Packets(n), _) => (u64::from(n), u64::MAX),
            (Room::Bytes(size), _) => (u64::MAX, size.0),
            (Room::Time(time), Some(rate)) => (u64::MAX, rate.bytes_in(time)),
            (Room::Time(_), None) => (1_000, u64::MAX),
        }
    }
}

/// Who leaves the queue, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Discipline {
    /// Who finds it full is dropped.
    #[default]
    DropTail,
    /// Who comes when it is full makes the oldest leave.
    DropHead,
    /// Packets leave when all have waited longer than `target` for `interval` (RFC 8289); drop-tail where it is full.
    Codel {
        /// The wait that is accepted; 5 ms is usual.
        target: Duration,
        /// How long it may be exceeded; about the longest round trip, 100 ms is usual.
        interval: Duration,
        /// Marks packets instead of dropping them.
        ecn: bool,
    },
}

impl Discipline {
    /// CoDel as RFC 8289 recommends it.
    pub const fn codel() -> Discipline {
        Discipline::Codel {
            target: Duration::from_millis(5),
            interval: Duration::from_millis(100),
            ecn: false,
        }
    }
}

/// A packet in a link: who it is, how long, when it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) arrived: u64,
    pub(crate) ticket: u32,
    pub(crate) length: u32,
    pub(crate) marks: Marks,
}

/// What is to be known of a packet beside its length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// One more than the bit that is flipped; zero for none.
    pub(crate) flipped: u32,
    /// A second copy.
    pub(crate) copy: bool,
    /// Congestion was marked on it.
    pub(crate) congestion: bool,
    /// It is never dropped, and stays behind the ones before it.
    pub(crate) sure: bool,
}

/// What the queue gives when the link asks for the next packet: one to send, or one that leaves otherwise.
pub(crate) enum Next {
    Send(Packet),
    Drop(Packet),
}

/// The queue of a link, in order of arrival.
///
/// Holds as many packets as its [`Room`] and drops by its [`Discipline`]; sure packets always find room.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    waiting: VecDeque<Packet>,
    bytes: u64,
    most_packets: u64,
    most_bytes: u64,
    drop_head: bool,
    codel: Option<Box<Codel>>,
}

impl Queue {
    /// Takes on new limits; packets that wait already stay.
    pub(crate) fn change(&mut self, room: Room, discipline: Discipline, slowest: Option<Bitrate>) {
        (self.most_packets, self.most_bytes) = room.limits(slowest);
        self.drop_head = discipline == Discipline::DropHead;
        match (discipline, &mut self.codel) {
            (Discipline::Codel { target, interval, ecn }, Some(codel)) => {
                codel.change(nanos(target), nanos(interval), ecn)
            }
            (Discipline::Codel { target, interval, ecn }, none) => {
                *none = Some(Box::new(Codel::new(nanos(target), nanos(interval), ecn)));
            }
            (_, codel) => *codel = None,
        }
    }

    /// Whether one more of `length` bytes fits.
    pub(crate) fn has_room(&self, length: u32) -> bool {
        (self.waiting.len() as u64) < self.most_packets && self.bytes + u64::from(length) <= self.most_bytes
    }

    /// Whether the oldest makes room, rather than the newest being refused.
    pub(crate) fn drops_head(&self) -> bool {
        self.drop_head
    }

    pub(crate) fn push(&mut self, packet: Packet) {
        self.bytes += u64::from(packet.length);
        self.waiting.push_back(packet);
    }

    /// Takes out the oldest packet that may be dropped.
    pub(crate) fn shed(&mut self) -> Option<Packet> {
        let place = self.waiting.iter().position(|packet| !packet.marks.sure)?;
        let packet = self.waiting.remove(place)?;
        self.bytes -= u64::from(packet.length);
        Some(packet)
    }

    /// The next packet, and what becomes of it; to be called again after a drop.
    pub(crate) fn next(&mut self, now: u64) -> Option<Next> {
        let Some(packet) = self.waiting.pop_front() else {
            if let Some(codel) = &mut self.codel {
                codel.empty();
            }
            return None;
        };
        self.bytes -= u64::from(packet.length);
        match &mut self.codel {
            Some(codel) => Some(codel.judge(now, packet, self.bytes)),
            None => Some(Next::Send(packet)),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}
