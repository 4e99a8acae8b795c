//! A monitor: a peer that tells the splitter which chunks it misses.

use crate::{ChunkNumber, Peer, peer};
use levada_link::{Input, Machine, Output};
use std::{collections::VecDeque, time::Instant};

/// A peer that complains, and early: once a chunk a quarter of a buffer later has come, so that what the splitter sends
/// again is there before anybody would play it.
pub struct Monitor {
    peer: Peer,
    /// The last numbers complained of, at most [`REMEMBERED`]; the oldest leave first.
    complained: VecDeque<ChunkNumber>,
    complaints: u64,
}

impl Monitor {
    /// A monitor that joins when it is first woken.
    pub fn new(now: Instant, config: peer::Config, seed: u64) -> Monitor {
        let peer = Peer::new(now, peer::Config { monitor: true, ..config }, seed);
        Monitor { peer, complained: VecDeque::new(), complaints: 0 }
    }

    /// The peer that it is.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The same, to make it leave.
    pub fn peer_mut(&mut self) -> &mut Peer {
        &mut self.peer
    }

    /// How many chunks it complained of.
    pub fn complaints(&self) -> u64 {
        self.complaints
    }

    fn complain(&mut self) {
        let Some(dbs) = self.peer.dbs() else { return };
        let held = dbs.buffer_size() / 4;
        let missing: Vec<_> =
            dbs.missing(held).filter(|number| !self.complained.contains(number)).take(AT_ONCE).collect();
        for number in missing {
            self.complained.push_back(number);
            self.complaints += 1;
            self.peer.complain(number);
        }
        let surplus = self.complained.len().saturating_sub(REMEMBERED);
        self.complained.drain(..surplus);
    }
}

impl Machine for Monitor {
    type Event = peer::Event;

    fn handle(&mut self, now: Instant, input: Input) {
        self.peer.handle(now, input);
        self.complain();
    }

    fn poll(&mut self, now: Instant) -> Output<peer::Event> {
        self.peer.poll(now)
    }
}

const REMEMBERED: usize = 1_024;
/// Complaints at one time: a monitor that misses everything is itself what is broken.
const AT_ONCE: usize = 64;
