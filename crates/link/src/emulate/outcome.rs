//! What becomes of a packet in a link.

use std::time::Duration;

/// What [`Link::push`](crate::Link::push) made of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// How many copies of it are in the link: so many times [`Link::poll`](crate::Link::poll) will tell of its ticket.
    pub taken: u8,
    /// Why it, or a copy of it, is not.
    pub refused: Option<Why>,
}

impl Entry {
    /// Of a packet and its copy.
    pub(crate) fn of(fates: [Option<Result<(), Why>>; 2]) -> Entry {
        let taken = fates.iter().filter(|fate| matches!(fate, Some(Ok(())))).count() as u8;
        let refused = fates.into_iter().find_map(|fate| fate.and_then(Result::err));
        Entry { taken, refused }
    }
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is there.
    Delivered(Delivered),
    /// It was dropped after it had been taken.
    Dropped(Dropped),
}

/// A packet at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Which packet.
    pub ticket: u32,
    /// When it was there, which is earlier than now where one asks late.
    pub at: Duration,
    /// Whether it is the second copy.
    pub copy: bool,
    /// Which bit of it is flipped, counted from zero.
    pub flipped: Option<u32>,
    /// Whether congestion is marked on it.
    pub marked: bool,
}

/// A packet that was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Which packet.
    pub ticket: u32,
    /// When.
    pub at: Duration,
    /// Why.
    pub why: Why,
}

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// The link lost it.
    Loss,
    /// The queue was full.
    Full,
    /// The queue management chose it.
    Managed,
    /// The link was down.
    Outage,
    /// It is longer than the bucket's burst.
    TooLong,
    /// Too many packets were under way.
    Crowded,
}

impl Why {
    /// A word for it, for captures and reports.
    pub const fn word(self) -> &'static str {
        match self {
            Why::Loss => "loss",
            Why::Full => "queue",
            Why::Managed => "aqm",
            Why::Outage => "outage",
            Why::TooLong => "too long",
            Why::Crowded => "crowded",
        }
    }
}

/// How many packets met which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Came in, copies made by the link not counted.
    pub arrived: u64,
    /// Went out, copies counted.
    pub delivered: u64,
    /// Were lost by chance.
    pub lost: u64,
    /// Were dropped by the queue, full or managed.
    pub queue: u64,
    /// Were dropped otherwise.
    pub other: u64,
}

/// What is in a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Packets that wait, with the one being sent.
    pub packets: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Packets sent and not yet there.
    pub under_way: usize,
}
