//! The rules of a peer of the data broadcasting set (DBS): who gets which chunk from whom, without any wire.
//!
//! Every chunk has an origin, the peer to which the splitter sent it. The origin passes it on to its neighbours, those
//! in its forwarding table F under its own name; others pass it on only to who asked for that origin with `request`.
//! One neighbour is served for each chunk received, in turn, with all that is pending for it (P), so that reception is
//! the clock and the uplink is not flooded. Each chunk given is a debt of the neighbour's (D), each one got pays one.

mod debts;
mod forward;
mod heard;
mod pending;

pub use debts::DebtLedger;
pub use forward::ForwardTable;
pub use heard::Heard;
pub use pending::PendingTable;

use crate::{Chunk, ChunkBuffer, ChunkNumber, buffer::Put};
use serde::Serialize;
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

/// What a peer knows by the rules, and what it decides.
#[derive(Clone, Debug)]
pub struct Dbs {
    me: SocketAddr,
    splitter: SocketAddr,
    forward: ForwardTable,
    pending: PendingTable,
    debts: DebtLedger,
    heard: Heard,
    /// Copies got of what was there already, by sender and origin, for [`PRUNE_AFTER`].
    copies: BTreeMap<(SocketAddr, SocketAddr), u32>,
    buffer: ChunkBuffer,
    /// The chunk that is being waited for while the buffer was never half full, and since when.
    hole: Option<(ChunkNumber, Instant)>,
    says: VecDeque<Say>,
    stats: Stats,
}

/// A message that the rules want sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Say {
    /// A chunk.
    Chunk(SocketAddr, Chunk),
    /// I am here: send me your chunks.
    Hello(SocketAddr),
    /// I leave.
    Goodbye(SocketAddr),
    /// Send me, from now on, the chunks of the origin of this one.
    Request(SocketAddr, ChunkNumber),
    /// Send me no more chunks of the origin of this one.
    Prune(SocketAddr, ChunkNumber),
}

/// What a peer counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Chunks that had not come before.
    pub received: u64,
    /// Of those, chunks from the splitter.
    pub from_splitter: u64,
    /// Chunks that were there already.
    pub duplicates: u64,
    /// Chunks outside the buffer's window.
    pub out_of_window: u64,
    /// Chunks passed on.
    pub sent: u64,
    /// Pending chunks that were dropped, since the buffer or the neighbour's patience had gone on.
    pub stale: u64,
    /// Neighbours dropped because they were silent.
    pub silent: u64,
    /// Neighbours dropped because they owe too much.
    pub expelled: u64,
    /// Messages that made no sense, or no sense from who sent them.
    pub ignored: u64,
}

