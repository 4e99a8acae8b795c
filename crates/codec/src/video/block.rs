//! Macroblocks: what is told of each, and how it is drawn.

use super::dct;
use super::model::{Flag, Model};
use super::motion::{Vector, predict};
use super::picture::{Picture, Plane};
use crate::entropy::Coder;

/// What is told of a macroblock of sixteen by sixteen samples.
#[derive(Clone, Copy, Debug)]
pub struct Macroblock {
    /// Which slice it came in; neighbours of other slices are not looked at.
    pub slice: u32,
    pub skipped: bool,
    pub intra: bool,
    pub split: bool,
    /// Of its quarters.
    pub vectors: [Vector; 4],
    /// How its quarters, and its colours, are predicted within the picture.
    pub modes: [u8; 5],
    /// Which of its six blocks have levels.
    pub coded: [bool; 6],
}

impl Macroblock {
    pub const NONE: Macroblock = Macroblock {
        slice: u32::MAX,
        skipped: false,
        intra: false,
        split: false,
        vectors: [Vector { x: 0, y: 0 }; 4],
        modes: [0; 5],
        coded: [false; 6],
    };
}

/// The levels of its six blocks.
pub type Levels = [[i32; 64]; 6];

/// A picture at work: the one before, this one, and what was told of it.
#[derive(Clone, Debug)]
pub struct Canvas {
    pub columns: usize,
    pub before: [Plane; 3],
    pub here: [Plane; 3],
    pub told: Vec<Macroblock>,
}

impl Canvas {
    pub fn new(width: usize, height: usize) -> Canvas {
        let (columns, rows) = (width.div_ceil(16), height.div_ceil(16));
        let planes = || [(16, 16), (8, 8), (8, 8)].map(|(x, y)| Plane::new(columns * x, rows * y));
        Canvas { columns, before: planes(), here: planes(), told: vec![Macroblock::NONE; columns * rows] }
    }

    /// Begins the next picture: what is not drawn stays as it was.
    pub fn next(&mut self) {
        for (before, here) in self.before.iter_mut().zip(&mut self.here) {
            here.pad();
            before.data.copy_from_slice(&here.data);
        }
        self.told.fill(Macroblock::NONE);
    }

    /// This picture as others know it.
    pub fn store(&self, picture: &mut Picture) {
        let width = picture.width;
        for (which, (plane, samples)) in self.here.iter().zip(&mut picture.planes).enumerate() {
            plane.store(samples, if which == 0 { width } else { width / 2 });
        }
    }

    /// The one to the left and the one above, if they are of the same slice.
    pub fn neighbours(&self, at: usize, slice: u32) -> [Option<&Macroblock>; 2] {
        let same = |at: Option<usize>| at.and_then(|at| self.told.get(at)).filter(|told| told.slice == slice);
        let left = if !at.is_multiple_of(self.columns) { at.checked_sub(1) } else { None };
        [same(left), same(at.checked_sub(self.columns))]
    }

    /// The vector that a macroblock is likely to have.
    pub fn likely(&self, at: usize, slice: u32) -> Vector {
        let [left, above] = self.neighbours(at, slice);
        let right =
            if at % self.columns + 1 < self.columns { at.checked_sub(self.columns - 1) } else { None };
        let right = right.and_then(|at| self.told.get(at)).filter(|told| told.slice == slice);
        let vector = |told: Option<&Macroblock>, quarter: usize| told.map(|told| told.vectors[quarter]);
        match (vector(left, 1), vector(above, 2), vector(right, 2)) {
            (Some(only), None, None) | (None, Some(only), None) => only,
            (a, b, c) => Vector::median([a, b, c].map(Option::unwrap_or_default)),
        }
    }

    /// Where a quarter or a colour's block lies: its plane, its place in it.
    pub fn place(&self, at: usize, block: usize) -> (usize, usize, usize) {
        let (column, row) = (at % self.columns, at / self.columns);
        match block {
            0..4 => (0, 16 * column + 8 * (block % 2), 16 * row + 8 * (block / 2)),
            _ => (block - 3, 8 * column, 8 * row),
        }
    }

