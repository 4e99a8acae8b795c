//! How much may be sent: as much as comes through without making a queue.

use super::wire::{Rendition, Report};
use std::collections::VecDeque;

/// Follows what the other end reports. Rates are bits a second on the wire, headers of IPv4 and UDP included.
///
/// While even the earliest datagrams come late, somewhere a queue has grown: the rate falls to less than what came through, and stays below
/// that for a minute and a half. Else it grows by an eighth a second.
#[derive(Debug)]
pub struct Rate {
    most: f64,
    rate: f64,
    /// Not before this is it lowered again.
    hold: f64,
    /// What is not to be exceeded, and until when.
    ceiling: (f64, f64),
    /// Datagrams sent: when, and bytes of all up to it. The first one's number.
    sent: VecDeque<(f64, u64)>,
    first: u64,
    total: u64,
    reports: VecDeque<Seen>,
    rtt: f64,
    loss: f64,
    queue: f64,
    spread: f64,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    at: f64,
    highest: u64,
    received: u64,
    bytes: u64,
}

/// How sound is put into datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Bytes of a frame.
    pub budget: usize,
    /// New frames in a datagram.
    pub together: usize,
    /// Older ones that are repeated in it.
    pub copies: usize,
}

impl Rate {
    /// Begins at a rate, and never exceeds another.
    pub fn new(begin: f64, most: f64) -> Rate {
        Rate {
            most,
            rate: begin.min(most),
            hold: 0.0,
            ceiling: (most, 0.0),
            sent: VecDeque::new(),
            first: 0,
            total: 0,
            reports: VecDeque::new(),
            rtt: 0.0,
            loss: 0.0,
            queue: 0.0,
            spread: 0.0,
        }
    }

    /// Bits a second at which each frame of such a length goes in a datagram of its own.
    pub fn alone(period: f64) -> f64 {
        OVERHEAD as f64 * 8.0 / period / ALONE
    }

    /// Numbers begin anew; what is known of the network stays.
    pub fn restart(&mut self) {
        self.sent.clear();
        self.reports.clear();
        self.first = 0;
    }

    /// Bits a second that may be sent.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// There and back, in seconds; 0 while it is not known.
    pub fn rtt(&self) -> f64 {
        self.rtt
    }

    /// The share of datagrams that are lost.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// Seconds that datagrams wait somewhere.
    pub fn queue(&self) -> f64 {
        self.queue
    }

    /// A datagram with so many bytes of UDP's was sent.
    pub fn sent(&mut self, now: f64, number: u64, bytes: usize) {
        if self.sent.is_empty() {
            self.first = number;
        }
        self.total += bytes as u64 + HEADERS;
        self.sent.push_back((now, self.total));
        if self.sent.len() > REMEMBERED {
            self.sent.pop_front();
            self.first += 1;
        }
    }

    /// The other end reports.
    pub fn report(&mut self, now: f64, report: Report) {
        let last = self.first + (self.sent.len() as u64).saturating_sub(1);
        let behind = u64::from((last as u16).wrapping_sub(report.highest));
        let Some(highest) = last.checked_sub(behind).filter(|highest| *highest >= self.first) else { return };
        let Some((sent, bytes)) = self.sent.get((highest - self.first) as usize).copied() else { return };
        let held = f64::from(report.held) / 1_000.0;
        let rtt = (now - sent - held).max(0.0);
        self.rtt = if self.rtt == 0.0 { rtt } else { self.rtt + (rtt - self.rtt) * 0.1 };
        self.queue = f64::from(report.queue) * 1e-4;
        self.spread = f64::from(report.spread) * 0.004;
        let received = match self.reports.back() {
            Some(seen) => {
                let more = report.received.wrapping_sub(seen.received as u16);
                if seen.highest > highest || more > u16::MAX / 2 {
                    return; // overtaken
                }
                seen.received + u64::from(more)
            }
            None => u64::from(report.received),
        };
        let elapsed = self.reports.back().map_or(0.0, |seen| now - seen.at);
        self.reports.push_back(Seen { at: now, highest, received, bytes });
        while self.reports.front().is_some_and(|seen| seen.at + 4.0 < now) {
            self.reports.pop_front();
        }
        self.count_losses();
        self.control(now, elapsed.min(1.0));
    }

