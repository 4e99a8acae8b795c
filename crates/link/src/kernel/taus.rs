//! The generator behind netem's `seed`: L'Ecuyer's combined Tausworthe generator of period 2^113.

// P. L'Ecuyer, "Tables of maximally equidistributed combined LFSR generators", Mathematics of Computation 68 (1999).
#[derive(Clone, Debug)]
pub(super) struct Taus([u32; 4]);

impl Taus {
    /// As the kernel seeds it from the 64 bits of `seed N`.
    pub(super) fn seeded(seed: u64) -> Taus {
        let mixed = ((seed >> 32) ^ (seed << 10) ^ seed) as u32;
        // Each part needs a seed not below the number of bits that it masks.
        Taus([2, 8, 16, 128].map(|least| if mixed < least { mixed.wrapping_add(least) } else { mixed }))
    }

    pub(super) fn next(&mut self) -> u32 {
        for (part, [a, b, c, mask]) in self.0.iter_mut().zip(PARTS) {
            let fed = ((*part << a) ^ *part) >> b;
            *part = ((*part & mask) << c) ^ fed;
        }
        self.0.iter().fold(0, |sum, part| sum ^ part)
    }
}

const PARTS: [[u32; 4]; 4] =
    [[6, 13, 18, 0xffff_fffe], [2, 27, 2, 0xffff_fff8], [13, 21, 7, 0xffff_fff0], [3, 12, 13, 0xffff_ff80]];
