//! The engine's thread: takes packets from hosts, lets the fabric have them, and sends them on at their time.

use crate::engine::{self, Departure, Priority, Waker, Wires};
use crate::fabric::{Fabric, Fate, Seen, Totals};
use crate::lateness::{Lateness, Summary};
use crate::netns::NetNs;
use levada_link::{ConfigError, LinkConfig};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, TrySendError, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The engine, running. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Core {
    orders: Sender<Order>,
    waker: Waker,
    called: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    start: Instant,
    wall: SystemTime,
    priority: Priority,
}

/// What the engine has been doing.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Stats {
    /// How long the lab has been there, in seconds.
    pub seconds: f64,
    /// What each direction of each link has carried: `2 * link`, one more for the way back.
    pub directions: Vec<Totals>,
    /// Packets and bytes in each direction's queue.
    pub queues: Vec<(usize, u64)>,
    /// How late packets left that links had delayed.
    pub lateness: Summary,
    /// Packets that hosts have sent.
    pub packets: u64,
    /// Packets that came faster than the engine could take them.
    pub overruns: u64,
    /// Packets that the kernel would not take back.
    pub refused: u64,
    /// The longest that a change of links took, from the order to its effect, in nanoseconds.
    pub slowest_change_ns: u64,
    /// Processor time of the engine, in seconds.
    pub cpu_seconds: f64,
}

/// What a watcher is told.
#[derive(Clone, Debug)]
pub enum Sight {
    /// What happened to packets, in order.
    Packets(Vec<Seen>),
    /// A link was changed.
    Note {
        /// When, since the lab began.
        at: Duration,
        /// To what.
        text: String,
    },
    /// So many packets were not told of, because the watcher was too slow.
    Missed(u64),
}

type Reply<T> = SyncSender<T>;

enum Order {
    Wires(Vec<(usize, LinkConfig)>, Instant, String, Reply<Result<Duration, ConfigError>>),
    Stages(Vec<usize>, Vec<LinkConfig>, Instant, String, Reply<Result<Duration, ConfigError>>),
    Watch(Vec<bool>, SyncSender<Sight>, Reply<()>),
    Stats(Reply<Stats>),
    Stop,
}

/// Somebody who watches packets.
///
/// Is told in batches, of which some hundred wait; holds 100,000 packets beyond, then the newest are left out and counted.
struct Watcher {
    directions: Vec<bool>,
    to: SyncSender<Sight>,
    backlog: Vec<Seen>,
    missed: u64,
}

impl Core {
    /// Starts the engine in `net`, where the interfaces need not be yet. Of those of hosts, that number `n` has index
    /// [`FIRST`]` + n` there.
    pub(crate) fn start(net: &NetNs, fabric: Fabric, mtu: u32, wanted: u8) -> io::Result<Starting> {
        let (orders, inbox) = channel();
        let called = Arc::new(AtomicBool::new(false));
        let (start, wall) = (Instant::now(), SystemTime::now());
        let (ready, began) = sync_channel(1);
        let theirs = called.clone();
        let net = net.share()?;
        let body = move || {
            let opened = net.go().and_then(|()| Wires::open(mtu));
            let priority = engine::hurry(wanted);
            match opened {
                Ok(wires) => {
                    let _sent = ready.send(Ok((wires.waker(), priority)));
                    Mover::new(wires, fabric, inbox, theirs, start, priority).run();
                }
                Err(why) => drop(ready.send(Err(why))),
            }
        };
        let thread = crate::keeper::start("lab engine", body)?;
        Ok(Starting { orders, called, thread, start, wall, began })
    }

    /// What scheduling it got.
    pub(crate) fn priority(&self) -> Priority {
        self.priority
    }

    /// When it began.
    pub(crate) fn began(&self) -> (Instant, SystemTime) {
        (self.start, self.wall)
    }

    /// Changes wires of directions, all at one moment, and says which.
    pub(crate) fn change(
        &self,
        wires: Vec<(usize, LinkConfig)>,
        note: String,
    ) -> Result<Duration, CoreError> {
        Ok(self.ask(|reply| Order::Wires(wires, Instant::now(), note, reply))??)
    }

    /// Puts links before the wires of directions.
    pub(crate) fn stages(
        &self,
        directions: Vec<usize>,
        stages: Vec<LinkConfig>,
        note: String,
    ) -> Result<Duration, CoreError> {
        Ok(self.ask(|reply| Order::Stages(directions, stages, Instant::now(), note, reply))??)
    }

    /// Tells of all packets on these directions from now on, until the receiver is dropped.
    pub(crate) fn watch(&self, directions: Vec<bool>) -> Result<Receiver<Sight>, CoreError> {
        let (to, sights) = sync_channel(256);
        self.ask(|reply| Order::Watch(directions, to, reply))?;
        Ok(sights)
    }

    /// What it has been doing.
    pub(crate) fn stats(&self) -> Result<Stats, CoreError> {
        self.ask(Order::Stats)
    }

