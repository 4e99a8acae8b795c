//! A place in a room, for a participant that comes by something else than datagrams.

use super::Rooms;
use bytes::Bytes;
use levada_link::room::{Pass, RoomName, Seated, wire::Said};
use tokio::sync::mpsc;

/// A participant of a room. Whoever drops it leaves.
///
/// What is said by it and to it are the messages of [`wire`](levada_link::room::wire), without a pass.
pub struct Seat {
    rooms: Rooms,
    room: RoomName,
    handle: u64,
    pass: Pass,
    /// Its number in the room.
    pub number: u8,
    messages: mpsc::Receiver<Bytes>,
}

impl Seat {
    pub(super) fn new(
        rooms: Rooms,
        room: RoomName,
        handle: u64,
        seated: Seated,
        messages: mpsc::Receiver<Bytes>,
    ) -> Seat {
        Seat { rooms, room, handle, pass: seated.pass, number: seated.number, messages }
    }

    /// Which room it is in.
    pub fn room(&self) -> &RoomName {
        &self.room
    }

    /// Says a message; false where it is none, or this participant is no longer in the room.
    pub fn send(&self, message: &[u8]) -> bool {
        Said::read(message).is_some_and(|said| self.say(&said))
    }

    /// Says a frame to all others: generation, counter, and what is sealed. False likewise.
    pub fn frame(&self, frame: &[u8]) -> bool {
        Said::frame(frame).is_some_and(|said| self.say(&said))
    }

    /// The next message to it; none where the server stops. Nothing is lost when it is dropped while it waits.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.messages.recv().await
    }

    fn say(&self, said: &Said<'_>) -> bool {
        self.rooms.act(|hub, now| hub.said(now, self.pass, said))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.rooms.act(|hub, now| hub.leave(now, self.pass));
        self.rooms.state().seats.remove(&self.handle);
    }
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat").field("room", &self.room).field("number", &self.number).finish_non_exhaustive()
    }
}
