use super::*;

const SAMPLES: usize = 1_000_000;
const MEAN: u64 = 200_000_000;
const JITTER: u64 = 10_000_000;

fn draw(distribution: &Distribution, tie: f64) -> Vec<f64> {
    let mut scatter = Scatter::new(Chance::new(11, 3));
    scatter.change(MEAN, JITTER, tie, distribution);
    (0..SAMPLES).map(|_| (scatter.draw() as f64 - MEAN as f64) / JITTER as f64).collect()
}

/// The largest distance between the share of `drawn` below a value and what `below` says it should be.
fn kolmogorov_smirnov(drawn: &[f64], below: impl Fn(f64) -> f64) -> f64 {
    let mut sorted = drawn.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let off = |(i, x): (usize, &f64)| {
        let expected = below(*x);
        (expected - i as f64 / n).abs().max(((i + 1) as f64 / n - expected).abs())
    };
    sorted.iter().enumerate().map(off).fold(0.0, f64::max)
}

fn moments(drawn: &[f64]) -> (f64, f64, f64) {
    let n = drawn.len() as f64;
    let mean = drawn.iter().sum::<f64>() / n;
    let variance = drawn.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
    let beside = drawn.windows(2).map(|w| (w[0] - mean) * (w[1] - mean)).sum::<f64>() / (n - 1.0);
    (mean, variance.sqrt(), beside / variance)
}

// Distribution functions written down apart from the quantiles under test.

fn uniform_below(x: f64) -> f64 {
    ((x + 1.0) / 2.0).clamp(0.0, 1.0)
}

/// By Simpson's rule over the density.
fn normal_below(x: f64) -> f64 {
    let (from, steps) = (-9.0, 400);
    let x = x.clamp(from, 9.0);
    let h = (x - from) / f64::from(steps);
    let density = |t: f64| (-0.5 * t * t).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let weight = |i: i32| if i == 0 || i == steps { 1.0 } else { 2.0 + 2.0 * f64::from(i % 2) };
    (0..=steps).map(|i| weight(i) * density(from + h * f64::from(i))).sum::<f64>() * h / 3.0
}

fn pareto_below(z: f64) -> f64 {
    let (mean, deviation) = (1.5 * 0.99 / 0.999, (2.7f64 / 0.999 - (1.5f64 * 0.99 / 0.999).powi(2)).sqrt());
    let x = (mean + deviation * z).clamp(1.0, 10.0);
    (1.0 - x.powi(-3)) / 0.999
}

/// The rank whose quarter normal and three quarters Pareto make `x`, by bisection over the two functions above.
fn mixed_below(x: f64) -> f64 {
    let invert = |below: &dyn Fn(f64) -> f64, p: f64, mut low: f64, mut high: f64| {
        for _ in 0..50 {
            let middle = 0.5 * (low + high);
            if below(middle) < p { low = middle } else { high = middle }
        }
        low
    };
    let value =
        |p: f64| 0.25 * invert(&normal_below, p, -9.0, 9.0) + 0.75 * invert(&pareto_below, p, -1.0, 13.0);
    invert(&|p: f64| value(p) * *MIXED_SCALE, x, 0.0, 1.0)
}

#[test]
fn uniform_delays_are_uniform() {
    assert!(kolmogorov_smirnov(&draw(&Distribution::Uniform, 0.0), uniform_below) < 0.005);
}

#[test]
fn normal_delays_are_normal() {
    assert!(kolmogorov_smirnov(&draw(&Distribution::Normal, 0.0), normal_below) < 0.005);
}

#[test]
fn pareto_delays_follow_pareto() {
    assert!(kolmogorov_smirnov(&draw(&Distribution::Pareto, 0.0), pareto_below) < 0.005);
}

#[test]
fn paretonormal_delays_follow_their_mixture() {
    let mut drawn = draw(&Distribution::ParetoNormal, 0.0);
    drawn.sort_unstable_by(f64::total_cmp);
    // Its distribution function costs a bisection of bisections: asked at 400 points.
    for (i, x) in drawn.iter().enumerate().step_by(SAMPLES / 400) {
        let share = i as f64 / SAMPLES as f64;
        assert!((mixed_below(*x) - share).abs() < 0.005, "at {x}: {share}");
    }
}

