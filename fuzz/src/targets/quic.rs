//! The door of a team that encrypts: QUIC around a splitter, with a peer on the way in and somebody who disturbs.

use bytes::Bytes;
use levada_link::{
    Guarded, Input, Machine, Output, Transmit,
    quic::{Identity, Quic},
};
use levada_swarm::native::{
    Peer, Seal, Splitter,
    peer::{self, Encrypt},
    splitter,
};
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::OnceLock,
    time::{Duration, Instant},
};

/// A peer joins an encrypted team while the script loses, changes and repeats datagrams, also from other addresses, and
/// sends some of its own. Both come to rest, and nobody who has not shown to be where it says gets more bytes than it sent;
/// where a connection has moved, three times as many (RFC 9000 8.2) and a probe of 1,452 bytes at most.
pub fn door(script: &[u8]) {
    let mut scene = Scene::new();
    let mut rest = script;
    while let Some(([what, who, arg], more)) = rest.split_first_chunk() {
        rest = more;
        scene.now += Duration::from_millis(u64::from(what >> 3));
        let stranger = at(100 + who % 4);
        match what % 8 {
            0..=2 => scene.deliver(|_| {}),
            3 => drop(scene.to_splitter.pop_front()),
            4 => scene.deliver(|datagram| {
                let place = usize::from(*who) * usize::from(*arg) % datagram.len().max(1);
                datagram.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= arg | 1);
            }),
            5 => {
                let again = scene.seen.get(usize::from(*arg) % scene.seen.len().max(1)).cloned();
                again.into_iter().for_each(|bytes| scene.arrives(stranger, bytes));
            }
            6 => {
                let (bytes, more) = rest.split_at(rest.len().min(6 * usize::from(*arg)));
                rest = more;
                scene.arrives(stranger, Bytes::copy_from_slice(bytes));
            }
            _ => {
                scene.now += Duration::from_millis(10 * u64::from(*arg));
                let now = scene.now;
                scene.splitter.machine_mut().feed(now, who % 2 == 0, &[*arg; 40]);
            }
        }
        scene.wake();
    }
}

struct Scene {
    now: Instant,
    splitter: Quic<Splitter>,
    peer: Quic<Peer>,
    to_splitter: VecDeque<Bytes>,
    to_peer: VecDeque<Bytes>,
    /// What the peer has sent, at most [`MOST`].
    seen: Vec<Bytes>,
    /// Bytes that came from each stranger, and that were sent there.
    strangers: BTreeMap<SocketAddr, (usize, usize)>,
}

impl Scene {
    fn new() -> Scene {
        static IDENTITIES: OnceLock<[Identity; 2]> = OnceLock::new();
        let identities = || [1u8, 2].map(|key| Identity::ed25519(&[key; 32]).expect("keys of any bytes"));
        let [splitters, peers] = IDENTITIES.get_or_init(identities).clone();
        let now = Instant::now();
        let config = splitter::Config {
            encrypts: true,
            ..splitter::Config::new(at(0), Seal::ed25519(&[1; 32]), [3; 32])
        };
        let joins = peer::Config { encrypt: Encrypt::Always, ..peer::Config::new(at(0)) };
        let mut scene = Scene {
            now,
            splitter: Quic::new(Splitter::new(now, config), splitters, Some([4; 32])),
            peer: Quic::new(Peer::new(now, joins, 5), peers, Some([6; 32])),
            to_splitter: VecDeque::new(),
            to_peer: VecDeque::new(),
            seen: Vec::new(),
            strangers: BTreeMap::new(),
        };
        scene.wake();
        scene
    }

    /// The next datagram of each, the peer's with a change.
    fn deliver(&mut self, change: impl Fn(&mut Vec<u8>)) {
        if let Some(bytes) = self.to_splitter.pop_front() {
            let mut bytes = bytes.to_vec();
            change(&mut bytes);
            self.arrives(at(1), bytes.into());
        }
        if let Some(bytes) = self.to_peer.pop_front() {
            self.peer.handle(self.now, Input::Datagram { from: at(0), bytes });
        }
    }

    fn arrives(&mut self, from: SocketAddr, bytes: Bytes) {
        self.strangers.entry(from).or_default().0 += bytes.len();
        self.splitter.handle(self.now, Input::Datagram { from, bytes });
        self.hear();
    }

    fn wake(&mut self) {
        self.splitter.handle(self.now, Input::Wake);
        self.peer.handle(self.now, Input::Wake);
        self.hear();
    }

    /// What both have to say.
    fn hear(&mut self) {
        for (to, bytes) in said(&mut self.splitter, self.now) {
            if to == at(1) {
                self.to_peer.push_back(bytes);
                continue;
            }
            // A connection may move to who repeats its datagram first: three times what came, as RFC 9000 has it, and with each
            // move what quinn-proto does not count: a probe of how much the path carries, or a question to where it was.
            let moves = self.splitter.stats().moved as usize;
            let (got, sent) = self.strangers.entry(to).or_default();
            *sent += bytes.len();
            let most = if moves > 0 { 3 * *got + moves * 1_452 } else { *got };
            assert!(*sent <= most, "{sent} bytes to {to}, which sent {got}");
        }
        for (_, bytes) in said(&mut self.peer, self.now) {
            if self.seen.len() < MOST {
                self.seen.push(bytes.clone());
            }
            self.to_splitter.push_back(bytes);
        }
        self.to_splitter.truncate(MOST);
        self.to_peer.truncate(MOST);
    }
}

/// All that it sends until it waits.
fn said<M: Guarded>(machine: &mut Quic<M>, now: Instant) -> Vec<(SocketAddr, Bytes)> {
    let mut said = Vec::new();
    for _ in 0..100_000 {
        match machine.poll(now) {
            Output::Send(Transmit::Datagram { to, bytes }) => said.push((to, bytes)),
            Output::Send(_) | Output::Event(_) => {}
            Output::Wait(_) => return said,
        }
    }
    panic!("it does not come to rest");
}

fn at(host: u8) -> SocketAddr {
    ([10, 0, 0, host], 7_000).into()
}

const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_disturbed_the_peer_is_in_and_the_strangers_that_repeat_it_are_told_little() {
        let mut scene = Scene::new();
        for step in 0..200 {
            scene.now += Duration::from_millis(4);
            scene.deliver(|_| {});
            let again = scene.seen.get(step % MOST).cloned();
            again.into_iter().for_each(|bytes| scene.arrives(at(100), bytes));
            scene.wake();
        }
        assert_eq!((scene.splitter.stats().connected, scene.splitter.machine().stats().peers), (1, 1));
        let (got, sent) = scene.strangers[&at(100)];
        assert!(sent > 0 && sent <= got, "{sent} of {got}");
    }
}
