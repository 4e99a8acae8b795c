//! Where a block comes from in the picture before, to half a sample.

use super::picture::Plane;

/// In halves of a sample, right and down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vector {
    pub x: i32,
    pub y: i32,
}

impl Vector {
    /// Nearer by as much as it leads out of the room around a plane.
    pub fn within(self, x: usize, y: usize, size: usize, width: usize, height: usize) -> Vector {
        let clamp = |v: i32, at: usize, side: usize| {
            v.clamp(-2 * (at as i32 + REACH), 2 * (side as i32 - at as i32 - size as i32 + REACH))
        };
        Vector { x: clamp(self.x, x, width), y: clamp(self.y, y, height) }
    }

    /// The same for planes of half the size.
    pub fn halved(self) -> Vector {
        let half = |v: i32| (v >> 1) | (v & 1);
        Vector { x: half(self.x), y: half(self.y) }
    }

    /// The middle one of three, of each component.
    pub fn median([a, b, c]: [Vector; 3]) -> Vector {
        let middle = |a: i32, b: i32, c: i32| a.max(b).min(a.min(b).max(c));
        Vector { x: middle(a.x, b.x, c.x), y: middle(a.y, b.y, c.y) }
    }
}

/// Samples beyond the edge that a block may come from: less than the room, since filters reach further.
const REACH: i32 = 16;

/// Predicts `size` by `size` samples at a place into `out`, whose rows are `width` long.
pub fn predict(from: &Plane, x: usize, y: usize, vector: Vector, size: usize, out: &mut [u8], width: usize) {
    let (half_x, half_y) = (vector.x & 1 == 1, vector.y & 1 == 1);
    let at = from.at(x as isize + (vector.x >> 1) as isize, y as isize + (vector.y >> 1) as isize);
    let stride = from.stride;
    let between = |data: &[u8], at: usize, by: usize| {
        let [a, b, c, d] = [data[at - by], data[at], data[at + by], data[at + 2 * by]].map(i32::from);
        ((9 * (b + c) - a - d + 8) >> 4).clamp(0, 255) as u8
    };
    for row in 0..size {
        let (at, out) = (at + row * stride, &mut out[row * width..row * width + size]);
        match (half_x, half_y) {
            (false, false) => out.copy_from_slice(&from.data[at..at + size]),
            (true, false) => {
                out.iter_mut().enumerate().for_each(|(i, out)| *out = between(&from.data, at + i, 1))
            }
            (false, true) => {
                out.iter_mut().enumerate().for_each(|(i, out)| *out = between(&from.data, at + i, stride))
            }
            (true, true) => {
                for (i, out) in out.iter_mut().enumerate() {
                    let at = at + i - stride;
                    let column = [0, 1, 2, 3].map(|row| between(&from.data, at + row * stride, 1));
                    *out = between(&column, 1, 1);
                }
            }
        }
    }
}

/// The sum of differences between a block and where a vector of whole samples leads.
pub fn difference(block: &Plane, from: &Plane, x: usize, y: usize, vector: Vector, size: usize) -> u32 {
    let mut sum = 0;
    let a = block.at(x as isize, y as isize);
    let b = from.at(x as isize + (vector.x >> 1) as isize, y as isize + (vector.y >> 1) as isize);
    for row in 0..size {
        let a = &block.data[a + row * block.stride..][..size];
        let b = &from.data[b + row * from.stride..][..size];
        sum += a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>();
    }
    sum
}
