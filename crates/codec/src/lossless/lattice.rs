//! Prediction by reflections: the shortest predictor for the first sample, one longer for each, until all are there.

use super::Told;

/// Reflections of a signal, at most.
pub const MOST: usize = 32;

/// Predicts by all orders up to one.
#[derive(Debug)]
pub struct Lattice {
    order: usize,
    /// Of each order its coefficients, with [`POINT`] bits behind the point.
    orders: Vec<[i64; MOST]>,
}

impl Lattice {
    pub fn new() -> Lattice {
        Lattice { order: 0, orders: vec![[0; MOST]; MOST + 1] }
    }

    /// Makes the coefficients of what was told: Levinson's step up, in integers.
    pub fn set(&mut self, told: &Told) {
        self.order = told.order;
        for m in 1..=told.order {
            let reflection = reflection(told.reflections[m - 1], m - 1);
            let (before, here) = self.orders.split_at_mut(m);
            let (before, here) = (&before[m - 1], &mut here[0]);
            for i in 0..m - 1 {
                let turned = (before[m - 2 - i] * reflection) >> POINT;
                here[i] = (before[i] + turned).clamp(-LARGEST, LARGEST);
            }
            here[m - 1] = reflection;
        }
    }

    /// What comes after `before`.
    pub fn guess(&self, before: &[i32]) -> i32 {
        let order = self.order.min(before.len());
        let coefficients = &self.orders[order][..order];
        let sum: i64 = coefficients.iter().zip(before.iter().rev()).map(|(c, x)| c * i64::from(*x)).sum();
        let guess = (-sum + (1 << (POINT - 1))) >> POINT;
        guess.clamp(-(1 << 18), 1 << 18) as i32
    }
}

/// Bits behind the point.
const POINT: u32 = 20;
/// 2^36 · 2^18 · 32 samples fit into 63 bits.
const LARGEST: i64 = 1 << 38;

/// The reflection of a code: squares, so that those near one are told finely.
fn reflection(code: i8, place: usize) -> i64 {
    let levels = levels(place);
    let size = i64::from(code.unsigned_abs()).min(levels - 1);
    let short = levels - size;
    let value = (1_i64 << POINT) - ((short * short) << POINT) / (levels * levels);
    if code < 0 { -value } else { value }
}

fn code_of(reflection: f64, place: usize) -> i8 {
    let levels = levels(place);
    let code = levels as f64 * (1.0 - (1.0 - reflection.abs().min(1.0)).sqrt());
    let code = (code.round() as i64).min(levels - 1) as i8;
    if reflection < 0.0 { -code } else { code }
}

/// How finely the reflection at a place is told: the later ones matter less.
fn levels(place: usize) -> i64 {
    match place {
        0..2 => 128,
        2..8 => 64,
        _ => 32,
    }
}

/// Room for [`analyze`].
#[derive(Debug)]
pub struct Work {
    forward: Vec<f64>,
    backward: Vec<f64>,
}

impl Work {
    pub fn new(frames: usize) -> Work {
        Work { forward: Vec::with_capacity(frames), backward: Vec::with_capacity(frames) }
    }
}

/// Burg's method: at each order the reflection that leaves least in both directions, told and gone on with as told. The order is
/// the one after which more reflections cost more than they save.
pub fn analyze(signal: &[i32], work: &mut Work) -> Told {
    let n = signal.len();
    work.forward.clear();
    work.forward.extend(signal.iter().map(|x| f64::from(*x)));
    work.backward.clone_from(&work.forward);
    let mut told = Told::NOTHING;
    let cost =
        |energy: f64, order: usize| 0.5 * n as f64 * (energy / n as f64 + 0.3).log2() + 5.0 * order as f64;
    let mut energy: f64 = work.forward.iter().map(|x| x * x).sum();
    let mut best = (cost(energy, 0), 0);
    for m in 0..MOST.min(n.saturating_sub(1)) {
        // f[i] for i > m against b[i-1]
        let (forward, backward) = (&mut work.forward[m + 1..], &mut work.backward[m..n - 1]);
        let (mut both, mut each) = (0.0, 1e-9);
        for (f, b) in forward.iter().zip(backward.iter()) {
            both += f * b;
            each += f * f + b * b;
        }
        let code = code_of(-2.0 * both / each, m);
        let k = reflection(code, m) as f64 / (1_i64 << POINT) as f64;
        told.reflections[m] = code;
        for (f, b) in forward.iter_mut().zip(backward.iter_mut()) {
            (*f, *b) = (*f + k * *b, *b + k * *f);
        }
        // the backward errors moved by one: b[i] of the next order lies where b[i-1] was
        work.backward.copy_within(m..n - 1, m + 1);
        energy *= 1.0 - k * k;
        let cost = cost(energy, m + 1);
        if cost < best.0 {
            best = (cost, m + 1);
        }
    }
    (told.bits, told.order) = best;
    told
}
