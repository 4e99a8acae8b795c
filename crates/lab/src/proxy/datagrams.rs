//! Datagrams over a link, for each sender on a socket of its own towards the server.

use super::{Came, Passed, ProxyError, Side, check};
use levada_link::{Link, Profile};
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::thread;
use std::time::Instant;

/// Relays datagrams between whoever sends to `listen` and `to`, in the background, until the process ends; where it listens.
///
/// At most a thousand senders; what is silent longest is forgotten then.
///
/// # Errors
/// That the address is taken, or that the link cannot be so.
pub fn udp(
    listen: SocketAddr,
    to: SocketAddr,
    profile: &Profile,
    seed: u64,
) -> Result<(SocketAddr, Arc<Passed>), ProxyError> {
    relay(UdpSocket::bind(listen)?, profile, seed, move || {
        let any: SocketAddr = if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
        let inner = UdpSocket::bind(any)?;
        inner.connect(to)?;
        Ok(inner)
    })
}

/// Relays datagrams between whoever sends to `outer` and the server, to which `connect` gives a new socket.
///
/// # Errors
/// That there are no threads, or that the link cannot be so.
pub(crate) fn relay(
    outer: UdpSocket,
    profile: &Profile,
    seed: u64,
    connect: impl Fn() -> io::Result<UdpSocket> + Send + 'static,
) -> Result<(SocketAddr, Arc<Passed>), ProxyError> {
    check(profile)?;
    let (address, passed) = (outer.local_addr()?, Arc::new(Passed::default()));
    let (profile, counts) = (profile.clone(), passed.clone());
    let body = move || {
        let mut clients: HashMap<SocketAddr, (SyncSender<Came>, Instant)> = HashMap::new();
        let mut buffer = vec![0; LONGEST];
        loop {
            let (got, from) = match outer.recv_from(&mut buffer) {
                Ok(got) => got,
                // What was sent to one who has gone is told by the next receive.
                Err(why) if is_refusal(&why) => continue,
                Err(_) => return,
            };
            let now = Instant::now();
            Side::There.came(&counts);
            if !clients.contains_key(&from) {
                if clients.len() >= MOST_CLIENTS {
                    let oldest =
                        clients.iter().min_by_key(|(_, (_, last))| *last).map(|(address, _)| *address);
                    oldest.and_then(|oldest| clients.remove(&oldest));
                }
                let seed = seed.wrapping_add(2 * clients.len() as u64);
                let opened = connect().map_err(ProxyError::from);
                let opened = opened.and_then(|inner| client(inner, &outer, from, &profile, seed, &counts));
                let Ok(inbox) = opened else { continue };
                clients.insert(from, (inbox, now));
            }
            if let Some((inbox, last)) = clients.get_mut(&from) {
                *last = now;
                // What finds it full is dropped, as by a network card.
                let _dropped = inbox.try_send((now, buffer[..got].to_vec()));
            }
        }
    };
    thread::Builder::new().name("proxy".into()).spawn(body)?;
    Ok((address, passed))
}

/// The two ways of one sender; where to put what it sends.
fn client(
    inner: UdpSocket,
    outer: &UdpSocket,
    from: SocketAddr,
    profile: &Profile,
    seed: u64,
    counts: &Arc<Passed>,
) -> Result<SyncSender<Came>, ProxyError> {
    let link = |side: Side| Link::new(side.of(profile), side.seed(seed));
    let (to_server, to_sender) = (inner.try_clone()?, outer.try_clone()?);
    let (there, _) = Side::There.open(link(Side::There)?, counts.clone(), move |bytes| {
        let _refused = to_server.send(bytes);
    })?;
    let (back, _) = Side::Back.open(link(Side::Back)?, counts.clone(), move |bytes| {
        let _refused = to_sender.send_to(bytes, from);
    })?;
    let counts = counts.clone();
    let answers = move || {
        let mut buffer = vec![0; LONGEST];
        loop {
            match inner.recv(&mut buffer) {
                Ok(got) => {
                    Side::Back.came(&counts);
                    let came = (Instant::now(), buffer[..got].to_vec());
                    if let Err(TrySendError::Disconnected(_)) = back.try_send(came) {
                        return;
                    }
                }
                Err(why) if is_refusal(&why) => {}
                Err(_) => return,
            }
        }
    };
    thread::Builder::new().name("proxy back".into()).stack_size(256 << 10).spawn(answers)?;
    Ok(there)
}

fn is_refusal(why: &io::Error) -> bool {
    matches!(why.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
}

const MOST_CLIENTS: usize = 1_000;
const LONGEST: usize = 65_536;
