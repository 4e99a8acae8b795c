//! Bytes in blocks of one size, addressed by how many came before.

use std::collections::VecDeque;

/// A growing log whose old end is let go of a block at a time. What is read is one slice unless it crosses a block.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: VecDeque<Vec<u8>>,
    /// Blocks that were let go of.
    gone: u64,
    /// A block to use again, so that a stream at rest allocates nothing.
    spare: Option<Vec<u8>>,
}

impl Blocks {
    pub(super) fn end(&self) -> u64 {
        let full = self.blocks.len().saturating_sub(1) as u64;
        (self.gone + full) * SIZE as u64 + self.blocks.back().map_or(0, |block| block.len() as u64)
    }

    pub(super) fn append(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.blocks.back().map_or(0, |block| SIZE - block.len());
            if room == 0 {
                let block = self.spare.take().unwrap_or_else(|| Vec::with_capacity(SIZE));
                self.blocks.push_back(block);
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if let Some(block) = self.blocks.back_mut() {
                block.extend_from_slice(now);
            }
            bytes = later;
        }
    }

    /// As much from `offset` as lies in one block, up to `limit`.
    pub(super) fn slice(&self, offset: u64, limit: u64) -> &[u8] {
        let number = (offset / SIZE as u64).checked_sub(self.gone).map(|number| number as usize);
        let Some(block) = number.and_then(|number| self.blocks.get(number)) else { return &[] };
        let from = (offset % SIZE as u64) as usize;
        let most = usize::try_from(limit.saturating_sub(offset)).unwrap_or(usize::MAX);
        let to = from.saturating_add(most).min(block.len());
        block.get(from..to).unwrap_or_default()
    }

    /// Lets go of the blocks that lie wholly before `start`.
    pub(super) fn evict(&mut self, start: u64) {
        while self.blocks.len() > 1 && (self.gone + 1) * SIZE as u64 <= start {
            self.spare = self.blocks.pop_front();
            self.gone += 1;
            if let Some(spare) = &mut self.spare {
                spare.clear();
            }
        }
    }
}

/// One flush of a listener at 128 kbit/s is 16 KB, so that three of four are one slice; at video rates it is two.
pub(super) const SIZE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_whatever_the_cuts() {
        let bytes: Vec<u8> = (0..300_000u32).map(|n| ((n * 7) >> 3) as u8).collect();
        let mut blocks = Blocks::default();
        for part in bytes.chunks(7_919) {
            blocks.append(part);
        }
        assert_eq!(blocks.end(), 300_000);
        let mut out = Vec::new();
        while out.len() < bytes.len() {
            let slice = blocks.slice(out.len() as u64, out.len() as u64 + 40_000);
            assert!(!slice.is_empty());
            out.extend_from_slice(slice);
        }
        assert_eq!(out, bytes);
    }

    #[test]
    fn what_is_gone_or_to_come_is_empty() {
        let mut blocks = Blocks::default();
        blocks.append(&vec![1; 3 * SIZE]);
        blocks.evict(SIZE as u64 + 5);
        assert_eq!(blocks.end(), 3 * SIZE as u64);
        assert!(blocks.slice(0, 10).is_empty());
        assert_eq!(blocks.slice(SIZE as u64, u64::MAX).len(), SIZE);
        assert!(blocks.slice(3 * SIZE as u64, u64::MAX).is_empty());
        assert!(blocks.slice(u64::MAX, u64::MAX).is_empty());
        assert!(blocks.slice(SIZE as u64 + 9, 7).is_empty());
    }
}
