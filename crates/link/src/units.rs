//! Rates, sizes, shares and times as a person writes them, in tc's own words.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

mod decimal;
use decimal::Decimal;

/// Why a quantity was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnitError {
    /// There is no number where one is needed.
    #[error("{0:?} does not begin with a number")]
    Number(String),
    /// The number is there, the unit is not one of ours.
    #[error("{text:?} has the unknown unit {unit:?}; one writes {known}")]
    Unit {
        /// What was written.
        text: String,
        /// The unit in it.
        unit: String,
        /// The units that are understood.
        known: &'static str,
    },
    /// A quantity cannot be less than nothing.
    #[error("{0:?} is negative")]
    Negative(String),
    /// It does not fit.
    #[error("{0:?} is too large")]
    TooLarge(String),
}

/// How fast bits flow, in bits per second.
///
/// Written as tc writes it: `10mbit` and `1.5gbit` count in thousands, `kibit` in 1024, `kbps` are kilo*bytes*
/// per second, and a bare number is bits per second.
///
/// ```
/// use levada_link::Bitrate;
/// assert_eq!("200kbit".parse::<Bitrate>()?, Bitrate::kbps(200));
/// assert_eq!("1mbps".parse::<Bitrate>()?.to_string(), "8mbit");
/// # Ok::<(), levada_link::UnitError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bitrate(pub u64);

/// A number of bytes.
///
/// Written as tc writes it: `k`, `kb`, `m`, `mb`, `g`, `gb` count in 1024, `kbit` is 128 bytes, and a bare number is
/// bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

/// A share between nothing and everything, in 4294967295ths, which is how tc and the kernel keep it.
///
/// Written `25%` or bare `25`; the finest step is about 2.3e-8 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(pub u32);

impl Bitrate {
    /// `n` bits per second.
    pub const fn bps(n: u64) -> Bitrate {
        Bitrate(n)
    }

    /// `n` thousand bits per second.
    pub const fn kbps(n: u64) -> Bitrate {
        Bitrate(n.saturating_mul(1_000))
    }

    /// `n` million bits per second.
    pub const fn mbps(n: u64) -> Bitrate {
        Bitrate(n.saturating_mul(1_000_000))
    }

    /// Whole bytes per second, rounded down, which is all that tc can say.
    pub const fn bytes(self) -> u64 {
        self.0 / 8
    }

    /// How many bytes flow in `time`, rounded down.
    pub fn bytes_in(self, time: Duration) -> u64 {
        let bits = u128::from(self.0).saturating_mul(time.as_nanos());
        u64::try_from(bits / 8_000_000_000).unwrap_or(u64::MAX)
    }
}

impl Percent {
    /// Everything.
    pub const ALL: Percent = Percent(u32::MAX);
    /// Nothing.
    pub const ZERO: Percent = Percent(0);

    /// The share `ratio`, which is taken into 0 … 1; not-a-number is nothing.
    pub fn ratio(ratio: f64) -> Percent {
        // A float cast saturates and takes not-a-number to zero.
        Percent((ratio.clamp(0.0, 1.0) * f64::from(u32::MAX)).round() as u32)
    }

    /// `percent` of a hundred.
    pub fn of(percent: f64) -> Percent {
        Percent::ratio(percent / 100.0)
    }

    /// The share as a number between 0 and 1.
    pub fn share(self) -> f64 {
        f64::from(self.0) / f64::from(u32::MAX)
    }

    /// What remains to everything.
    pub const fn rest(self) -> Percent {
        Percent(u32::MAX - self.0)
    }
}

impl FromStr for Bitrate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Bitrate, UnitError> {
        let (number, unit) = Decimal::split(text)?;
        let factor = rate_factor(unit).ok_or_else(|| unknown(text, unit, RATE_UNITS))?;
        Ok(Bitrate(number.times(factor, 1).ok_or_else(|| UnitError::TooLarge(text.into()))?))
    }
}

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Size, UnitError> {
        let (number, unit) = Decimal::split(text)?;
        let factor: u128 = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" => 1 << 10,
            "m" | "mb" => 1 << 20,
            "g" | "gb" => 1 << 30,
            "kbit" => 1 << 7,
            "mbit" => 1 << 17,
            "gbit" => 1 << 27,
            _ => return Err(unknown(text, unit, SIZE_UNITS)),
        };
        Ok(Size(number.times(factor, 1).ok_or_else(|| UnitError::TooLarge(text.into()))?))
    }
}