    /// Says or finds a macroblock.
    pub fn code(
        &self,
        coder: &mut impl Coder,
        model: &mut Model,
        at: usize,
        key: bool,
        told: &mut Macroblock,
        levels: &mut Levels,
    ) {
        let [left, above] = self.neighbours(at, told.slice);
        let count = |what: fn(&Macroblock) -> bool| {
            usize::from(left.is_some_and(what)) + usize::from(above.is_some_and(what))
        };
        let likely = self.likely(at, told.slice);
        told.skipped = !key && model.flag(coder, Flag::Skipped, count(|told| told.skipped), told.skipped);
        if told.skipped {
            (told.intra, told.split, told.coded) = (false, false, [false; 6]);
            told.vectors = [self.clamp(likely, at, 0, 16); 4];
            return;
        }
        told.intra = key || model.flag(coder, Flag::Intra, count(|told| told.intra), told.intra);
        if told.intra {
            told.vectors = [Vector::default(); 4];
            let mut before = left.map_or(0, |told| told.modes[1]);
            for mode in &mut told.modes {
                *mode = model.mode(coder, before, *mode);
                before = *mode;
            }
        } else {
            told.split = model.flag(coder, Flag::Split, count(|told| told.split), told.split);
            let mut likely = likely;
            for quarter in 0..if told.split { 4 } else { 1 } {
                let vector = &mut told.vectors[quarter];
                let x = model.vector(coder, 0, vector.x - likely.x);
                let y = model.vector(coder, 1, vector.y - likely.y);
                let size = if told.split { 8 } else { 16 };
                *vector = self.clamp(Vector { x: likely.x + x, y: likely.y + y }, at, quarter, size);
                likely = *vector;
            }
            if !told.split {
                told.vectors = [told.vectors[0]; 4];
            }
        }
        for (block, levels) in levels.iter_mut().enumerate() {
            let kind = usize::from(block > 3) * 2 + usize::from(told.intra);
            // within the macroblock where it can be, else in its neighbours
            let beside = |told: Option<&Macroblock>, block: usize| told.is_some_and(|told| told.coded[block]);
            let nearby = match block {
                0 => usize::from(beside(left, 1)) + usize::from(beside(above, 2)),
                1 => usize::from(told.coded[0]) + usize::from(beside(above, 3)),
                2 => usize::from(beside(left, 3)) + usize::from(told.coded[0]),
                3 => usize::from(told.coded[2]) + usize::from(told.coded[1]),
                _ => {
                    let lumas = told.coded[..4].iter().filter(|coded| **coded).count();
                    usize::from(beside(left, block))
                        + usize::from(beside(above, block))
                        + if lumas > 1 { 3 } else { 0 }
                }
            };
            told.coded[block] = model.block(coder, kind, nearby, levels);
        }
    }

    fn clamp(&self, vector: Vector, at: usize, quarter: usize, size: usize) -> Vector {
        let (_, x, y) = self.place(at, quarter);
        vector.within(x, y, size, self.here[0].width, self.here[0].height)
    }

    /// Eight by eight samples of what a block is predicted as.
    pub fn predicted(&self, at: usize, block: usize, told: &Macroblock) -> [u8; 64] {
        let (plane, x, y) = self.place(at, block);
        let mut out = [0; 64];
        if told.intra {
            out = self.within(at, block, told);
        } else if block < 4 {
            predict(&self.before[0], x, y, told.vectors[block], 8, &mut out, 8);
        } else {
            let sum = told.vectors.iter().fold([0, 0], |sum, v| [sum[0] + v.x, sum[1] + v.y]);
            let mean = Vector { x: (sum[0] + 2) >> 2, y: (sum[1] + 2) >> 2 }.halved();
            let (width, height) = (self.here[plane].width, self.here[plane].height);
            predict(&self.before[plane], x, y, mean.within(x, y, 8, width, height), 8, &mut out, 8);
        }
        out
    }

