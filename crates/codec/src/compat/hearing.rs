//! The threshold of hearing, and the quantization steps that the seminar derives from it.

/// How many decibels a tone of `hertz` needs to be heard in silence (Terhardt's approximation).
pub fn threshold(hertz: f64) -> f64 {
    let k = hertz / 1_000.0;
    3.64 * k.powf(-0.8) - 6.5 * (-0.6 * (k - 3.3) * (k - 3.3)).exp() + 1e-3 * k.powi(4)
}

/// The step of each of `bands` equally wide bands below half of `rate`, for the step `q`: the mean threshold of the band
/// in whole decibels above the lowest, added to 2q + 1.
pub fn steps(rate: u32, bands: usize, q: u32) -> Vec<u32> {
    let width = f64::from(rate / 2) / bands as f64;
    let mean = |band: usize| {
        let (start, end) = (band as f64 * width, (band + 1) as f64 * width);
        // numpy's linspace with as many points as the band has whole hertz, each moved by one
        let points = ((end - start) as usize).max(2);
        let stride = (end - start) / (points - 1) as f64;
        let sum: f64 = (0..points).map(|i| threshold(start + i as f64 * stride + 1.0)).sum();
        (sum / points as f64) as i64
    };
    let means: Vec<i64> = (0..bands).map(mean).collect();
    let lowest = means.iter().copied().min().unwrap_or(0).abs();
    let steps: Vec<i64> = means.iter().map(|mean| (mean + lowest + i64::from(q)).max(1)).collect();
    let least = steps.iter().copied().min().unwrap_or(1);
    steps.iter().map(|step| (step + least + 1).clamp(1, 32_767) as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_128_are_the_seminars() {
        let steps = steps(44_100, 64, 128);
        assert_eq!(&steps[..12], [291, 267, 264, 263, 262, 261, 260, 258, 257, 257, 257, 258]);
        assert_eq!(&steps[60..], [450, 462, 476, 490]);
    }
}
