//! How delays scatter: distributions, and delays that resemble the one before.

use crate::chance::Chance;
use crate::units::nanos;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

mod copula;
mod normal;
mod table;

use copula::Spectrum;
use table::Ranked;
pub(crate) use table::SCALE;
pub use table::{Table, TableError};

/// The distribution of a delay around its mean.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Distribution {
    /// Anywhere within ± the jitter, as netem without a distribution.
    #[default]
    Uniform,
    /// Normal, the jitter being its standard deviation.
    Normal,
    /// Pareto with exponent 3, cut at ten times its least value, the jitter being its standard deviation. (The table
    /// that comes with tc is scaled to 0.82 of it.)
    Pareto,
    /// A quarter of the normal value and three quarters of the Pareto value of the same rank, as netem has it, scaled
    /// so that the jitter is its standard deviation.
    ParetoNormal,
    /// A table in netem's form, 8192 of which are the jitter.
    Table(Arc<Table>),
    /// Measured delays, shown again: they are added to the link's delay, and the jitter plays no part.
    Measured(Arc<Measured>),
}

/// Delays that were measured somewhere.
#[derive(Clone, Debug)]
pub struct Measured {
    name: String,
    /// Nanoseconds, in rising order, never empty.
    sorted: Vec<u64>,
    spectrum: OnceLock<Spectrum>,
}

impl Measured {
    /// Takes `delays` in any order; `None` where there are none.
    pub fn new(name: &str, delays: impl IntoIterator<Item = Duration>) -> Option<Measured> {
        let mut sorted: Vec<u64> = delays.into_iter().map(nanos).collect();
        sorted.sort_unstable();
        (!sorted.is_empty()).then(|| Measured { name: name.into(), sorted, spectrum: OnceLock::new() })
    }

    /// What they are called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The delay that a share `p` of the measured ones stays below, in nanoseconds, between neighbours linearly.
    fn quantile(&self, p: f64) -> f64 {
        let place = p.clamp(0.0, 1.0) * (self.sorted.len() - 1) as f64;
        let at = place as usize;
        let low = self.sorted[at] as f64;
        let high = self.sorted[(at + 1).min(self.sorted.len() - 1)] as f64;
        low + (high - low) * (place - at as f64)
    }
}

impl PartialEq for Measured {
    fn eq(&self, other: &Measured) -> bool {
        self.name == other.name && self.sorted == other.sorted
    }
}

impl Distribution {
    /// The distribution that tc knows by `name` without reading a file.
    pub fn named(name: &str) -> Option<Distribution> {
        match name {
            "uniform" => Some(Distribution::Uniform),
            "normal" => Some(Distribution::Normal),
            "pareto" => Some(Distribution::Pareto),
            "paretonormal" => Some(Distribution::ParetoNormal),
            _ => None,
        }
    }

    /// The word that names it.
    pub fn name(&self) -> &str {
        match self {
            Distribution::Uniform => "uniform",
            Distribution::Normal => "normal",
            Distribution::Pareto => "pareto",
            Distribution::ParetoNormal => "paretonormal",
            Distribution::Table(table) => table.name(),
            Distribution::Measured(measured) => measured.name(),
        }
    }

    /// The table with which netem would draw it; `None` for uniform, for which it uses none.
    pub fn table(&self) -> Option<Arc<Table>> {
        let computed = |once: &'static OnceLock<Arc<Table>>| {
            let table = || Arc::new(Table::of(self.name(), |p| self.shape().quantile(p)));
            Some(once.get_or_init(table).clone())
        };
        match self {
            Distribution::Uniform => None,
            Distribution::Normal => computed(&TABLES[0]),
            Distribution::Pareto => computed(&TABLES[1]),
            Distribution::ParetoNormal => computed(&TABLES[2]),
            Distribution::Table(table) => Some(table.clone()),
            Distribution::Measured(measured) => Table::fit(&measured.name, &measured.sorted).map(Arc::new),
        }
    }

    fn shape(&self) -> Shape {
        match self {
            Distribution::Uniform => Shape::Uniform,
            Distribution::Normal => Shape::Normal,
            Distribution::Pareto => Shape::Pareto,
            Distribution::ParetoNormal => Shape::Mixed,
            Distribution::Table(table) => Shape::Steps(table.ranked()),
            Distribution::Measured(measured) => Shape::Measured(measured.clone()),
        }
    }
}

/// A distribution as the function that turns a rank (0 ‥ 1) into a value.
#[derive(Clone, Debug)]
enum Shape {
    Uniform,
    Normal,
    Pareto,
    Mixed,
    Steps(Arc<Ranked>),
    Measured(Arc<Measured>),
}

impl Shape {
    fn measured(nanos: &[u64]) -> Option<Shape> {
        let measured = Measured::new("", nanos.iter().copied().map(Duration::from_nanos))?;
        Some(Shape::Measured(Arc::new(measured)))
    }

    /// The value of rank `p`, which must lie strictly between 0 and 1: in jitters, and for measured delays in
    /// nanoseconds.
    fn quantile(&self, p: f64) -> f64 {
        match self {
            Shape::Uniform => 2.0 * p - 1.0,
            Shape::Normal => normal::quantile(p),
            Shape::Pareto => pareto(p),
            Shape::Mixed => mixed(p) * *MIXED_SCALE,
            Shape::Steps(ranked) => ranked.at(p),
            Shape::Measured(measured) => measured.quantile(p),
        }
    }

