//! Changes inputs a little, the same way for the same seed.

/// Makes mutants of a corpus.
pub struct Mutator<'a> {
    corpus: &'a [Vec<u8>],
    state: u64,
}

impl<'a> Mutator<'a> {
    /// Mutates `corpus` as `seed` says.
    pub fn new(corpus: &'a [Vec<u8>], seed: u64) -> Mutator<'a> {
        Mutator { corpus, state: seed | 1 }
    }

    /// The next mutant: an input with up to six bytes, runs or numbers changed, removed, repeated or brought in from
    /// another one.
    pub fn mutant(&mut self) -> Vec<u8> {
        let mut bytes = self.input().to_vec();
        for _ in 0..=self.below(6) {
            self.change(&mut bytes);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let run = self.below(33).min(bytes.len() - at);
        match self.below(7) {
            0 => bytes.splice(at..at + run, []).for_each(drop),
            1 => {
                let again = bytes[at..at + run].repeat(1 + self.below(3));
                bytes.splice(at..at, again).for_each(drop);
            }
            2 => {
                let other = self.input();
                let from = self.below(other.len() + 1);
                let most = self.below(200).min(other.len() - from);
                bytes.splice(at..at + run, other[from..from + most].iter().copied()).for_each(drop);
            }
            3 => bytes.truncate(at),
            4 => {
                let number = NUMBERS[self.below(NUMBERS.len())];
                number.iter().zip(bytes[at..].iter_mut()).for_each(|(new, byte)| *byte = *new);
            }
            5 => bytes.splice(at..at, [self.byte()]).for_each(drop),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (self.state >> 61)),
        }
    }

    fn input(&mut self) -> &'a [u8] {
        let which = self.below(self.corpus.len().max(1));
        self.corpus.get(which).map_or(&[], Vec::as_slice)
    }

    fn byte(&mut self) -> u8 {
        (self.next() >> 32) as u8
    }

    /// A number below `most`, which is above zero.
    fn below(&mut self, most: usize) -> usize {
        (self.next() >> 16) as usize % most
    }

    /// xorshift64
    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }
}

/// Lengths and times that are easily got wrong.
const NUMBERS: [&[u8]; 8] = [
    &[0xff; 4],
    &[0; 4],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0],
    &[0xff; 8],
    &[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    b"18446744073709551616",
    b"-1",
];
const LONGEST: usize = 16 * 1024;
