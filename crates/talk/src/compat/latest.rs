//! Holds blocks without numbers, no more than a moment's worth.

use std::collections::VecDeque;

/// What `minimal` needs between the network and the player, where the program has the socket's buffer: there, blocks that
/// come in a burst are heard late for ever after.
///
/// Holds two blocks; the oldest leave first and are counted. When two have been there each time for a second, one leaves.
#[derive(Debug, Default)]
pub struct Latest {
    blocks: VecDeque<Vec<i32>>,
    spare: Vec<Vec<i32>>,
    full_for: u32,
    dropped: u64,
}

impl Latest {
    /// Takes a block; another of the same length is left in `values`.
    pub fn put(&mut self, values: &mut Vec<i32>) {
        let fresh = self.spare.pop().unwrap_or_else(|| vec![0; values.len()]);
        self.blocks.push_back(std::mem::replace(values, fresh));
        if self.blocks.len() > 2 {
            self.drop_oldest();
        }
    }

    /// The next block, if one is there.
    pub fn take(&mut self) -> Option<&[i32]> {
        self.full_for = if self.blocks.len() > 1 { self.full_for + 1 } else { 0 };
        if self.full_for > 43 {
            self.full_for = 0;
            self.drop_oldest();
        }
        let block = self.blocks.pop_front()?;
        self.spare.push(block);
        self.spare.last().map(Vec::as_slice)
    }

    /// Blocks that were never heard.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn drop_oldest(&mut self) {
        self.spare.extend(self.blocks.pop_front());
        self.dropped += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_not_heard_late_for_ever() {
        let mut latest = Latest::default();
        (1..=5).for_each(|n| latest.put(&mut vec![n]));
        let mut last = 0;
        for n in 6..100 {
            last = latest.take().unwrap()[0];
            latest.put(&mut vec![n]);
        }
        assert_eq!((last, latest.dropped()), (98, 4));
    }
}
