//! TCP connections over a link: relayed, so that losses are stalls.

use super::{Passed, ProxyError, Side, WAITING, check};
use levada_link::{Link, LinkConfig, Order, Profile, Room};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

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
    check(profile)?;
    let listener = TcpListener::bind(listen)?;
    let (address, passed) = (listener.local_addr()?, Arc::new(Passed::default()));
    let (profile, counts) = (profile.clone(), passed.clone());
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
    for side in Side::BOTH {
        let (from, to) = match side {
            Side::There => (&outer, &inner),
            Side::Back => (&inner, &outer),
        };
        relay(side, (from.try_clone()?, to.try_clone()?), side.of(profile), seed, counts)?;
    }
    Ok(())
}

/// One way of a connection.
fn relay(
    side: Side,
    (mut from, mut to): (TcpStream, TcpStream),
    config: &LinkConfig,
    seed: u64,
    counts: &Arc<Passed>,
) -> Result<(), ProxyError> {
    let mut losses =
        Link::new(&LinkConfig { loss: config.loss.clone(), ..LinkConfig::default() }, side.seed(seed))?;
    let smooth = LinkConfig {
        loss: Default::default(),
        duplicate: Default::default(),
        corrupt: Default::default(),
        reorder: None,
        order: Some(Order::Keep),
        // The relay must not lose what it has acknowledged: it takes no more than the queue has room for.
        queue: Room::Packets(2 * WAITING as u32),
        ..config.clone()
    };
    let stall = Duration::from_millis(200).max(config.delay * 2);
    let closing = to.try_clone()?;
    let (inbox, thread) = side.open(Link::new(&smooth, side.seed(seed))?, counts.clone(), move |bytes| {
        let _reset = to.write_all(bytes);
    })?;
    let counts = counts.clone();
    let read = move || {
        let mut buffer = vec![0; SEGMENT];
        let (start, mut number) = (Instant::now(), 0);
        while let Ok(got @ 1..) = from.read(&mut buffer) {
            side.came(&counts);
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

const SEGMENT: usize = 1_448;
