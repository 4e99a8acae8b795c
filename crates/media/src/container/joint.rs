//! Where the end of a file meets its beginning: how far the times of each round are shifted.

use std::collections::BTreeMap;

/// Shifts each round so that every track begins where it ended or later. All tracks move by the same amount, so that
/// they stay together: one that ended early has a gap. Ticks are the caller's.
#[derive(Default)]
pub(crate) struct Joint {
    tracks: BTreeMap<u32, Track>,
    shift: i64,
    newest: i64,
    /// The first moment of this round, once there is one.
    began: Option<i64>,
    /// The same of the round before.
    before: i64,
    round: Option<i64>,
    rounds: u64,
}

/// Shifted times of one track.
struct Track {
    /// Where it began, in the round of this number.
    start: i64,
    round: u64,
    last: i64,
    /// How long the last frame lasts, as far as one can tell.
    span: i64,
}

impl Track {
    fn end(&self) -> i64 {
        self.last.saturating_add(self.span)
    }
}

impl Joint {
    /// The shifted time of a frame of track `id` that the file puts at `at` and that lasts `span`; zero where nobody
    /// says, then it is taken to last as long as the one before.
    pub(crate) fn place(&mut self, id: u32, at: i64, span: i64) -> i64 {
        if self.began.is_none() && self.rounds > 0 {
            self.shift = self.meeting().saturating_sub(at);
        }
        let at = at.saturating_add(self.shift);
        self.began.get_or_insert(at);
        let round = self.rounds;
        let track = self.tracks.entry(id).or_insert(Track { start: at, round, last: at, span: 0 });
        if track.round < round {
            (track.start, track.round) = (at, round);
        } else if span <= 0 && at > track.last {
            track.span = at - track.last;
        }
        track.span = if span > 0 { span } else { track.span };
        track.last = track.last.max(at);
        if id & SHOWN == 0 {
            self.newest = self.newest.max(at);
        }
        at
    }

    /// The frame that was placed last on `track` is shown at `at` by the file: rounds must not meet in showing either,
    /// which they would where a file ends before the pictures that its last one ran ahead of.
    pub(crate) fn show(&mut self, track: u32, at: i64) {
        let span = self.tracks.get(&track).map_or(0, |track| track.span);
        self.place(track | SHOWN, at, span.max(1));
    }

    /// How far the times of this round are shifted; the first is not.
    pub(crate) fn shift(&self) -> i64 {
        self.shift
    }

    /// The newest shifted time.
    pub(crate) fn newest(&self) -> i64 {
        self.newest
    }

    /// The round ended.
    pub(crate) fn rewind(&mut self) {
        let Some(began) = self.began.take() else { return };
        self.round = self.tracks.values().map(|track| track.end().saturating_sub(track.start)).max();
        (self.before, self.rounds) = (began, self.rounds + 1);
    }

    /// How long the last whole round lasts.
    pub(crate) fn round(&self) -> Option<i64> {
        self.round
    }

    /// The earliest first moment at which no track, if it begins as late as in the round before, meets its own end.
    fn meeting(&self) -> i64 {
        let meeting = |track: &Track| track.end().saturating_sub(track.start.saturating_sub(self.before));
        self.tracks.values().map(meeting).max().unwrap_or(0)
    }
}

/// Marks the track that keeps when the frames of another are shown.
const SHOWN: u32 = 1 << 31;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_track_begins_before_its_own_end() {
        let mut joint = Joint::default();
        let mut last = [i64::MIN; 2];
        for _ in 0..3 {
            // Pictures from 100 on, sound from 80 on and 30 longer.
            for (track, at) in [(0, 100), (1, 80), (0, 140), (1, 110), (1, 140), (1, 170)] {
                let at = joint.place(track, at, 0);
                assert!(at > std::mem::replace(&mut last[track as usize], at));
            }
            joint.rewind();
            assert_eq!(joint.round(), Some(120));
        }
        assert_eq!(last, [380, 410]);
    }

    #[test]
    fn rounds_do_not_meet_in_showing_where_the_last_pictures_are_missing() {
        let mut joint = Joint::default();
        for (dts, pts) in [(0, 80), (40, 200), (80, 120), (120, 160), (160, 320)] {
            joint.place(0, dts, 0);
            joint.show(0, pts);
        }
        joint.rewind();
        assert_eq!(joint.place(0, 0, 0), 280); // shown at 360, one picture after 320
        assert_eq!(joint.round(), Some(280));
    }

    #[test]
    fn an_empty_round_changes_nothing() {
        let mut joint = Joint::default();
        joint.rewind();
        assert_eq!((joint.place(0, 7, 5), joint.round()), (7, None));
        joint.rewind();
        joint.rewind();
        assert_eq!(joint.place(0, 7, 5), 12);
    }
}
