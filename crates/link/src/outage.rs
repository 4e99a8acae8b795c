//! Times at which a link is down.

use crate::units::nanos;
use std::sync::Arc;
use std::time::Duration;

/// When a link is down, counted from the start, and what that does to its packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outages {
    /// When.
    pub when: When,
    /// Whether packets that arrive meanwhile are lost; otherwise they wait, as on a radio link, and fill the queue.
    pub lose: bool,
}

/// When a link is down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// Never.
    #[default]
    Never,
    /// From a moment to another, and again.
    Spans(Spans),
    /// The last `down` of every `period`; always, where `down` is not shorter.
    Every {
        /// How long it lasts.
        down: Duration,
        /// How often it comes.
        period: Duration,
    },
}

/// Spans of time in rising order that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans(Arc<[(Duration, Duration)]>);

impl Spans {
    /// Takes spans in any order, and joins those that touch; a moment after 292 years is one at its end.
    pub fn new(spans: impl IntoIterator<Item = (Duration, Duration)>) -> Spans {
        let kept = |moment| Duration::from_nanos(nanos(moment));
        let spans = spans.into_iter().map(|(from, to)| (kept(from), kept(to)));
        let mut sorted: Vec<_> = spans.filter(|(from, to)| from < to).collect();
        sorted.sort_unstable();
        let mut joined: Vec<(Duration, Duration)> = Vec::with_capacity(sorted.len());
        for (from, to) in sorted {
            match joined.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        Spans(joined.into())
    }

    /// The spans, in rising order.
    pub fn all(&self) -> &[(Duration, Duration)] {
        &self.0
    }
}

impl When {
    /// Whether the link is down at `now`.
    pub(crate) fn is_down(&self, now: u64) -> bool {
        match self {
            When::Never => false,
            When::Spans(spans) => {
                let next = spans.0.partition_point(|(_, to)| nanos(*to) <= now);
                spans.0.get(next).is_some_and(|(from, _)| nanos(*from) <= now)
            }
            When::Every { down, period } => {
                let (up, period) = cycle(*down, *period);
                now % period >= up
            }
        }
    }

    /// When work that takes `work` nanoseconds of up time and begins at `start` is done; `u64::MAX` for never.
    pub(crate) fn done(&self, start: u64, work: u64) -> u64 {
        match self {
            When::Never => start.saturating_add(work),
            When::Spans(spans) => {
                let first = spans.0.partition_point(|(_, to)| nanos(*to) <= start);
                let mut end = start.saturating_add(work);
                for (from, to) in spans.0.iter().skip(first) {
                    let (from, to) = (nanos(*from), nanos(*to));
                    // Work that ends just as the link goes down is done; a start while it is down waits.
                    if end < from || (end == from && work > 0) {
                        break;
                    }
                    end = end.saturating_add(to - from.max(start));
                }
                end
            }
            When::Every { down, period } => {
                let (up, period) = cycle(*down, *period);
                if up == 0 {
                    return u64::MAX;
                }
                // In up time alone a period is `up` long.
                let before = start % period;
                let done_up = before.min(up).saturating_add(work);
                let wrapped = if work > 0 && done_up > 0 { (done_up - 1) / up } else { done_up / up };
                let at = u128::from(start - before) + u128::from(wrapped) * u128::from(period);
                u64::try_from(at + u128::from(done_up - wrapped * up)).unwrap_or(u64::MAX)
            }
        }
    }
}

/// How long a period is up, and how long it is (at least one nanosecond).
fn cycle(down: Duration, period: Duration) -> (u64, u64) {
    let period = nanos(period).max(1);
    (period.saturating_sub(nanos(down)), period)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spans(list: &[(u64, u64)]) -> When {
        let moment = Duration::from_nanos;
        When::Spans(Spans::new(list.iter().map(|(from, to)| (moment(*from), moment(*to)))))
    }

    fn every(down: u64, period: u64) -> When {
        When::Every { down: Duration::from_nanos(down), period: Duration::from_nanos(period) }
    }

    #[test]
    fn work_stops_while_the_link_is_down() {
        let when = spans(&[(30, 40), (10, 20), (15, 20)]);
        assert_eq!((when.done(5, 5), when.done(5, 6), when.done(5, 20)), (10, 21, 45));
        assert_eq!((when.done(12, 0), when.done(10, 0), when.done(12, 1)), (20, 20, 21));
        assert_eq!(
            (when.is_down(9), when.is_down(10), when.is_down(19), when.is_down(20)),
            (false, true, true, false)
        );
    }

    #[test]
    fn a_link_that_is_never_up_is_never_done() {
        assert_eq!(every(10, 10).done(3, 1), u64::MAX);
        assert!(every(10, 0).is_down(7));
    }

    proptest! {
        #[test]
        fn done_agrees_with_counting_nanosecond_by_nanosecond(
            list in proptest::collection::vec((0u64..60, 0u64..60), 0..5), down in 0u64..9, period in 1u64..12,
            start in 0u64..70, work in 0u64..40,
        ) {
            for when in [spans(&list), every(down, period)] {
                if down >= period && matches!(when, When::Every { .. }) {
                    continue;
                }
                let (mut now, mut left) = (start, work);
                while left > 0 || (work == 0 && when.is_down(now)) {
                    left -= u64::from(!when.is_down(now) && left > 0);
                    now += 1;
                }
                prop_assert_eq!(when.done(start, work), now);
            }
        }

        #[test]
        fn odd_values_do_not_panic(down: u64, period: u64, start: u64, work: u64) {
            let _ = (every(down, period).done(start, work), every(down, period).is_down(start));
            let _ = spans(&[(down, period), (start, work)]).done(start, work);
        }
    }
}
