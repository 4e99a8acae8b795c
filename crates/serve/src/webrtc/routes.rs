//! Which session a datagram is for. Nothing is allocated for one that is for none.

use super::stun;
use bytes::Bytes;
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};
use str0m::net::Protocol;
use tokio::sync::mpsc;

/// What came for a session.
#[derive(Debug)]
pub(super) struct Datagram {
    /// When.
    pub(super) at: Instant,
    /// By what.
    pub(super) proto: Protocol,
    /// From whom.
    pub(super) from: SocketAddr,
    /// On which of our sockets, in the order of the configuration.
    pub(super) socket: usize,
    /// What it says.
    pub(super) bytes: Bytes,
}

/// Every session's inbox, by the name that its peer must know (its ICE user fragment) and by the addresses from which
/// its peer has proved that it does.
#[derive(Default)]
pub(super) struct Routes {
    tables: Mutex<Tables>,
    /// Datagrams for nobody.
    pub(super) strays: AtomicU64,
    /// Datagrams that a session's inbox had no room for.
    pub(super) dropped: AtomicU64,
}

#[derive(Default)]
struct Tables {
    names: HashMap<Arc<str>, Inbox>,
    addresses: HashMap<SocketAddr, Inbox>,
    /// Where to write to those who came over TCP.
    streams: HashMap<SocketAddr, mpsc::Sender<Bytes>>,
}

type Inbox = mpsc::Sender<Datagram>;

/// A session's place in the tables; dropping it takes the session out.
pub(super) struct Route {
    routes: Arc<Routes>,
    name: Arc<str>,
    inbox: Inbox,
    addresses: Vec<SocketAddr>,
}

/// A connection's place in the tables, likewise.
pub(super) struct Stream(Arc<Routes>, SocketAddr);

impl Routes {
    /// Makes a place for the session called `name`; what comes for it is in the receiver, which holds [`INBOX`]
    /// datagrams. More are dropped and counted, as a network does.
    pub(super) fn open(self: &Arc<Routes>, name: &str) -> (Route, mpsc::Receiver<Datagram>) {
        let (inbox, receiver) = mpsc::channel(INBOX);
        let name: Arc<str> = name.into();
        self.tables().names.insert(name.clone(), inbox.clone());
        (Route { routes: self.clone(), name, inbox, addresses: Vec::new() }, receiver)
    }

    /// Takes a datagram to its session; `false` when it is for none.
    pub(super) fn take(&self, proto: Protocol, from: SocketAddr, socket: usize, bytes: &[u8]) -> bool {
        let inbox = {
            let tables = self.tables();
            let named = || tables.names.get(stun::addressee(bytes)?);
            tables.addresses.get(&from).or_else(named).cloned()
        };
        let Some(inbox) = inbox else {
            self.strays.fetch_add(1, Relaxed);
            return false;
        };
        // room is looked for first, so that a flood costs no copies
        match inbox.try_reserve() {
            Ok(room) => {
                let bytes = Bytes::copy_from_slice(bytes);
                room.send(Datagram { at: Instant::now(), proto, from, socket, bytes });
            }
            Err(_) => drop(self.dropped.fetch_add(1, Relaxed)),
        }
        true
    }

    /// Notes how to write to `peer`, who came over TCP; what does not fit into `writer` is lost.
    pub(super) fn connect(self: &Arc<Routes>, peer: SocketAddr, writer: mpsc::Sender<Bytes>) -> Stream {
        self.tables().streams.insert(peer, writer);
        Stream(self.clone(), peer)
    }

    /// Writes to a peer who came over TCP.
    pub(super) fn write(&self, peer: SocketAddr, bytes: &[u8]) {
        let writer = self.tables().streams.get(&peer).cloned();
        if let Some(Ok(room)) = writer.as_ref().map(|writer| writer.try_reserve()) {
            room.send(Bytes::copy_from_slice(bytes));
        }
    }

    /// Sessions that have a place.
    pub(super) fn count(&self) -> usize {
        self.tables().names.len()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Route {
    /// The peer has proved that it is at `address`: what comes from there is this session's. The oldest address is
    /// forgotten for the ninth.
    pub(super) fn bind(&mut self, address: SocketAddr) {
        if self.addresses.contains(&address) {
            return;
        }
        let mut tables = self.routes.tables();
        tables.addresses.insert(address, self.inbox.clone());
        self.addresses.push(address);
        if self.addresses.len() > MOST_ADDRESSES {
            let oldest = self.addresses.remove(0);
            forget(&mut tables, oldest, &self.inbox);
        }
    }
}

/// An address may be another session's by now.
fn forget(tables: &mut Tables, address: SocketAddr, inbox: &Inbox) {
    if tables.addresses.get(&address).is_some_and(|other| other.same_channel(inbox)) {
        tables.addresses.remove(&address);
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        let mut tables = self.routes.tables();
        tables.names.remove(&self.name);
        self.addresses.iter().for_each(|address| forget(&mut tables, *address, &self.inbox));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.tables().streams.remove(&self.1);
    }
}

/// Datagrams that wait for a session: a large key picture from a publisher, with room.
const INBOX: usize = 1_024;
/// Networks that a peer may change between.
const MOST_ADDRESSES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn from(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn a_session_is_found_by_its_name_and_then_by_its_address() {
        let routes = Arc::<Routes>::default();
        let (mut route, mut inbox) = routes.open("alice");
        let junk = [0x80, 96, 0, 1];
        assert!(!routes.take(Protocol::Udp, from(1), 0, &junk));
        assert!(routes.take(Protocol::Udp, from(1), 0, &stun::tests::request("alice:bob")));
        assert!(!routes.take(Protocol::Udp, from(1), 0, &stun::tests::request("carol:bob")));
        assert_eq!(inbox.try_recv().unwrap().from, from(1));
        assert!(!routes.take(Protocol::Udp, from(1), 0, &junk), "a name proves nothing yet");
        route.bind(from(1));
        assert!(routes.take(Protocol::Udp, from(1), 0, &junk));
        drop(route);
        assert!(!routes.take(Protocol::Udp, from(1), 0, &junk));
        assert_eq!((routes.count(), routes.tables().addresses.len()), (0, 0));
    }

    #[test]
    fn an_inbox_has_a_bound() {
        let routes = Arc::<Routes>::default();
        let (mut route, _inbox) = routes.open("alice");
        (0..20).for_each(|port| route.bind(from(port)));
        assert_eq!(routes.tables().addresses.len(), MOST_ADDRESSES);
        (0..2_000).for_each(|_| assert!(routes.take(Protocol::Udp, from(19), 0, b"x")));
        assert_eq!(routes.dropped.load(Relaxed), 2_000 - INBOX as u64);
    }
}
