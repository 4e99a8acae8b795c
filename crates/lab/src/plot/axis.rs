//! Axes: where a value lies, and what is written beside it.

/// One axis of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it counts.
    pub label: String,
    /// In what.
    pub unit: Unit,
    /// How values lie along it.
    pub scale: Scale,
    /// The first and last value on it.
    pub range: (f64, f64),
}

/// How values lie along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By powers of ten; what is not positive lies at the beginning.
    Log,
}

/// What values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Numbers of things.
    Count,
    /// Seconds, shown as s, ms, µs or ns.
    Seconds,
    /// Bit/s, shown with their prefix.
    Bits,
    /// Parts of one, shown as they are.
    Part,
    /// Nothing is written.
    None,
}

impl Axis {
    /// A linear axis from `from` to a round number beyond `to`.
    pub fn linear(label: &str, unit: Unit, from: f64, to: f64) -> Axis {
        let to = if to > from { to } else { from + 1.0 };
        let step = step(to - from);
        let to = if unit == Unit::Part { to } else { from + ((to - from) / step).ceil() * step };
        Axis { label: label.into(), unit, scale: Scale::Linear, range: (from, to) }
    }

    /// A linear axis from exactly `from` to exactly `to`.
    pub fn exact(label: &str, unit: Unit, from: f64, to: f64) -> Axis {
        let to = if to > from { to } else { from + 1.0 };
        Axis { label: label.into(), unit, scale: Scale::Linear, range: (from, to) }
    }

    /// A logarithmic axis over whole decades around both values, of which at least one is positive.
    pub fn log(label: &str, unit: Unit, from: f64, to: f64) -> Axis {
        let from = if from > 0.0 { from } else { 1e-9 };
        let (low, high) = (from.log10().floor(), to.max(from).log10().ceil());
        let high = if high > low { high } else { low + 1.0 };
        Axis { label: label.into(), unit, scale: Scale::Log, range: (10f64.powf(low), 10f64.powf(high)) }
    }

    /// Where a value lies: 0 at the first, 1 at the last; beyond them outside of that.
    pub fn place(&self, value: f64) -> f64 {
        let (from, to) = self.range;
        match self.scale {
            Scale::Linear => (value - from) / (to - from),
            Scale::Log => (value.max(from).log10() - from.log10()) / (to.log10() - from.log10()),
        }
    }

    /// Values to mark, with what to write; those between decades without.
    pub(super) fn ticks(&self) -> Vec<(f64, Option<String>)> {
        match self.scale {
            Scale::Linear => self.linear_ticks(),
            Scale::Log => self.log_ticks(),
        }
    }

    /// The label with the unit, where it is the same for all ticks.
    pub(super) fn caption(&self) -> String {
        let unit = match (self.unit, self.scale) {
            (Unit::Seconds, Scale::Linear) => self.seconds().1,
            (Unit::Bits, Scale::Linear) => self.bits().1,
            _ => return self.label.clone(),
        };
        format!("{} [{unit}]", self.label)
    }

    fn linear_ticks(&self) -> Vec<(f64, Option<String>)> {
        let (from, to) = self.range;
        let step = step(to - from);
        let (factor, _) = match self.unit {
            Unit::Seconds => self.seconds(),
            Unit::Bits => self.bits(),
            _ => (1.0, ""),
        };
        let decimals = (-(step / factor).log10().floor()).clamp(0.0, 6.0) as usize;
        let first = (from / step - 1e-9).ceil();
        let ticks = (0..=MOST_TICKS).map(|tick| (first + tick as f64) * step);
        ticks
            .take_while(|value| *value <= to + step * 1e-6)
            .map(|value| (value, Some(format!("{:.decimals$}", value / factor))))
            .collect()
    }

    fn log_ticks(&self) -> Vec<(f64, Option<String>)> {
        let (low, high) = (self.range.0.log10().round() as i32, self.range.1.log10().round() as i32);
        let mut ticks = Vec::new();
        for decade in low..=high.min(low + MOST_TICKS as i32) {
            let value = 10f64.powi(decade);
            ticks.push((value, Some(self.word(value))));
            if decade < high && high - low <= 9 {
                ticks.extend((2..10).map(|digit| (value * f64::from(digit), None)));
            }
        }
        ticks
    }

