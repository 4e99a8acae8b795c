//! Mid and side as InterCom makes them: sums, differences, and halves of them cut to integers.

/// Which of the two ways, or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stereo {
    /// Left and right as they are.
    Plain,
    /// Halves of the sum and the difference, which fit into 16 bits.
    Halves,
    /// Sum and difference, 17 bits.
    Whole,
}

impl Stereo {
    /// A frame of left and right as mid and side.
    pub fn analyze(self, [left, right]: [i32; 2]) -> [i32; 2] {
        let (sum, difference) = (left + right, left - right);
        match self {
            Stereo::Plain => [left, right],
            Stereo::Halves => [sum / 2, difference / 2],
            Stereo::Whole => [sum, difference],
        }
    }

    /// Left and right again, not yet rounded.
    pub fn synthesize(self, [mid, side]: [f64; 2]) -> [f64; 2] {
        match self {
            Stereo::Plain => [mid, side],
            Stereo::Halves => [mid + side, mid - side],
            Stereo::Whole => [(mid + side) / 2.0, (mid - side) / 2.0],
        }
    }
}
