//! Holds numbered blocks until it is time to hear them.

/// Numbers are sent modulo this.
const NUMBERS: u16 = 1 << 15;

/// The seminar's random access buffer, without its faults: nothing is heard twice, numbers may wrap, and a peer that begins
/// anew is followed.
///
/// It holds four times what is buffered, and eight blocks; a block further ahead is not kept until a second one agrees with it.
#[derive(Debug)]
pub struct Blocks {
    /// Blocks between the arrival of one and its time.
    delay: i64,
    cells: Vec<Cell>,
    /// The block that is heard next; none until something came.
    next: Option<i64>,
    /// The last block that was too far away to be believed.
    stray: Option<i64>,
    /// Blocks in a row that came too late.
    late_in_a_row: u32,
    slack: Slack,
    counts: Counts,
}

#[derive(Clone, Debug)]
struct Cell {
    number: Option<i64>,
    values: Vec<i32>,
}

/// What became of blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Heard in time.
    pub heard: u64,
    /// Not there when they were to be heard.
    pub missing: u64,
    /// Came after their time.
    pub late: u64,
    /// Came twice.
    pub twice: u64,
    /// Times at which the buffer began anew: the peer did, or the way changed.
    pub resyncs: u64,
    /// Blocks skipped or added to follow the peer's clock and the way's delay.
    pub moved: u64,
}

/// What is to be played.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// Nobody was heard yet.
    Nothing,
    /// A block.
    Block(&'a [i32]),
    /// A block is missing.
    Missing,
}

impl Blocks {
    /// Blocks of `values` values, heard `delay` blocks after they came.
    pub fn new(delay: u32, values: usize) -> Blocks {
        let delay = i64::from(delay.clamp(1, 2_000));
        let cell = Cell { number: None, values: vec![0; values] };
        Blocks {
            delay,
            cells: vec![cell; (4 * delay + 8) as usize],
            next: None,
            stray: None,
            late_in_a_row: 0,
            slack: Slack::default(),
            counts: Counts::default(),
        }
    }

    /// What became of blocks so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Blocks that wait.
    pub fn level(&self) -> usize {
        let next = self.next.unwrap_or(0);
        self.cells.iter().filter(|cell| cell.number.is_some_and(|number| number >= next)).count()
    }

    /// Takes a block that came; its place is swapped for another in `values`.
    pub fn put(&mut self, number: u16, values: &mut Vec<i32>) {
        let Some(next) = self.next else { return self.begin(i64::from(number % NUMBERS), values) };
        let number = unwrap(number, next);
        let ahead = number - next;
        let reach = self.cells.len() as i64;
        if !(-reach..reach).contains(&ahead) {
            let agrees = self.stray.is_some_and(|stray| (number - stray).abs() <= reach);
            self.stray = Some(number);
            if agrees {
                self.restart(number, values);
            }
            return;
        }
        self.stray = None;
        self.late_in_a_row = if ahead < 0 { self.late_in_a_row + 1 } else { 0 };
        self.slack.arrived(ahead, self.late_in_a_row, self.delay);
        if ahead < 0 {
            self.counts.late += 1;
            // the way or the peer's clock has changed for good
            if self.late_in_a_row > 8 + 2 * self.delay as u32 {
                self.restart(number, values);
            }
            return;
        }
        self.keep(number, values);
    }

    /// The block whose time has come.
    pub fn take(&mut self) -> Next<'_> {
        let Some(next) = self.next else { return Next::Nothing };
        let advice = self.slack.advice();
        self.counts.moved += u64::from(advice != Advice::Stay);
        if advice == Advice::Wait {
            self.counts.missing += 1;
            return Next::Missing;
        }
        let next = next + i64::from(advice == Advice::Skip);
        self.next = Some(next + 1);
        let place = self.place(next);
        let cell = &mut self.cells[place];
        if cell.number != Some(next) {
            self.counts.missing += 1;
            return Next::Missing;
        }
        cell.number = None;
        self.counts.heard += 1;
        Next::Block(&self.cells[place].values)
    }

    fn begin(&mut self, number: i64, values: &mut Vec<i32>) {
        self.next = Some(number - self.delay);
        self.stray = None;
        self.late_in_a_row = 0;
        self.slack = Slack::default();
        self.cells.iter_mut().for_each(|cell| cell.number = None);
        self.keep(number, values);
    }

    fn restart(&mut self, number: i64, values: &mut Vec<i32>) {
        self.counts.resyncs += 1;
        self.begin(number, values);
    }

    fn keep(&mut self, number: i64, values: &mut Vec<i32>) {
        let place = self.place(number);
        let cell = &mut self.cells[place];
        if cell.number == Some(number) {
            self.counts.twice += 1;
            return;
        }
        cell.number = Some(number);
        std::mem::swap(&mut cell.values, values);
    }

    fn place(&self, number: i64) -> usize {
        number.rem_euclid(self.cells.len() as i64) as usize
    }
}