    fn ask<T>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Result<T, CoreError> {
        let (reply, answer) = sync_channel(1);
        self.orders.send(order(reply)).map_err(|_| CoreError::Gone)?;
        self.called.store(true, Ordering::Release);
        self.waker.wake();
        answer.recv().map_err(|_| CoreError::Gone)
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let _gone_already = self.orders.send(Order::Stop);
        self.called.store(true, Ordering::Release);
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// An engine that opens its socket: a ring of packets is made only when all processors have passed a quiet moment, which
/// takes tens of milliseconds. Meanwhile others can build.
pub(crate) struct Starting {
    orders: Sender<Order>,
    called: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    start: Instant,
    wall: SystemTime,
    began: Receiver<io::Result<(Waker, Priority)>>,
}

impl Starting {
    /// Waits until it is ready.
    pub(crate) fn wait(self) -> io::Result<Core> {
        let Starting { orders, called, thread, start, wall, began } = self;
        let began = began.recv().map_err(|_| io::Error::other("the engine did not start"))?;
        let (waker, priority) = began?;
        Ok(Core { orders, waker, called, thread: Some(thread), start, wall, priority })
    }
}

/// Why the engine did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// It has ended.
    #[error("the engine has ended")]
    Gone,
    /// The link cannot be so.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// The state of the thread.
struct Mover {
    wires: Wires,
    fabric: Fabric,
    inbox: Receiver<Order>,
    called: Arc<AtomicBool>,
    start: Instant,
    /// So long before a deadline it stops sleeping.
    spin: Duration,
    crowd: Crowd,
    departures: Vec<Departure>,
    watchers: Vec<Watcher>,
    lateness: Lateness,
    overruns: u64,
    refused: u64,
    slowest_change: Duration,
}

impl Mover {
    fn new(
        wires: Wires,
        fabric: Fabric,
        inbox: Receiver<Order>,
        called: Arc<AtomicBool>,
        start: Instant,
        priority: Priority,
    ) -> Mover {
        let spin = if matches!(priority, Priority::Fifo(_)) { SPIN } else { SPIN / 2 };
        Mover {
            wires,
            fabric,
            inbox,
            called,
            start,
            spin,
            crowd: Crowd::default(),
            departures: Vec::new(),
            watchers: Vec::new(),
            lateness: Lateness::default(),
            overruns: 0,
            refused: 0,
            slowest_change: Duration::ZERO,
        }
    }

    fn run(mut self) {
        loop {
            self.receive();
            self.fabric.run(self.start.elapsed());
            self.send();
            if self.called.swap(false, Ordering::AcqRel) && !self.obey() {
                return;
            }
            self.tell();
            self.wait();
        }
    }

    /// Takes in what has come, each packet at the time at which the kernel had it.
    fn receive(&mut self) {
        if !self.wires.has_come() {
            return self.crowd.came(0, self.start.elapsed());
        }
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = self.start.elapsed();
        let mut count = 0;
        for _ in 0..MOST_AT_ONCE {
            let fabric = &mut self.fabric;
            let came = self.wires.receive(|arrival| {
                let port = (arrival.index as usize).wrapping_sub(FIRST as usize);
                if port < fabric.ports() {
                    let at = now.saturating_sub(wall.saturating_sub(arrival.at));
                    fabric.arrive(port, at, arrival.bytes);
                }
            });
            if !came {
                break;
            }
            count += 1;
        }
        self.crowd.came(count, now);
    }

    fn send(&mut self) {
        if self.fabric.out.is_empty() {
            return;
        }
        let now = self.start.elapsed();
        while let Some(leaving) = self.fabric.out.pop_front() {
            self.fabric.delivered(&leaving, now.max(leaving.at));
            if leaving.delayed {
                self.lateness.add(now.saturating_sub(leaving.at));
            }
            self.departures.push((FIRST + leaving.port as u32, leaving.bytes));
        }
        self.refused += self.wires.send(&self.departures);
        self.departures.clear();
    }

    /// Does what it was told; whether it goes on.
    fn obey(&mut self) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(Order::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
                Ok(order) => self.do_one(order),
            }
        }
    }

    fn do_one(&mut self, order: Order) {
        let now = self.start.elapsed();
        // Nobody waits for an answer who has gone away meanwhile.
        match order {
            Order::Wires(wires, asked, note, reply) => {
                let done = self.fabric.change(now, &wires);
                self.slowest_change = self.slowest_change.max(asked.elapsed());
                let _gone = reply.send(self.noted(now, note, done));
            }
            Order::Stages(directions, stages, asked, note, reply) => {
                let done = self.fabric.stages(now, &directions, &stages);
                self.slowest_change = self.slowest_change.max(asked.elapsed());
                let _gone = reply.send(self.noted(now, note, done));
            }
            Order::Watch(directions, to, reply) => {
                self.watchers.push(Watcher { directions, to, backlog: Vec::new(), missed: 0 });
                self.look();
                let _gone = reply.send(());
            }
            Order::Stats(reply) => drop(reply.send(self.stats())),
            Order::Stop => {}
        }
    }

