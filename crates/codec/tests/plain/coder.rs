//! The range coder and the mixing of opinions, by their definition: 64-bit integers, formulas in place of tables.

/// Finds decisions in bytes; behind their end zeros follow.
pub struct Finder<'a> {
    bytes: &'a [u8],
    at: usize,
    low: u64,
    high: u64,
    value: u64,
}

impl<'a> Finder<'a> {
    pub fn new(bytes: &'a [u8]) -> Finder<'a> {
        let mut finder = Finder { bytes, at: 0, low: 0, high: 0xffff_ffff, value: 0 };
        (0..4).for_each(|_| finder.value = finder.value * 256 + finder.byte());
        finder
    }

    fn byte(&mut self) -> u64 {
        self.at += 1;
        self.bytes.get(self.at - 1).map_or(0, |byte| u64::from(*byte))
    }

    /// A decision that is true with `p` / 65536.
    pub fn decide(&mut self, p: i64) -> bool {
        let middle = self.low + (self.high - self.low) * p as u64 / 65_536;
        let yes = self.value <= middle;
        if yes {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
        while self.low >> 24 == self.high >> 24 {
            let next = self.byte();
            self.low = (self.low & 0xff_ffff) * 256;
            self.high = (self.high & 0xff_ffff) * 256 + 255;
            self.value = (self.value & 0xff_ffff) * 256 + next;
        }
        yes
    }

    /// A number of so many bits, the highest first.
    pub fn number(&mut self, bits: u32) -> i64 {
        (0..bits).fold(0, |number, _| number * 2 + i64::from(self.decide(32_768)))
    }
}

/// A chance of 32768 that learns.
#[derive(Clone, Copy)]
pub struct Chance {
    pub p: i64,
    pub met: i64,
}

impl Chance {
    /// `p` of 65536.
    pub fn new(p: i64, met: i64) -> Chance {
        Chance { p: p / 2, met }
    }

    fn learn(&mut self, yes: bool) {
        let target = if yes { 32_767 } else { 0 };
        let rate = (131_072 / (2 * self.met + 3)).min(32_767);
        self.p = (self.p + ((target - self.p) * rate).div_euclid(65_536)).clamp(32, 32_735);
        self.met = (self.met + 1).min(60);
    }

    pub fn decide(&mut self, finder: &mut Finder<'_>) -> bool {
        let yes = finder.decide(2 * self.p);
        self.learn(yes);
        yes
    }
}

/// A probability of 65536 where the logistic function of `domain` / 256 is.
pub fn squash(domain: i64) -> i64 {
    let p = |x: f64| 65_536.0 / (1.0 + (-x / 256.0).exp());
    // below the middle it is what is left of the other side
    let p = if domain >= 0 { p(domain as f64).floor() } else { 65_536.0 - p(-domain as f64).floor() };
    (p as i64).clamp(40, 65_496)
}

/// The first domain whose probability is at least the middle of the `p`-th of 4096 parts.
fn stretch(p: i64) -> i64 {
    let (mut low, mut high) = (-2_048_i64, 2_047_i64);
    while low < high {
        let middle = (low + high).div_euclid(2);
        if squash(middle) >= p * 16 + 8 { high = middle } else { low = middle + 1 }
    }
    low
}

/// Weighs opinions.
#[derive(Clone)]
pub struct Mixer {
    weights: Vec<i64>,
    met: i64,
}

impl Mixer {
    pub fn new(opinions: i64) -> Mixer {
        Mixer { weights: vec![4_875 / opinions; opinions as usize], met: 0 }
    }

    pub fn decide(&mut self, finder: &mut Finder<'_>, chances: &mut [&mut Chance]) -> bool {
        let expects: Vec<i64> = chances.iter().map(|chance| stretch(chance.p / 8)).collect();
        let sum: i64 = expects.iter().zip(&self.weights).map(|(expect, weight)| expect * weight).sum();
        let p = squash(sum.div_euclid(4_096).clamp(-2_047, 2_047));
        let yes = finder.decide(p);
        let wrong = if yes { 65_535 - p } else { -p };
        let step = (wrong * (14 - (self.met / 32).min(10))).div_euclid(64);
        self.met = (self.met + 1).min(1_000);
        for (weight, expect) in self.weights.iter_mut().zip(expects) {
            let more = ((2 * expect * step).div_euclid(65_536) + 1).div_euclid(2);
            *weight = (*weight + more).clamp(-32_768, 32_767);
        }
        chances.iter_mut().for_each(|chance| chance.learn(yes));
        yes
    }
}
