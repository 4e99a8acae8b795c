//! Makes slices of pictures.

use super::block::{Canvas, Levels, Macroblock};
use super::decoder::Head;
use super::model::{Flag, Model};
use super::motion::{Vector, difference, predict};
use super::picture::Plane;
use super::{Picture, SLICE, dct};
use crate::entropy::Encoder as Said;

/// Encodes pictures of one size, each beside the one before.
#[derive(Clone, Debug)]
pub struct Encoder {
    canvas: Canvas,
    source: [Plane; 3],
    picture: Picture,
    fresh: Model,
    number: u16,
    /// The step's code, with fractions, that a picture beside another is to have.
    level: f32,
    key: bool,
}

/// One way to tell a macroblock.
struct Way {
    told: Macroblock,
    levels: Levels,
    cost: f32,
}

impl Encoder {
    /// For pictures of a size: even, and up to [`LARGEST`](super::LARGEST).
    pub fn new(width: usize, height: usize) -> Option<Encoder> {
        let canvas = Canvas::new(width, height);
        Some(Encoder {
            source: canvas.here.clone(),
            canvas,
            picture: Picture::new(width, height)?,
            fresh: Model::new(),
            number: 0,
            level: 24.0,
            key: true,
        })
    }

    /// The next picture is told without the one before: for newcomers, and after a loss.
    pub fn refresh(&mut self) {
        self.key = true;
    }

    /// The picture as a decoder sees it.
    pub fn picture(&self) -> &Picture {
        &self.picture
    }

    /// Slices of the next picture, which has the encoder's size; so that pictures have `budget` bytes on average. One without the
    /// picture before takes several times that.
    pub fn encode(&mut self, picture: &Picture, budget: usize) -> Vec<Vec<u8>> {
        let key = self.key;
        let code = (self.level.round().clamp(0.0, f32::from(dct::LAST))) as u8;
        let slices = self.encode_with(picture, code);
        let bytes: usize = slices.iter().map(Vec::len).sum();
        if !key {
            // six codes halve a picture
            let over = (bytes.max(16) as f32 / budget.max(16) as f32).log2();
            self.level = (self.level + (over * 2.0).clamp(-1.0, 3.0)).clamp(4.0, f32::from(dct::LAST));
        } else {
            let over = (bytes.max(16) as f32 / (budget.max(16) * 8) as f32).log2();
            self.level = (self.level + (over * 3.0).clamp(-2.0, 6.0)).clamp(4.0, f32::from(dct::LAST));
        }
        slices
    }

    /// Slices of the next picture with the step of a code, 0 to 51: six codes double it.
    pub fn encode_with(&mut self, picture: &Picture, code: u8) -> Vec<Vec<u8>> {
        let code = code.min(dct::LAST);
        for (which, (plane, samples)) in self.source.iter_mut().zip(&picture.planes).enumerate() {
            let half = if which == 0 { 1 } else { 2 };
            plane.load(samples, picture.width / half, picture.height / half);
        }
        let key = std::mem::take(&mut self.key);
        self.number = self.number.wrapping_add(1);
        self.canvas.next();
        let (mut slices, mut first) = (Vec::new(), 0);
        while first < self.canvas.told.len() {
            let head = Head { number: self.number, first: first as u16, key, code };
            let mut slice = Vec::with_capacity(SLICE);
            head.write(&mut slice);
            first = self.slice(head, &mut slice);
            slices.push(slice);
        }
        self.canvas.smooth(dct::step(code));
        self.canvas.store(&mut self.picture);
        slices
    }

    /// Tells macroblocks until the slice is full; which one is the next.
    fn slice(&mut self, head: Head, out: &mut Vec<u8>) -> usize {
        let mut coder = Said::new(out);
        let mut model = self.fresh.clone();
        let mut at = usize::from(head.first);
        loop {
            let way = self.best(at, head);
            let (mut told, mut levels) = (way.told, way.levels);
            self.canvas.code(&mut coder, &mut model, at, head.key, &mut told, &mut levels);
            self.canvas.told[at] = told;
            self.draw(at, &told, &levels, dct::step(head.code));
            at += 1;
            let end = at == self.canvas.told.len() || coder.length() > SLICE - ROOM;
            model.flag(&mut coder, Flag::End, 0, end);
            if end {
                coder.finish();
                return at;
            }
        }
    }

