//! CoDel: packets leave a queue in which all have waited too long (RFC 8289).

use super::{Next, Packet};

/// The controller's state.
#[derive(Clone, Debug)]
pub(crate) struct Codel {
    target: u64,
    interval: u64,
    ecn: bool,
    /// When the wait will have been too long for a whole interval; `None` while it is short.
    above_until: Option<u64>,
    phase: Phase,
    /// Drops in this dropping time, and at the start of the one before.
    count: u64,
    last_count: u64,
    drop_next: u64,
    /// Whether the next drop is still to be set, once the packet after the last one proves late too.
    owed: bool,
    /// The largest packet seen: less than that waiting is no standing queue.
    largest: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Sending,
    /// In a dropping time; more drops may be due at this moment.
    Dropping,
    /// A packet was dropped on entry: the one after it is sent.
    Entered,
}

impl Codel {
    pub(crate) fn new(target: u64, interval: u64, ecn: bool) -> Codel {
        Codel {
            target,
            interval,
            ecn,
            above_until: None,
            phase: Phase::Sending,
            count: 0,
            last_count: 0,
            drop_next: 0,
            owed: false,
            largest: 0,
        }
    }

    pub(crate) fn change(&mut self, target: u64, interval: u64, ecn: bool) {
        (self.target, self.interval, self.ecn) = (target, interval, ecn);
    }

    /// The queue ran dry.
    pub(crate) fn empty(&mut self) {
        self.above_until = None;
        self.phase = Phase::Sending;
    }

    /// What becomes of `packet`, which leaves the queue at `now` with `behind` bytes after it.
    // The RFC's dequeue drops in a loop; here each turn of it is one call.
    pub(crate) fn judge(&mut self, now: u64, packet: Packet, behind: u64) -> Next {
        let late = self.is_late(now, &packet, behind);
        if std::mem::take(&mut self.owed) && late {
            self.drop_next = self.after(self.drop_next);
        }
        match self.phase {
            Phase::Entered => {
                self.phase = Phase::Dropping;
                Next::Send(packet)
            }
            _ if packet.marks.sure => Next::Send(packet),
            Phase::Dropping if !late => {
                self.phase = Phase::Sending;
                Next::Send(packet)
            }
            Phase::Dropping if now < self.drop_next => Next::Send(packet),
            Phase::Dropping => {
                self.count += 1;
                self.owed = true;
                self.hit(packet)
            }
            Phase::Sending if late => {
                self.enter(now);
                self.hit(packet)
            }
            Phase::Sending => Next::Send(packet),
        }
    }

    /// Whether the wait has been above the target for an interval.
    fn is_late(&mut self, now: u64, packet: &Packet, behind: u64) -> bool {
        self.largest = self.largest.max(packet.length);
        if now.saturating_sub(packet.arrived) < self.target || behind <= u64::from(self.largest) {
            self.above_until = None;
            return false;
        }
        let until = *self.above_until.get_or_insert(now.saturating_add(self.interval));
        now >= until
    }

    /// Begins a dropping time; close to the last one, where that left off.
    fn enter(&mut self, now: u64) {
        let since = self.count.saturating_sub(self.last_count);
        let recent = now.saturating_sub(self.drop_next) < self.interval.saturating_mul(16);
        self.count = if since > 1 && recent { since } else { 1 };
        self.last_count = self.count;
        self.drop_next = self.after(now);
        self.phase = if self.ecn { Phase::Dropping } else { Phase::Entered };
    }

    /// Marks or drops.
    fn hit(&mut self, mut packet: Packet) -> Next {
        if !self.ecn {
            return Next::Drop(packet);
        }
        packet.marks.congestion = true;
        if std::mem::take(&mut self.owed) {
            self.drop_next = self.after(self.drop_next);
        }
        Next::Send(packet)
    }

    /// When the next drop is due: the interval over the root of the count.
    fn after(&self, time: u64) -> u64 {
        let pause = self.interval as f64 / (self.count.max(1) as f64).sqrt();
        time.saturating_add((pause as u64).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Marks;

    const MS: u64 = 1_000_000;

    fn packet(arrived: u64) -> Packet {
        Packet { arrived, ticket: 0, length: 1_000, marks: Marks::default() }
    }

    /// One packet a millisecond, each having waited `wait`: when drops happen.
    fn drops(codel: &mut Codel, from: u64, to: u64, wait: u64) -> Vec<u64> {
        let mut times = Vec::new();
        for ms in from..to {
            while let Next::Drop(_) = codel.judge(ms * MS, packet(ms * MS - wait), 50_000) {
                times.push(ms);
            }
        }
        times
    }

    #[test]
    fn drops_begin_after_an_interval_and_come_closer() {
        let mut codel = Codel::new(5 * MS, 100 * MS, false);
        assert!(drops(&mut codel, 100, 200, 6 * MS).is_empty());
        // 200, then 100/√1, 100/√2, 100/√3 … later (RFC 8289, 5.3); in whole milliseconds.
        assert_eq!(drops(&mut codel, 200, 500, 6 * MS), [200, 300, 371, 429, 479]);
    }

    #[test]
    fn a_short_wait_ends_the_dropping() {
        let mut codel = Codel::new(5 * MS, 100 * MS, false);
        assert_eq!(drops(&mut codel, 100, 310, 6 * MS), [200, 300]);
        assert!(drops(&mut codel, 310, 900, 4 * MS).is_empty());
    }

    #[test]
    fn a_single_packet_is_no_queue() {
        let mut codel = Codel::new(5 * MS, 100 * MS, false);
        for ms in 100..1_000 {
            assert!(matches!(codel.judge(ms * MS, packet(0), 900), Next::Send(_)));
        }
    }

    #[test]
    fn marks_instead_of_drops_where_asked() {
        let mut codel = Codel::new(5 * MS, 100 * MS, true);
        let marked = |codel: &mut Codel, ms: u64| match codel.judge(ms * MS, packet(0), 50_000) {
            Next::Send(packet) => packet.marks.congestion,
            Next::Drop(_) => panic!("dropped"),
        };
        let times: Vec<u64> = (100..400).filter(|ms| marked(&mut codel, *ms)).collect();
        assert_eq!(times, [200, 300, 371]);
    }
}
