//! The stereo image: the turn of left and right that puts most of a sound into the first channel, everywhere or by ranges.

use crate::entropy::Coder;

/// Angles in 64ths of half a turn: one, or one each for [`RANGES`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Image {
    angles: [u8; RANGES],
    varied: bool,
}

/// Ranges of bands that may be turned by angles of their own.
const RANGES: usize = 4;

/// Where the ranges end, in hertz at 44,100 frames a second.
const ENDS: [f32; RANGES] = [630.0, 1_850.0, 4_900.0, 30_000.0];

/// Powers and what both channels have in common.
#[derive(Clone, Copy, Default)]
struct Moments {
    left: f64,
    right: f64,
    both: f64,
    count: f64,
}

impl Image {
    /// The image that makes coefficients cheapest.
    pub fn of(bins: &[Vec<f32>; 2], edges: &[usize]) -> Image {
        let mut ranges = [Moments::default(); RANGES];
        for edge in edges.windows(2) {
            let moments = &mut ranges[range_of(edge[0], bins[0].len())];
            for (l, r) in bins[0][edge[0]..edge[1]].iter().zip(&bins[1][edge[0]..edge[1]]) {
                let (l, r) = (f64::from(*l), f64::from(*r));
                moments.left += l * l;
                moments.right += r * r;
                moments.both += l * r;
                moments.count += 1.0;
            }
        }
        let whole = ranges.iter().fold(Moments::default(), |a, b| Moments {
            left: a.left + b.left,
            right: a.right + b.right,
            both: a.both + b.both,
            count: a.count + b.count,
        });
        let one = whole.angle();
        let own = ranges.map(Moments::angle);
        let bits = |angles: [u8; RANGES]| {
            ranges.iter().zip(angles).map(|(range, angle)| range.bits(angle)).sum::<f64>()
        };
        let varied = bits(own) + 30.0 < bits([one; RANGES]);
        Image { angles: if varied { own } else { [one; RANGES] }, varied }
    }

    /// Turns left and right, or with `way` -1 back.
    pub fn turn(&self, bins: &mut [Vec<f32>; 2], edges: &[usize], way: f32) {
        let frames = bins[0].len();
        let [first, second] = bins;
        for edge in edges.windows(2) {
            let angle = self.angles[range_of(edge[0], frames)];
            let (sin, cos) = (way * f32::from(angle) * TURN).sin_cos();
            for (a, b) in first[edge[0]..edge[1]].iter_mut().zip(&mut second[edge[0]..edge[1]]) {
                (*a, *b) = (cos * *a + sin * *b, cos * *b - sin * *a);
            }
        }
    }

    /// Says or finds it.
    pub fn code(&mut self, coder: &mut impl Coder) {
        self.angles[0] = coder.raw(self.angles[0].into(), 6) as u8;
        self.varied = coder.code(self.varied, 20_000);
        for range in 1..RANGES {
            self.angles[range] =
                if self.varied { coder.raw(self.angles[range].into(), 6) as u8 } else { self.angles[0] };
        }
    }
}

impl Moments {
    fn angle(self) -> u8 {
        let turn = 0.5 * (2.0 * self.both).atan2(self.left - self.right + 1e-6); // -π/2 to π/2
        ((turn / f64::from(TURN)).round() as i32).rem_euclid(64) as u8
    }

    /// About how many bits its coefficients take when turned so.
    fn bits(self, angle: u8) -> f64 {
        let (sin, cos) = (f64::from(angle) * f64::from(TURN)).sin_cos();
        let first = cos * cos * self.left + sin * sin * self.right + 2.0 * sin * cos * self.both;
        let second = self.left + self.right - first;
        let floor = 30.0 * self.count + 1e-6;
        0.25 * self.count * ((first.max(0.0) + floor).log2() + (second.max(0.0) + floor).log2())
    }
}

fn range_of(bin: usize, frames: usize) -> usize {
    let hertz = (bin as f32 + 0.5) * 22_050.0 / frames as f32;
    ENDS.iter().position(|end| hertz < *end).unwrap_or(RANGES - 1)
}

const TURN: f32 = std::f32::consts::PI / 64.0;
