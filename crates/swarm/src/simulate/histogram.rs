//! How values are distributed, in little room: exact to a hundredth and a half.

/// Counts of values in steps of 1/64 of their power of two.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum: f64,
    most: u64,
}

impl Histogram {
    /// Counts a value.
    pub fn add(&mut self, value: u64) {
        let at = slot(value);
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += 1;
        self.count += 1;
        self.sum += value as f64;
        self.most = self.most.max(value);
    }

    /// Counts all that another has counted.
    pub fn merge(&mut self, other: &Histogram) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, more)| *sum += more);
        self.count += other.count;
        self.sum += other.sum;
        self.most = self.most.max(other.most);
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The largest; nothing where there is none.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// Their mean; nothing where there is none.
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum / self.count as f64 }
    }

    /// The value that a share of them does not exceed, rounded up to its step; nothing where there is none.
    pub fn quantile(&self, share: f64) -> u64 {
        let rank = (share * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return top(at).min(self.most);
            }
        }
        self.most
    }

    /// The values, each with the share of all that do not exceed it.
    pub fn steps(&self) -> impl Iterator<Item = (u64, f64)> + '_ {
        let mut seen = 0;
        let used = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        used.map(move |(at, count)| {
            seen += count;
            (top(at).min(self.most), seen as f64 / self.count as f64)
        })
    }
}

fn slot(value: u64) -> usize {
    let power = (value | 63).ilog2() - 5;
    if power == 0 { value as usize } else { (power as usize) * 64 + (value >> (power - 1)) as usize - 64 }
}

/// The largest value of a slot.
fn top(slot: usize) -> u64 {
    if slot < 128 {
        return slot as u64;
    }
    let power = slot / 64 - 1;
    let within = (slot % 64 + 65) as u64;
    within.checked_shl(power as u32).map_or(u64::MAX, |top| top.wrapping_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_its_slot_and_steps_are_small() {
        for power in 0..62 {
            for value in [1u64 << power, (1 << power) + 1, (1 << power) * 3 / 2, (2 << power) - 1] {
                let top = top(slot(value));
                assert!(top >= value && top as f64 <= value as f64 * 1.016, "{value}: {top}");
                assert!(slot(value) == 0 || super::top(slot(value) - 1) < value, "{value}");
            }
        }
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let mut histogram = Histogram::default();
        (1..=1_000).for_each(|value| histogram.add(value * 1_000));
        assert!((495_000..=510_000).contains(&histogram.quantile(0.5)));
        assert_eq!(
            (histogram.quantile(1.0), histogram.most(), histogram.mean()),
            (1_000_000, 1_000_000, 500_500.0)
        );
        assert_eq!(histogram.steps().last(), Some((1_000_000, 1.0)));
        assert_eq!(Histogram::default().quantile(0.5), 0);
    }
}
