//! Slices to pictures, by coordinates: every sample is looked up by its place, and nothing is kept that could be found again.

use super::coder::{Chance, Finder, Mixer};

/// What was drawn of a macroblock, and how.
#[derive(Clone, Debug)]
pub struct Told {
    /// The first macroblock of its slice.
    pub slice: usize,
    pub way: Way,
    /// Of its quarters, in half samples.
    pub vectors: [(i64, i64); 4],
    pub modes: [usize; 5],
    pub coded: [bool; 6],
    /// The largest level.
    pub largest: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Skipped,
    Intra,
    Whole,
    Split,
}

/// Rows of samples.
type Plane = Vec<Vec<i64>>;

pub struct Decoder {
    size: (usize, usize),
    columns: usize,
    rows: usize,
    before: [Plane; 3],
    here: [Plane; 3],
    pub told: Vec<Option<Told>>,
    number: Option<u16>,
    step: i64,
    finished: bool,
    /// The picture that is to be shown.
    pub picture: [Vec<u8>; 3],
}

impl Decoder {
    pub fn new(width: usize, height: usize) -> Decoder {
        let (columns, rows) = (width.div_ceil(16), height.div_ceil(16));
        let grey = [16, 8, 8].map(|side| vec![vec![128; side * columns]; side * rows]);
        let small = vec![128; width * height / 4];
        Decoder {
            size: (width, height),
            columns,
            rows,
            before: grey.clone(),
            here: grey,
            told: vec![None; columns * rows],
            number: None,
            step: 0,
            finished: true,
            picture: [vec![128; width * height], small.clone(), small],
        }
    }

    /// Draws a slice that is in its place; whether its picture is whole now.
    pub fn decode(&mut self, slice: &[u8]) -> bool {
        let number = u16::from(slice[0]) * 256 + u16::from(slice[1]);
        let first = usize::from(slice[2]) * 256 + usize::from(slice[3]);
        let (key, code) = (slice[4] >= 128, slice[4] % 128);
        if self.number != Some(number) {
            self.finish();
            self.before = self.here.clone();
            self.told.fill(None);
            (self.number, self.finished) = (Some(number), false);
        }
        // sixteenths, cut to whole numbers
        let tenth = [40, 45, 50, 57, 64, 72][usize::from(code) % 6];
        self.step = tenth * (1 << (code / 6)) / 4;
        let mut finder = Finder::new(&slice[5..]);
        let mut model = Model::new();
        for at in first..self.told.len() {
            if self.told[at].is_some() {
                break;
            }
            self.macroblock(&mut finder, &mut model, at, first, key);
            if model.end.decide(&mut finder) {
                break;
            }
        }
        if self.told.iter().all(Option::is_some) {
            self.finish();
        }
        self.finished
    }

    /// One of the same slice, so many columns and rows from here.
    fn near(&self, at: usize, slice: usize, columns: isize, rows: isize) -> Option<&Told> {
        let column = (at % self.columns) as isize + columns;
        let row = (at / self.columns) as isize + rows;
        if column < 0 || row < 0 || column >= self.columns as isize {
            return None;
        }
        self.told[row as usize * self.columns + column as usize].as_ref().filter(|told| told.slice == slice)
    }

