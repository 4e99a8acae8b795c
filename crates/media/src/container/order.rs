//! Decoding times for tracks whose container has only presentation times.

use crate::Timestamp;

/// Gives the n-th frame the n-th smallest presentation time, moved back by as many pictures as decoding runs ahead of
/// showing: it never decreases and never comes after the frame is shown.
pub(crate) struct Order {
    /// The latest presentation times, sorted: at most one more than the depth.
    latest: Vec<Timestamp>,
    depth: usize,
    last: Timestamp,
}

impl Order {
    /// For a track whose decoder runs `depth` pictures ahead.
    pub(crate) fn new(depth: usize) -> Order {
        Order { latest: Vec::new(), depth, last: Timestamp(i64::MIN) }
    }

    /// The decoding time of the next frame in decoding order.
    pub(crate) fn decode(&mut self, pts: Timestamp, span: u64) -> Timestamp {
        let at = self.latest.partition_point(|&other| other <= pts);
        self.latest.insert(at, pts);
        let dts = if self.latest.len() > self.depth {
            self.latest.remove(0)
        } else {
            let ahead = (self.depth + 1 - self.latest.len()) as i64;
            let span = i64::try_from(span).unwrap_or(i64::MAX).max(1);
            Timestamp(self.latest[0].0.saturating_sub(ahead.saturating_mul(span)))
        };
        self.last = self.last.max(dts.min(pts));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_times_grow_and_never_pass_the_showing() {
        let mut order = Order::new(2);
        let shown = [0, 160, 80, 40, 120, 320, 240, 200, 280];
        let decoded: Vec<_> = shown.iter().map(|&pts| order.decode(Timestamp(pts), 40).0).collect();
        assert_eq!(decoded, [-80, -40, 0, 40, 80, 120, 160, 200, 240]);
    }

    #[test]
    fn without_reordering_both_times_are_the_same() {
        let mut order = Order::new(0);
        assert_eq!([5, 7, 9].map(|pts| order.decode(Timestamp(pts), 0).0), [5, 7, 9]);
    }
}
