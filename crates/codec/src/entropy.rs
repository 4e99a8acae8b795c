//! A binary range coder whose probabilities are mixed from several contexts, in integers: the same on every machine.

use std::sync::LazyLock;

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
    p: u16,
    met: u8,
}

impl Cell {
    /// Expects true with `p` / 65536, and learns quickly.
    pub const fn new(p: u16) -> Cell {
        Cell { p, met: 0 }
    }

    fn learn(&mut self, bit: bool, most: u8) {
        let rate = RATES[usize::from(self.met)];
        let target = if bit { 65_535 } else { 0 };
        let p = i64::from(self.p) + (((target - i64::from(self.p)) * i64::from(rate)) >> 16);
        self.p = p.clamp(64, 65_472) as u16;
        self.met = (self.met + 1).min(most);
    }

    /// Codes a decision by this cell alone.
    pub fn code(&mut self, coder: &mut impl Coder, bit: bool) -> bool {
        let bit = coder.code(bit, u32::from(self.p));
        self.learn(bit, MOST);
        bit
    }
}

/// Weighs what `N` cells expect, and learns which of them to trust.
#[derive(Clone, Copy, Debug)]
pub struct Mixer<const N: usize> {
    weights: [i32; N],
    met: u16,
}

impl<const N: usize> Mixer<N> {
    /// Trusts all of them alike, and a little more than their mean says.
    pub const fn new() -> Mixer<N> {
        Mixer { weights: [(78_000 / N) as i32; N], met: 0 }
    }

    /// Codes a decision by the cells at `places`.
    pub fn code(
        &mut self,
        coder: &mut impl Coder,
        cells: &mut [Cell],
        places: [usize; N],
        bit: bool,
    ) -> bool {
        let tables = &*TABLES;
        let mut expects = [0; N];
        let mut sum = 0_i64;
        for ((place, expect), weight) in places.iter().zip(&mut expects).zip(&self.weights) {
            let cell = cells[*place];
            *expect =
                (i32::from(tables.stretch[usize::from(cell.p >> 4)]) * SURE[usize::from(cell.met)]) >> 8;
            sum += i64::from(*expect) * i64::from(*weight);
        }
        let domain = (sum >> 16).clamp(-2_047, 2_047) as i32;
        let p = i32::from(tables.squash[(domain + 2_048) as usize]);
        let bit = coder.code(bit, p as u32);
        let wrong = (if bit { 65_535 } else { 0 }) - p;
        let rate = 14 - (self.met >> 5).min(8) as i32;
        self.met = (self.met + 1).min(1_000);
        for ((weight, expect), place) in self.weights.iter_mut().zip(expects).zip(places) {
            let change = (i64::from(expect) * i64::from(wrong) * i64::from(rate)) >> 18;
            *weight = (*weight + change as i32).clamp(-(1 << 20), 1 << 20);
            cells[place].learn(bit, MOST);
        }
        bit
    }
}

impl<const N: usize> Default for Mixer<N> {
    fn default() -> Mixer<N> {
        Mixer::new()
    }
}

/// Meetings after which a cell no longer learns more slowly.
const MOST: u8 = 60;

/// How far a cell moves at its n-th meeting, in 1/65536.
const RATES: [i32; MOST as usize + 1] = {
    let mut rates = [0; MOST as usize + 1];
    let mut n = 0;
    while n < rates.len() {
        rates[n] = 131_072 / (2 * n as i32 + 3);
        n += 1;
    }
    rates
};

/// How far a cell's word counts after n meetings, in 1/256.
const SURE: [i32; MOST as usize + 1] = {
    let mut sure = [256; MOST as usize + 1];
    let mut n = 0;
    while n < 12 {
        sure[n] = 150 + 9 * n as i32;
        n += 1;
    }
    sure
};

/// The logistic function and its inverse.
struct Tables {
    /// Of (d - 2048) / 256: a probability of 65536.
    squash: Vec<u16>,
    /// Of a probability of 4096: a domain in 1/256.
    stretch: Vec<i16>,
    /// Of a probability of 4096: bits in 1/65536.
    bits: Vec<u32>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    // e^(n/256) by n multiplications of one constant with 40 bits behind the point
    let step: u128 = 1_103_814_994_613; // e^(1/256)·2^40
    let mut powers = vec![1_u128 << 40];
    (0..2_048).for_each(|n| powers.push((powers[n] * step) >> 40));
    let one = 1_u128 << 40;
    let logistic = |d: i32| -> u16 {
        let power = powers[d.unsigned_abs() as usize];
        // 1/(1+e^-x) = e^x/(1+e^x)
        let above = ((power << 16) / (one + power)) as u32;
        (if d >= 0 { above } else { 65_536 - above }).clamp(40, 65_496) as u16
    };
    let squash: Vec<u16> = (-2_048..2_048).map(logistic).collect();
    let mut stretch = Vec::with_capacity(4_096);
    let mut d = 0;
    for p in 0..4_096_u32 {
        while d < 4_095 && u32::from(squash[d]) < p * 16 + 8 {
            d += 1;
        }
        stretch.push(d as i16 - 2_048);
    }
    // -log2(p) by squaring
    let bits = (0..4_096_u64).map(|p| {
        let mut x = (p * 2 + 1) << 19; // p / 4096 with 32 bits behind the point
        let mut whole = 0_u32;
        while x < 1 << 31 {
            x <<= 1;
            whole += 1;
        }
        // x is in 0.5 … 1: the bits of -log2(x)
        let mut fraction = 0_u32;
        let mut y = u128::from(x);
        for _ in 0..16 {
            y = (y * y) >> 32;
            fraction <<= 1;
            if y < 1 << 31 {
                y <<= 1;
                fraction |= 1;
            }
        }
        (whole << 16) + fraction
    });
    Tables { squash, stretch, bits: bits.collect() }
});

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