    fn macroblock(&mut self, finder: &mut Finder<'_>, model: &mut Model, at: usize, slice: usize, key: bool) {
        let (left, above) = (self.near(at, slice, -1, 0).cloned(), self.near(at, slice, 0, -1).cloned());
        let both = [left.as_ref(), above.as_ref()];
        let count = |way: Way| both.iter().flatten().filter(|told| told.way == way).count();
        let likely = self.likely(at, slice);
        let mut told = Told {
            slice,
            way: Way::Whole,
            vectors: [(0, 0); 4],
            modes: [0; 5],
            coded: [false; 6],
            largest: 0,
        };
        let mut levels = [[0_i64; 64]; 6];
        if !key && model.skipped[count(Way::Skipped)].decide(finder) {
            told.way = Way::Skipped;
            told.vectors = [self.nearer(likely, self.corner(at, 0), 16, 0); 4];
        } else {
            if key || model.intra[count(Way::Intra)].decide(finder) {
                told.way = Way::Intra;
                let mut last = left.as_ref().map_or(0, |told| told.modes[1]);
                for mode in &mut told.modes {
                    let chances = &mut model.modes[last];
                    let high = chances[0].decide(finder);
                    let low = chances[if high { 2 } else { 1 }].decide(finder);
                    last = 2 * usize::from(high) + usize::from(low);
                    *mode = last;
                }
            } else if model.split[count(Way::Split)].decide(finder) {
                told.way = Way::Split;
                let mut last = likely;
                for quarter in 0..4 {
                    let found = model.vector(finder, last);
                    last = self.nearer(found, self.corner(at, quarter), 8, 0);
                    told.vectors[quarter] = last;
                }
            } else {
                let found = model.vector(finder, likely);
                told.vectors = [self.nearer(found, self.corner(at, 0), 16, 0); 4];
            }
            for block in 0..6 {
                let nearby = |told: &Option<Told>, block: usize| {
                    usize::from(told.as_ref().is_some_and(|told| told.coded[block]))
                };
                let own = |block: usize| usize::from(told.coded[block]);
                let context = match block {
                    0 => nearby(&left, 1) + nearby(&above, 2),
                    1 => own(0) + nearby(&above, 3),
                    2 => nearby(&left, 3) + own(0),
                    3 => own(2) + own(1),
                    _ => {
                        let rich = own(0) + own(1) + own(2) + own(3) >= 2;
                        nearby(&left, block) + nearby(&above, block) + if rich { 3 } else { 0 }
                    }
                };
                let kind = usize::from(told.way == Way::Intra) + if block < 4 { 0 } else { 2 };
                told.coded[block] = model.block(finder, kind, context, &mut levels[block]);
                let largest = levels[block].iter().map(|level| level.abs()).max().unwrap_or(0);
                told.largest = told.largest.max(largest);
            }
        }
        self.told[at] = Some(told.clone());
        for block in 0..6 {
            let (plane, (x, y)) = (block.max(3) - 3, self.corner(at, block));
            let predicted = match told.way {
                Way::Intra => self.predicted_here(at, block, &told),
                _ => self.predicted_before(block, (x, y), &told),
            };
            let more = if told.coded[block] { residues(&levels[block], self.step) } else { [[0; 8]; 8] };
            for row in 0..8 {
                for column in 0..8 {
                    let sample = predicted[row][column] + more[row][column];
                    self.here[plane][y + row][x + column] = sample.clamp(0, 255);
                }
            }
        }
    }

    /// Where a block begins in its plane.
    fn corner(&self, at: usize, block: usize) -> (usize, usize) {
        let (column, row) = (at % self.columns, at / self.columns);
        match block {
            0 => (16 * column, 16 * row),
            1 => (16 * column + 8, 16 * row),
            2 => (16 * column, 16 * row + 8),
            3 => (16 * column + 8, 16 * row + 8),
            _ => (8 * column, 8 * row),
        }
    }

    fn likely(&self, at: usize, slice: usize) -> (i64, i64) {
        let left = self.near(at, slice, -1, 0).map(|told| told.vectors[1]);
        let above = self.near(at, slice, 0, -1).map(|told| told.vectors[2]);
        let right = self.near(at, slice, 1, -1).map(|told| told.vectors[2]);
        if right.is_none() && left.is_some() != above.is_some() {
            return left.or(above).unwrap();
        }
        let three = [left, above, right].map(Option::unwrap_or_default);
        let middle = |mut three: [i64; 3]| {
            three.sort_unstable();
            three[1]
        };
        (middle(three.map(|vector| vector.0)), middle(three.map(|vector| vector.1)))
    }

