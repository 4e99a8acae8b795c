//! A binary range coder whose probabilities are mixed from several contexts, in integers: the same on every machine.

/// What codes decisions: an [`Encoder`] says them, a [`Decoder`] finds them.
pub trait Coder {
    /// Codes a decision that is true with a probability of `p` / 65536; a decoder ignores `bit`. What it is, is returned.
    fn code(&mut self, bit: bool, p: u32) -> bool;

    /// Codes the lowest `count` bits of a number, of which nothing is known.
    fn raw(&mut self, value: u32, count: u32) -> u32 {
        (0..count).rev().fold(0, |read, place| {
            let bit = self.code(value >> place & 1 == 1, 1 << 15);
            read << 1 | u32::from(bit)
        })
    }
}

/// Says decisions.
#[derive(Debug)]
pub struct Encoder<'a> {
    low: u32,
    high: u32,
    out: &'a mut Vec<u8>,
    began: usize,
}

impl<'a> Encoder<'a> {
    /// Appends to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Encoder<'a> {
        let began = out.len();
        Encoder { low: 0, high: u32::MAX, out, began }
    }

    /// Bytes so far, those that are still open not counted.
    pub fn length(&self) -> usize {
        self.out.len() - self.began
    }

    /// Ends with as few bytes as tell the last interval: a decoder reads zeros behind them.
    pub fn finish(self) {
        if self.low > 0 {
            self.out.push((self.low >> 24) as u8 + 1);
        }
        while self.out.len() > self.began && self.out.last() == Some(&0) {
            self.out.pop();
        }
    }
}

impl Coder for Encoder<'_> {
    fn code(&mut self, bit: bool, p: u32) -> bool {
        let middle = split(self.low, self.high, p);
        if bit {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
        while (self.low ^ self.high) >> 24 == 0 {
            self.out.push((self.high >> 24) as u8);
            self.low <<= 8;
            self.high = self.high << 8 | 0xff;
        }
        bit
    }
}

/// Finds decisions; what is missing of its bytes reads as zeros.
#[derive(Debug)]
pub struct Decoder<'a> {
    low: u32,
    high: u32,
    value: u32,
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// Reads from the beginning of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Decoder<'a> {
        let mut decoder = Decoder { low: 0, high: u32::MAX, value: 0, rest: bytes };
        (0..4).for_each(|_| decoder.value = decoder.value << 8 | decoder.next());
        decoder
    }

    fn next(&mut self) -> u32 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        u32::from(*first)
    }
}

impl Coder for Decoder<'_> {
    fn code(&mut self, _: bool, p: u32) -> bool {
        let middle = split(self.low, self.high, p);
        let bit = self.value <= middle;
        if bit {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
        while (self.low ^ self.high) >> 24 == 0 {
            self.low <<= 8;
            self.high = self.high << 8 | 0xff;
            self.value = self.value << 8 | self.next();
        }
        bit
    }
}

/// Counts what decisions would cost, in 1/65536 bit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost(pub u64);

impl Coder for Cost {
    fn code(&mut self, bit: bool, p: u32) -> bool {
        self.0 += u64::from(TABLES.bits[(if bit { p } else { 65_536 - p } >> 4) as usize & 4_095]);
        bit
    }
}

fn split(low: u32, high: u32, p: u32) -> u32 {
    low + ((u64::from(high - low) * u64::from(p)) >> 16) as u32
}

/// How probable a decision is in one context, and how often it was met.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// Of 32768.
    p: i16,
    met: u8,
}

impl Cell {
    /// Expects true with `p` / 65536, and learns quickly.
    pub const fn new(p: u16) -> Cell {
        Cell::known(p, 0)
    }

    /// Expects true with `p` / 65536 as if it had been met so often, 60 at most.
    pub const fn known(p: u16, met: u8) -> Cell {
        Cell { p: (p >> 1) as i16, met }
    }

    /// Codes a decision by this cell alone.
    pub fn code(&mut self, coder: &mut impl Coder, bit: bool) -> bool {
        let bit = coder.code(bit, 2 * self.p as u32);
        self.p = learned(self.p, self.rate(), bit);
        self.met = (self.met + 1).min(MOST);
        bit
    }

    #[inline(always)]
    fn rate(self) -> i16 {
        RATES[usize::from(self.met & 63)]
    }
}

/// A probability after a decision. (All of it in 16 bits, so that a processor does it for eight at once.)
#[inline(always)]
fn learned(p: i16, rate: i16, bit: bool) -> i16 {
    let target = if bit { 32_767 } else { 0 };
    (p + high(target - p, rate)).clamp(32, 32_735)
}