    fn noted(
        &mut self,
        at: Duration,
        text: String,
        done: Result<(), ConfigError>,
    ) -> Result<Duration, ConfigError> {
        done?;
        self.tell();
        // A line for each link of those that were changed together.
        for line in text.lines() {
            for watcher in &self.watchers {
                let _too_slow = watcher.to.try_send(Sight::Note { at, text: line.to_owned() });
            }
        }
        Ok(at)
    }

    /// Watches what somebody watches.
    fn look(&mut self) {
        self.fabric.drops = !self.watchers.is_empty();
        for (direction, watched) in self.fabric.watched.iter_mut().enumerate() {
            *watched = self.watchers.iter().any(|watcher| watcher.directions.get(direction) == Some(&true));
        }
    }

    fn tell(&mut self) {
        if self.watchers.is_empty() {
            return;
        }
        let seen = std::mem::take(&mut self.fabric.seen);
        let mut left = false;
        for watcher in &mut self.watchers {
            left |= !watcher.tell(&seen);
        }
        if left {
            self.watchers.retain(|watcher| watcher.missed != u64::MAX);
            self.look();
        }
    }

    fn wait(&self) {
        if self.called.load(Ordering::Acquire) {
            return;
        }
        if self.crowd.is_thin() {
            // Where many come one by one, a moment's sleep makes one turn of them.
            let due =
                self.fabric.next().map_or(Duration::MAX, |due| due.saturating_sub(self.start.elapsed()));
            if due > MOMENT + 2 * self.spin {
                return thread::sleep(MOMENT);
            }
        }
        if self.wires.has_come() {
            return;
        }
        let late = self.watchers.iter().any(|watcher| !watcher.backlog.is_empty());
        let patience = late.then_some(Duration::from_millis(5));
        let Some(due) = self.fabric.next() else { return self.wires.wait(patience) };
        let left = due.saturating_sub(self.start.elapsed());
        if left > self.spin {
            let time = left - self.spin;
            return self.wires.wait(Some(patience.map_or(time, |patience| patience.min(time))));
        }
        while self.start.elapsed() < due && !self.wires.has_come() && !self.called.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    }

    fn stats(&mut self) -> Stats {
        self.overruns += self.wires.overruns();
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Stats {
            seconds: self.start.elapsed().as_secs_f64(),
            directions: self.fabric.totals().to_vec(),
            queues: self.fabric.queues().collect(),
            lateness: self.lateness.summary(),
            packets: self.fabric.packets(),
            overruns: self.overruns,
            refused: self.refused,
            slowest_change_ns: u64::try_from(self.slowest_change.as_nanos()).unwrap_or(u64::MAX),
            cpu_seconds: cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
        }
    }
}

/// How many packets come, and how many in a turn.
#[derive(Default)]
struct Crowd {
    /// Since when they are counted.
    since: Duration,
    count: u32,
    turns: u32,
    thin: bool,
}

impl Crowd {
    fn came(&mut self, count: u32, now: Duration) {
        self.count += count;
        self.turns += u32::from(count > 0);
        if now.saturating_sub(self.since) >= WINDOW {
            // Once asleep between turns it goes on so while many come.
            let few = if self.thin { MOST_AT_ONCE as u32 / 4 } else { 16 };
            self.thin = self.count >= MANY && self.count < few * self.turns;
            (self.since, self.count, self.turns) = (now, 0, 0);
        }
    }

    /// Whether many come, but few in a turn.
    fn is_thin(&self) -> bool {
        self.thin
    }
}

impl Watcher {
    /// Tells what it watches of `seen`; whether it still listens.
    fn tell(&mut self, seen: &[Seen]) -> bool {
        let meant = |seen: &&Seen| {
            self.directions.get(seen.direction) == Some(&true) || matches!(seen.fate, Fate::Dropped(_))
        };
        for one in seen.iter().filter(meant) {
            if self.backlog.len() < MOST_UNTOLD { self.backlog.push(one.clone()) } else { self.missed += 1 }
        }
        if self.backlog.is_empty() {
            return true;
        }
        if self.missed > 0 && self.to.try_send(Sight::Missed(self.missed)).is_ok() {
            self.missed = 0;
        }
        match self.to.try_send(Sight::Packets(std::mem::take(&mut self.backlog))) {
            Ok(()) => true,
            Err(TrySendError::Full(Sight::Packets(backlog))) => {
                self.backlog = backlog;
                true
            }
            Err(_) => {
                self.missed = u64::MAX;
                false
            }
        }
    }
}

/// The index of the first host interface's core end.
pub(crate) const FIRST: u32 = 10;
/// Long enough to cover a late wake-up on a virtual machine (70 µs measured), short enough to cost little.
const SPIN: Duration = Duration::from_micros(150);
const MOST_AT_ONCE: usize = 256;
/// How long it sleeps between turns where many packets come one by one (a virtual machine makes some 70 µs of it).
const MOMENT: Duration = Duration::from_micros(20);
/// How long packets are counted before it is decided how to take them.
const WINDOW: Duration = Duration::from_millis(2);
/// In a window: 25,000 a second.
const MANY: u32 = 50;
const MOST_UNTOLD: usize = 100_000;