impl FromStr for Percent {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Percent, UnitError> {
        let (number, unit) = Decimal::split(text)?;
        if !unit.is_empty() && unit != "%" {
            return Err(unknown(text, unit, "25% or 25"));
        }
        let fraction = number.times(u128::from(u32::MAX), 100).and_then(|n| u32::try_from(n).ok());
        fraction.map(Percent).ok_or_else(|| UnitError::TooLarge(text.into()))
    }
}

impl fmt::Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units =
            [("tbit", 1_000_000_000_000), ("gbit", 1_000_000_000), ("mbit", 1_000_000), ("kbit", 1_000)];
        largest(f, self.0, &units, "bit")
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        largest(f, self.0, &[("gb", 1 << 30), ("mb", 1 << 20), ("kb", 1 << 10)], "b")
    }
}

impl fmt::Display for Percent {
    /// The fewest decimals that read back as the same share.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.share() * 100.0;
        for decimals in 0..10 {
            let text = format!("{percent:.decimals$}%");
            if text.parse() == Ok(*self) {
                return f.write_str(&text);
            }
        }
        write!(f, "{percent:.10}%")
    }
}

/// Reads a time such as `100ms`, `1.5s`, `250us` or `10ns`; a bare number counts in `bare` (tc: nanoseconds for
/// netem, microseconds for tbf), and is refused, unless it is zero, where that is nothing.
pub fn time(text: &str, bare: Duration) -> Result<Duration, UnitError> {
    let (number, unit) = Decimal::split(text)?;
    let factor: u128 = match unit.to_ascii_lowercase().as_str() {
        "" if !bare.is_zero() || number.is_zero() => bare.as_nanos(),
        "s" | "sec" | "secs" => 1_000_000_000,
        "ms" | "msec" | "msecs" => 1_000_000,
        "us" | "usec" | "usecs" | "µs" | "μs" => 1_000,
        "ns" | "nsec" | "nsecs" => 1,
        _ => return Err(unknown(text, unit, TIME_UNITS)),
    };
    // The kernel keeps signed 64 bits of nanoseconds.
    let nanos = number.times(factor, 1).filter(|n| *n <= i64::MAX as u64);
    nanos.map(Duration::from_nanos).ok_or_else(|| UnitError::TooLarge(text.into()))
}

/// Writes a time exactly, in the largest unit that needs no fraction.
pub fn show_time(time: Duration) -> String {
    struct Shown(u64);
    impl fmt::Display for Shown {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            largest(f, self.0, &[("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)], "ns")
        }
    }
    Shown(nanos(time)).to_string()
}

/// The largest time that is kept, in nanoseconds: half of what fits, so that two can always be added.
pub(crate) const LONGEST: u64 = i64::MAX as u64;

/// `time` in nanoseconds, at most [`LONGEST`] (292 years).
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(LONGEST).min(LONGEST)
}

/// The known word most like `word`, if any is like it enough to be meant.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let scored = known.iter().map(|k| (distance(word, k), *k));
    let (far, best) = scored.min_by_key(|(far, _)| *far)?;
    (far <= 1 + word.chars().count() / 3).then_some(best)
}

/// How many letters must be put in, taken out or changed to make `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// How many bits per second one of `unit` is.
fn rate_factor(unit: &str) -> Option<u128> {
    let unit = unit.to_ascii_lowercase();
    let (prefix, each) = match (unit.strip_suffix("bit"), unit.strip_suffix("bps")) {
        (Some(prefix), _) => (prefix, 1),
        (_, Some(prefix)) => (prefix, 8),
        _ if unit.is_empty() => ("", 1),
        _ => return None,
    };
    let (base, letter): (u128, _) = match prefix.strip_suffix('i') {
        Some(letter) if !letter.is_empty() => (1024, letter),
        _ => (1000, prefix),
    };
    let power = ["", "k", "m", "g", "t"].iter().position(|known| *known == letter)?;
    Some(each * base.pow(power as u32))
}

fn unknown(text: &str, unit: &str, known: &'static str) -> UnitError {
    UnitError::Unit { text: text.into(), unit: unit.into(), known }
}

/// Writes `value` in the first of `units` that divides it, or in `plain`.
fn largest(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)], plain: &str) -> fmt::Result {
    let fitting = units.iter().find(|(_, each)| value != 0 && value.is_multiple_of(*each));
    let (unit, each) = fitting.copied().unwrap_or((plain, 1));
    write!(f, "{}{unit}", value / each)
}

const RATE_UNITS: &str = "bit, kbit, mbit, gbit, tbit, kibit …, bps, kbps …";
const SIZE_UNITS: &str = "b, kb, mb, gb, kbit, mbit, gbit";
const TIME_UNITS: &str = "s, ms, us or ns";

#[cfg(test)]
mod tests;