    /// A power of ten in words.
    fn word(&self, value: f64) -> String {
        match self.unit {
            Unit::Seconds => {
                let (factor, unit) = prefix(value, SECONDS);
                format!("{} {unit}", trimmed(value / factor))
            }
            Unit::Bits => {
                let (factor, unit) = prefix(value, BITS);
                format!("{} {unit}", trimmed(value / factor))
            }
            Unit::Count if value >= 1e6 => format!("{}M", trimmed(value / 1e6)),
            Unit::Count if value >= 1e3 => format!("{}k", trimmed(value / 1e3)),
            _ => trimmed(value),
        }
    }

    fn seconds(&self) -> (f64, &'static str) {
        prefix(self.range.1 - self.range.0, SECONDS)
    }

    fn bits(&self) -> (f64, &'static str) {
        prefix(self.range.1, BITS)
    }
}

/// A duration of so many nanoseconds, in three digits or so.
pub(crate) fn duration(nanos: f64) -> String {
    let seconds = nanos / 1e9;
    let (factor, unit) = prefix(seconds.abs().max(1e-9), SECONDS);
    let value = seconds / factor;
    let decimals = if value.abs() >= 100.0 { 0 } else { if value.abs() >= 10.0 { 1 } else { 2 } };
    format!("{value:.decimals$} {unit}")
}

/// A bit rate in three digits or so.
pub(crate) fn bit_rate(bits: f64) -> String {
    let (factor, unit) = prefix(bits.max(1.0), BITS);
    format!("{:.2} {unit}", bits / factor)
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

fn prefix(value: f64, prefixes: &[(f64, &'static str)]) -> (f64, &'static str) {
    let fits = prefixes.iter().rev().find(|(factor, _)| value >= factor * 0.999_999);
    fits.or(prefixes.first()).copied().unwrap_or((1.0, ""))
}

/// A step of 1, 2 or 5 times a power of ten, that makes some five of `span`.
fn step(span: f64) -> f64 {
    let rough = (span / 6.0).max(1e-12);
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| rough <= factor * power * 1.000_001);
    factor.unwrap_or(10.0) * power
}

const SECONDS: &[(f64, &str)] = &[(1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s")];
const BITS: &[(f64, &str)] = &[(1.0, "bit/s"), (1e3, "kbit/s"), (1e6, "Mbit/s"), (1e9, "Gbit/s")];
const MOST_TICKS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn words(axis: &Axis) -> Vec<String> {
        axis.ticks().into_iter().filter_map(|(_, word)| word).collect()
    }

    #[test]
    fn ticks_are_round_and_carry_their_unit_once() {
        let axis = Axis::linear("time", Unit::Seconds, 0.0, 29.3);
        assert_eq!(
            (words(&axis).join(" "), axis.caption()),
            ("0 5 10 15 20 25 30".into(), "time [s]".into())
        );
        let axis = Axis::linear("delay", Unit::Seconds, 0.0, 0.083);
        assert_eq!(
            (words(&axis).join(" "), axis.caption()),
            ("0 20 40 60 80 100".into(), "delay [ms]".into())
        );
        let axis = Axis::log("gap", Unit::Seconds, 3e-6, 0.2);
        assert_eq!(words(&axis).join(", "), "1 µs, 10 µs, 100 µs, 1 ms, 10 ms, 100 ms, 1 s");
        assert!((axis.place(1e-3) - 0.5).abs() < 1e-12);
        let axis = Axis::linear("rate", Unit::Bits, 0.0, 2_200_000.0);
        assert_eq!(
            (words(&axis).join(" "), axis.caption()),
            ("0.0 0.5 1.0 1.5 2.0 2.5".into(), "rate [Mbit/s]".into())
        );
    }

    #[test]
    fn axes_of_nothing_still_have_ticks() {
        for axis in [
            Axis::linear("", Unit::Count, 0.0, 0.0),
            Axis::log("", Unit::Count, 0.0, 0.0),
            Axis::linear("", Unit::Seconds, 0.0, f64::MAX / 4.0),
        ] {
            assert!((2..100).contains(&axis.ticks().len()), "{axis:?}");
        }
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(
            [0.0, 12.0, 1234.0, 45.6e6, 1.5e9].map(duration),
            ["0.00 ns", "12.0 ns", "1.23 µs", "45.6 ms", "1.50 s"]
        );
    }
}