    fn count_losses(&mut self) {
        let (Some(from), Some(to)) = (self.reports.front(), self.reports.back()) else { return };
        let sent = to.highest - from.highest;
        if sent >= 20 {
            let lost = 1.0 - (to.received - from.received) as f64 / sent as f64;
            self.loss += (lost.clamp(0.0, 1.0) - self.loss) * 0.1;
        }
    }

    /// Bits a second that came through in the last half second.
    fn through(&self) -> Option<f64> {
        let to = self.reports.back()?;
        let from = self.reports.iter().rev().find(|seen| seen.at + 0.5 <= to.at)?;
        let (numbers, received) = (to.highest - from.highest, to.received - from.received);
        let share = (received as f64 / numbers.max(1) as f64).min(1.0);
        Some((to.bytes - from.bytes) as f64 * 8.0 * share / (to.at - from.at))
    }

    fn control(&mut self, now: f64, elapsed: f64) {
        let is_over = self.queue > 0.02 + 0.1 * self.spread;
        if is_over {
            let Some(through) = self.through().filter(|_| now >= self.hold) else { return };
            let share = if self.queue > 0.1 { 0.7 } else { 0.85 };
            self.rate = self.rate.min(share * through).max(LEAST);
            self.ceiling = ((0.88 * through).max(LEAST), now + 90.0);
            self.hold = now + 0.3 + self.rtt;
            return;
        }
        if self.loss > 0.1 && self.rate > 200_000.0 {
            self.rate *= 1.0 - 0.05 * elapsed; // somebody may drop what is too much
            return;
        }
        let ceiling = if now < self.ceiling.1 { self.ceiling.0.min(self.most) } else { self.most };
        if self.rate < ceiling && now > self.hold {
            self.rate = (self.rate * (1.0 + 0.12 * elapsed)).min(ceiling);
        }
    }

    /// How to send with `rate` bits a second, which may be a part of all: at most `most` bits a second of sound, with so many copies, or as
    /// many as losses and jitter ask for.
    pub fn plan(&self, rate: f64, rendition: Rendition, most: f64, copies: Option<u8>) -> Plan {
        let period = rendition.period();
        let overhead = |together: usize| OVERHEAD as f64 * 8.0 / (together as f64 * period);
        let longest = (0.045 / period).max(1.0) as usize;
        // to wait for no other frame is worth more
        let share = |together: usize| if together == 1 { ALONE } else { 0.36 };
        let together =
            (1..=4.min(longest)).find(|n| overhead(*n) <= share(*n) * rate).unwrap_or(4.min(longest));
        let bytes = (rate * together as f64 * period / 8.0) as usize;
        let budget = |copies: usize| {
            let frames = together + copies;
            let fair = bytes.saturating_sub(OVERHEAD) / frames;
            fair.min((BODY - Report::LENGTH) / frames).saturating_sub(2).min((most * period / 8.0) as usize)
        };
        // whole datagrams are lost, so whole datagrams are repeated
        let asked = (together * copies.map_or_else(|| self.copies(), usize::from)).min(12);
        // copies are worth nothing where what they repeat says little
        let enough = (24_000.0 * period / 8.0) as usize;
        let whole = (0..=asked).rev().filter(|n| n % together == 0);
        let copies = whole.into_iter().find(|n| budget(*n) >= enough).unwrap_or(0);
        Plan { budget: budget(copies).max(10), together, copies }
    }

    fn copies(&self) -> usize {
        let losses = match self.loss {
            loss if loss < 0.005 => 0,
            loss if loss < 0.08 => 1,
            loss if loss < 0.25 => 2,
            _ => 3,
        };
        let jitter = match self.spread {
            spread if spread < 0.04 => 0,
            spread if spread < 0.08 => 1,
            spread if spread < 0.16 => 2,
            _ => 4,
        };
        losses.max(jitter)
    }
}

