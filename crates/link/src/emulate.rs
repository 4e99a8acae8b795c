//! The emulated one-way path: packets in, packets out later, or not at all.

use crate::config::{Compat, ConfigError, LinkConfig};
use crate::kernel::Netem;
use crate::line::{Flying, Line};
use crate::queue::{Marks, Next, Packet, Queue};
use crate::serial::Service;
use crate::shaper::Shaper;
use crate::units::{LONGEST, nanos};
use std::collections::VecDeque;
use std::time::Duration;

mod chancy;
mod outcome;
pub(crate) use chancy::Chancy;
pub use outcome::{Backlog, Counts, Delivered, Dropped, Entry, Outcome, Why};

/// An emulated one-way path.
///
/// It keeps no bytes: a packet is a ticket of the caller's and a length, and what becomes of it is asked for with
/// [`poll`](Link::poll). Time is a `Duration` since whatever the caller calls the start; it may be virtual, and one that
/// goes back counts as standing still. The same configuration, seed and packets give the same fates everywhere.
///
/// In this order: duplication, loss, corruption, outages that lose; the queue (which holds what its
/// [`Room`](crate::Room) says, by its [`Discipline`](crate::Discipline)); rate, bucket, trace; delay, jitter, reordering;
/// slots. At most 1,048,576 packets are under way beyond the queue, those that come then are dropped.
///
/// ```
/// use levada_link::{Link, Outcome};
/// use std::time::Duration;
/// let mut link = Link::new(&"rate=8mbit delay=10ms".parse()?, 42)?;
/// link.push(Duration::ZERO, 7, 1000);
/// assert_eq!(link.due(), Some(Duration::from_millis(11)));
/// let Some(Outcome::Delivered(packet)) = link.poll(Duration::from_millis(11)) else { panic!() };
/// assert_eq!((packet.ticket, packet.at), (7, Duration::from_millis(11)));
/// # Ok::<(), levada_link::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Link {
    clock: u64,
    shaper: Shaper,
    serving: Option<Serving>,
    queue: Queue,
    line: Line,
    delay: u64,
    /// Whether packets wait for those before them, and the latest time given.
    keeps_order: bool,
    latest: u64,
    latest_sure: u64,
    chancy: Option<Box<Chancy>>,
    kernel: Option<Box<Netem>>,
    /// Packets that left the queue otherwise, to be told of; at most as many as were in it.
    fallen: VecDeque<Dropped>,
    counts: Counts,
    seed: u64,
}

/// The packet being sent, and when it will be there.
#[derive(Clone, Copy, Debug)]
struct Serving {
    packet: Packet,
    service: Service,
    at: u64,
}

impl Link {
    /// A link by `config`; chance follows `seed` unless the configuration has its own.
    pub fn new(config: &LinkConfig, seed: u64) -> Result<Link, ConfigError> {
        let mut link = Link::empty(config.seed.unwrap_or(seed));
        link.change(Duration::ZERO, config)?;
        Ok(link)
    }

    fn empty(seed: u64) -> Link {
        Link {
            clock: 0,
            shaper: Shaper::new(),
            serving: None,
            queue: Queue::default(),
            line: Line::default(),
            delay: 0,
            keeps_order: false,
            latest: 0,
            latest_sure: 0,
            chancy: None,
            kernel: None,
            fallen: VecDeque::new(),
            counts: Counts::default(),
            seed,
        }
    }

    /// Takes in a packet of `length` bytes under a `ticket` by which [`poll`](Link::poll) will name it.
    pub fn push(&mut self, now: Duration, ticket: u32, length: u32) -> Entry {
        self.push_at(nanos(now), ticket, length)
    }

    /// What became of a packet, if anything has by `now`: to be asked until there is nothing more.
    pub fn poll(&mut self, now: Duration) -> Option<Outcome> {
        self.poll_at(nanos(now))
    }

    /// When to ask next, at the latest; `None` where nothing is in the link. A drop by queue management may be told
    /// with a later packet.
    pub fn due(&self) -> Option<Duration> {
        self.due_at().map(Duration::from_nanos)
    }

    /// Goes by `config` from `now` on. Nothing in the link is lost by it: what waits leaves at the new rate, of the packet
    /// being sent the rest does, and what is under way arrives as it would have.
    pub fn change(&mut self, now: Duration, config: &LinkConfig) -> Result<(), ConfigError> {
        config.check()?;
        let now = self.advance(nanos(now));
        if let Some(serving) = self.serving {
            self.shaper.give_back(now, serving.service);
        }
        self.shaper.change(config, now);
        self.queue.change(config.queue, config.discipline, config.slowest());
        self.delay = nanos(config.delay);
        self.keeps_order = config.keeps_order();
        match (&mut self.chancy, Chancy::is_needed(config)) {
            (Some(chancy), _) => chancy.change(config, now),
            (None, true) => self.chancy = Some(Box::new(Chancy::new(config, now, self.seed))),
            (None, false) => {}
        }
        match (&mut self.kernel, config.compat) {
            (Some(kernel), Compat::Netem) => kernel.change(config, now),
            (None, Compat::Netem) => self.kernel = Some(Box::new(Netem::new(config, now, self.seed))),
            (Some(kernel), Compat::Physical) => kernel.close(),
            (None, Compat::Physical) => {}
        }
        if let Some(Serving { packet, service, .. }) = self.serving.take() {
            let service = self.shaper.resume(now, packet.length, service);
            self.serve(packet, service);
        }
        Ok(())
    }

