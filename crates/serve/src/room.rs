//! The rooms of a server: what participants say is passed on to each other, sealed by them, so that nobody here can listen in.
//!
//! Who is where is known to a [`Hub`]. Participants come by datagrams (`levada talk --room NAME@server`, `sockets`), or take a [`Seat`] for
//! whatever else speaks for them (a browser's session).

mod seat;
mod sockets;

pub use seat::Seat;
pub(crate) use sockets::Prepared;

use crate::{Config, Station, config::RoomsConfig, reload::CannotServe};
use bytes::Bytes;
use levada_link::room::{self, DisplayName, Entrant, Event, Hub, Refusal, RoomName, Roster};
use levada_link::{Input, Machine, Output, Transmit};
use sockets::Sockets;
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, time::MissedTickBehavior};

/// All rooms of a server.
#[derive(Clone)]
pub struct Rooms(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    sockets: Sockets,
    /// Messages for which a seat had no room.
    late: AtomicU64,
}

struct State {
    hub: Hub,
    /// Who has come by a handle.
    seats: HashMap<u64, mpsc::Sender<Bytes>>,
    handles: u64,
    /// By which socket members are reached.
    ways: HashMap<SocketAddr, usize>,
}

/// What passes through the rooms of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Rooms now.
    pub rooms: usize,
    /// Participants now, of all rooms.
    pub participants: usize,
    /// What was passed on, and what was not, ever.
    pub stats: room::Stats,
    /// Messages for which a page's connection had no room, ever.
    pub late: u64,
}

impl Default for Rooms {
    fn default() -> Rooms {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("the system gives random bytes");
        let hub = Hub::new(room::Config::default(), seed);
        let state = State { hub, seats: HashMap::new(), handles: 0, ways: HashMap::new() };
        Rooms(Arc::new(Inner {
            state: Mutex::new(state),
            sockets: Sockets::default(),
            late: AtomicU64::new(0),
        }))
    }
}

impl Rooms {
    /// Lets a participant in that comes by something else than datagrams, with flags of [`room::wire`].
    ///
    /// # Errors
    /// Why it is not let in; a room whose name is none is unknown.
    pub fn join(&self, room: &str, name: &str, flags: u8) -> Result<Seat, Refusal> {
        let room: RoomName = room.parse().map_err(|_| Refusal::Unknown)?;
        let (sender, messages) = mpsc::channel(SEAT);
        let now = Instant::now();
        let mut state = self.state();
        state.handles += 1;
        let handle = state.handles;
        state.seats.insert(handle, sender);
        let seated = state.hub.join(now, &room, DisplayName::of(name), flags, Entrant::Handle(handle));
        let seated = seated.inspect_err(|_| drop(state.seats.remove(&handle)));
        let sent = self.drain(&mut state, now);
        drop(state);
        self.send(sent);
        Ok(Seat::new(self.clone(), room, handle, seated?, messages))
    }

    /// Who is in a room; `you` is 0. None where there is no such room.
    pub fn roster(&self, room: &str) -> Option<Roster> {
        let room = room.parse().ok()?;
        self.state().hub.roster(&room)
    }

    /// The rooms that there are, in the order of their names, with how many are in each.
    pub fn list(&self) -> Vec<(RoomName, usize)> {
        let mut rooms = self.state().hub.rooms();
        rooms.sort();
        rooms
    }