    fn draw(&mut self, at: usize, told: &Macroblock, levels: &Levels, step: i32) {
        for (block, levels) in levels.iter().enumerate() {
            let predicted = self.canvas.predicted(at, block, told);
            self.canvas.draw(at, block, &predicted, told.coded[block].then_some(levels), step);
        }
    }

    /// The way to tell a macroblock that costs least: errors, and bits at what they are worth.
    fn best(&mut self, at: usize, head: Head) -> Way {
        let step = dct::step(head.code);
        let price = (step * step) as f32 / 256.0 * PRICE; // of a bit, in squared errors
        let slice = u32::from(head.first);
        if head.key {
            return self.intra(at, slice, step, price);
        }
        let none = Macroblock { slice, ..Macroblock::NONE };
        let likely = self.canvas.likely(at, slice);
        let (_, x, y) = self.canvas.place(at, 0);
        let (width, height) = (self.canvas.here[0].width, self.canvas.here[0].height);
        // as it is predicted, and nothing more
        let skipped =
            Macroblock { skipped: true, vectors: [likely.within(x, y, 16, width, height); 4], ..none };
        let errors = (0..6).map(|block| self.errors(at, block, &skipped)).sum::<f32>();
        let mut best = Way { told: skipped, levels: [[0; 64]; 6], cost: errors + 0.3 * price };
        if errors < 24.0 * price && likely == Vector::default() {
            return best; // a still room
        }
        let vector = self.search(x, y, 16, &[likely, Vector::default()], likely, price);
        let whole = Macroblock { vectors: [vector; 4], ..none };
        let bits = 3.0 + vector_bits(vector, likely);
        let way = self.told(at, whole, step, price, bits);
        let residue = way.cost;
        if way.cost < best.cost {
            best = way;
        }
        if residue > 60.0 * price {
            let (mut vectors, mut last, mut bits) = ([vector; 4], likely, 4.0);
            for (quarter, found) in vectors.iter_mut().enumerate() {
                let (_, x, y) = self.canvas.place(at, quarter);
                *found = self.search(x, y, 8, &[vector, last], last, price);
                bits += vector_bits(*found, last);
                last = *found;
            }
            if vectors != [vector; 4] {
                let way = self.told(at, Macroblock { split: true, vectors, ..none }, step, price, bits);
                if way.cost < best.cost {
                    best = way;
                }
            }
            let way = self.intra(at, slice, step, price);
            if way.cost + 3.0 * price < best.cost {
                best = way;
            }
        }
        best
    }

    /// What a macroblock with vectors costs.
    fn told(&self, at: usize, mut told: Macroblock, step: i32, price: f32, bits: f32) -> Way {
        let (mut levels, mut cost) = ([[0; 64]; 6], bits * price);
        for (block, levels) in levels.iter_mut().enumerate() {
            let predicted = self.canvas.predicted(at, block, &told);
            cost += self.quantize(at, block, &predicted, step, price, false, levels);
            told.coded[block] = levels.iter().any(|level| *level != 0);
        }
        Way { told, levels, cost }
    }

    /// The same from this picture alone: its blocks are drawn one after the other, since they follow each other.
    fn intra(&mut self, at: usize, slice: u32, step: i32, price: f32) -> Way {
        let mut told = Macroblock { slice, intra: true, ..Macroblock::NONE };
        let (mut levels, mut cost) = ([[0; 64]; 6], 4.0 * price);
        for (block, levels) in levels.iter_mut().enumerate() {
            if block < 5 {
                let error = |mode: u8| {
                    told.modes[block] = mode;
                    self.errors(at, block, &told)
                };
                let errors = [0, 1, 2, 3].map(error);
                let mode = (0..4).min_by(|a, b| errors[*a].total_cmp(&errors[*b])).unwrap_or(0);
                told.modes[block] = mode as u8;
                cost += 1.5 * price;
            }
            let predicted = self.canvas.predicted(at, block, &told);
            cost += self.quantize(at, block, &predicted, step, price, true, levels);
            told.coded[block] = levels.iter().any(|level| *level != 0);
            self.canvas.draw(at, block, &predicted, told.coded[block].then_some(levels), step);
        }
        Way { told, levels, cost }
    }

    fn residues(&self, at: usize, block: usize, predicted: &[u8; 64]) -> [i32; 64] {
        let (plane, x, y) = self.canvas.place(at, block);
        let source = &self.source[plane];
        let begin = source.at(x as isize, y as isize);
        std::array::from_fn(|i| {
            i32::from(source.data[begin + i / 8 * source.stride + i % 8]) - i32::from(predicted[i])
        })
    }

