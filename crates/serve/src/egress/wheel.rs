//! Spreads the listeners' flushes evenly over their periods.

use std::time::Duration;

/// Three rings of lanes, one lane per tick of the ring's period. A listener sits in one lane of one ring; each tick
/// serves one lane of each ring.
#[derive(Debug)]
pub(super) struct Wheel {
    rings: [Vec<Vec<u32>>; PERIODS.len()],
    /// Listeners due at each tick of the longest period, over all rings.
    due: [u32; LONGEST],
    /// Where the search for the emptiest lane begins, so that even a few listeners are spread.
    turn: usize,
}

/// Ticks since a reactor began; they last [`TICK`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(pub(super) u64);

/// Where a listener sits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) ring: u8,
    lane: u8,
    index: u32,
}

impl Tick {
    /// The tick that a reactor of this age is in.
    pub(super) fn at(age: Duration) -> Tick {
        Tick(u64::try_from(age.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX))
    }

    /// The time from `earlier` to here.
    pub(super) fn since(self, earlier: Tick) -> Duration {
        let ticks = u32::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(u32::MAX);
        TICK.saturating_mul(ticks)
    }
}

impl Wheel {
    /// Ticks in which every seat is due at least once.
    pub(super) const ROUND: u64 = LONGEST as u64;

    pub(super) fn new() -> Wheel {
        Wheel { rings: PERIODS.map(|ticks| vec![Vec::new(); ticks]), due: [0; LONGEST], turn: 0 }
    }

    /// Seats `key` in the emptiest lane of `ring`, give or take a [`RUN`].
    pub(super) fn sit(&mut self, key: u32, ring: u8) -> Seat {
        let lanes = &mut self.rings[usize::from(ring)];
        let count = lanes.len();
        let lane = (0..count)
            .map(|n| (self.turn + n) % count)
            .min_by_key(|lane| lanes[*lane].len() / RUN)
            .unwrap_or(0);
        lanes[lane].push(key);
        let seat = Seat { ring, lane: lane as u8, index: lanes[lane].len() as u32 - 1 };
        self.turn = lane + if lanes[lane].len().is_multiple_of(RUN) { SPREAD } else { 0 };
        self.count(seat, |due| *due += 1);
        seat
    }

    /// Frees `seat`; gives the key that moved onto it, if one did.
    pub(super) fn leave(&mut self, seat: Seat) -> Option<u32> {
        self.count(seat, |due| *due -= 1);
        let lane = &mut self.rings[usize::from(seat.ring)][usize::from(seat.lane)];
        lane.swap_remove(seat.index as usize);
        lane.get(seat.index as usize).copied()
    }

    fn count(&mut self, seat: Seat, change: impl Fn(&mut u32)) {
        let period = self.rings[usize::from(seat.ring)].len();
        self.due.iter_mut().skip(usize::from(seat.lane)).step_by(period).for_each(change);
    }

    /// Copies the keys that are due at `tick` into `keys`.
    pub(super) fn at(&self, tick: Tick, keys: &mut Vec<u32>) {
        for ring in &self.rings {
            keys.extend_from_slice(&ring[tick.0 as usize % ring.len()]);
        }
    }

    /// The first tick after `tick` at which somebody is due.
    pub(super) fn next(&self, tick: Tick) -> Option<Tick> {
        let ahead =
            (1..=LONGEST as u64).find(|n| self.due[tick.0.wrapping_add(*n) as usize % LONGEST] > 0)?;
        Some(Tick(tick.0.wrapping_add(ahead)))
    }
}

/// Sockets that were accepted one after another lie side by side in the kernel's memory, and writing to them in that
/// order costs less (bench/README.md); a lane that is this much longer than another takes 0.1 ms more.
pub(super) const RUN: usize = 16;
/// From one lane to the next to be filled; shares no factor with any period.
const SPREAD: usize = 7;

/// The ring with the longest period that is not longer than `period`; the first if none is.
pub(super) fn ring_within(period: Duration) -> u8 {
    let fits = PERIODS.iter().rposition(|ticks| TICK * *ticks as u32 <= period);
    fits.unwrap_or(0) as u8
}

/// The ring with the shortest period that is not shorter than `period`; the last if none is.
pub(super) fn ring_beyond(period: Duration) -> u8 {
    let fits = PERIODS.iter().position(|ticks| TICK * *ticks as u32 >= period);
    fits.unwrap_or(PERIODS.len() - 1) as u8
}

/// How long a tick lasts: 40 lanes a second keep 10,000 listeners' work within a millisecond or two each.
pub(super) const TICK: Duration = Duration::from_millis(25);
/// The rings' periods in ticks: 250, 500 and 1,000 ms. Each divides the next.
pub(super) const PERIODS: [usize; 3] = [10, 20, LONGEST];
const LONGEST: usize = 40;
