//! A run of bits, read from the front, the highest first.

/// Where reading has come to in borrowed bytes.
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// All bits of `bytes`.
    pub(crate) fn new(bytes: &[u8]) -> Bits<'_> {
        Bits { bytes, at: 0 }
    }

    /// The next `count` bits as a number, at most 32; `None` where there are fewer.
    pub(crate) fn read(&mut self, count: usize) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some(value << 1 | u32::from(self.bit()?)))
    }

    /// The next bit as a flag.
    pub(crate) fn bit(&mut self) -> Option<bool> {
        let bit = self.bytes.get(self.at / 8)? >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// An unsigned Exp-Golomb number (H.264 9.1); `None` also where it takes more than 32 bits.
    pub(crate) fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
        }
        let rest = (zeros < 32).then(|| self.read(zeros))??;
        Some(((1u64 << zeros) - 1) as u32 + rest)
    }

    /// Leaves out `count` bits.
    pub(crate) fn skip(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count)?;
        (self.at <= self.bytes.len() * 8).then_some(())
    }
}