    /// A vector that leads at most 16 samples out of a plane.
    fn nearer(&self, vector: (i64, i64), (x, y): (usize, usize), size: i64, plane: usize) -> (i64, i64) {
        let (width, height) = (self.here[plane][0].len() as i64, self.here[plane].len() as i64);
        let one = |v: i64, at: usize, side: i64| {
            let at = at as i64;
            v.clamp(2 * (-16 - at), 2 * (side + 16 - size - at))
        };
        (one(vector.0, x, width), one(vector.1, y, height))
    }

    fn predicted_before(&self, block: usize, (x, y): (usize, usize), told: &Told) -> [[i64; 8]; 8] {
        let (plane, vector) = if block < 4 {
            (0, told.vectors[block])
        } else {
            let mean = |four: [i64; 4]| {
                let mean = (four.iter().sum::<i64>() + 2).div_euclid(4);
                mean.div_euclid(2)
                    + if mean.rem_euclid(2) == 1 && mean.div_euclid(2) % 2 == 0 { 1 } else { 0 }
            };
            let mean = (mean(told.vectors.map(|v| v.0)), mean(told.vectors.map(|v| v.1)));
            (block - 3, self.nearer(mean, (x, y), 8, block - 3))
        };
        let from = &self.before[plane];
        // beyond its edges a plane goes on as it ends
        let sample = |x: i64, y: i64| {
            let y = y.clamp(0, from.len() as i64 - 1) as usize;
            from[y][x.clamp(0, from[y].len() as i64 - 1) as usize]
        };
        let half = |a: i64, b: i64, c: i64, d: i64| (9 * (b + c) - a - d + 8).div_euclid(16).clamp(0, 255);
        // between two columns, or on one
        let along = |x: i64, y: i64| match vector.0.rem_euclid(2) {
            0 => sample(x, y),
            _ => half(sample(x - 1, y), sample(x, y), sample(x + 1, y), sample(x + 2, y)),
        };
        std::array::from_fn(|row| {
            std::array::from_fn(|column| {
                let x = x as i64 + column as i64 + vector.0.div_euclid(2);
                let y = y as i64 + row as i64 + vector.1.div_euclid(2);
                match vector.1.rem_euclid(2) {
                    0 => along(x, y),
                    _ => half(along(x, y - 1), along(x, y), along(x, y + 1), along(x, y + 2)),
                }
            })
        })
    }

    fn predicted_here(&self, at: usize, block: usize, told: &Told) -> [[i64; 8]; 8] {
        let (plane, (x, y)) = (block.max(3) - 3, self.corner(at, block));
        let has_left = block == 1 || block == 3 || self.near(at, told.slice, -1, 0).is_some();
        let has_above = block == 2 || block == 3 || self.near(at, told.slice, 0, -1).is_some();
        let here = &self.here[plane];
        let top: Vec<i64> = (0..8).map(|i| if has_above { here[y - 1][x + i] } else { 128 }).collect();
        let side: Vec<i64> = (0..8).map(|i| if has_left { here[y + i][x - 1] } else { 128 }).collect();
        let corner = if has_left && has_above { here[y - 1][x - 1] } else { 128 };
        // the mean of what there is, halves upwards
        let mut known = Vec::new();
        known.extend(top.iter().filter(|_| has_above));
        known.extend(side.iter().filter(|_| has_left));
        let count = known.len() as i64;
        let flat = if count == 0 { 128 } else { (known.iter().sum::<i64>() + count / 2) / count };
        std::array::from_fn(|row| {
            std::array::from_fn(|column| match told.modes[block.min(4)] {
                0 => flat,
                1 => top[column],
                2 => side[row],
                _ => (top[column] + side[row] - corner).clamp(0, 255),
            })
        })
    }

