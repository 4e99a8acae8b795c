//! The two ends that a channel is made of: who sends, and what others subscribe to.

use crate::{
    Bounds, Flow, Stats, Subscriber,
    ring::{Ring, Start},
    sync::Lock,
};
use std::{sync::Arc, task::Waker};

/// The sending end. Dropping it ends the channel: subscribers get what is left, then the end.
#[derive(Debug)]
pub struct Publisher<T: Flow> {
    ring: Arc<Lock<Ring<T>>>,
    woken: Vec<Waker>,
}

impl<T: Flow> Publisher<T> {
    /// Sends one item; never waits for a subscriber.
    pub fn send(&mut self, item: T) {
        self.change(|ring| ring.push(item));
    }

    /// Sends many items at once: one lock, and each subscriber is woken once.
    pub fn send_all(&mut self, items: impl IntoIterator<Item = T>) {
        self.change(|ring| items.into_iter().for_each(|item| ring.push(item)));
    }

    /// Ends the channel, as dropping the publisher does.
    pub fn finish(self) {}

    /// Another handle to subscribe with.
    pub fn channel(&self) -> Channel<T> {
        Channel { ring: self.ring.clone() }
    }

    fn change(&mut self, change: impl FnOnce(&mut Ring<T>)) {
        {
            let mut ring = self.ring.lock();
            change(&mut ring);
            ring.seats.rouse(&mut self.woken);
        }
        self.woken.drain(..).for_each(Waker::wake); // outside the lock: a waker may run anything
    }
}

impl<T: Flow> Drop for Publisher<T> {
    fn drop(&mut self) {
        self.change(|ring| ring.ended = true);
    }
}

/// What others subscribe to; clones are handles to the same channel.
#[derive(Debug)]
pub struct Channel<T: Flow> {
    ring: Arc<Lock<Ring<T>>>,
}

impl<T: Flow> Clone for Channel<T> {
    fn clone(&self) -> Channel<T> {
        Channel { ring: self.ring.clone() }
    }
}

impl<T: Flow> Channel<T> {
    /// A channel that holds what `bounds` say, and its only publisher.
    #[allow(clippy::new_ret_no_self)] // the pair is what one wants, as with `mpsc::channel`
    pub fn new(bounds: Bounds) -> (Publisher<T>, Channel<T>) {
        let ring = Arc::new(Lock::new(Ring::new(bounds)));
        (Publisher { ring: ring.clone(), woken: Vec::new() }, Channel { ring })
    }

    /// Begins to listen at `from`, with the header set in force there first.
    pub fn subscribe(&self, from: Start) -> Subscriber<T> {
        Subscriber::new(self.ring.clone(), from)
    }

    /// The header set in force now.
    pub fn header(&self) -> Arc<Vec<T>> {
        self.ring.lock().prelude().headers
    }

    /// Whether the publisher is gone; what it left can still be read.
    pub fn has_ended(&self) -> bool {
        self.ring.lock().ended
    }

    /// Whether two handles are of the same channel.
    pub fn is(&self, other: &Channel<T>) -> bool {
        Arc::ptr_eq(&self.ring, &other.ring)
    }

    /// What went through and what is held now.
    pub fn stats(&self) -> Stats {
        let ring = self.ring.lock();
        Stats {
            items: ring.end(),
            bytes: ring.sent_bytes(),
            held_items: ring.len(),
            held_bytes: ring.held_bytes(),
            subscribers: ring.seats.taken(),
            overtaken: ring.overtaken,
        }
    }
}