#[test]
fn the_jitter_is_the_deviation_and_the_delay_the_mean() {
    for distribution in [Distribution::Normal, Distribution::Pareto, Distribution::ParetoNormal] {
        let (mean, deviation, _) = moments(&draw(&distribution, 0.0));
        assert!(mean.abs() < 0.005, "{distribution:?} mean {mean}");
        assert!((deviation - 1.0).abs() < 0.01, "{distribution:?} deviation {deviation}");
    }
}

#[test]
fn tied_delays_keep_their_distribution_and_have_the_correlation_asked_for() {
    let table = Distribution::Table(Distribution::Pareto.table().unwrap());
    let measured = measured((0..5_000u64).map(|i| i * i % 7_919 * 1_000));
    for distribution in [
        Distribution::Uniform,
        Distribution::Normal,
        Distribution::Pareto,
        Distribution::ParetoNormal,
        table,
        measured,
    ] {
        for wanted in [0.25, 0.5, 0.9] {
            let drawn = draw(&distribution, wanted);
            let (_, _, tie) = moments(&drawn);
            assert!((tie - wanted).abs() < 0.01, "{} {wanted}: {tie}", distribution.name());
        }
    }
    for (distribution, below) in [
        (Distribution::Uniform, uniform_below as fn(f64) -> f64),
        (Distribution::Normal, normal_below),
        (Distribution::Pareto, pareto_below),
    ] {
        let off = kolmogorov_smirnov(&draw(&distribution, 0.5), below);
        assert!(off < 0.005, "{} {off}", distribution.name());
    }
}

fn measured(nanos: impl Iterator<Item = u64>) -> Distribution {
    Distribution::Measured(Arc::new(Measured::new("m", nanos.map(Duration::from_nanos)).unwrap()))
}

#[test]
fn measured_delays_come_back_as_they_were() {
    // Two humps: 1 ms ± 0.1 and 9 ms ± 1.
    let original: Vec<u64> =
        (0..2_000).map(|i| if i % 4 == 0 { 8_000_000 + i * 1_000 } else { 900_000 + i * 100 }).collect();
    let mut scatter = Scatter::new(Chance::new(1, 1));
    scatter.change(0, 0, 0.0, &measured(original.iter().copied()));
    let drawn: Vec<f64> = (0..SAMPLES).map(|_| scatter.draw() as f64).collect();
    let mut sorted = original.clone();
    sorted.sort_unstable();
    let below = |x: f64| sorted.partition_point(|s| (*s as f64) <= x) as f64 / sorted.len() as f64;
    assert!(kolmogorov_smirnov(&drawn, below) < 0.005);
}

#[test]
fn a_table_of_measured_delays_has_their_shape() {
    let nanos: Vec<u64> = (0..10_000).map(|i| 5_000_000 + i * 100).collect();
    let table = Table::fit("flat", &nanos).unwrap();
    let ends = (table.entries()[0], table.entries()[4095]);
    // A uniform distribution reaches √3 deviations.
    assert!((f64::from(ends.1) / SCALE - 3f64.sqrt()).abs() < 0.01 && ends.0 == -ends.1, "{ends:?}");
    assert_eq!(Table::fit("one", &[7]), None);
}

#[test]
fn tables_read_back_and_bad_ones_name_the_line() {
    let table = Distribution::Normal.table().unwrap();
    assert_eq!(Table::parse("normal", &table.to_text()).unwrap(), *table);
    assert_eq!(table.entries().len(), 4096);
    assert!((f64::from(table.entries()[4095]) / SCALE - 3.67).abs() < 0.01);
    let wrong = TableError::Number { line: 2, word: "40000".into() };
    assert_eq!(Table::parse("x", "1 2 # 99999\n40000"), Err(wrong));
    assert_eq!(Table::parse("x", "# nothing"), Err(TableError::Empty));
    assert_eq!(Table::parse("x", &"1 ".repeat(16_385)), Err(TableError::TooLong));
}

#[test]
fn delays_below_nothing_are_nothing() {
    let mut scatter = Scatter::new(Chance::new(2, 2));
    scatter.change(100, 100, 0.25, &Distribution::Normal);
    let none = (0..100_000).filter(|_| scatter.draw() == 0).count() as f64 / 100_000.0;
    // Φ(−1), plus what rounds to zero.
    assert!((none - 0.159).abs() < 0.01, "{none}");
}
