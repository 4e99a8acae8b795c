//! Huffman codes as DEFLATE has them: no longer than a limit, told by their lengths alone (RFC 1951, 3.2.2).

/// A code for `N` symbols.
#[derive(Clone, Debug)]
pub struct Code<const N: usize> {
    /// How often each symbol comes.
    pub counts: [u32; N],
    /// Bits of each symbol; none where it does not come.
    pub lengths: [u8; N],
    /// Bits as they are written, the first one lowest.
    pub codes: [u16; N],
}

impl<const N: usize> Code<N> {
    pub const fn new() -> Code<N> {
        Code { counts: [0; N], lengths: [0; N], codes: [0; N] }
    }

    /// Makes lengths and codes of the counts, none longer than `limit`. One symbol alone has one bit, and a second one beside
    /// it, since some decoders want a code to be complete.
    pub fn make(&mut self, limit: u8) {
        // as many as nine bits number, so that no place needs to be looked at whether it is there
        let mut sorted = [0_u32; 512];
        let mut used = 0;
        for (symbol, count) in self.counts.iter().enumerate() {
            sorted[used & 511] = (*count).min(1 << 22) << 9 | symbol as u32;
            used += usize::from(*count > 0);
        }
        self.lengths.fill(0);
        if used < 2 {
            let only = if used == 1 { sorted[0] as usize & 511 } else { 0 };
            self.lengths[only] = 1;
            self.lengths[usize::from(only == 0)] = 1;
            return self.assign(&[0, only.max(1) as u32]);
        }
        let symbols = sorted;
        let sorted = &mut sorted[..used];
        sorted.sort_unstable();
        let mut depths = [0_u32; N];
        depths.iter_mut().zip(sorted.iter()).for_each(|(depth, packed)| *depth = packed >> 9);
        depths_of(&mut depths[..used]);
        shorten(&mut depths[..used], limit.into());
        for (packed, depth) in sorted.iter().zip(depths) {
            self.lengths[*packed as usize & 511] = depth as u8;
        }
        self.assign(&symbols[..used]);
    }

    /// Codes by their lengths, of the symbols that come, in their order (in the lowest nine bits).
    fn assign(&mut self, symbols: &[u32]) {
        let mut next = firsts(&self.lengths);
        for symbol in symbols {
            let symbol = *symbol as usize & 511;
            let length = usize::from(self.lengths[symbol] & 15);
            self.codes[symbol] = next[length].reverse_bits() >> (16 - length);
            next[length] += 1;
        }
    }
}

/// The first code of each length.
fn firsts(lengths: &[u8]) -> [u16; 16] {
    let mut counts = [0_u16; 16];
    lengths.iter().for_each(|length| counts[usize::from(*length & 15)] += 1);
    counts[0] = 0;
    let (mut firsts, mut code) = ([0_u16; 16], 0_u16);
    for length in 1..16 {
        code = code.wrapping_add(counts[length - 1]) << 1;
        firsts[length] = code;
    }
    firsts
}

/// Makes depths of counts that ascend, in place: Moffat and Katajainen, "In-place calculation of minimum-redundancy codes" (1995).
fn depths_of(counts: &mut [u32]) {
    let n = counts.len();
    // first pass: parents
    counts[0] += counts[1];
    let (mut root, mut leaf) = (0, 2);
    for next in 1..n - 1 {
        if leaf >= n || counts[root] < counts[leaf] {
            counts[next] = counts[root];
            counts[root] = next as u32;
            root += 1;
        } else {
            counts[next] = counts[leaf];
            leaf += 1;
        }
        if leaf >= n || (root < next && counts[root] < counts[leaf]) {
            counts[next] += counts[root];
            counts[root] = next as u32;
            root += 1;
        } else {
            counts[next] += counts[leaf];
            leaf += 1;
        }
    }
    // second: depths of inner nodes
    counts[n - 2] = 0;
    for next in (0..n - 2).rev() {
        counts[next] = counts[counts[next] as usize] + 1;
    }
    // third: depths of leaves
    let (mut free, mut depth, mut root, mut next) = (1_usize, 0_u32, n as isize - 2, n as isize - 1);
    while free > 0 {
        let mut inner = 0;
        while root >= 0 && counts[root as usize] == depth {
            inner += 1;
            root -= 1;
        }
        while free > inner {
            counts[next as usize] = depth;
            next -= 1;
            free -= 1;
        }
        free = 2 * inner;
        depth += 1;
    }
}

/// Cuts depths, which descend, to a limit, and lengthens the rarest of the short ones until all of them fit again.
fn shorten(depths: &mut [u32], limit: u32) {
    if depths[0] <= limit {
        return;
    }
    let room = 1_u32 << limit;
    let mut taken = 0_u32;
    for depth in depths.iter_mut() {
        *depth = (*depth).min(limit);
        taken += room >> *depth;
    }
    while taken > room {
        // the deepest that is not yet at the limit gives half of its room
        let Some(depth) = depths.iter_mut().find(|depth| **depth < limit) else { return };
        taken -= room >> (*depth + 1);
        *depth += 1;
    }
    // what became free may be too much: the most frequent take it
    for depth in depths.iter_mut().rev() {
        while *depth > 1 && taken + (room >> *depth) <= room {
            taken += room >> *depth;
            *depth -= 1;
        }
    }
}

/// The order in which lengths of the code of lengths are told.
pub const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// For each length's symbol its least length and how many bits follow. 258 has a symbol of its own.
pub const LENGTHS: [(u16, u8); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];

/// The same of distances.
pub const DISTANCES: [(u16, u8); 30] = [
    (1, 0),
    (2, 0),
    (3, 0),
    (4, 0),
    (5, 1),
    (7, 1),
    (9, 2),
    (13, 2),
    (17, 3),
    (25, 3),
    (33, 4),
    (49, 4),
    (65, 5),
    (97, 5),
    (129, 6),
    (193, 6),
    (257, 7),
    (385, 7),
    (513, 8),
    (769, 8),
    (1_025, 9),
    (1_537, 9),
    (2_049, 10),
    (3_073, 10),
    (4_097, 11),
    (6_145, 11),
    (8_193, 12),
    (12_289, 12),
    (16_385, 13),
    (24_577, 13),
];