/// The upper half of a product.
#[inline(always)]
fn high(a: i16, b: i16) -> i16 {
    ((i32::from(a) * i32::from(b)) >> 16) as i16
}

/// Weighs what `N` cells expect, 8 at most, and learns which of them to trust.
#[derive(Clone, Copy, Debug)]
pub struct Mixer<const N: usize> {
    /// 4096 trusts a cell as it is.
    weights: [i16; LANES],
    met: u16,
}

impl<const N: usize> Mixer<N> {
    /// Trusts all of them alike, and a little more than their mean says.
    pub const fn new() -> Mixer<N> {
        let mut weights = [0; LANES];
        let mut opinion = 0;
        while opinion < N {
            weights[opinion] = (4_875 / N) as i16;
            opinion += 1;
        }
        Mixer { weights, met: 0 }
    }

    /// Codes a decision by the cells at `places`.
    #[inline]
    pub fn code(
        &mut self,
        coder: &mut impl Coder,
        cells: &mut [Cell],
        places: [usize; N],
        bit: bool,
    ) -> bool {
        let mut met = places.map(|place| cells[place]);
        let bit = self.decide(coder, &mut met, bit);
        for (cell, place) in met.into_iter().zip(places) {
            cells[place] = cell;
        }
        bit
    }

    /// Codes the decision `place` of rows of cells, one row an opinion.
    #[inline]
    pub fn code_rows<const M: usize>(
        &mut self,
        coder: &mut impl Coder,
        rows: &mut [&mut [Cell; M]; N],
        place: usize,
        bit: bool,
    ) -> bool {
        let mut met: [Cell; N] = std::array::from_fn(|opinion| rows[opinion][place]);
        let bit = self.decide(coder, &mut met, bit);
        for (row, cell) in rows.iter_mut().zip(met) {
            row[place] = cell;
        }
        bit
    }

    #[inline(always)]
    fn decide(&mut self, coder: &mut impl Coder, met: &mut [Cell; N], bit: bool) -> bool {
        let (mut ps, mut rates, mut expects) = ([0_i16; LANES], [0_i16; LANES], [0_i16; LANES]);
        for (opinion, cell) in met.iter().enumerate() {
            ps[opinion] = cell.p;
            rates[opinion] = cell.rate();
            expects[opinion] = TABLES.stretch[(cell.p >> 3) as usize & 4_095];
        }
        // 2^11 · 2^15 · 8 fit into 30 bits
        let products =
            expects.iter().zip(&self.weights).map(|(x, weight)| i32::from(*x) * i32::from(*weight));
        let domain = (products.sum::<i32>() >> 12).clamp(-2_047, 2_047);
        let p = i32::from(TABLES.squash[(domain + 2_048) as usize & 4_095]);
        let bit = coder.code(bit, p as u32);
        let wrong = (if bit { 65_535 } else { 0 }) - p;
        let step = ((wrong * (14 - i32::from((self.met >> 5).min(10)))) >> 6) as i16;
        self.met = (self.met + 1).min(1_000);
        for (weight, expect) in self.weights.iter_mut().zip(expects) {
            *weight = weight.saturating_add((high(2 * expect, step) + 1) >> 1);
        }
        for (p, rate) in ps.iter_mut().zip(rates) {
            *p = learned(*p, rate, bit);
        }
        for (cell, p) in met.iter_mut().zip(ps) {
            *cell = Cell { p, met: (cell.met + 1).min(MOST) };
        }
        bit
    }
}

/// Opinions at once.
const LANES: usize = 8;

impl<const N: usize> Default for Mixer<N> {
    fn default() -> Mixer<N> {
        Mixer::new()
    }
}

/// The probability of 65536 that has a logarithm of odds of `domain` / 256, -2048 to 2047.
pub fn logistic(domain: i32) -> u16 {
    TABLES.squash[(domain + 2_048) as usize & 4_095]
}

/// Meetings after which a cell no longer learns more slowly.
const MOST: u8 = 60;

/// How far a cell moves at its n-th meeting, in 1/65536: half the way at most.
const RATES: [i16; 64] = {
    let mut rates = [32_767; 64];
    let mut n = 1;
    while n < rates.len() {
        rates[n] = (131_072 / (2 * n as i32 + 3)) as i16;
        n += 1;
    }
    rates
};

