//! Who waits for the next item.

use std::task::Waker;

/// One seat per subscriber; those who wait have a waker on theirs. Nothing is allocated per item.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    seats: Vec<Option<Waker>>,
    free: Vec<usize>,
    waiting: Vec<usize>,
}

impl Seats {
    pub(crate) fn take(&mut self) -> usize {
        if let Some(seat) = self.free.pop() {
            return seat;
        }
        self.seats.push(None);
        self.seats.len() - 1
    }

    /// Gives `seat` back, with whatever waited there.
    pub(crate) fn leave(&mut self, seat: usize) {
        self.waiting.retain(|waiting| *waiting != seat);
        self.seats[seat] = None;
        self.free.push(seat);
    }

    /// Wakes `waker` once, at the next item; replaces what waited on this seat.
    pub(crate) fn wait(&mut self, seat: usize, waker: &Waker) {
        match &mut self.seats[seat] {
            Some(old) => old.clone_from(waker),
            empty => {
                *empty = Some(waker.clone());
                self.waiting.push(seat);
            }
        }
    }

    /// Moves all who wait into `woken`.
    pub(crate) fn rouse(&mut self, woken: &mut Vec<Waker>) {
        woken.extend(self.waiting.drain(..).filter_map(|seat| self.seats[seat].take()));
    }

    /// How many seats are taken.
    pub(crate) fn taken(&self) -> usize {
        self.seats.len() - self.free.len()
    }
}