/// How early blocks come, looked at every few seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Slack {
    arrivals: u32,
    late: u32,
    /// Blocks in hand when the latest one of the window came, and the earliest.
    range: Option<(i64, i64)>,
    advice: Advice,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Advice {
    #[default]
    Stay,
    /// Leave a block out: even the latest came early.
    Skip,
    /// Let a block's time pass: too many came late.
    Wait,
}

impl Slack {
    fn arrived(&mut self, ahead: i64, late_in_a_row: u32, delay: i64) {
        self.arrivals += 1;
        self.late += u32::from(ahead < 0);
        let (least, most) = self.range.unwrap_or((ahead, ahead));
        let (least, most) = (least.min(ahead), most.max(ahead));
        self.range = Some((least, most));
        let drifted = late_in_a_row >= 4;
        if !drifted && self.arrivals < WINDOW {
            return;
        }
        // a fiftieth may be late; the delay may become three times what was asked for
        let advice = match () {
            () if (drifted || self.late * 50 > WINDOW) && most < 3 * delay => Advice::Wait,
            () if least > delay => Advice::Skip,
            () => Advice::Stay,
        };
        *self = Slack { advice, ..Slack::default() };
    }

    fn advice(&mut self) -> Advice {
        std::mem::take(&mut self.advice)
    }
}

/// Arrivals that are judged together: at 1024 frames, three seconds.
const WINDOW: u32 = 128;

/// The number nearest to `near` of those that are sent as `number`.
fn unwrap(number: u16, near: i64) -> i64 {
    let modulus = i64::from(NUMBERS);
    let ahead = (i64::from(number) - near).rem_euclid(modulus);
    near + if ahead >= modulus / 2 { ahead - modulus } else { ahead }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(blocks: &mut Blocks, number: i64) {
        blocks.put((number % 32_768) as u16, &mut vec![number as i32]);
    }

    fn take(blocks: &mut Blocks) -> Option<i32> {
        match blocks.take() {
            Next::Block(values) => Some(values[0]),
            Next::Nothing | Next::Missing => None,
        }
    }

    #[test]
    fn blocks_are_heard_once_in_order_and_never_stale() {
        let mut blocks = Blocks::new(3, 1);
        assert_eq!(blocks.take(), Next::Nothing);
        let heard: Vec<_> = [1, 2, 4, 3, 4, 9, 6]
            .into_iter()
            .map(|number| {
                put(&mut blocks, number);
                take(&mut blocks)
            })
            .collect();
        assert_eq!(heard, [None, None, None, Some(1), Some(2), Some(3), Some(4)]);
        assert_eq!([(); 5].map(|()| take(&mut blocks)), [None, Some(6), None, None, Some(9)]);
        assert_eq!(blocks.counts().twice, 1);
    }

    #[test]
    fn numbers_wrap_without_a_jump() {
        let mut blocks = Blocks::new(7, 1);
        for number in 32_700..33_000 {
            put(&mut blocks, number);
            let expected = (number >= 32_707).then_some(number as i32 - 7);
            assert_eq!(take(&mut blocks), expected, "{number}");
        }
    }

    #[test]
    fn a_peer_that_begins_anew_is_followed_after_two_blocks_but_one_stray_is_not() {
        let mut blocks = Blocks::new(2, 1);
        for number in 5_000..5_010 {
            put(&mut blocks, number);
            take(&mut blocks);
        }
        put(&mut blocks, 20_000);
        put(&mut blocks, 5_010);
        assert_eq!(take(&mut blocks), Some(5_008));
        let heard: Vec<_> = (1..6)
            .map(|number| {
                put(&mut blocks, number);
                take(&mut blocks)
            })
            .collect();
        assert_eq!(heard, [Some(5_009), None, None, Some(2), Some(3)]);
        assert_eq!(blocks.counts().resyncs, 1);
    }

    #[test]
    fn a_fast_peer_is_skipped_now_and_then_and_a_slow_one_waited_for() {
        for (every, fast) in [(400, true), (400, false)] {
            let mut blocks = Blocks::new(4, 1);
            let mut number = 1;
            for cycle in 0..20_000 {
                put(&mut blocks, number);
                number += 1;
                if cycle % every == 0 && fast {
                    put(&mut blocks, number);
                    number += 1;
                }
                take(&mut blocks);
                if cycle % every == 0 && !fast {
                    take(&mut blocks);
                }
                assert!(blocks.level() < 24, "{cycle}");
            }
            let Counts { heard, late, .. } = blocks.counts();
            assert!(heard > 19_500 && late < 300, "{:?}", blocks.counts());
        }
    }
}