/// The logistic function and its inverse.
struct Tables {
    /// Of (d - 2048) / 256: a probability of 65536.
    squash: [u16; 4_096],
    /// Of a probability of 4096: a domain in 1/256.
    stretch: [i16; 4_096],
    /// Of a probability of 4096: bits in 1/65536.
    bits: [u32; 4_096],
}

static TABLES: Tables = Tables::new();

impl Tables {
    const fn new() -> Tables {
        // e^(n/256) by n multiplications of one constant with 40 bits behind the point
        const STEP: u128 = 1_103_814_994_613; // e^(1/256)·2^40
        const ONE: u128 = 1 << 40;
        let mut tables = Tables { squash: [0; 4_096], stretch: [0; 4_096], bits: [0; 4_096] };
        let (mut power, mut n) = (ONE, 0);
        while n <= 2_048 {
            // 1/(1+e^-x) = e^x/(1+e^x)
            let above = ((power << 16) / (ONE + power)) as u32;
            if n < 2_048 {
                tables.squash[2_048 + n] = within(above);
            }
            tables.squash[2_048 - n] = within(if n == 0 { above } else { 65_536 - above });
            power = (power * STEP) >> 40;
            n += 1;
        }
        let (mut d, mut p) = (0, 0);
        while p < 4_096 {
            while d < 4_095 && (tables.squash[d] as usize) < p * 16 + 8 {
                d += 1;
            }
            tables.stretch[p] = d as i16 - 2_048;
            // -log2(p) by squaring: p / 4096 with 32 bits behind the point
            let mut x = (p as u64 * 2 + 1) << 19;
            let mut whole = 0;
            while x < 1 << 31 {
                x <<= 1;
                whole += 1;
            }
            // x is in 0.5 … 1: the bits of -log2(x)
            let (mut fraction, mut y, mut bit) = (0, x as u128, 0);
            while bit < 16 {
                y = (y * y) >> 32;
                fraction <<= 1;
                if y < 1 << 31 {
                    y <<= 1;
                    fraction |= 1;
                }
                bit += 1;
            }
            tables.bits[p] = (whole << 16) + fraction;
            p += 1;
        }
        tables
    }
}

/// A probability that leaves something to both.
const fn within(p: u32) -> u16 {
    match p {
        0..40 => 40,
        40..65_497 => p as u16,
        _ => 65_496,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chance(state: &mut u32) -> u32 {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *state >> 8
    }

    #[test]
    fn the_tables_are_the_logistic_function() {
        for d in [-1_700, -256, 0, 100, 700, 1_400] {
            let truth = 65_536.0 / (1.0 + (-f64::from(d) / 256.0).exp());
            let ours = f64::from(TABLES.squash[(d + 2_048) as usize]);
            assert!((ours - truth).abs() <= 1.0, "{d}: {ours} {truth}");
            let back = TABLES.stretch[(truth / 16.0) as usize];
            assert!((i32::from(back) - d).abs() <= 40, "{d}: {back}");
        }
        assert!((i64::from(TABLES.bits[1_024]) - 2 * 65_536).abs() < 200);
    }

    #[test]
    fn decisions_come_back_and_cost_what_they_tell() {
        let mut state = 1;
        let bits: Vec<bool> = (0..20_000).map(|_| chance(&mut state).is_multiple_of(10)).collect();
        let mut out = vec![1, 2];
        let mut encoder = Encoder::new(&mut out);
        let (mut cells, mut mixer) = (vec![Cell::new(1 << 15); 4], Mixer::<2>::new());
        for pair in bits.windows(2) {
            mixer.code(&mut encoder, &mut cells, [usize::from(pair[0]), 2], pair[1]);
        }
        encoder.raw(0xabc, 12);
        encoder.finish();
        let mut decoder = Decoder::new(&out[2..]);
        let (mut cells, mut mixer) = (vec![Cell::new(1 << 15); 4], Mixer::<2>::new());
        for pair in bits.windows(2) {
            assert_eq!(mixer.code(&mut decoder, &mut cells, [usize::from(pair[0]), 2], false), pair[1]);
        }
        assert_eq!(decoder.raw(0, 12), 0xabc);
        let ideal = 20_000.0 * 0.469 / 8.0; // entropy of one in ten
        assert!((out.len() as f64) < ideal * 1.03, "{} {ideal}", out.len());
    }

    #[test]
    fn nothing_said_takes_no_bytes() {
        let mut out = Vec::new();
        Encoder::new(&mut out).finish();
        assert!(out.is_empty());
    }
}
