//! The number of a chunk, which never wraps, and what the old wires show of it.

use serde::Serialize;
use std::fmt;

/// The number of a chunk in its stream: 64 bits, so that it never comes again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ChunkNumber(pub u64);

impl ChunkNumber {
    /// The last sixteen bits, all that wires A and B carry.
    pub const fn short(self) -> u16 {
        self.0 as u16
    }

    /// The number nearest to this one that ends with `short` (serial arithmetic as of RFC 1982, section 3).
    pub const fn near(self, short: u16) -> ChunkNumber {
        let ahead = short.wrapping_sub(self.0 as u16) as i16;
        ChunkNumber(self.0.saturating_add_signed(ahead as i64))
    }

    /// Where a peer of an old wire begins to count that first sees `short`: in the second turn, so that what comes
    /// late has a number too.
    pub const fn first(short: u16) -> ChunkNumber {
        ChunkNumber(TURN + short as u64)
    }

    /// The number after this one.
    pub const fn next(self) -> ChunkNumber {
        ChunkNumber(self.0.saturating_add(1))
    }

    /// How many chunks this one is ahead of `other`; zero where it is not.
    pub const fn ahead_of(self, other: ChunkNumber) -> u64 {
        self.0.saturating_sub(other.0)
    }
}

impl fmt::Display for ChunkNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const TURN: u64 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_where_sixteen_bits_begin_again() {
        let mut number = ChunkNumber::first(65_530);
        for step in 1..20u16 {
            let next = number.near(65_530u16.wrapping_add(step));
            assert_eq!(next, number.next());
            number = next;
        }
        assert_eq!(number.short(), 13);
        assert_eq!(number.near(65_535).ahead_of(ChunkNumber::first(65_530)), 5);
    }
}