    /// Smooths the picture and lets it be shown.
    pub fn finish(&mut self) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        for at in 0..self.columns * self.rows {
            let Some(told) = self.told[at].clone() else { continue };
            for block in 0..6 {
                let is_new = matches!(told.way, Way::Intra | Way::Split);
                if !(told.coded[block] || is_new) {
                    continue;
                }
                let most = self.step / if told.way == Way::Intra { 24 } else { 40 };
                let (x, y) = self.corner(at, block);
                let here = &mut self.here[block.max(3) - 3];
                for i in 0..if x == 0 { 0 } else { 8 } {
                    let found = edge([2, 1, 0, -1].map(|back| here[y + i][(x as i64 - back) as usize]), most);
                    (here[y + i][x - 1], here[y + i][x]) = found;
                }
                for i in 0..if y == 0 { 0 } else { 8 } {
                    let found = edge([2, 1, 0, -1].map(|back| here[(y as i64 - back) as usize][x + i]), most);
                    (here[y - 1][x + i], here[y][x + i]) = found;
                }
            }
        }
        let (width, height) = self.size;
        for (plane, half) in [1, 2, 2].into_iter().enumerate() {
            let rows = self.here[plane][..height / half].iter();
            self.picture[plane] = rows.flat_map(|row| row[..width / half].iter().map(|x| *x as u8)).collect();
        }
    }
}

/// The two in the middle of four across an edge, moved towards each other.
fn edge([a, b, c, d]: [i64; 4], most: i64) -> (i64, i64) {
    if (c - b).abs() > 4 * most + 2 || (b - a).abs() > 2 * most + 1 || (d - c).abs() > 2 * most + 1 {
        return (b, c);
    }
    let by = (3 * (c - b) - (d - a) + 4).div_euclid(8).clamp(-most, most);
    ((b + by).clamp(0, 255), (c - by).clamp(0, 255))
}

/// A cosine of so many sixteenths of half a turn, 64√2 long, as H.265 rounds it; 64 where it is nothing.
fn cosine(sixteenths: usize) -> i64 {
    match sixteenths % 32 {
        a @ 0..=8 => [64, 89, 83, 75, 64, 50, 36, 18, 0][a],
        a @ 9..=16 => -cosine(16 - a),
        a => cosine(32 - a),
    }
}

fn residues(levels: &[i64; 64], step: i64) -> [[i64; 8]; 8] {
    let worth = |u: usize, v: usize| (levels[8 * v + u] * step).clamp(-32_768, 32_767);
    let half = |u: usize, y: usize| {
        let sum: i64 = (0..8).map(|v| worth(u, v) * cosine((2 * y + 1) * v)).sum();
        (sum + 64).div_euclid(128).clamp(-32_768, 32_767)
    };
    std::array::from_fn(|y| {
        std::array::from_fn(|x| {
            let sum: i64 = (0..8).map(|u| half(u, y) * cosine((2 * x + 1) * u)).sum();
            (sum + 2_048).div_euclid(4_096)
        })
    })
}

/// What a slice has learned.
struct Model {
    skipped: [Chance; 3],
    intra: [Chance; 3],
    split: [Chance; 3],
    end: Chance,
    modes: [[Chance; 3]; 4],
    /// Of right and down: whether, whether back, how many bits, the bit behind the first by how many.
    vectors: [([Chance; 2], [Chance; 12], [Chance; 13]); 2],
    coded: [[Chance; 6]; 4],
    /// By the bits so far, behind a one.
    lasts: [[Chance; 64]; 4],
    /// An opinion's, by kind, context and decision.
    opinions: [Vec<[[Chance; 14]; 64]>; 4],
    mixers: Vec<[Mixer; 3]>,
    tails: [Chance; 15],
}

