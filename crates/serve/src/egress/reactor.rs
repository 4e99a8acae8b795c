//! One thread's share of the listeners, and the loop that serves them.

mod handle;
mod orders;

use super::{
    Config, OnEnd,
    carry::Then,
    crowd::Crowd,
    inbox::Inbox,
    listener::{Listener, Outcome, Skipped},
    stats::{ReactorTally, Tally},
    wheel::{Tick, Wheel},
};
use crate::{End, Piece, Rendition, RenditionId};
pub(super) use handle::Handle;
use mio::{Events, Poll, Registry, Token, event::Event};
pub(super) use orders::{Closing, Command};
use slab::Slab;
use std::{
    collections::{HashMap, VecDeque},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

/// All that one reactor knows. Keys of listeners and crowds are those of their slabs.
struct Reactor {
    post: Post,
    registry: Registry,
    listeners: Slab<Listener>,
    crowds: Slab<Crowd>,
    by_rendition: HashMap<RenditionId, usize>,
    wheel: Wheel,
    began: Instant,
    now: Instant,
    /// The tick that it is in, and the last one that the wheel has turned to.
    tick: Tick,
    turned: Tick,
    /// What it was told and has not done yet.
    commands: VecDeque<Command>,
    closing: Option<Closing>,
    stopped: bool,
    /// Used again and again, so that a stream at rest allocates nothing.
    keys: Vec<u32>,
    prompt: Vec<u32>,
    batch: Vec<Piece>,
}

/// What a reactor is given for life, and its successor after it if it fails.
#[derive(Clone)]
struct Post {
    config: Config,
    on_end: OnEnd,
    inbox: Arc<Inbox>,
    tally: Arc<ReactorTally>,
    tallies: Arc<Tally>,
    number: usize,
}

impl Reactor {
    fn new(post: Post, registry: Registry, now: Instant) -> Reactor {
        Reactor {
            post,
            registry,
            listeners: Slab::new(),
            crowds: Slab::new(),
            by_rendition: HashMap::new(),
            wheel: Wheel::new(),
            began: now,
            now,
            tick: Tick::default(),
            turned: Tick::default(),
            commands: VecDeque::new(),
            closing: None,
            stopped: false,
            keys: Vec::new(),
            prompt: Vec::new(),
            batch: Vec::new(),
        }
    }

    /// Serves until it is told to stop.
    fn run(&mut self, poll: &mut Poll) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        while !self.stopped {
            match poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            self.now = Instant::now();
            self.tick = Tick::at(self.now - self.began);
            self.post.tally.wakeups.fetch_add(1, Relaxed);
            events.iter().for_each(|event| self.socket(event));
            self.mail();
            self.turn_wheel();
            self.close_if_due();
        }
        Ok(())
    }

    /// How long there is nothing to do.
    fn patience(&self) -> Option<Duration> {
        let next = self.wheel.next(self.turned)?;
        let due = self.began + next.since(Tick::default());
        Some(due.saturating_duration_since(Instant::now()))
    }

    fn mail(&mut self) {
        let mail = self.post.inbox.empty();
        self.commands.extend(mail.commands);
        while let Some(command) = self.commands.pop_front() {
            self.obey(command);
        }
        for crowd in mail.rung {
            if let Some(crowd) = self.crowds.get_mut(crowd) {
                crowd.rung();
            }
            self.publish(crowd);
        }
    }

    /// A socket has news: room, bytes that nobody wants, or its end.
    fn socket(&mut self, event: &Event) {
        let key = event.token().0;
        let Some(listener) = self.listeners.get_mut(key) else { return }; // the waker, or one that has just gone
        let gone = event.is_error() || event.is_read_closed() || event.is_write_closed();
        if gone || event.is_readable() && listener.wire.discard() {
            return self.finish(key, End::Left);
        }
        if event.is_writable() && std::mem::take(&mut listener.blocked) {
            self.serve(key);
        }
    }

    /// Serves those who are due since the last turn.
    fn turn_wheel(&mut self) {
        let missed = self.tick.0.saturating_sub(self.turned.0).min(Wheel::ROUND);
        for ago in (0..missed).rev() {
            let mut keys = std::mem::take(&mut self.keys);
            keys.clear();
            self.wheel.at(Tick(self.tick.0 - ago), &mut keys);
            keys.iter().for_each(|key| self.visit(*key as usize));
            self.keys = keys;
        }
        self.turned = self.tick;
    }

    /// The regular look at a listener: what is new for it, and whether its time or our patience is up.
    fn visit(&mut self, key: usize) {
        let Some(listener) = self.listeners.get(key) else { return };
        let crowd = listener.crowd as usize;
        if self.crowds[crowd].fresh != self.tick {
            self.fill(crowd);
        }
        let Some(listener) = self.listeners.get_mut(key) else { return };
        let crowd = &self.crowds[listener.crowd as usize];
        if listener.expires.take_if(|expires| *expires <= self.tick).is_some() {
            listener.place.close(&crowd.reel, End::Expired);
        }
        if listener.blocked && self.tick.since(listener.progress) > self.post.config.stall {
            return self.finish(key, End::Slow);
        }
        if listener.blocked && listener.place.is_late(&crowd.reel) {
            self.skip(key, 0);
        }
        self.reseat(key);
        self.serve(key);
        self.note_lag(key);
    }

    /// Notes how far behind a listener's socket is.
    fn note_lag(&self, key: usize) {
        let Some(listener) = self.listeners.get(key) else { return };
        let reel = &self.crowds[listener.crowd as usize].reel;
        let needs = listener.place.needs().filter(|_| listener.blocked);
        let lag = needs.map_or(Duration::ZERO, |offset| reel.lag(offset));
        listener.session.lag.store(u32::try_from(lag.as_millis()).unwrap_or(u32::MAX), Relaxed);
    }

    /// Writes what there is for a listener unless its socket is full, and follows it to where it goes then.
    fn serve(&mut self, key: usize) {
        loop {
            let Some(listener) = self.listeners.get_mut(key).filter(|listener| !listener.blocked) else {
                return;
            };
            let crowd = &mut self.crowds[listener.crowd as usize];
            if listener.place.is_hungry() {
                listener.place.feed(&crowd.reel, &self.post.config);
                crowd.keep_for(&listener.place);
            }
            let flushed = listener.flush(&crowd.reel, self.tick);
            let tally = &self.post.tally;
            tally.writes.fetch_add(flushed.writes, Relaxed);
            tally.bytes.fetch_add(flushed.bytes, Relaxed);
            crowd.count(flushed.bytes);
            match flushed.outcome {
                Outcome::Even => return self.settle(key),
                Outcome::Full => {
                    tally.blocked.fetch_add(1, Relaxed);
                    return;
                }
                Outcome::Gone => return self.finish(key, End::Left),
                Outcome::Arrived(Then::Close(end)) => {
                    listener.bid_farewell(end);
                    return self.finish(key, end);
                }
                Outcome::Arrived(Then::Hop(to)) => self.hop(key, to),
            }
        }
    }

    /// A listener that was hungry and is not any more waits for its turn like all others.
    fn settle(&mut self, key: usize) {
        let listener = &self.listeners[key];
        if listener.prompt.is_some() && !listener.is_prompt() {
            self.leave_prompt(key);
        }
    }

    /// Brings a crowd's reel up to date, and serves those who want it at once.
    fn publish(&mut self, crowd: usize) {
        self.fill(crowd);
        let mut prompt = std::mem::take(&mut self.prompt);
        prompt.clear();
        prompt.extend(self.crowds.get(crowd).into_iter().flat_map(|crowd| &crowd.prompt));
        prompt.iter().for_each(|key| self.serve(*key as usize));
        self.prompt = prompt;
        self.hang_bell(crowd);
    }

    /// Puts on a reel what its channel has, a batch at a time. A source that is faster than that waits for the next
    /// turn, or loses what its channel cannot hold.
    fn fill(&mut self, key: usize) {
        for _ in 0..BATCHES {
            let Some(crowd) = self.crowds.get_mut(key) else { return };
            crowd.fresh = self.tick;
            let more = crowd.draw(&mut self.batch, self.now);
            self.post.tally.missed.fetch_add(crowd.missed(), Relaxed);
            self.make_room(key);
            if !more {
                return;
            }
        }
    }

    /// Lets the oldest pages go, after moving those who still need them; never what somebody needs.
    fn make_room(&mut self, key: usize) {
        let Some(crowd) = self.crowds.get(key) else { return };
        let Some(due) = crowd.reel.due() else { return };
        if crowd.floor < due {
            self.rescue(key, due);
        }
        // moving somebody may have ended the crowd, and another may have its key, with a floor of its own
        if let Some(crowd) = self.crowds.get_mut(key).filter(|crowd| crowd.floor >= due) {
            crowd.reel.evict(due);
        }
    }

    /// Sees to it that no member needs anything before `due`: those whose turn has not come are served, the others
    /// move. Meanwhile others may come, whom the floor has to do justice too.
    fn rescue(&mut self, key: usize, due: u64) {
        let crowd = &mut self.crowds[key];
        crowd.floor = u64::MAX;
        let (id, members) = (crowd.rendition.id, crowd.members.clone());
        let mut floor = u64::MAX;
        for member in members {
            if self.needs(member, key) < due {
                self.serve(member as usize);
            }
            if self.needs(member, key) < due {
                self.skip(member as usize, due);
            }
            floor = floor.min(self.needs(member, key));
        }
        if let Some(crowd) = self.crowds.get_mut(key).filter(|crowd| crowd.rendition.id == id) {
            crowd.floor = crowd.floor.min(floor);
        }
    }

    /// The first offset that a listener needs, if it is still in this crowd.
    fn needs(&self, key: u32, crowd: usize) -> u64 {
        let listener = self.listeners.get(key as usize).filter(|listener| listener.crowd as usize == crowd);
        listener.and_then(|listener| listener.place.needs()).unwrap_or(u64::MAX)
    }

    /// Moves a listener that is too slow, or ends it if that happened too often.
    fn skip(&mut self, key: usize, due: u64) {
        let listener = &mut self.listeners[key];
        let crowd = &self.crowds[listener.crowd as usize];
        match listener.skip(&crowd.reel, due, self.tick, &self.post.config) {
            Skipped::Not => return,
            Skipped::Moved => {}
            Skipped::TooOften => return self.finish(key, End::Slow),
        }
        self.post.tally.skips.fetch_add(1, Relaxed);
        if self.listeners[key].place.is_hungry() {
            self.enter_prompt(key);
        }
    }

    /// Moves a listener that has come to the end of its reel to another rendition.
    fn hop(&mut self, key: usize, to: Arc<Rendition>) {
        let listener = &self.listeners[key];
        if self.crowds[listener.crowd as usize].rendition.id == to.id {
            return self.stay(key);
        }
        let had = listener.place.header(&self.crowds[listener.crowd as usize].reel);
        let target = self.crowd_of(to);
        self.leave_crowd(key);
        self.listeners[key].place.leave_reel();
        self.enter_crowd(key, target, levada_channel::Start::Entry, had);
    }

    /// A listener that was sent to another rendition and back before it left goes on where it is.
    fn stay(&mut self, key: usize) {
        let listener = &mut self.listeners[key];
        let crowd = &mut self.crowds[listener.crowd as usize];
        listener.place.stay(&crowd.reel);
        crowd.keep_for(&listener.place);
        if listener.is_prompt() {
            self.enter_prompt(key);
        }
    }

    fn finish(&mut self, key: usize, end: End) {
        self.leave_crowd(key);
        let mut listener = self.listeners.remove(key);
        if let Some(moved) = self.wheel.leave(listener.seat) {
            self.listeners[moved as usize].seat = listener.seat;
        }
        listener.wire.discard(); // what is unread would turn the end of the stream into a reset
        drop(listener.wire);
        self.post.tally.listeners.fetch_sub(1, Relaxed);
        (self.post.on_end)(listener.session, end);
    }

    /// Seats a listener by its pace, if its rendition's rate has another period now.
    fn reseat(&mut self, key: usize) {
        let Some(listener) = self.listeners.get(key) else { return };
        let ring = listener.pace.ring(self.crowds[listener.crowd as usize].reel.rate());
        if ring == listener.seat.ring {
            return;
        }
        let old = listener.seat;
        if let Some(moved) = self.wheel.leave(old) {
            self.listeners[moved as usize].seat = old;
        }
        self.listeners[key].seat = self.wheel.sit(key as u32, ring);
    }
}

/// Nobody disappears unseen: whoever is left, even after a panic, is ended.
impl Drop for Reactor {
    fn drop(&mut self) {
        if self.stopped {
            self.commands.extend(self.post.inbox.empty().commands);
        }
        let waiting = self.commands.drain(..).filter_map(|command| match command {
            Command::Join(joining) => Some(joining.session),
            _ => None,
        });
        for session in self.listeners.drain().map(|listener| listener.session).chain(waiting) {
            self.post.tally.listeners.fetch_sub(1, Relaxed);
            let end = || (self.post.on_end)(session, End::Shutdown);
            if catch_unwind(AssertUnwindSafe(end)).is_err() {
                tracing::error!("the end of a session could not be told");
            }
        }
    }
}

/// Sockets looked at per wake-up; the others are looked at right after.
const EVENTS: usize = 1024;
/// Batches drawn for a reel at once: 32 MiB.
const BATCHES: usize = 32;
/// The token of the inbox; a slab never gets this far.
const WAKE: Token = Token(usize::MAX);