/// Bytes of IPv4's and UDP's headers.
const HEADERS: u64 = 28;
/// Bytes of a datagram beside its frames: those headers, ours, the tag, and reports now and then.
const OVERHEAD: usize = 28 + 12 + 16 + 3;
/// Bytes of a body.
pub const BODY: usize = 1_200 - 28;
/// The share of the rate that headers may take for a datagram for each frame.
const ALONE: f64 = 0.45;
/// Bits a second that are always sent.
const LEAST: f64 = 16_000.0;
/// Datagrams whose times are known.
const REMEMBERED: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use levada_codec::packet::Codec;

    const DEFAULT: Rendition = Rendition { codec: Codec::Native, frames: 240, rate: 44_100 };

    /// So many seconds on a link of so many bits a second, with the given queue at the end.
    fn on(link: f64, seconds: f64) -> (Rate, f64, f64) {
        let (mut rate, mut queue, mut worst) = (Rate::new(256_000.0, 400_000.0), 0.0_f64, 0.0_f64);
        let (mut now, mut number, mut last) = (0.0, 0_u64, 0.0);
        let mut under_way = VecDeque::new();
        while now < seconds {
            let plan = rate.plan(rate.rate, DEFAULT, 320_000.0, None);
            let bytes = plan.budget * (plan.together + plan.copies) + 28;
            let pause = plan.together as f64 * DEFAULT.period();
            now += pause;
            queue = (queue - pause).max(0.0) + (bytes + 28) as f64 * 8.0 / link;
            under_way.push_back((now + queue + 0.02, number, queue));
            rate.sent(now, number, bytes);
            number += 1;
            while let Some((at, number, waited)) = under_way.front().copied().filter(|(at, ..)| *at <= now) {
                under_way.pop_front();
                if at > last + 0.05 {
                    last = at;
                    let report = Report {
                        highest: number as u16,
                        received: number as u16,
                        queue: (waited * 1e4) as u16,
                        ..Report::default()
                    };
                    rate.report(now, report);
                }
            }
            worst = if now > 15.0 { worst.max(queue) } else { worst };
        }
        (rate, worst, queue)
    }

    #[test]
    fn the_rate_finds_its_place_below_the_links() {
        for link in [60e3, 100e3, 200e3, 350e3] {
            let (rate, worst, _) = on(link, 75.0);
            assert!(rate.rate() < link && rate.rate() > 0.65 * link, "{link}: {}", rate.rate());
            assert!(worst < 0.05, "{link}: a queue of {worst} s after the first quarter of a minute");
        }
        let (rate, ..) = on(1e9, 30.0);
        assert!(rate.rate() > 390_000.0 && rate.plan(rate.rate, DEFAULT, 320_000.0, None).together == 1);
    }

    #[test]
    fn copies_are_made_where_losses_or_jitter_ask_and_bytes_allow() {
        let mut rate = Rate::new(256_000.0, 400_000.0);
        assert_eq!(rate.plan(rate.rate, DEFAULT, 320_000.0, None).copies, 0);
        rate.loss = 0.1;
        assert_eq!(rate.plan(rate.rate, DEFAULT, 320_000.0, None).copies, 2);
        rate.spread = 0.2;
        assert_eq!(rate.plan(rate.rate, DEFAULT, 320_000.0, None).copies, 4);
        rate.rate = 60_000.0;
        let plan = rate.plan(rate.rate, DEFAULT, 320_000.0, None);
        assert!(plan.copies <= 1 && plan.together == 4 && plan.budget >= 16, "{plan:?}");
        for bits in [16e3, 100e3, 2e6, 9e6] {
            rate.rate = bits;
            let plan = rate.plan(rate.rate, DEFAULT, 1e9, Some(8));
            assert!((plan.budget + 2) * (plan.copies + plan.together) + 8 <= BODY, "{plan:?}");
        }
    }
}
