//! Things by consecutive numbers, found at once; the oldest leave first.

use std::collections::VecDeque;

/// Holds what lies within `most` numbers; what is newer pushes out what is older.
#[derive(Debug)]
pub(super) struct Ring<T> {
    first: u64,
    slots: VecDeque<Option<T>>,
    count: usize,
    most: usize,
}

impl<T> Ring<T> {
    pub(super) fn new(most: usize) -> Ring<T> {
        Ring { first: 0, slots: VecDeque::new(), count: 0, most: most.max(1) }
    }

    /// Takes one in; false where its number is too old.
    pub(super) fn put(&mut self, number: u64, what: T) -> bool {
        if self.count == 0 {
            self.slots.clear();
            self.first = number;
        }
        if number < self.first {
            let gap = (self.first - number) as usize;
            if gap.saturating_add(self.slots.len()) > self.most {
                return false;
            }
            (0..gap).for_each(|_| self.slots.push_front(None));
            self.first = number;
        }
        if number - self.first >= self.most as u64 {
            self.forget_before(number + 1 - self.most as u64);
            if self.count == 0 {
                self.slots.clear();
                self.first = number;
            }
        }
        let at = (number - self.first) as usize;
        if at >= self.slots.len() {
            self.slots.resize_with(at + 1, || None);
        }
        self.count += usize::from(self.slots[at].replace(what).is_none());
        true
    }

    pub(super) fn get(&self, number: u64) -> Option<&T> {
        self.slots.get(usize::try_from(number.checked_sub(self.first)?).ok()?)?.as_ref()
    }

    /// The oldest place, if there is something in it.
    pub(super) fn oldest(&self) -> Option<&T> {
        self.slots.front()?.as_ref()
    }

    /// Reads a little of what tells where its places are.
    pub(super) fn read_itself(&self) -> u64 {
        self.first ^ (self.count ^ self.slots.len() ^ self.most) as u64
    }

    /// Reads a little of where a number belongs, or as near as it has come.
    pub(super) fn read(&self, number: u64) -> u64 {
        let at = number.saturating_sub(self.first).min(self.slots.len().saturating_sub(1) as u64);
        self.slots.get(at as usize).map_or(0, |slot| u64::from(slot.is_some()))
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.slots.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)?.as_mut()
    }

    pub(super) fn take(&mut self, number: u64) -> Option<T> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let taken = self.slots.get_mut(at)?.take();
        self.count -= usize::from(taken.is_some());
        while self.count > 0 && self.slots.front().is_some_and(Option::is_none) {
            self.slots.pop_front();
            self.first += 1;
        }
        taken
    }

    pub(super) fn forget_before(&mut self, number: u64) {
        while self.first < number
            && let Some(slot) = self.slots.pop_front()
        {
            self.count -= usize::from(slot.is_some());
            self.first += 1;
        }
    }

    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.count = 0;
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().flatten()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let found = (self.first..).zip(&self.slots);
        found.filter_map(|(number, slot)| Some((number, slot.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn a_ring_is_a_map_that_forgets_what_is_old(
            steps in proptest::collection::vec((0u64..60, 0u8..4), 0..200),
        ) {
            let (mut ring, mut map) = (Ring::new(16), BTreeMap::new());
            for (number, kind) in steps {
                match kind {
                    0 => prop_assert_eq!(ring.take(number), map.remove(&number)),
                    1 if number % 7 == 0 => {
                        ring.forget_before(number);
                        map = map.split_off(&number);
                    }
                    _ => {
                        if ring.put(number, number * 2) {
                            map.insert(number, number * 2);
                            map.retain(|held, _| *held + 16 > number);
                        } else {
                            prop_assert!(map.last_key_value().is_some_and(|(last, _)| number < *last));
                        }
                    }
                }
                prop_assert_eq!(ring.count, map.len());
                prop_assert!(ring.iter().map(|(number, what)| (number, *what)).eq(map.clone()));
                prop_assert!((0..60).all(|number| ring.get(number) == map.get(&number)));
            }
        }
    }
}
