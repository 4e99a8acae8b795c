//! The link model between two sockets: for systems without namespaces, and for running without any privilege.
//!
//! Datagrams meet all that the model does. A TCP stream is relayed: it meets rate, queue, delay and jitter, in order; what
//! the link would lose stalls it for a retransmission's time instead, since its ends have their own connection with the
//! relay and never see a loss.

use levada_link::{ConfigError, Link, LinkConfig, Order, Outcome, Profile};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// What has passed a proxy, towards the server and back.
#[derive(Debug, Default)]
pub struct Passed {
    /// Packets or pieces that came.
    pub came: [AtomicU64; 2],
    /// Those that were sent on; counted before whoever gets them can know.
    pub went: [AtomicU64; 2],
}

/// Why there is no proxy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The link cannot be so.
    #[error(transparent)]
    Link(#[from] ConfigError),
    /// A socket.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Where bytes go when their time has come.
type Forward = Box<dyn FnMut(&[u8]) + Send>;

/// Something that came: when, and what; nothing for the end.
type Came = (Instant, Vec<u8>);

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
    let passed = Arc::new(Passed::default());
    let socket = UdpSocket::bind(listen)?;
    let address = socket.local_addr()?;
    // One way there for all, as through one link.
    let outer = socket.try_clone()?;
    let (profile, counts) = (profile.clone(), passed.clone());
    Link::new(&profile.down, seed)?;
    Link::new(&profile.up, seed)?;
    thread::Builder::new().name("proxy".into()).spawn(move || {
        let mut clients: HashMap<SocketAddr, (SyncSender<Came>, Instant)> = HashMap::new();
        let mut buffer = vec![0; 65_536];
        while let Ok((got, from)) = socket.recv_from(&mut buffer).or_else(|why| forgive(why, from_nobody())) {
            let now = Instant::now();
            counts.came[0].fetch_add(1, Ordering::Relaxed);
            if !clients.contains_key(&from) {
                if clients.len() >= MOST_CLIENTS {
                    let oldest =
                        clients.iter().min_by_key(|(_, (_, last))| *last).map(|(address, _)| *address);
                    oldest.and_then(|oldest| clients.remove(&oldest));
                }
                let seed = seed.wrapping_add(2 * clients.len() as u64);
                let Ok(inbox) = client(&outer, from, to, &profile, seed, &counts) else { continue };
                clients.insert(from, (inbox, now));
            }
            if let Some((inbox, last)) = clients.get_mut(&from) {
                *last = now;
                // What finds it full is dropped, as by a network card.
                let _dropped = inbox.try_send((now, buffer[..got].to_vec()));
            }
        }
    })?;
    Ok((address, passed))
}

/// The two ways of one sender.
fn client(
    outer: &UdpSocket,
    from: SocketAddr,
    to: SocketAddr,
    profile: &Profile,
    seed: u64,
    counts: &Arc<Passed>,
) -> Result<SyncSender<Came>, ProxyError> {
    let any: SocketAddr = if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let inner = UdpSocket::bind(any)?;
    inner.connect(to)?;
    let (there, inbox) = sync_channel(WAITING);
    let (sender, counted) = (inner.try_clone()?, counts.clone());
    let forward: Forward = Box::new(move |bytes| {
        counted.went[0].fetch_add(1, Ordering::Relaxed);
        let _refused = sender.send(bytes);
    });
    way(Link::new(&profile.up, seed)?, inbox, forward)?;
    let (back, inbox) = sync_channel(WAITING);
    let (sender, counted) = (outer.try_clone()?, counts.clone());
    let forward: Forward = Box::new(move |bytes| {
        counted.went[1].fetch_add(1, Ordering::Relaxed);
        let _refused = sender.send_to(bytes, from);
    });
    way(Link::new(&profile.down, seed ^ 1)?, inbox, forward)?;
    let counted = counts.clone();
    thread::Builder::new().name("proxy back".into()).stack_size(256 << 10).spawn(move || {
        let mut buffer = vec![0; 65_536];
        loop {
            match inner.recv(&mut buffer) {
                Ok(got) => {
                    counted.came[1].fetch_add(1, Ordering::Relaxed);
                    if let Err(std::sync::mpsc::TrySendError::Disconnected(_)) =
                        back.try_send((Instant::now(), buffer[..got].to_vec()))
                    {
                        return;
                    }
                }
                Err(why) if why.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(_) => return,
            }
        }
    })?;
    Ok(there)
}