impl Dbs {
    /// The rules of a peer that others know as `me`, in the team of `splitter`.
    pub fn new(me: SocketAddr, splitter: SocketAddr, buffer: ChunkBuffer, max_chunk_debt: u32) -> Dbs {
        Dbs {
            me,
            splitter,
            forward: ForwardTable::default(),
            pending: PendingTable::new(buffer.size() as usize),
            debts: DebtLedger::new(max_chunk_debt),
            heard: Heard::default(),
            copies: BTreeMap::new(),
            buffer,
            hole: None,
            says: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// JOIN_TEAM, for one peer of the splitter's list: greets it. On wire A and B a listed peer is a neighbour from
    /// the beginning (`adopt`); by the bare rules it becomes one once it is heard.
    pub fn join_team(&mut self, now: Instant, peer: SocketAddr, adopt: bool) {
        if !self.may_be_neighbor(peer) {
            return;
        }
        if adopt {
            self.add_neighbor(now, peer);
        }
        self.heard.greet(now, peer);
        self.says.push_back(Say::Hello(peer));
    }

    /// ACCEPT_NEIGHBORS: `from` said hello, and gets this peer's chunks from now on. What it owes it goes on owing.
    pub fn accept_neighbor(&mut self, now: Instant, from: SocketAddr) {
        if !self.may_be_neighbor(from) || self.heard.len() >= MOST_NEIGHBORS && !self.heard.knows(from) {
            self.stats.ignored += 1;
            return;
        }
        self.add_neighbor(now, from);
        self.heard.note(now, from);
    }

    /// RECEIVE_CHUNK_AND_FLOOD: takes a chunk in, notes for whom it is, and serves the neighbour whose turn it is.
    pub fn receive_chunk_and_flood(&mut self, now: Instant, from: SocketAddr, chunk: Chunk) -> Put {
        let (number, origin) = (chunk.number, chunk.origin);
        let from_splitter = from == self.splitter;
        if !from_splitter {
            self.accept_neighbor(now, from);
        }
        let mut put = self.buffer.put(chunk.clone());
        if from_splitter && (put == Put::Early || put == Put::Late && self.buffer.is_long_past(number)) {
            // Only who numbers the chunks may say that the stream is that far already, or begins again.
            self.buffer.restart(number);
            put = self.buffer.put(chunk);
        }
        match put {
            Put::New => self.take(now, from, number, origin),
            Put::Duplicate => {
                self.stats.duplicates += 1;
                self.count_copy(from, origin, number);
                return put;
            }
            Put::Late | Put::Early => self.stats.out_of_window += 1,
        }
        self.serve_next_neighbor();
        put
    }

    /// CONTROL: `[request number]` came. Whoever asks gets that chunk, and the later ones of its origin.
    pub fn request(&mut self, from: SocketAddr, number: ChunkNumber) {
        let Some(origin) = self.buffer.get(number).map(|chunk| chunk.origin) else { return };
        if !self.heard.knows(from) || !self.may_be_neighbor(from) || from == origin {
            self.stats.ignored += 1;
            return;
        }
        self.forward.add(origin, from);
        self.stats.stale += self.pending.add(from, number);
    }

    /// CONTROL: `[prune number]` came. Whoever sent it gets no more chunks of its origin. A number whose cell holds
    /// another chunk by now names no origin any longer.
    pub fn prune(&mut self, from: SocketAddr, number: ChunkNumber) {
        match self.buffer.get(number).map(|chunk| chunk.origin) {
            Some(origin) => self.forward.remove(origin, from),
            None => self.stats.ignored += 1,
        }
    }

    /// CONTROL: a peer said goodbye, or is taken for gone: nothing of it is kept. Twice is as good as once.
    pub fn goodbye(&mut self, from: SocketAddr) {
        self.forward.forget(from);
        self.pending.forget(from);
        self.debts.forget(from);
        self.heard.forget(from);
        self.copies.retain(|(sender, origin), _| *sender != from && *origin != from);
    }

    /// What time brings: hellos that got no answer are repeated, silent neighbours dropped, debts halved now
    /// and then, and what has been pending for long is served although nothing is received.
    pub fn wake(&mut self, now: Instant) {
        for peer in self.heard.to_greet_again(now) {
            self.says.push_back(Say::Hello(peer));
        }
        for peer in self.heard.silent(now, self.stats.from_splitter) {
            self.stats.silent += 1;
            self.goodbye(peer);
        }
        self.debts.decay(now);
        while self.pending.is_overdue(now) && self.serve_next_neighbor() {}
    }

    /// Who has just joined misses what was dealt before all others knew it, and would wait for half a buffer in vain:
    /// gives the chunks that are given up.
    pub fn give_up(&mut self, now: Instant) -> Vec<ChunkNumber> {
        if self.buffer.is_filled() {
            return Vec::new();
        }
        let Some(number) = self.buffer.hole() else {
            self.hole = None;
            return Vec::new();
        };
        let since = self.hole.filter(|(waited, _)| *waited == number).map_or(now, |(_, since)| since);
        self.hole = Some((number, since));
        if now.saturating_duration_since(since) < GIVE_UP { Vec::new() } else { self.buffer.skip().collect() }
    }

    /// When there is something to do although nothing comes.
    pub fn due(&self) -> Option<Instant> {
        [self.pending.due(), self.heard.due()].into_iter().flatten().min()
    }

    /// Asks a member of the team, chosen by `chance`, for the origin of a lost chunk.
    pub fn ask_for(&mut self, number: ChunkNumber, chance: u32) {
        if let Some(peer) = self.heard.pick(chance) {
            self.says.push_back(Say::Request(peer, number));
        }
    }

    /// The next message to be sent. A chunk leaves only if its cell still holds it.
    pub fn poll(&mut self) -> Option<Say> {
        self.says.pop_front()
    }

    /// The chunks, to be played.
    pub fn buffer(&mut self) -> &mut ChunkBuffer {
        &mut self.buffer
    }

    /// The chunks that are missing of those more than `behind` before the newest.
    pub fn missing(&self, behind: u64) -> impl Iterator<Item = ChunkNumber> + '_ {
        self.buffer.missing(behind)
    }

    /// How many chunks the buffer holds by the rules' count.
    pub fn buffer_size(&self) -> u64 {
        self.buffer.size()
    }

    /// The chunk of this number, if it is held.
    pub fn chunk(&self, number: ChunkNumber) -> Option<&Chunk> {
        self.buffer.get(number)
    }

    /// F.
    pub fn forward(&self) -> &ForwardTable {
        &self.forward
    }

    /// P.
    pub fn pending(&self) -> &PendingTable {
        &self.pending
    }

    /// D.
    pub fn debts(&self) -> &DebtLedger {
        &self.debts
    }

    /// The members of the team that were heard, or are being greeted.
    pub fn team(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.heard.peers()
    }

    /// How others know this peer.
    pub fn me(&self) -> SocketAddr {
        self.me
    }

    /// What it counts.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    fn may_be_neighbor(&self, peer: SocketAddr) -> bool {
        peer != self.me && peer != self.splitter
    }

