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

    /// The first tick at which a reactor is no younger than `age`: nothing that waits for it comes too early.
    pub(super) fn not_before(age: Duration) -> Tick {
        Tick(u64::try_from(age.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX))
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

/// How long a tick lasts: 20 lanes a second keep 10,000 listeners' work within two or three milliseconds each. Shorter
/// ticks make shorter runs of writes, which find the caches cold and the readers asleep, and cost more (bench/README.md).
pub(super) const TICK: Duration = Duration::from_millis(50);
/// The rings' periods in ticks: 250, 500 and 1,000 ms. Each divides the longest.
pub(super) const PERIODS: [usize; 3] = [5, 10, LONGEST];
const LONGEST: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// Who is due at each tick of one round.
    fn round(wheel: &Wheel) -> Vec<Vec<u32>> {
        (1..=Wheel::ROUND)
            .map(|tick| {
                let mut keys = Vec::new();
                wheel.at(Tick(tick), &mut keys);
                keys
            })
            .collect()
    }

    #[test]
    fn everybody_is_due_once_per_period() {
        let mut wheel = Wheel::new();
        for key in 0..300 {
            wheel.sit(key, (key % 3) as u8);
        }
        let due = round(&wheel);
        for key in 0..300u32 {
            let times = due.iter().flatten().filter(|due| **due == key).count();
            assert_eq!(times, [4, 2, 1][key as usize % 3]);
        }
    }

    #[test]
    fn lanes_are_level_give_or_take_a_run() {
        let mut wheel = Wheel::new();
        let _seats: Vec<_> = (0..10_000).map(|key| wheel.sit(key, 2)).collect();
        let sizes: Vec<_> = round(&wheel).iter().map(Vec::len).collect();
        assert!(sizes.iter().all(|size| (500 - RUN..=500 + RUN).contains(size)), "{sizes:?}");
    }

    #[test]
    fn neighbours_sit_side_by_side() {
        let mut wheel = Wheel::new();
        let _seats: Vec<_> = (0..1_600).map(|key| wheel.sit(key, 2)).collect();
        let apart = round(&wheel)
            .iter()
            .flat_map(|lane| lane.windows(2).map(|pair| pair[0].abs_diff(pair[1])).collect::<Vec<_>>())
            .filter(|gap| *gap > 1)
            .count();
        assert!(apart <= 1_600 / RUN, "{apart}");
    }

    #[test]
    fn who_leaves_is_replaced_by_the_last_of_the_lane() {
        let mut wheel = Wheel::new();
        let mut seats: Vec<_> = (0..100).map(|key| wheel.sit(key, (key % 3) as u8)).collect();
        for gone in (0..100).step_by(2) {
            if let Some(moved) = wheel.leave(seats[gone]) {
                seats[moved as usize] = seats[gone];
            }
        }
        let mut left: Vec<_> = round(&wheel).into_iter().flatten().collect();
        left.sort_unstable();
        left.dedup();
        assert_eq!(left, (0..100).filter(|key| key % 2 == 1).collect::<Vec<_>>());
    }

    #[test]
    fn an_empty_wheel_is_never_due_and_others_at_their_lane() {
        let mut wheel = Wheel::new();
        assert_eq!(wheel.next(Tick(77)), None);
        let seat = wheel.sit(1, 2);
        let next = wheel.next(Tick(77)).unwrap();
        assert!(next > Tick(77) && next <= Tick(77 + Wheel::ROUND));
        let mut keys = Vec::new();
        wheel.at(next, &mut keys);
        assert_eq!(keys, [1]);
        wheel.leave(seat);
        assert_eq!(wheel.next(Tick(77)), None);
    }

    #[test]
    fn periods_are_rounded_to_the_rings() {
        let ms = Duration::from_millis;
        assert_eq!([0, 250, 499, 500, 999, 1_000, 9_000].map(|n| ring_within(ms(n))), [0, 0, 0, 1, 1, 2, 2]);
        assert_eq!([0, 250, 251, 500, 501, 1_000, 9_000].map(|n| ring_beyond(ms(n))), [0, 0, 1, 1, 2, 2, 2]);
    }
}