    /// The addresses on which datagrams are awaited, with the ports that were chosen for port 0.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.sockets.addresses()
    }

    /// Whether there are rooms at all: whoever lets nobody in by datagrams keeps no open house for browsers.
    pub fn is_open(&self) -> bool {
        !self.addresses().is_empty()
    }

    /// What passes.
    pub fn traffic(&self) -> Traffic {
        let rooms = self.list();
        let participants = rooms.iter().map(|(_, count)| count).sum();
        let stats = self.state().hub.stats();
        Traffic { rooms: rooms.len(), participants, stats, late: self.0.late.load(Relaxed) }
    }

    /// Binds the addresses of a configuration that are not bound yet.
    ///
    /// # Errors
    /// When an address cannot be had.
    pub(crate) fn prepare(&self, config: &Config) -> Result<Prepared, CannotServe> {
        self.0.sockets.prepare(&config.rooms.listen)
    }

    /// Puts a configuration in force. Nobody is put out of a room.
    pub(crate) fn commit(&self, config: &RoomsConfig, prepared: Prepared) {
        self.0.sockets.commit(prepared);
        self.state().hub.set_config(config.of_hub());
    }

    /// Has the hub do something, and passes on what follows from it.
    fn act<T>(&self, act: impl FnOnce(&mut Hub, Instant) -> T) -> T {
        let now = Instant::now();
        let mut state = self.state();
        let done = act(&mut state.hub, now);
        let sent = self.drain(&mut state, now);
        drop(state);
        self.send(sent);
        done
    }

    /// A datagram came to one of the sockets.
    fn datagram(&self, socket: usize, from: SocketAddr, bytes: Bytes) {
        let now = Instant::now();
        let mut state = self.state();
        state.hub.handle(now, Input::Datagram { from, bytes });
        if state.hub.knows(from) {
            state.ways.insert(from, socket);
        }
        let mut sent = self.drain(&mut state, now);
        drop(state);
        sent.iter_mut().filter(|(_, to, _)| *to == from).for_each(|(by, ..)| *by = socket);
        self.send(sent);
    }

    /// Time has passed.
    fn tick(&self) {
        self.act(|hub, now| hub.handle(now, Input::Wake));
        let mut state = self.state();
        let State { hub, ways, .. } = &mut *state;
        ways.retain(|address, _| hub.knows(*address));
    }

    /// What the hub has to say: to seats at once, so that nothing overtakes; to sockets afterwards.
    fn drain(&self, state: &mut State, now: Instant) -> Vec<(usize, SocketAddr, Bytes)> {
        let mut sent = Vec::new();
        loop {
            match state.hub.poll(now) {
                Output::Send(Transmit::Datagram { to, bytes }) => {
                    sent.push((state.ways.get(&to).copied().unwrap_or(0), to, bytes));
                }
                Output::Send(Transmit::Stream { .. }) => {}
                Output::Event(Event::Deliver(deliver)) => {
                    let seat = state.seats.get(&deliver.handle);
                    let full = seat.is_some_and(|seat| seat.try_send(deliver.message).is_err());
                    self.0.late.fetch_add(u64::from(full), Relaxed);
                }
                Output::Event(event) => log(&event),
                Output::Wait(_) => return sent,
            }
        }
    }

    fn send(&self, datagrams: Vec<(usize, SocketAddr, Bytes)>) {
        if !datagrams.is_empty() {
            self.0.sockets.send(&datagrams);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log(event: &Event) {
    match event {
        Event::Deliver(_) => {}
        Event::Joined(room, number, name) => tracing::info!(%room, number, %name, "participant joined"),
        Event::Left(room, number, name, why) => {
            tracing::info!(%room, number, %name, ?why, "participant left");
        }
        Event::Refused(from, room, why) => {
            let room = room.as_ref().map(RoomName::as_str);
            tracing::debug!(%from, room, %why, "participant refused");
        }
    }
}

/// Reads what comes to the sockets and notices silence until the server stops.
pub async fn run(station: Arc<Station>) {
    let rooms = station.rooms.clone();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reading = sockets::Readers::new(rooms.clone());
    loop {
        tokio::select! {
            _ = looks.tick() => rooms.tick(),
            () = reading.changed() => {}
            () = station.stop.cancelled() => break,
        }
    }
    // pages learn that it is over when their seats are empty
    rooms.state().seats.clear();
}

/// Messages that wait for a page's connection; what comes beyond is lost, as on a network, and counted.
const SEAT: usize = 512;
/// How often silence is looked for.
const LOOK: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