impl Model {
    fn new() -> Model {
        let even = Chance::new(32_768, 1);
        let opinion = |opinion: usize| {
            let chance = |context: i64, decision: usize| {
                let (high, low) = (context / 8, context % 8);
                let percent = match (opinion, decision == 0) {
                    (0, true) => 60 - 5 * (low + high),
                    (1, true) => 12 + 14 * high + 8 * low,
                    (1, false) => 12 + 8 * high,
                    (2, true) => 12 + 10 * (context / 4),
                    (2, false) => 12 + 5 * (context / 4),
                    (3, true) => 35,
                    _ => 30,
                };
                Chance::new(percent.clamp(3, 85) * 655, 2)
            };
            let contexts = std::array::from_fn(|context| std::array::from_fn(|n| chance(context as i64, n)));
            vec![contexts; 4]
        };
        Model {
            skipped: [even; 3],
            intra: [even; 3],
            split: [even; 3],
            end: Chance::new(600, 20),
            modes: [[even; 3]; 4],
            vectors: [([even; 2], [even; 12], [even; 13]); 2],
            coded: [[even; 6]; 4],
            lasts: [[even; 64]; 4],
            opinions: [0, 1, 2, 3].map(opinion),
            mixers: (0..4).map(|_| [0; 3].map(|_| Mixer::new(4))).collect(),
            tails: [even; 15],
        }
    }

    fn vector(&mut self, finder: &mut Finder<'_>, likely: (i64, i64)) -> (i64, i64) {
        let mut found = [likely.0, likely.1];
        for (component, (signs, lengths, seconds)) in found.iter_mut().zip(&mut self.vectors) {
            if !signs[0].decide(finder) {
                continue;
            }
            let is_back = signs[1].decide(finder);
            let bits =
                lengths.iter_mut().map(|length| length.decide(finder)).take_while(|more| *more).count();
            let mut size = 1;
            if bits > 0 {
                size = 2 + i64::from(seconds[bits].decide(finder));
                size = (size << (bits - 1)) + finder.number(bits as u32 - 1);
            }
            *component += if is_back { -size } else { size };
        }
        (found[0], found[1])
    }

    /// Levels in `to`, and whether there are any.
    fn block(&mut self, finder: &mut Finder<'_>, kind: usize, context: usize, to: &mut [i64; 64]) -> bool {
        if !self.coded[kind][context].decide(finder) {
            return false;
        }
        let mut last = 1;
        while last < 64 {
            last = 2 * last + usize::from(self.lasts[kind][last].decide(finder));
        }
        let last = last - 64;
        let mut sum = 0;
        for (i, (x, y)) in zigzag().into_iter().enumerate().take(last + 1).rev() {
            let size = |right: usize, down: usize| match (x + right, y + down) {
                (x @ 0..8, y @ 0..8) => to[8 * y + x].abs().min(30),
                _ => 0,
            };
            let near = size(1, 0) + size(0, 1);
            let far = size(1, 1) + size(2, 0) + size(0, 2);
            let contexts = [
                (8 * y + x) as i64,
                8 * near.min(7) + far.min(7),
                4 * (near + far).min(15) + (x + y).min(9) as i64 / 3,
                4 * sum.min(15) + i.min(12) as i64 / 4,
            ];
            let size = self.size(finder, kind, contexts.map(|context| context as usize), i == last);
            let is_negative = size > 0 && finder.number(1) == 1;
            to[8 * y + x] = if is_negative { -size } else { size };
            sum += size.min(30);
        }
        true
    }

    fn size(&mut self, finder: &mut Finder<'_>, kind: usize, contexts: [usize; 4], is_last: bool) -> i64 {
        for decision in usize::from(is_last)..14 {
            let opinions = self.opinions.iter_mut().zip(contexts);
            let mut chances: Vec<&mut Chance> =
                opinions.map(|(opinion, context)| &mut opinion[kind][context][decision]).collect();
            if !self.mixers[kind][decision.min(2)].decide(finder, &mut chances) {
                return decision as i64;
            }
        }
        let bits =
            self.tails.iter_mut().map(|tail| tail.decide(finder)).take_while(|more| *more).count() as u32;
        14 + (1 << bits) + finder.number(bits) - 1
    }
}

/// Places by diagonals from the corner, which are gone up and down in turn: first right, then down to the left.
fn zigzag() -> Vec<(usize, usize)> {
    let mut places: Vec<(usize, usize)> = (0..64).map(|i| (i % 8, i / 8)).collect();
    places.sort_by_key(|(x, y)| (x + y, if (x + y) % 2 == 1 { *y } else { *x }));
    places
}
