//! The transform of eight by eight samples, in integers; and the quantizer.

/// Rows of the cosine transform, 64 · √8 times as long as orthonormal ones (those of ITU-T H.265, 8.6.4.2).
const ROWS: [[i32; 8]; 8] = [
    [64, 64, 64, 64, 64, 64, 64, 64],
    [89, 75, 50, 18, -18, -50, -75, -89],
    [83, 36, -36, -83, -83, -36, 36, 83],
    [75, -18, -89, -50, 50, 89, 18, -75],
    [64, -64, -64, 64, 64, -64, -64, 64],
    [50, -89, 18, 75, -75, -18, 89, -50],
    [36, -83, 83, -36, -36, 83, -83, 36],
    [18, -50, 75, -89, 89, -75, 50, -18],
];

/// Coefficients of residues, row by row, sixteen times the orthonormal ones.
pub fn forward(residues: &[i32; 64]) -> [i32; 64] {
    let mut half = [0; 64];
    for (row, out) in residues.as_chunks::<8>().0.iter().zip(half.as_chunks_mut::<8>().0) {
        for (out, basis) in out.iter_mut().zip(&ROWS) {
            *out = (row.iter().zip(basis).map(|(x, b)| x * b).sum::<i32>() + 2) >> 2;
        }
    }
    let mut out = [0; 64];
    for (v, basis) in ROWS.iter().enumerate() {
        for u in 0..8 {
            let sum: i32 = (0..8).map(|y| half[8 * y + u] * basis[y]).sum();
            out[8 * v + u] = (sum + 256) >> 9;
        }
    }
    out
}

/// Residues of coefficients, within 16 bits.
pub fn inverse(coefficients: &[i32; 64]) -> [i32; 64] {
    let mut half = [0; 64];
    for y in 0..8 {
        let mut sums = [0; 8];
        for (v, basis) in ROWS.iter().enumerate() {
            for (sum, x) in sums.iter_mut().zip(&coefficients[8 * v..8 * v + 8]) {
                *sum += x * basis[y];
            }
        }
        for (half, sum) in half[8 * y..8 * y + 8].iter_mut().zip(sums) {
            *half = ((sum + 64) >> 7).clamp(-32_768, 32_767);
        }
    }
    let mut out = [0; 64];
    for (row, out) in half.as_chunks::<8>().0.iter().zip(out.as_chunks_mut::<8>().0) {
        for (x, out) in out.iter_mut().enumerate() {
            let sum: i32 = row.iter().zip(&ROWS).map(|(c, basis)| c * basis[x]).sum();
            *out = (sum + 2_048) >> 12;
        }
    }
    out
}

/// The step of a code, sixteen times; six codes double it, the first is two thirds of a sample's.
pub fn step(code: u8) -> i32 {
    const SIXTHS: [i32; 6] = [40, 45, 50, 57, 64, 72];
    (SIXTHS[usize::from(code) % 6] << (code / 6).min(12)) / 4
}

/// The coarsest.
pub const LAST: u8 = 51;

/// What an integer stands for.
pub fn rebuild(level: i32, step: i32) -> i32 {
    (level * step).clamp(-32_768, 32_767)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_are_those_of_the_definition_and_come_back() {
        let residues: [i32; 64] = std::array::from_fn(|i| (i * i * 37 % 511) as i32 - 255);
        let ours = forward(&residues);
        for v in 0..8 {
            for u in 0..8 {
                let angle =
                    |x: usize, u: usize| (std::f64::consts::PI / 8.0 * (x as f64 + 0.5) * u as f64).cos();
                let norm = |u: usize| if u == 0 { 0.125_f64.sqrt() } else { 0.5 };
                let sum: f64 =
                    (0..64).map(|i| f64::from(residues[i]) * angle(i % 8, u) * angle(i / 8, v)).sum();
                let truth = 16.0 * sum * norm(u) * norm(v);
                assert!(
                    (f64::from(ours[8 * v + u]) - truth).abs() < 150.0,
                    "{u} {v}: {} {truth}",
                    ours[8 * v + u]
                );
            }
        }
        let back = inverse(&ours);
        assert!(residues.iter().zip(back).all(|(a, b)| (a - b).abs() <= 2));
        // the worst that a packet can say
        let _ = inverse(&[32_767; 64]);
        let _ = inverse(&std::array::from_fn(|i| if i % 2 == 0 { -32_768 } else { 32_767 }));
    }
}
