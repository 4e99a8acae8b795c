//! One thread's share of the listeners, and the loop that serves them.

mod handle;
mod orders;

use super::{
    Config, OnEnd,
    carry::Then,
    crowd::Crowd,
    inbox::Inbox,
    listener::{Listener, Outcome},
    stats::{ReactorTally, Tally},
    wheel::{Tick, Wheel},
};
use crate::{End, Piece, Rendition, RenditionId};
pub(super) use handle::Handle;
use mio::{Events, Poll, Registry, Token, event::Event};
pub(super) use orders::{Closing, Command};
use slab::Slab;
use std::{
    collections::HashMap,
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
    tick: Tick,
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
        let next = self.wheel.next(self.tick)?;
        let due = self.began + next.since(Tick::default());
        Some(due.saturating_duration_since(Instant::now()))
    }

    fn mail(&mut self) {
        let mail = self.post.inbox.empty();
        mail.commands.into_iter().for_each(|command| self.obey(command));
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
        let now = Tick::at(self.now - self.began);
        let missed = now.0.saturating_sub(self.tick.0).min(Wheel::ROUND);
        for tick in (0..missed).rev().map(|ago| Tick(now.0 - ago)) {
            self.tick = tick;
            let mut keys = std::mem::take(&mut self.keys);
            keys.clear();
            self.wheel.at(tick, &mut keys);
            keys.iter().for_each(|key| self.visit(*key as usize));
            self.keys = keys;
        }
        self.tick = now;
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
            listener.expire(&crowd.reel);
        }
        let config = &self.post.config;
        if listener.blocked && self.tick.since(listener.progress) > config.stall {
            return self.finish(key, End::Slow);
        }
        if listener.blocked && listener.is_late(&crowd.reel) {
            self.post.tally.skips.fetch_add(1, Relaxed);
            if !listener.skip(&crowd.reel, false, self.tick, config) {
                return self.finish(key, End::Slow);
            }
        }
        self.reseat(key);
        self.serve(key);
    }

    /// Writes what there is for a listener unless its socket is full, and follows it to where it goes then.
    fn serve(&mut self, key: usize) {
        loop {
            let Some(listener) = self.listeners.get_mut(key).filter(|listener| !listener.blocked) else {
                return;
            };
            let crowd = &self.crowds[listener.crowd as usize];
            if listener.hungry {
                listener.feed(&crowd.reel, &self.post.config);
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
                Outcome::Arrived(Then::Close(end)) => return self.finish(key, end),
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

    /// Puts on a reel what its channel has, a batch at a time.
    fn fill(&mut self, key: usize) {
        while let Some(crowd) = self.crowds.get_mut(key) {
            crowd.fresh = self.tick;
            let more = crowd.draw(&mut self.batch, self.now);
            self.make_room(key);
            if !more {
                return;
            }
        }
    }

    /// Lets the oldest pages go, after moving those who still need them.
    fn make_room(&mut self, key: usize) {
        let crowd = &self.crowds[key];
        let Some(due) = crowd.reel.due() else { return };
        if crowd.floor < due {
            self.rescue(key, due);
        }
        if let Some(crowd) = self.crowds.get_mut(key) {
            crowd.reel.evict(due);
        }
    }

    fn rescue(&mut self, key: usize, due: u64) {
        let mut floor = u64::MAX;
        for member in self.crowds[key].members.clone() {
            let (listener, crowd) = (&mut self.listeners[member as usize], &self.crowds[key]);
            if listener.needs().is_some_and(|offset| offset < due) {
                self.post.tally.skips.fetch_add(1, Relaxed);
                let patient = listener.skip(&crowd.reel, true, self.tick, &self.post.config);
                match patient {
                    true if listener.hungry => self.enter_prompt(member as usize),
                    true => {}
                    false => {
                        self.finish(member as usize, End::Slow);
                        continue;
                    }
                }
            }
            floor = floor.min(self.listeners[member as usize].needs().unwrap_or(u64::MAX));
        }
        if let Some(crowd) = self.crowds.get_mut(key) {
            crowd.floor = floor;
        }
    }

    /// Moves a listener that has come to the end of its reel to another rendition.
    fn hop(&mut self, key: usize, to: Arc<Rendition>) {
        let listener = &self.listeners[key];
        if self.crowds[listener.crowd as usize].rendition.id == to.id {
            return;
        }
        let had = (!listener.hungry)
            .then(|| self.crowds[listener.crowd as usize].reel.header_before(listener.cursor.offset));
        let target = self.crowd_of(to);
        self.leave_crowd(key);
        self.listeners[key].cursor.layout.move_on();
        self.fill(target);
        self.enter_crowd(key, target, levada_channel::Start::Entry, had);
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
        let listener = &self.listeners[key];
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
        for listener in self.listeners.drain() {
            self.post.tally.listeners.fetch_sub(1, Relaxed);
            let end = || (self.post.on_end)(listener.session.clone(), End::Shutdown);
            if catch_unwind(AssertUnwindSafe(end)).is_err() {
                tracing::error!("the end of a session could not be told");
            }
        }
    }
}

/// Sockets looked at per wake-up; the others are looked at right after.
const EVENTS: usize = 1024;
/// The token of the inbox; a slab never gets this far.
const WAKE: Token = Token(usize::MAX);
