//! A spectrum as a line of bars.

/// How loud a block is in 32 bands of equal width in octaves, from 40 Hz up, in steps of 6 dB.
pub fn bars(block: &[i16], channels: usize, rate: u32) -> String {
    let mono: Vec<f64> = block
        .chunks_exact(channels.max(1))
        .map(|frame| frame.iter().map(|x| f64::from(*x)).sum::<f64>() / channels as f64)
        .collect();
    let bar = |band: u32| {
        let hertz = 40.0 * (f64::from(rate) / 2.0 / 40.0).powf(f64::from(band) / 32.0);
        let level = power(&mono, hertz / f64::from(rate)).sqrt() / (mono.len().max(1) as f64 / 2.0);
        let step = ((20.0 * level.max(1e-9).log10() - 30.0) / 7.0).clamp(0.0, 8.0) as usize;
        [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'][step]
    };
    (0..32).map(bar).collect()
}

/// The power at one frequency, in turns a frame, under a Hann window.
fn power(signal: &[f64], turns: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, x) in signal.iter().enumerate() {
        let window = 1.0 - (std::f64::consts::TAU * n as f64 / signal.len() as f64).cos();
        let (sin, cos) = (std::f64::consts::TAU * turns * n as f64).sin_cos();
        re += window * x * cos;
        im += window * x * sin;
    }
    re * re + im * im
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_one_peak() {
        let block: Vec<i16> = (0..1024)
            .map(|n| (8_000.0 * (std::f64::consts::TAU * f64::from(n) / 44.1).sin()) as i16)
            .collect();
        let bars: Vec<char> = bars(&block, 1, 44_100).chars().collect();
        let peak = bars.iter().enumerate().max_by_key(|(_, bar)| **bar).map(|(band, _)| band);
        assert!(peak.is_some_and(|band| (15..=17).contains(&band)), "{bars:?}");
    }
}