    /// How many packets met which fate so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What is in the link as of the last call.
    pub fn backlog(&self) -> Backlog {
        let serving = self.serving.map_or(0, |serving| u64::from(serving.packet.length));
        Backlog {
            packets: self.queue.len() + usize::from(self.serving.is_some()),
            bytes: self.queue.bytes() + serving,
            under_way: self.line.len() + self.kernel.as_ref().map_or(0, |kernel| kernel.len()),
        }
    }

    pub(crate) fn push_at(&mut self, now: u64, ticket: u32, length: u32) -> Entry {
        let now = self.advance(now);
        self.counts.arrived += 1;
        let length = length.min(LONGEST_PACKET);
        if let Some(kernel) = self.kernel.as_mut().filter(|kernel| kernel.is_open()) {
            let entry = kernel.push(now, ticket, length);
            return self.count(entry);
        }
        let packet = Packet { arrived: now, ticket, length, marks: Marks::default() };
        let Some(chancy) = &mut self.chancy else {
            let entry = Entry::of([Some(self.enter(packet)), None]);
            return self.count(entry);
        };
        let [original, copy] = chancy.judge(packet);
        let fates = [original, copy].map(|fate| fate.map(|fate| fate.and_then(|packet| self.enter(packet))));
        self.count(Entry::of(fates))
    }

    /// A link that limits nothing yet, with packets that are in it already: one being sent, others waiting, and the
    /// latest times given to those under way, of all and of the sure ones.
    pub(crate) fn resumed(
        now: u64,
        serving: Option<(Packet, Service)>,
        waiting: impl Iterator<Item = Packet>,
        (latest, latest_sure): (u64, u64),
        seed: u64,
    ) -> Link {
        let mut link = Link::empty(seed);
        (link.clock, link.latest, link.latest_sure) = (now, latest, latest_sure);
        waiting.for_each(|packet| link.queue.push(packet));
        link.serving = serving.map(|(packet, service)| Serving { packet, service, at: service.ends });
        link
    }

    /// Takes in a packet that is never lost, refused, duplicated or damaged, and stays behind the ones like it.
    pub(crate) fn push_sure(&mut self, now: u64, ticket: u32, length: u32) {
        let now = self.advance(now);
        self.counts.arrived += 1;
        let marks = Marks { sure: true, ..Marks::default() };
        let packet = Packet { arrived: now, ticket, length: length.min(LONGEST_PACKET), marks };
        if self.shaper.is_open() && self.serving.is_none() {
            self.fly(packet, now.saturating_add(self.delay));
        } else if self.serving.is_none() {
            self.start(packet, now);
            self.advance(now);
        } else {
            self.queue.push(packet);
        }
    }

    /// The delay of a packet that nothing else delays.
    pub(crate) fn base_delay(&self) -> u64 {
        self.delay
    }

    pub(crate) fn poll_at(&mut self, now: u64) -> Option<Outcome> {
        let now = self.advance(now);
        if let Some(dropped) = self.fallen.pop_front() {
            return Some(Outcome::Dropped(dropped));
        }
        let leaves = self.leaves(now);
        let flying = match (leaves, &mut self.kernel) {
            (Some(_), _) => self.line.pop(),
            (None, Some(kernel)) => kernel.poll(now),
            (None, None) => None,
        }?;
        let at = leaves.unwrap_or(flying.at);
        if let Some(gate) = self.chancy.as_mut().and_then(|chancy| chancy.gate()).filter(|_| leaves.is_some())
        {
            gate.passed(flying.length);
        }
        self.counts.delivered += 1;
        Some(Outcome::Delivered(Delivered {
            ticket: flying.ticket,
            at: Duration::from_nanos(at),
            copy: flying.marks.copy,
            flipped: flying.marks.flipped.checked_sub(1),
            marked: flying.marks.congestion,
        }))
    }

    pub(crate) fn due_at(&self) -> Option<u64> {
        if !self.fallen.is_empty() {
            return Some(self.clock);
        }
        let line = self.line.first().map(|first| first.at);
        let serving = self.serving.map(|serving| self.serving_due(serving));
        let ready = match (line, serving) {
            (Some(line), Some(serving)) => Some(line.min(serving)),
            (line, serving) => line.or(serving),
        };
        let gate = self.chancy.as_ref().and_then(|chancy| chancy.gate_now());
        let ready = match (ready, gate) {
            (Some(ready), Some(gate)) => Some(gate.due(ready)),
            (ready, _) => ready,
        };
        let kernel = self.kernel.as_ref().and_then(|kernel| kernel.due());
        let due = match (ready, kernel) {
            (Some(ready), Some(kernel)) => Some(ready.min(kernel)),
            (ready, kernel) => ready.or(kernel),
        };
        due.filter(|due| *due <= LONGEST)
    }