/// Relays TCP connections from `listen` to `to`, in the background, until the process ends; where it listens.
///
/// # Errors
/// That the address is taken, or that the link cannot be so.
pub fn tcp(
    listen: SocketAddr,
    to: SocketAddr,
    profile: &Profile,
    seed: u64,
) -> Result<(SocketAddr, Arc<Passed>), ProxyError> {
    let passed = Arc::new(Passed::default());
    let listener = TcpListener::bind(listen)?;
    let address = listener.local_addr()?;
    let (profile, counts) = (profile.clone(), passed.clone());
    Link::new(&profile.down, seed)?;
    Link::new(&profile.up, seed)?;
    thread::Builder::new().name("proxy".into()).spawn(move || {
        for (number, outer) in listener.incoming().flatten().enumerate() {
            let (profile, counts) = (profile.clone(), counts.clone());
            let seed = seed.wrapping_add(2 * number as u64);
            let relay = move || connection(outer, to, &profile, seed, &counts);
            let _dropped_when_there_are_no_threads =
                thread::Builder::new().stack_size(256 << 10).spawn(relay);
        }
    })?;
    Ok((address, passed))
}

fn connection(
    outer: TcpStream,
    to: SocketAddr,
    profile: &Profile,
    seed: u64,
    counts: &Arc<Passed>,
) -> Result<(), ProxyError> {
    let inner = TcpStream::connect_timeout(&to, Duration::from_secs(30))?;
    inner.set_nodelay(true)?;
    outer.set_nodelay(true)?;
    let other = (inner.try_clone()?, outer.try_clone()?);
    relay(outer, inner, &profile.up, seed, counts.clone(), 0)?;
    relay(other.0, other.1, &profile.down, seed ^ 1, counts.clone(), 1)
}

/// One way of a connection.
fn relay(
    mut from: TcpStream,
    mut to: TcpStream,
    config: &LinkConfig,
    seed: u64,
    counts: Arc<Passed>,
    side: usize,
) -> Result<(), ProxyError> {
    let mut losses = Link::new(&LinkConfig { loss: config.loss.clone(), ..LinkConfig::default() }, seed)?;
    let smooth = LinkConfig {
        loss: Default::default(),
        duplicate: Default::default(),
        corrupt: Default::default(),
        reorder: None,
        order: Some(Order::Keep),
        ..config.clone()
    };
    // The relay must not lose what it has acknowledged: it takes no more than the queue has room for.
    let link =
        Link::new(&LinkConfig { queue: levada_link::Room::Packets(2 * WAITING as u32), ..smooth }, seed)?;
    let stall = Duration::from_millis(200).max(config.delay * 2);
    let (inbox, pieces) = sync_channel::<Came>(WAITING);
    let counted = counts.clone();
    let closing = to.try_clone()?;
    let forward: Forward = Box::new(move |bytes| {
        counted.went[side].fetch_add(1, Ordering::Relaxed);
        let _reset = to.write_all(bytes);
    });
    let thread = way(link, pieces, forward)?;
    let read = move || {
        let mut buffer = vec![0; SEGMENT];
        let (start, mut number) = (Instant::now(), 0);
        while let Ok(got @ 1..) = from.read(&mut buffer) {
            counts.came[side].fetch_add(1, Ordering::Relaxed);
            number += 1;
            let lost = losses.push(start.elapsed(), number, got as u32).refused.is_some();
            while losses.poll(start.elapsed()).is_some() {}
            if lost {
                thread::sleep(stall);
            }
            if inbox.send((Instant::now(), buffer[..got].to_vec())).is_err() {
                break;
            }
        }
        drop(inbox);
        let _ended = thread.join();
        let _closed_already = closing.shutdown(Shutdown::Write);
    };
    thread::Builder::new().name("relay".into()).stack_size(256 << 10).spawn(read)?;
    Ok(())
}

