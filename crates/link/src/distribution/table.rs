//! Tables of a distribution as netem reads them: signed 16 bit, 8192 to the deviation.

use super::Shape;
use super::copula::Spectrum;
use std::sync::{Arc, OnceLock};

/// A netem distribution table.
///
/// Its text is whole numbers between blanks, with `#` comments to the end of a line; at most 16384 of them. Tables
/// of the usual names are computed from their formulas.
#[derive(Clone, Debug)]
pub struct Table {
    name: String,
    /// In rising order where it was computed, else as the file has it.
    entries: Vec<i16>,
    /// The same in rising order, made when first drawn from.
    ranked: OnceLock<Arc<Ranked>>,
}

/// The values of a table in rising order, in deviations.
#[derive(Debug)]
pub(super) struct Ranked {
    pub(super) values: Vec<f64>,
    pub(super) spectrum: OnceLock<Spectrum>,
}

impl Ranked {
    /// The value of rank `p`; the index is the length where `p` rounds to one.
    pub(super) fn at(&self, p: f64) -> f64 {
        let place = (p * self.values.len() as f64) as usize;
        self.values[place.min(self.values.len() - 1)]
    }
}

impl PartialEq for Table {
    fn eq(&self, other: &Table) -> bool {
        self.name == other.name && self.entries == other.entries
    }
}

impl Eq for Table {}

/// Why a distribution file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// A word in it is not a number of 16 bits.
    #[error("line {line}: {word:?} is not a whole number between -32768 and 32767")]
    Number {
        /// The line, counted from one.
        line: usize,
        /// What stands there.
        word: String,
    },
    /// It holds no number.
    #[error("the distribution holds no number")]
    Empty,
    /// The kernel takes at most 16384 numbers.
    #[error("the distribution holds more than 16384 numbers")]
    TooLong,
}

impl Table {
    /// Reads the text of a `.dist` file.
    pub fn parse(name: &str, text: &str) -> Result<Table, TableError> {
        let mut entries = Vec::new();
        for (line, words) in text.lines().enumerate() {
            let words = words.split('#').next().unwrap_or_default();
            for word in words.split_whitespace() {
                let wrong = |_| TableError::Number { line: line + 1, word: word.into() };
                entries.push(word.parse().map_err(wrong)?);
            }
            if entries.len() > LONGEST {
                return Err(TableError::TooLong);
            }
        }
        if entries.is_empty() {
            return Err(TableError::Empty);
        }
        Ok(Table::new(name, entries))
    }

    /// The table of 4096 numbers that `shape` gives by its formula.
    pub(crate) fn of(name: &str, shape: impl Fn(f64) -> f64) -> Table {
        let entry = |i: usize| {
            let value = shape((i as f64 + 0.5) / COMPUTED as f64) * SCALE;
            // A float cast saturates, as tc's tables stop at four deviations.
            value.round() as i16
        };
        Table::new(name, (0..COMPUTED).map(entry).collect())
    }

    /// The measured delays `nanos` as a table: what netem needs to show their distribution again under a delay of
    /// their mean and a jitter of their deviation. `None` where there are fewer than two, or all are equal.
    pub fn fit(name: &str, nanos: &[u64]) -> Option<Table> {
        let shape = Shape::measured(nanos)?;
        let mean = shape.mean();
        let deviation = shape.deviation(mean);
        (deviation > 0.0).then(|| Table::of(name, |p| (shape.quantile(p) - mean) / deviation))
    }

    fn new(name: &str, entries: Vec<i16>) -> Table {
        Table { name: name.into(), entries, ranked: OnceLock::new() }
    }

    pub(super) fn ranked(&self) -> Arc<Ranked> {
        let rank = || {
            let mut values: Vec<f64> = self.entries.iter().map(|entry| f64::from(*entry) / SCALE).collect();
            values.sort_unstable_by(f64::total_cmp);
            Arc::new(Ranked { values, spectrum: OnceLock::new() })
        };
        self.ranked.get_or_init(rank).clone()
    }

    /// What it is called: the word after `distribution`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The numbers, 8192 to the deviation; never empty.
    pub fn entries(&self) -> &[i16] {
        &self.entries
    }

    /// The text of a `.dist` file.
    pub fn to_text(&self) -> String {
        let lines: Vec<String> = self.entries.chunks(8).map(line).collect();
        format!("# {}\n{}\n", self.name, lines.join("\n"))
    }
}

fn line(entries: &[i16]) -> String {
    let words: Vec<String> = entries.iter().map(|entry| format!("{entry:6}")).collect();
    words.join(" ")
}

/// What one deviation is in a table.
pub(crate) const SCALE: f64 = 8192.0;
const COMPUTED: usize = 4096;
const LONGEST: usize = 16_384;
