//! Reliable ordered byte streams of a world: connections, and what of each has not left yet.

use crate::machine::{STREAM_BUFFER, StreamId};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// One end of a connection.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) host: u32,
    pub(super) id: StreamId,
    /// Bytes that have not left; at most [`STREAM_BUFFER`].
    unsent: VecDeque<Bytes>,
    waiting: usize,
    in_flight: usize,
    phase: Phase,
}

/// What an end may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It waits for the other to accept, or to be told of it.
    Opening,
    Open,
    /// The machine closed it; what waits still leaves.
    Closing,
    /// The machine has been told that it is over, or knows.
    Over,
}

/// A connection between two ends: the one that opened it, and the other.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) ends: [End; 2],
    /// Packets and notes under way that name it.
    under_way: u32,
    forgotten: bool,
}

/// All connections, and the ids under which hosts know them.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams {
    all: Vec<Connection>,
    free: Vec<u32>,
    by_id: BTreeMap<(u32, StreamId), (u32, u8)>,
}

/// What an end sends next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Bytes(Bytes),
    Close,
    Nothing,
}

impl Streams {
    /// A connection from `host` to `peer`, which is not told yet.
    pub(super) fn open(&mut self, host: u32, id: StreamId, peer: u32) -> u32 {
        let end = |host, id| End {
            host,
            id,
            unsent: VecDeque::new(),
            waiting: 0,
            in_flight: 0,
            phase: Phase::Opening,
        };
        let connection = Connection { ends: [end(host, id), end(peer, id)], under_way: 0, forgotten: false };
        let index = match self.free.pop() {
            Some(index) => {
                self.all[index as usize] = connection;
                index
            }
            None => {
                self.all.push(connection);
                (self.all.len() - 1) as u32
            }
        };
        self.by_id.insert((host, id), (index, 0));
        index
    }

    /// Whether both ends may still come together.
    pub(super) fn is_wanted(&self, index: u32) -> bool {
        self.all[index as usize].ends.iter().all(|end| end.phase != Phase::Over)
    }

    /// The other end learns of it, as `id`.
    pub(super) fn accept(&mut self, index: u32, id: StreamId) {
        let end = &mut self.all[index as usize].ends[1];
        (end.id, end.phase) = (id, Phase::Open);
        let host = end.host;
        self.by_id.insert((host, id), (index, 1));
    }

    /// The end that opened learns that it was accepted; false where it no longer cares.
    pub(super) fn accepted(&mut self, index: u32) -> bool {
        let end = &mut self.all[index as usize].ends[0];
        let opening = end.phase == Phase::Opening;
        if opening {
            end.phase = Phase::Open;
        }
        opening
    }

    /// Which connection, and which end of it, `host` knows as `id`.
    pub(super) fn find(&self, host: u32, id: StreamId) -> Option<(u32, u8)> {
        self.by_id.get(&(host, id)).copied()
    }

    pub(super) fn get(&self, index: u32) -> &Connection {
        &self.all[index as usize]
    }

    /// Takes what a machine wrote; false where that is too much.
    pub(super) fn write(&mut self, (index, end): (u32, u8), bytes: Bytes) -> bool {
        let end = &mut self.all[index as usize].ends[usize::from(end)];
        end.waiting += bytes.len();
        end.unsent.push_back(bytes);
        end.waiting <= STREAM_BUFFER
    }

    /// Whether a machine wants what arrives there.
    pub(super) fn listens(&self, (index, end): (u32, u8)) -> bool {
        self.all[index as usize].ends[usize::from(end)].phase == Phase::Open
    }

    /// The machine closed its end: it is forgotten under its id, and closes when all has left.
    pub(super) fn close(&mut self, (index, end): (u32, u8)) {
        let end = &mut self.all[index as usize].ends[usize::from(end)];
        end.phase = Phase::Closing;
        self.by_id.remove(&(end.host, end.id));
    }

    /// An end is over; whether its machine is still to be told. What has not left never will.
    pub(super) fn end(&mut self, (index, end): (u32, u8)) -> bool {
        let opener = end == 0;
        let end = &mut self.all[index as usize].ends[usize::from(end)];
        let tell = end.phase == Phase::Open || opener && end.phase == Phase::Opening;
        end.phase = Phase::Over;
        (end.waiting, end.unsent) = (0, VecDeque::new());
        self.by_id.remove(&(end.host, end.id));
        tell
    }

    /// What the end sends now, if the window is open.
    pub(super) fn next(&mut self, (index, end): (u32, u8)) -> Next {
        let opened = self.all[index as usize].ends[0].phase != Phase::Opening || end == 1;
        let end = &mut self.all[index as usize].ends[usize::from(end)];
        if !opened || end.phase == Phase::Over || end.in_flight >= WINDOW {
            return Next::Nothing;
        }
        let Some(first) = end.unsent.front_mut() else {
            let closing = end.phase == Phase::Closing;
            if closing {
                end.phase = Phase::Over;
            }
            return if closing { Next::Close } else { Next::Nothing };
        };
        let cut = first.split_to(first.len().min(SEGMENT));
        if first.is_empty() {
            end.unsent.pop_front();
        }
        end.waiting -= cut.len();
        end.in_flight += cut.len();
        Next::Bytes(cut)
    }

    /// The other end has so many more of its bytes.
    pub(super) fn acknowledged(&mut self, (index, end): (u32, u8), bytes: usize) {
        let end = &mut self.all[index as usize].ends[usize::from(end)];
        end.in_flight = end.in_flight.saturating_sub(bytes);
    }

    /// Something that names the connection is under way.
    pub(super) fn named(&mut self, index: u32) {
        self.all[index as usize].under_way += 1;
    }

    /// It has arrived.
    pub(super) fn settled(&mut self, index: u32) {
        let connection = &mut self.all[index as usize];
        connection.under_way = connection.under_way.saturating_sub(1);
        self.forget(index);
    }

    /// Forgets a connection that is over at both ends and not named any more.
    pub(super) fn forget(&mut self, index: u32) {
        let connection = &mut self.all[index as usize];
        let over = connection.ends.iter().all(|end| end.phase == Phase::Over);
        if over && connection.under_way == 0 && !connection.forgotten {
            connection.forgotten = true;
            self.free.push(index);
        }
    }

    /// The streams that `host` has open, in the order of their ids.
    pub(super) fn of(&self, host: u32) -> Vec<(u32, u8)> {
        let ids = (host, StreamId::ours(0))..=(host, StreamId::theirs(u32::MAX));
        self.by_id.range(ids).map(|(_, end)| *end).collect()
    }
}

/// How many bytes of a stream are under way at most.
const WINDOW: usize = 256 << 10;
/// How many bytes a packet of a stream carries.
const SEGMENT: usize = 1448;
