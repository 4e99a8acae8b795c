//! What is to happen when: a queue that costs a few moves an entry, whatever its size.
//!
//! A radix heap with digits of eight bits. An entry lies on the level of the highest byte in which its time differs from the
//! last time taken, in the slot of that byte; a slot is dealt to the levels below only when its first entry is next, so
//! an entry moves at most once a byte. Entries of one time keep the order in which they came.

/// A moment in nanoseconds, and what is to happen then.
pub(super) type Entry<T> = (u64, T);

/// The queue.
#[derive(Clone, Debug)]
pub(super) struct Agenda<T> {
    /// The time last taken; nothing is earlier.
    last: u64,
    levels: Vec<Level<T>>,
    /// How much of the slot of `last` on the lowest level is taken already.
    taken: usize,
    /// Emptied slots, to be filled again.
    spare: Vec<Vec<Entry<T>>>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Level<T> {
    /// A bit for each slot that holds something.
    occupied: [u64; 4],
    slots: Vec<Vec<Entry<T>>>,
}

impl<T: Copy> Agenda<T> {
    pub(super) fn new() -> Agenda<T> {
        let level = || Level { occupied: [0; 4], slots: (0..SLOTS).map(|_| Vec::new()).collect() };
        let levels = (0..LEVELS).map(|_| level()).collect();
        Agenda { last: 0, levels, taken: 0, spare: Vec::new(), len: 0 }
    }

    /// Notes `what` for `time`; what would be in the past is for now.
    pub(super) fn push(&mut self, time: u64, what: T) {
        self.len += 1;
        self.place((time.max(self.last), what));
    }

    /// Takes the first entry, if its time is not after `limit`. `soon` is told in advance which will be next within
    /// microseconds, so that what they need can be on its way from memory.
    pub(super) fn pop(&mut self, limit: u64, mut soon: impl FnMut(&[Entry<T>])) -> Option<Entry<T>> {
        loop {
            let (level, slot) = self.first()?;
            if level == 0 {
                return self.take(slot, limit);
            }
            let first = self.levels[level].slots[slot].iter().map(|(time, _)| *time).min()?;
            if first > limit {
                return None;
            }
            self.last = first;
            self.taken = 0;
            let mut dealt = std::mem::take(&mut self.levels[level].slots[slot]);
            self.levels[level].clear(slot);
            if level == SOON {
                soon(&dealt);
            }
            for entry in dealt.drain(..) {
                self.place(entry);
            }
            self.spare.push(dealt);
        }
    }

    /// How many entries there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn place(&mut self, entry: Entry<T>) {
        let differs = entry.0 ^ self.last;
        let level = (63 - (differs | 1).leading_zeros() as usize) / DIGIT;
        let slot = (entry.0 >> (level * DIGIT)) as usize % SLOTS;
        let entries = &mut self.levels[level].slots[slot];
        if entries.capacity() == 0 {
            *entries = self.spare.pop().unwrap_or_default();
        }
        entries.push(entry);
        self.levels[level].occupied[slot / 64] |= 1 << (slot % 64);
    }

    /// The lowest level that holds something, and its first slot that does.
    fn first(&self) -> Option<(usize, usize)> {
        self.levels.iter().enumerate().find_map(|(level, slots)| Some((level, slots.first()?)))
    }

    /// Takes the next of the entries in `slot` of the lowest level, which all have the same time.
    fn take(&mut self, slot: usize, limit: u64) -> Option<Entry<T>> {
        let level = &mut self.levels[0];
        if slot != self.last as usize % SLOTS {
            self.taken = 0;
        }
        let entry = *level.slots[slot].get(self.taken)?;
        if entry.0 > limit {
            return None;
        }
        self.last = entry.0;
        self.taken += 1;
        self.len -= 1;
        if self.taken == level.slots[slot].len() {
            self.taken = 0;
            level.clear(slot);
            let mut emptied = std::mem::take(&mut level.slots[slot]);
            emptied.clear();
            self.spare.push(emptied);
        }
        Some(entry)
    }
}

impl<T> Level<T> {
    fn first(&self) -> Option<usize> {
        let word = self.occupied.iter().position(|word| *word != 0)?;
        Some(word * 64 + self.occupied[word].trailing_zeros() as usize)
    }

    fn clear(&mut self, slot: usize) {
        self.occupied[slot / 64] &= !(1 << (slot % 64));
    }
}

const DIGIT: usize = 8;
const SLOTS: usize = 1 << DIGIT;
const LEVELS: usize = 64 / DIGIT;
/// The level on which a slot is 65 µs long: some thousand entries in the largest worlds.
const SOON: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn entries_come_by_time_and_then_in_the_order_they_were_noted(
            steps in proptest::collection::vec((prop_oneof![0u64..4, 0u64..3_000, any::<u64>()], 0u64..2_000), 1..400),
        ) {
            let (mut agenda, mut model, mut now) = (Agenda::new(), Vec::new(), 0u64);
            for (number, (later, step)) in steps.iter().enumerate() {
                let time = now.saturating_add(*later);
                agenda.push(time, number);
                model.push((time, number));
                if number % 3 == 0 {
                    let limit = now.saturating_add(*step);
                    loop {
                        model.sort_unstable();
                        let first = model.first().copied().filter(|(time, _)| *time <= limit);
                        prop_assert_eq!(agenda.pop(limit, |_| {}), first);
                        if first.is_none() {
                            break;
                        }
                        now = model.remove(0).0;
                        if *step % 7 == 0 {
                            break;
                        }
                    }
                    prop_assert_eq!(agenda.len(), model.len());
                }
            }
        }
    }
}
