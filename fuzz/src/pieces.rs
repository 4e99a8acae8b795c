//! Cuts an input as the network might.

/// Pieces of `bytes` whose lengths `seed` decides: often a byte or two, sometimes much.
#[derive(Clone, Debug)]
pub struct Pieces<'a> {
    rest: &'a [u8],
    state: u32,
}

impl<'a> Pieces<'a> {
    /// Cuts `bytes` as `seed` says.
    pub fn new(seed: u8, bytes: &'a [u8]) -> Pieces<'a> {
        Pieces { rest: bytes, state: 0x9e37_79b9 ^ u32::from(seed) }
    }

    /// Takes the seed from the first byte, and the pieces from the others.
    pub fn of(bytes: &'a [u8]) -> Pieces<'a> {
        let (seed, rest) = bytes.split_first().unwrap_or((&0, &[]));
        Pieces::new(*seed, rest)
    }

    /// What is not cut yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        // xorshift32
        self.state ^= self.state << 13;
        self.state ^= self.state >> 17;
        self.state ^= self.state << 5;
        let most = [2, 9, 60, 400, 3_000][self.state as usize % 5];
        let size = (1 + (self.state >> 8) as usize % most).min(self.rest.len());
        let (piece, rest) = self.rest.split_at(size);
        self.rest = rest;
        (size > 0).then_some(piece)
    }
}

/// The bytes as text; what is none is replaced.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