/// A thread that gives what comes to `forward` when the link would; it ends when nothing comes any longer and all is sent.
fn way(mut link: Link, inbox: Receiver<Came>, mut forward: Forward) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("link".into()).stack_size(256 << 10).spawn(move || {
        let start = Instant::now();
        let mut held: Vec<Option<(Vec<u8>, u8)>> = Vec::new();
        let mut free: Vec<u32> = Vec::new();
        let mut open = true;
        while open || link.due().is_some() {
            let wait = match link.due() {
                None => Duration::from_secs(1),
                Some(due) => due.saturating_sub(start.elapsed()),
            };
            // A relay that has as much as it may hold takes no more.
            let full = link.backlog().packets >= WAITING;
            match wait {
                _ if full || !open => thread::sleep(wait.min(Duration::from_millis(5)).saturating_sub(SPIN)),
                wait if wait > SPIN => match inbox.recv_timeout(wait - SPIN) {
                    Ok((at, bytes)) => take(&mut link, &mut held, &mut free, at - start, bytes),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => open = false,
                },
                _ => {
                    if let Ok((at, bytes)) = inbox.try_recv() {
                        take(&mut link, &mut held, &mut free, at - start, bytes);
                    }
                }
            }
            while let Some(outcome) = link.poll(start.elapsed()) {
                let (ticket, flipped, send) = match outcome {
                    Outcome::Delivered(delivered) => (delivered.ticket, delivered.flipped, true),
                    Outcome::Dropped(dropped) => (dropped.ticket, None, false),
                };
                let Some((bytes, copies)) = held.get_mut(ticket as usize).and_then(Option::as_mut) else {
                    continue;
                };
                if send {
                    match flipped {
                        Some(bit) if !bytes.is_empty() => {
                            let mut damaged = bytes.clone();
                            let bit = bit as usize % (8 * damaged.len());
                            damaged[bit / 8] ^= 1 << (bit % 8);
                            forward(&damaged);
                        }
                        _ => forward(bytes),
                    }
                }
                *copies -= 1;
                if *copies == 0 {
                    held[ticket as usize] = None;
                    free.push(ticket);
                }
            }
        }
    })
}

fn take(
    link: &mut Link,
    held: &mut Vec<Option<(Vec<u8>, u8)>>,
    free: &mut Vec<u32>,
    at: Duration,
    bytes: Vec<u8>,
) {
    let ticket = free.pop().unwrap_or_else(|| {
        held.push(None);
        (held.len() - 1) as u32
    });
    // As long as on the wire, headers included, so that rates mean the same as in a lab.
    let length = bytes.len() as u32 + HEADERS;
    let taken = link.push(at, ticket, length).taken;
    match taken {
        0 => free.push(ticket),
        copies => held[ticket as usize] = Some((bytes, copies)),
    }
}

/// On Windows and Linux an earlier send to nobody is told by the next receive.
fn forgive(why: io::Error, nothing: (usize, SocketAddr)) -> io::Result<(usize, SocketAddr)> {
    match why.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Ok(nothing),
        _ => Err(why),
    }
}

fn from_nobody() -> (usize, SocketAddr) {
    (0, ([0, 0, 0, 0], 0).into())
}

const MOST_CLIENTS: usize = 1_000;
/// Pieces between a socket and its link.
const WAITING: usize = 1_024;
const SEGMENT: usize = 1_448;
/// Ethernet, IPv4 and UDP.
const HEADERS: u32 = 14 + 20 + 8;
const SPIN: Duration = Duration::from_micros(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_take_the_time_of_the_link_there_and_back() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = server.local_addr().unwrap();
        let profile = Profile::both("delay=30ms".parse().unwrap());
        let (address, passed) = udp("127.0.0.1:0".parse().unwrap(), to, &profile, 1).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(address).unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 100];
            while let Ok((got, from)) = server.recv_from(&mut buffer) {
                server.send_to(&buffer[..got], from).unwrap();
            }
        });
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut buffer = [0; 100];
        for n in 0..5u8 {
            let start = Instant::now();
            client.send(&[n; 10]).unwrap();
            assert_eq!(client.recv(&mut buffer).unwrap(), 10);
            assert_eq!(buffer[0], n);
            assert!(start.elapsed() >= Duration::from_millis(60), "{:?}", start.elapsed());
        }
        assert_eq!(passed.went[1].load(Ordering::Relaxed), 5);
    }

    #[test]
    fn a_stream_arrives_whole_at_the_rate_of_the_link() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = server.local_addr().unwrap();
        let profile = Profile::both("rate=4mbit delay=5ms loss=1%".parse().unwrap());
        let (address, _) = tcp("127.0.0.1:0".parse().unwrap(), to, &profile, 1).unwrap();
        let sent: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
        let bytes = sent.clone();
        thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(&bytes).unwrap();
        });
        let (mut stream, _) = server.accept().unwrap();
        let start = Instant::now();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        assert!(got == sent, "{} bytes", got.len());
        // 100 kB and headers at 4 Mbit/s take 200 ms.
        assert!(start.elapsed() >= Duration::from_millis(150), "{:?}", start.elapsed());
    }
}