    fn errors(&self, at: usize, block: usize, told: &Macroblock) -> f32 {
        let residues = self.residues(at, block, &self.canvas.predicted(at, block, told));
        residues.iter().map(|x| x * x).sum::<i32>() as f32
    }

    /// Levels of a block, and what errors and bits they leave.
    #[allow(clippy::too_many_arguments, reason = "one place to weigh all of it")]
    fn quantize(
        &self,
        at: usize,
        block: usize,
        predicted: &[u8; 64],
        step: i32,
        price: f32,
        intra: bool,
        levels: &mut [i32; 64],
    ) -> f32 {
        let residues = self.residues(at, block, predicted);
        let coefficients = dct::forward(&residues);
        let round = if intra { step / 3 } else { step / 5 };
        let (mut errors, mut nothing, mut bits) = (0.0, 0.0, 4.0);
        for (i, (level, x)) in levels.iter_mut().zip(coefficients).enumerate() {
            let size = (x.abs() + round) / step;
            *level = size * x.signum();
            let wrong = (x - *level * step) as f32 / 16.0;
            errors += wrong * wrong;
            nothing += (x as f32 / 16.0).powi(2);
            if size > 0 {
                // a sign, a size, and the way there
                bits += 2.2 + 1.8 * (size as f32).log2() + 0.25 * ((i % 8 + i / 8) as f32);
            }
        }
        if nothing + 0.2 * price <= errors + bits * price {
            levels.fill(0);
            return nothing + 0.2 * price;
        }
        errors + bits * price
    }

    /// The vector that predicts a block best: from some beginnings, by ever smaller crosses, then by half samples.
    fn search(
        &self,
        x: usize,
        y: usize,
        size: usize,
        begins: &[Vector],
        likely: Vector,
        price: f32,
    ) -> Vector {
        let from = &self.canvas.before[0];
        let (width, height) = (from.width, from.height);
        let root = price.sqrt();
        let cost = |vector: Vector| {
            let vector = Vector { x: vector.x & !1, y: vector.y & !1 };
            difference(&self.source[0], from, x, y, vector, size) as f32 + root * vector_bits(vector, likely)
        };
        let whole =
            |vector: Vector| Vector { x: vector.x & !1, y: vector.y & !1 }.within(x, y, size, width, height);
        let mut best = (f32::MAX, Vector::default());
        for begin in begins {
            let begin = whole(*begin);
            let found = cost(begin);
            if found < best.0 {
                best = (found, begin);
            }
        }
        for stride in [16, 8, 4, 2] {
            loop {
                let centre = best.1;
                for (dx, dy) in [(stride, 0), (-stride, 0), (0, stride), (0, -stride)] {
                    let trial = whole(Vector { x: centre.x + dx, y: centre.y + dy });
                    let found = cost(trial);
                    if found < best.0 {
                        best = (found, trial);
                    }
                }
                if best.1 == centre {
                    break;
                }
            }
        }
        let half = |vector: Vector| {
            let mut out = [0; 256];
            predict(from, x, y, vector, size, &mut out, size);
            let begin = self.source[0].at(x as isize, y as isize);
            let rows = out[..size * size].chunks_exact(size).enumerate();
            let sum: u32 = rows
                .map(|(row, out)| {
                    let source = &self.source[0].data[begin + row * self.source[0].stride..][..size];
                    source.iter().zip(out).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>()
                })
                .sum();
            sum as f32 + root * vector_bits(vector, likely)
        };
        let centre = best.1;
        for dy in -1..=1 {
            for dx in -1..=1 {
                let trial = Vector { x: centre.x + dx, y: centre.y + dy }.within(x, y, size, width, height);
                let found = half(trial);
                if found < best.0 {
                    best = (found, trial);
                }
            }
        }
        best.1
    }
}

/// About how many bits a vector takes beside the likely one.
fn vector_bits(vector: Vector, likely: Vector) -> f32 {
    let one = |x: i32| if x == 0 { 0.7 } else { 3.0 + 1.6 * (x.abs() as f32).log2() };
    one(vector.x - likely.x) + one(vector.y - likely.y)
}

/// Squared errors that a bit is worth, in squared steps.
const PRICE: f32 = 0.13;
/// Bytes that a macroblock may need beside what a slice has.
const ROOM: usize = 260;