    fn add_neighbor(&mut self, now: Instant, peer: SocketAddr) {
        self.forward.add(self.me, peer);
        self.debts.open(peer);
        self.heard.know(now, peer, self.stats.from_splitter);
    }

    /// A chunk that had not come before: pays its sender's debt, and is noted for all in F under its origin. Never for
    /// who has it: its origin, who sent it, the splitter, this peer.
    fn take(&mut self, now: Instant, from: SocketAddr, number: ChunkNumber, origin: SocketAddr) {
        self.stats.received += 1;
        if from == self.splitter {
            self.stats.from_splitter += 1;
            self.debts.turn();
        } else {
            self.heard.note_turn(from, self.stats.from_splitter);
            self.debts.pay(from);
        }
        self.pending.tick(now);
        for to in self.forward.of(origin) {
            if ![origin, from, self.splitter, self.me].contains(to) {
                self.stats.stale += self.pending.add(*to, number);
            }
        }
    }

    /// Sends the neighbour whose turn it is all that is pending for it; false where nobody waits for anything.
    fn serve_next_neighbor(&mut self) -> bool {
        let Some((to, numbers)) = self.pending.next(|peer| self.debts.may_wait(peer)) else { return false };
        for number in numbers {
            let Some(chunk) = self.buffer.get(number).cloned() else {
                self.stats.stale += 1;
                continue;
            };
            self.says.push_back(Say::Chunk(to, chunk));
            self.stats.sent += 1;
            self.debts.owe(to);
        }
        if self.debts.is_hopeless(to) {
            self.stats.expelled += 1;
            self.forward.forget(to);
            self.pending.forget(to);
        }
        true
    }

    fn count_copy(&mut self, from: SocketAddr, origin: SocketAddr, number: ChunkNumber) {
        if from == self.splitter || from == origin {
            return;
        }
        let copies = self.copies.entry((from, origin)).or_default();
        *copies += 1;
        if *copies >= PRUNE_AFTER {
            *copies = 0;
            self.says.push_back(Say::Prune(from, number));
        }
    }
}

/// A sender is asked to stop once so many chunks of an origin came from it in vain.
pub const PRUNE_AFTER: u32 = 2;
/// How often an unanswered hello is repeated, and when first; each time it waits twice as long.
pub const HELLO_AGAIN: (u32, Duration) = (3, Duration::from_millis(100));
/// How long a newcomer waits for a chunk while later ones are there.
const GIVE_UP: Duration = Duration::from_millis(300);
/// More neighbours than this are not taken on by hearsay: a team of a full mesh is not that large.
const MOST_NEIGHBORS: usize = 4_096;

#[cfg(test)]
mod tests;
