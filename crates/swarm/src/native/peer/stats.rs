//! What a native peer counts.

use serde::Serialize;

/// What it counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Chunks played.
    pub played: u64,
    /// Chunks that did not come in time.
    pub lost: u64,
    /// Chunks that had not come before.
    pub received: u64,
    /// Chunks that were there already.
    pub duplicates: u64,
    /// Chunks that are not the splitter's: thrown away.
    pub forged: u64,
    /// Bytes of datagrams sent and received.
    pub sent_bytes: u64,
    /// See `sent_bytes`.
    pub received_bytes: u64,
    /// Chunks asked for.
    pub asked: u64,
    /// Chunks given to who asked.
    pub given: u64,
    /// Subscriptions refused for a bad ticket.
    pub refused: u64,
    /// Parents found where they punched from.
    pub punched: u64,
    /// How often it joined.
    pub joins: u64,
    /// Signatures checked.
    pub checked: u64,
    /// Chunks cast to all peers on its network.
    pub cast: u64,
    /// Chunks that came from there first.
    pub heard_on_lan: u64,
    /// Parity that had not come before, and chunks rebuilt with it.
    pub parity: u64,
    /// See `parity`.
    pub rebuilt: u64,
    /// Datagrams that did not leave since its cap was reached.
    pub withheld: u64,
    /// The most that a chunk had been passed on.
    pub hops: u8,
}

impl std::ops::Add for Stats {
    type Output = Stats;

    /// Sums; of hops, the most.
    fn add(self, other: Stats) -> Stats {
        Stats {
            played: self.played + other.played,
            lost: self.lost + other.lost,
            received: self.received + other.received,
            duplicates: self.duplicates + other.duplicates,
            forged: self.forged + other.forged,
            sent_bytes: self.sent_bytes + other.sent_bytes,
            received_bytes: self.received_bytes + other.received_bytes,
            asked: self.asked + other.asked,
            given: self.given + other.given,
            refused: self.refused + other.refused,
            punched: self.punched + other.punched,
            joins: self.joins + other.joins,
            checked: self.checked + other.checked,
            cast: self.cast + other.cast,
            heard_on_lan: self.heard_on_lan + other.heard_on_lan,
            parity: self.parity + other.parity,
            rebuilt: self.rebuilt + other.rebuilt,
            withheld: self.withheld + other.withheld,
            hops: self.hops.max(other.hops),
        }
    }
}
