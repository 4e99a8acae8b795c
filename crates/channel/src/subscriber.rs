//! The receiving end: a position in the ring, and what must be told before it.

use crate::{
    Flow, Role,
    headers::SetCount,
    ring::{Prelude, Ring, Start},
    sync::Lock,
};
use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// What a subscriber finds when it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken<T> {
    /// The next item.
    Item(T),
    /// Nothing yet.
    Empty,
    /// Nothing any more: the publisher is gone and all was read.
    Ended,
}

/// Reads a channel at its own speed. One that falls out of the ring goes on at the newest entry, with the header set
/// if another is in force there; what it missed is in [`Subscriber::skipped`].
#[derive(Debug)]
pub struct Subscriber<T: Flow> {
    ring: Arc<Lock<Ring<T>>>,
    seat: usize,
    place: Place<T>,
}

#[derive(Debug)]
struct Place<T> {
    next: u64,
    /// Waits for an entry: what is neither header nor entry is left out.
    seeking: bool,
    headers: Arc<Vec<T>>,
    /// How many of `headers` were handed out.
    told: usize,
    /// The header set last handed out, before it or in the stream.
    count: SetCount,
    note: Option<T>,
    skipped: u64,
}

impl<T: Flow> Subscriber<T> {
    pub(crate) fn new(shared: Arc<Lock<Ring<T>>>, from: Start) -> Subscriber<T> {
        let mut ring = shared.lock();
        let seat = ring.seats.take();
        let place = Place::at(&ring, from);
        drop(ring);
        Subscriber { ring: shared, seat, place }
    }

    /// The next item, or `None` when the publisher is gone and all was read. Can be dropped while it waits; nothing
    /// is lost.
    pub async fn next(&mut self) -> Option<T> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// The next item if there is one; otherwise the task is woken once when there is.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut ring = self.ring.lock();
        match self.place.take(&mut ring) {
            Taken::Item(item) => Poll::Ready(Some(item)),
            Taken::Ended => Poll::Ready(None),
            Taken::Empty => {
                ring.seats.wait(self.seat, context.waker());
                Poll::Pending
            }
        }
    }

    /// The next item, without waiting.
    pub fn try_next(&mut self) -> Taken<T> {
        self.place.take(&mut self.ring.lock())
    }

    /// Hands items to `each` under one lock until there are none or `each` says `false`, and tells what comes next:
    /// `Taken::Item(())` after a `false`. `each` must be short and must not touch this channel.
    pub fn drain(&mut self, mut each: impl FnMut(T) -> bool) -> Taken<()> {
        let mut ring = self.ring.lock();
        loop {
            match self.place.take(&mut ring) {
                Taken::Item(item) => {
                    if !each(item) {
                        return Taken::Item(());
                    }
                }
                Taken::Empty => return Taken::Empty,
                Taken::Ended => return Taken::Ended,
            }
        }
    }

    /// Wakes `waker` once when there is something to read or the end; `false` if there is already, and nobody is
    /// woken then. For those who live outside an async runtime.
    pub fn on_wake(&mut self, waker: &Waker) -> bool {
        let mut ring = self.ring.lock();
        if self.place.has_replay() || self.place.next < ring.end() || ring.ended {
            return false;
        }
        ring.seats.wait(self.seat, waker);
        true
    }

    /// How many items it is behind the newest.
    pub fn lag(&self) -> u64 {
        self.ring.lock().end().saturating_sub(self.place.next)
    }

    /// How many items it missed because it was too slow.
    pub fn skipped(&self) -> u64 {
        self.place.skipped
    }

    /// The header set that was in force where it last began, or that the stream has brought since.
    pub fn header(&self) -> Arc<Vec<T>> {
        let ring = self.ring.lock();
        let now = ring.prelude();
        if now.count == self.place.count { now.headers } else { self.place.headers.clone() }
    }
}

impl<T: Flow> Drop for Subscriber<T> {
    fn drop(&mut self) {
        self.ring.lock().seats.leave(self.seat);
    }
}

impl<T: Flow> Place<T> {
    fn at(ring: &Ring<T>, from: Start) -> Place<T> {
        let (next, seeking, prelude) = match ring.start(from) {
            Some((next, prelude)) => (next, false, prelude),
            None => (ring.end(), true, ring.prelude()),
        };
        let Prelude { count, headers, note } = prelude;
        Place { next, seeking, headers, told: 0, count, note, skipped: 0 }
    }

    fn has_replay(&self) -> bool {
        self.told < self.headers.len() || self.note.is_some()
    }

    fn take(&mut self, ring: &mut Ring<T>) -> Taken<T> {
        if self.next < ring.first() {
            self.overtaken(ring);
        }
        if let Some(header) = self.headers.get(self.told) {
            self.told += 1;
            return Taken::Item(header.clone());
        }
        if let Some(note) = self.note.take() {
            return Taken::Item(note);
        }
        while let Some(item) = ring.get(self.next) {
            self.next += 1;
            self.count.see(item);
            if self.accepts(item) {
                return Taken::Item(item.clone());
            }
        }
        if ring.ended { Taken::Ended } else { Taken::Empty }
    }

    fn accepts(&mut self, item: &T) -> bool {
        match item.role() {
            Role::Header => true,
            Role::Entry => {
                self.seeking = false;
                true
            }
            Role::Plain => !self.seeking || item.note().is_some() && item.weight() == 0,
        }
    }

    /// Goes on at the newest entry, and counts what lies between.
    fn overtaken(&mut self, ring: &mut Ring<T>) {
        let moved = Place::at(ring, Start::Entry);
        ring.overtaken += 1;
        let skipped = self.skipped + moved.next.saturating_sub(self.next);
        let same = self.count.covers(moved.count) && self.told == self.headers.len();
        *self = Place { skipped, ..moved };
        if same {
            self.told = self.headers.len();
        }
    }
}