    /// From the samples above and to the left that are drawn already.
    fn within(&self, at: usize, block: usize, told: &Macroblock) -> [u8; 64] {
        let (plane, x, y) = self.place(at, block);
        let [left, above] = self.neighbours(at, told.slice);
        let inside = |has: bool| block < 4 && has;
        let has_left = inside(block % 2 == 1) || left.is_some();
        let has_above = inside(block / 2 == 1) || above.is_some();
        let from = &self.here[plane];
        let sample = |dx: isize, dy: isize| from.data[from.at(x as isize + dx, y as isize + dy)];
        let top: [u8; 8] = std::array::from_fn(|i| if has_above { sample(i as isize, -1) } else { 128 });
        let side: [u8; 8] = std::array::from_fn(|i| if has_left { sample(-1, i as isize) } else { 128 });
        let mean = |a: &[u8; 8]| a.iter().map(|x| i32::from(*x)).sum::<i32>();
        let flat = match (has_left, has_above) {
            (true, true) => (mean(&top) + mean(&side) + 8) >> 4,
            (true, false) => (mean(&side) + 4) >> 3,
            (false, true) => (mean(&top) + 4) >> 3,
            _ => 128,
        };
        let corner = if has_left && has_above { sample(-1, -1) } else { 128 };
        let mode = told.modes[block.min(4)];
        std::array::from_fn(|i| {
            let (top, side) = (i32::from(top[i % 8]), i32::from(side[i / 8]));
            let sample = match mode {
                0 => flat,
                1 => top,
                2 => side,
                _ => top + side - i32::from(corner),
            };
            sample.clamp(0, 255) as u8
        })
    }

    /// Draws a block: what it is predicted as, and what its levels add.
    pub fn draw(
        &mut self,
        at: usize,
        block: usize,
        predicted: &[u8; 64],
        levels: Option<&[i32; 64]>,
        step: i32,
    ) {
        let (plane, x, y) = self.place(at, block);
        let residues = levels.map(|levels| dct::inverse(&levels.map(|level| dct::rebuild(level, step))));
        let to = &mut self.here[plane];
        for row in 0..8 {
            let begin = to.at(x as isize, (y + row) as isize);
            for (i, sample) in to.data[begin..begin + 8].iter_mut().enumerate() {
                let i = 8 * row + i;
                let more = residues.as_ref().map_or(0, |residues| residues[i]);
                *sample = (i32::from(predicted[i]) + more).clamp(0, 255) as u8;
            }
        }
    }

    /// Smooths edges between blocks where something was told, more the coarser the step.
    pub fn smooth(&mut self, step: i32) {
        for at in 0..self.told.len() {
            let told = self.told[at];
            if told.slice == u32::MAX || told.skipped {
                continue;
            }
            for block in 0..6 {
                let (plane, x, y) = self.place(at, block);
                if !told.coded[block] && !told.intra && !told.split {
                    continue;
                }
                let strength = if told.intra { step / 24 } else { step / 40 };
                let plane = &mut self.here[plane];
                if x > 0 {
                    (0..8).for_each(|i| edge(plane, x as isize, (y + i) as isize, 1, strength));
                }
                if y > 0 {
                    let stride = plane.stride;
                    (0..8).for_each(|i| edge(plane, (x + i) as isize, y as isize, stride, strength));
                }
            }
        }
    }
}

/// Moves the two samples at an edge towards each other, by no more than `most`, unless the edge is one of the picture.
fn edge(plane: &mut Plane, x: isize, y: isize, by: usize, most: i32) {
    let at = plane.at(x, y);
    let [a, b, c, d] = [at - 2 * by, at - by, at, at + by].map(|at| i32::from(plane.data[at]));
    let gap = c - b;
    if gap.abs() > 4 * most + 2 || (b - a).abs() > 2 * most + 1 || (d - c).abs() > 2 * most + 1 {
        return;
    }
    let move_ = ((3 * gap - (d - a) + 4) >> 3).clamp(-most, most);
    plane.data[at - by] = (b + move_).clamp(0, 255) as u8;
    plane.data[at] = (c - move_).clamp(0, 255) as u8;
}