    /// How strongly the normal numbers beneath must be tied for values tied by `wanted`.
    fn tie(&self, wanted: f64) -> f64 {
        let f = |x| self.quantile(normal::below(x).clamp(LEAST, 1.0 - LEAST));
        match self {
            _ if wanted <= 0.0 => 0.0,
            Shape::Normal => wanted,
            Shape::Uniform => UNIFORM.get_or_init(|| Spectrum::of(f)).solve(wanted),
            Shape::Pareto => PARETO.get_or_init(|| Spectrum::of(f)).solve(wanted),
            Shape::Mixed => MIXED.get_or_init(|| Spectrum::of(f)).solve(wanted),
            Shape::Steps(ranked) => ranked.spectrum.get_or_init(|| Spectrum::of(f)).solve(wanted),
            Shape::Measured(measured) => measured.spectrum.get_or_init(|| Spectrum::of(f)).solve(wanted),
        }
    }

    fn mean(&self) -> f64 {
        self.average(|value| value)
    }

    fn deviation(&self, mean: f64) -> f64 {
        libm::sqrt(self.average(|value| (value - mean) * (value - mean)))
    }

    fn average(&self, of: impl Fn(f64) -> f64) -> f64 {
        let ranks = (0..RANKS).map(|i| (i as f64 + 0.5) / RANKS as f64);
        ranks.map(|p| of(self.quantile(p))).sum::<f64>() / RANKS as f64
    }
}

/// Delays being drawn: a mean, a jitter, a distribution, and a tie to the delay before (a first-order Gaussian
/// copula, so that both the distribution and the lag-1 correlation are what was asked for).
#[derive(Clone, Debug)]
pub(crate) struct Scatter {
    shape: Shape,
    chance: Chance,
    mean: f64,
    jitter: f64,
    tie: f64,
    free: f64,
    last: f64,
}

impl Scatter {
    pub(crate) fn new(mut chance: Chance) -> Scatter {
        let last = normal::quantile(chance.unit());
        Scatter { shape: Shape::Uniform, chance, mean: 0.0, jitter: 0.0, tie: 0.0, free: 1.0, last }
    }

    /// Draws otherwise from now on, without forgetting the last draw.
    pub(crate) fn change(&mut self, mean: u64, jitter: u64, tie: f64, distribution: &Distribution) {
        self.shape = distribution.shape();
        self.mean = mean as f64;
        self.jitter = if matches!(self.shape, Shape::Measured(_)) { 1.0 } else { jitter as f64 };
        self.tie = self.shape.tie(tie);
        self.free = libm::sqrt(1.0 - self.tie * self.tie);
    }

    /// The next delay in nanoseconds; what would be less than nothing is nothing.
    pub(crate) fn draw(&mut self) -> u64 {
        let value = if self.tie == 0.0 { self.shape.quantile(self.chance.unit()) } else { self.tied() };
        // A float cast saturates at both ends.
        (self.mean + self.jitter * value).round() as u64
    }

    fn tied(&mut self) -> f64 {
        self.last = self.tie * self.last + self.free * normal::quantile(self.chance.unit());
        match self.shape {
            Shape::Normal => self.last,
            _ => self.shape.quantile(normal::below(self.last).clamp(LEAST, 1.0 - LEAST)),
        }
    }
}

/// The Pareto value of rank `p`, with mean zero and deviation one.
fn pareto(p: f64) -> f64 {
    // With exponent 3 on 1 … b and c = 1 − b⁻³: mean 3/2 · (1 − b⁻²) / c, mean square 3 (1 − b⁻¹) / c.
    const KEPT: f64 = 1.0 - 1.0 / (CUT * CUT * CUT);
    const MEAN: f64 = 1.5 * (1.0 - 1.0 / (CUT * CUT)) / KEPT;
    const VARIANCE: f64 = 3.0 * (1.0 - 1.0 / CUT) / KEPT - MEAN * MEAN;
    (1.0 / libm::cbrt(1.0 - p * KEPT) - MEAN) / libm::sqrt(VARIANCE)
}

fn mixed(p: f64) -> f64 {
    0.25 * normal::quantile(p) + 0.75 * pareto(p)
}

/// Where the Pareto distribution ends, in its least value: one packet in a thousand would lie beyond.
const CUT: f64 = 10.0;
/// The rank closest to 0 and 1 that is drawn.
const LEAST: f64 = 1e-16;
const RANKS: usize = 65_536;

static TABLES: [OnceLock<Arc<Table>>; 3] = [const { OnceLock::new() }; 3];
static UNIFORM: OnceLock<Spectrum> = OnceLock::new();
static PARETO: OnceLock<Spectrum> = OnceLock::new();
static MIXED: OnceLock<Spectrum> = OnceLock::new();

/// What brings the mixture's deviation to one.
static MIXED_SCALE: LazyLock<f64> = LazyLock::new(|| {
    let ranks = (0..RANKS).map(|i| mixed((i as f64 + 0.5) / RANKS as f64));
    1.0 / libm::sqrt(ranks.map(|value| value * value).sum::<f64>() / RANKS as f64)
});

#[cfg(test)]
mod tests;