    /// Takes out the first packet that is ready by `now`: when it leaves, `None` where it does not yet.
    fn leaves(&mut self, now: u64) -> Option<u64> {
        let ready = self.line.first().map(|first| first.at).filter(|at| *at <= now)?;
        match self.chancy.as_mut().and_then(|chancy| chancy.gate()) {
            Some(gate) => Some(gate.leaves(ready)).filter(|leaves| *leaves <= now),
            None => Some(ready),
        }
    }

    /// When the packet being sent, or with scattered delays one behind it, can be there at the earliest.
    fn serving_due(&self, serving: Serving) -> u64 {
        let at = if self.keeps_order { serving.at.max(self.latest) } else { serving.at };
        let may_be_overtaken = self.queue.len() > 0 && self.chancy.as_ref().is_some_and(|c| c.scatters());
        if may_be_overtaken { at.min(serving.service.ends) } else { at }
    }

    /// Lets packets leave until `now`, and says what time it is: never earlier than before.
    fn advance(&mut self, now: u64) -> u64 {
        self.clock = self.clock.max(now);
        while let Some(serving) = self.serving.filter(|serving| serving.service.ends <= self.clock) {
            self.serving = None;
            self.fly(serving.packet, serving.at);
            self.start_next(serving.service.ends);
        }
        self.clock
    }

    /// A packet that chance let through: sends it, or puts it in the queue.
    fn enter(&mut self, packet: Packet) -> Result<(), Why> {
        if self.line.len() >= MOST_UNDER_WAY {
            return Err(Why::Crowded);
        }
        if !self.shaper.passes(packet.length) {
            return Err(Why::TooLong);
        }
        if self.serving.is_none() {
            self.start(packet, packet.arrived);
            // What takes no time is sent at once.
            self.advance(packet.arrived);
            return Ok(());
        }
        while !self.queue.has_room(packet.length) {
            let head = self.queue.drops_head().then(|| self.queue.shed()).flatten().ok_or(Why::Full)?;
            self.fall(head, packet.arrived, Why::Full);
        }
        self.queue.push(packet);
        Ok(())
    }

    /// Sends the next of those that wait: all of them, where nothing limits the link any longer.
    fn start_next(&mut self, now: u64) {
        while self.serving.is_none()
            && let Some(next) = self.queue.next(now)
        {
            match next {
                Next::Drop(packet) => self.fall(packet, now, Why::Managed),
                Next::Send(packet) if !self.shaper.passes(packet.length) => {
                    self.fall(packet, now, Why::TooLong)
                }
                Next::Send(packet) => self.start(packet, now),
            }
        }
    }

    fn start(&mut self, packet: Packet, now: u64) {
        if self.shaper.is_open() {
            let at = self.there(packet, now);
            return self.fly(packet, at);
        }
        let service = self.shaper.send(now, packet.length);
        self.serve(packet, service);
    }

    fn serve(&mut self, packet: Packet, service: Service) {
        let at = self.there(packet, service.ends);
        self.serving = Some(Serving { packet, service, at });
    }

    /// When a packet that leaves at `now` is there.
    fn there(&mut self, packet: Packet, now: u64) -> u64 {
        let delay = match &mut self.chancy {
            Some(chancy) if !packet.marks.sure => chancy.delay(self.delay),
            _ => self.delay,
        };
        now.saturating_add(delay)
    }

    fn fly(&mut self, packet: Packet, at: u64) {
        let mut at = if self.keeps_order { at.max(self.latest) } else { at };
        if packet.marks.sure {
            at = at.max(self.latest_sure);
            self.latest_sure = at;
        }
        self.latest = self.latest.max(at);
        self.line.push(Flying { at, ticket: packet.ticket, length: packet.length, marks: packet.marks });
    }

    fn fall(&mut self, packet: Packet, now: u64, why: Why) {
        match why {
            Why::Full | Why::Managed => self.counts.queue += 1,
            _ => self.counts.other += 1,
        }
        self.fallen.push_back(Dropped { ticket: packet.ticket, at: Duration::from_nanos(now), why });
    }

    fn count(&mut self, entry: Entry) -> Entry {
        match entry.refused {
            None => {}
            Some(Why::Loss) => self.counts.lost += 1,
            Some(Why::Full) => self.counts.queue += 1,
            Some(_) => self.counts.other += 1,
        }
        entry
    }
}

/// Longer packets count as this long, in bytes.
pub(crate) const LONGEST_PACKET: u32 = 1 << 20;
/// The bound of the delay line.
const MOST_UNDER_WAY: usize = 1 << 20;

#[cfg(test)]
pub(crate) mod tests;
