//! Predicts what another predictor left, and learns while it does: normalized least mean squares in integers.

/// Residues of this channel that are looked at.
const OWN: usize = 16;
/// Residues of the other channel: some before, this, and some after.
const OTHER: usize = 16;
/// Where "now" is among them.
const NOW: usize = 8;
/// Bits behind a weight's point.
const POINT: u32 = 20;

/// One channel's learner.
#[derive(Debug)]
pub struct Learner {
    weights: [i64; OWN + OTHER],
    inputs: [i64; OWN + OTHER],
    guess: i64,
}

impl Learner {
    pub fn new() -> Learner {
        Learner { weights: [0; OWN + OTHER], inputs: [0; OWN + OTHER], guess: 0 }
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        *self = Learner::new();
    }

    /// How much the `n`-th residue will be.
    pub fn guess(&mut self, other: Option<&[i32]>, n: usize) -> i32 {
        if let Some(other) = other {
            for (i, input) in self.inputs[OWN..].iter_mut().enumerate() {
                let at = (n + i).wrapping_sub(NOW);
                *input = other.get(at).map_or(0, |x| i64::from((*x).clamp(-LOUDEST, LOUDEST)));
            }
        }
        let sum: i64 = self.weights.iter().zip(&self.inputs).map(|(w, x)| w * x).sum();
        self.guess = ((sum + (1 << (POINT - 1))) >> POINT).clamp(-i64::from(LOUDEST), i64::from(LOUDEST));
        self.guess as i32
    }

    /// What it was.
    pub fn learn(&mut self, truth: i32) {
        let truth = i64::from(truth.clamp(-LOUDEST, LOUDEST));
        let wrong = truth - self.guess;
        let power: i64 = self.inputs.iter().map(|x| x * x).sum::<i64>() + 64;
        // a hundred-and-twenty-eighth of the way
        let gain = (wrong << (POINT + 4)) / power;
        for (weight, input) in self.weights.iter_mut().zip(&self.inputs) {
            *weight = (*weight + ((gain * input) >> RATE)).clamp(-(8 << POINT), 8 << POINT);
        }
        self.inputs[..OWN].rotate_right(1);
        self.inputs[0] = truth;
    }
}

const LOUDEST: i32 = 1 << 18;
const RATE: u32 = 11;
