//! Packets under way: a delay line from which they come in the order of their times.

use crate::queue::Marks;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

/// A packet under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flying {
    /// When it is there.
    pub(crate) at: u64,
    pub(crate) ticket: u32,
    pub(crate) length: u32,
    pub(crate) marks: Marks,
}

/// The delay line. Packets whose times rise stand in a queue; those that overtake, in a heap beside it.
///
/// Bounded by its owner, which asks [`len`](Line::len).
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    rising: VecDeque<Flying>,
    overtaking: BinaryHeap<Overtaking>,
    pushed: u64,
}

/// Ordered so that the heap gives the earliest first, and of those the one pushed first.
#[derive(Clone, Copy, Debug)]
struct Overtaking {
    flying: Flying,
    number: u64,
}

impl Line {
    pub(crate) fn push(&mut self, flying: Flying) {
        if self.rising.back().is_none_or(|last| last.at <= flying.at) {
            self.rising.push_back(flying);
            return;
        }
        self.pushed += 1;
        self.overtaking.push(Overtaking { flying, number: self.pushed });
    }

    /// The earliest.
    pub(crate) fn first(&self) -> Option<&Flying> {
        match (self.rising.front(), self.overtaking.peek()) {
            // What overtook has a time before that of one pushed earlier, so on a tie the queue's is the older.
            (Some(rising), Some(other)) if other.flying.at < rising.at => Some(&other.flying),
            (None, Some(other)) => Some(&other.flying),
            (rising, _) => rising,
        }
    }

    /// Takes out the earliest.
    pub(crate) fn pop(&mut self) -> Option<Flying> {
        match (self.rising.front(), self.overtaking.peek()) {
            (Some(rising), Some(other)) if rising.at <= other.flying.at => self.rising.pop_front(),
            (_, Some(_)) => self.overtaking.pop().map(|other| other.flying),
            (_, None) => self.rising.pop_front(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rising.len() + self.overtaking.len()
    }
}

impl Ord for Overtaking {
    fn cmp(&self, other: &Overtaking) -> Ordering {
        (other.flying.at, other.number).cmp(&(self.flying.at, self.number))
    }
}

impl PartialOrd for Overtaking {
    fn partial_cmp(&self, other: &Overtaking) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Overtaking {
    fn eq(&self, other: &Overtaking) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Overtaking {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packets_come_by_time_and_then_in_the_order_they_were_sent(
            steps in proptest::collection::vec((0u64..30, any::<bool>()), 0..200),
        ) {
            let (mut line, mut model, mut number) = (Line::default(), Vec::new(), 0);
            for (at, pops) in steps {
                line.push(Flying { at, ticket: number, length: 0, marks: Marks::default() });
                model.push((at, number));
                number += 1;
                if pops {
                    model.sort_unstable();
                    let first = model.remove(0);
                    prop_assert_eq!(line.first().map(|f| (f.at, f.ticket)), Some(first));
                    prop_assert_eq!(line.pop().map(|f| (f.at, f.ticket)), Some(first));
                }
            }
            model.sort_unstable();
            let rest: Vec<(u64, u32)> = std::iter::from_fn(|| line.pop()).map(|f| (f.at, f.ticket)).collect();
            prop_assert_eq!(rest, model);
        }
    }
}
