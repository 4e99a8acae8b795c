//! Dead-zone quantization with one step for all coefficients, or one for each band of hearing.

/// How a decoder fills the bins of the quantizer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rebuild {
    /// A little inside the bin, where coefficients lie: 1 to 3 dB better from the same bytes, and rounded.
    #[default]
    Centre,
    /// At the bin's inner edge, truncated, as the Python programs do it.
    Edge,
}

/// Where in a bin a decoder puts a coefficient, as a share of the step: densities fall towards larger values, so somewhat
/// before the middle (0.38 to 0.42 are alike on music, speech and noise).
const CENTRE: f64 = 0.4;

/// The integer that stands for `x`, truncated towards zero. (For whole steps it is that of `x` truncated: no quotient of two floats
/// is rounded up to an integer that it does not reach.)
#[inline(always)]
pub fn quantize(x: f64, step: f64) -> i32 {
    whole(x / step)
}

/// Truncated towards zero, and no more than 2^30 from it. It is what `as` does, but several at once: adding 2^52 leaves no room for what is
/// behind the point.
#[inline(always)]
pub fn whole(x: f64) -> i32 {
    let size = x.abs().min(MOST);
    let near = size + POINTLESS - POINTLESS;
    let cut = if near > size { near - 1.0 } else { near };
    let size = (cut + POINTLESS).to_bits() as i32;
    if x < 0.0 { -size } else { size }
}

const MOST: f64 = (1 << 30) as f64;
const POINTLESS: f64 = (1_u64 << 52) as f64;

/// What `k` stands for.
pub fn rebuild(k: i32, step: f64, how: Rebuild) -> f64 {
    let edge = f64::from(k) * step;
    match how {
        Rebuild::Edge => edge,
        // an integer of step 1 is exact
        Rebuild::Centre => edge + f64::from(k.signum()) * CENTRE * (step - 1.0).max(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wholes_are_what_a_cast_makes_of_them() {
        let mut state = 1_u32;
        for case in 0..200_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let exact = f64::from(state as i32 >> (case % 24));
            for x in [exact, exact / 128.0, exact.next_up(), exact.next_down(), exact + 0.5] {
                let x = x.clamp(-MOST, MOST);
                assert_eq!(whole(x), x as i32, "{x}");
                let step = f64::from(1 + case % 700);
                assert_eq!(quantize(x, step), (f64::from(x as i32) / step) as i32, "{x} / {step}");
            }
        }
        for x in [0.0, -0.0, 0.5, 1.0_f64.next_down(), -1.0, 1e300, f64::NEG_INFINITY] {
            assert_eq!(whole(x), x.clamp(-MOST, MOST) as i32, "{x}");
        }
    }
}
