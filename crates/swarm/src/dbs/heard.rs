//! Who of the team was heard when: for hellos that got lost, and for neighbours that died.

use super::HELLO_AGAIN;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// The members of the team that a peer knows.
#[derive(Clone, Debug, Default)]
pub struct Heard(BTreeMap<SocketAddr, Ear>);

#[derive(Clone, Copy, Debug)]
struct Ear {
    last: Instant,
    /// How many chunks the splitter had sent this peer when a chunk last came from that one.
    turn: u64,
    /// A hello to be repeated: how often yet, and when.
    hello: Option<(u32, Instant)>,
}

impl Heard {
    /// Knows `peer` from now on.
    pub fn know(&mut self, now: Instant, peer: SocketAddr, turn: u64) {
        self.0.entry(peer).or_insert(Ear { last: now, turn, hello: None });
    }

    /// A hello went to `peer`, to be repeated unless it is heard.
    pub fn greet(&mut self, now: Instant, peer: SocketAddr) {
        let (times, wait) = HELLO_AGAIN;
        let ear = self.0.entry(peer).or_insert(Ear { last: now, turn: 0, hello: None });
        ear.hello = Some((times - 1, now + wait));
    }

    /// Something came from `peer`.
    pub fn note(&mut self, now: Instant, peer: SocketAddr) {
        if let Some(ear) = self.0.get_mut(&peer) {
            (ear.last, ear.hello) = (now, None);
        }
    }

    /// A chunk came from `peer`, when the splitter had sent this peer `turn` of them.
    pub fn note_turn(&mut self, peer: SocketAddr, turn: u64) {
        if let Some(ear) = self.0.get_mut(&peer) {
            ear.turn = turn;
        }
    }

    /// Forgets `peer`.
    pub fn forget(&mut self, peer: SocketAddr) {
        self.0.remove(&peer);
    }

    /// Whether `peer` is known.
    pub fn knows(&self, peer: SocketAddr) -> bool {
        self.0.contains_key(&peer)
    }

    /// Whose hello is to be repeated now.
    pub fn to_greet_again(&mut self, now: Instant) -> Vec<SocketAddr> {
        let mut again = Vec::new();
        for (peer, ear) in &mut self.0 {
            let Some((left, when)) = ear.hello.filter(|(_, when)| *when <= now) else { continue };
            if left == 0 {
                ear.hello = None;
                continue;
            }
            let wait = HELLO_AGAIN.1 * 2u32.pow(HELLO_AGAIN.0.saturating_sub(left));
            ear.hello = Some((left - 1, when + wait));
            again.push(*peer);
        }
        again
    }

    /// Who missed three of its turns, as this peer's own are counted, and was silent for a second.
    pub fn silent(&self, now: Instant, turn: u64) -> Vec<SocketAddr> {
        let is_silent = |ear: &Ear| {
            now.saturating_duration_since(ear.last) >= SILENCE && turn.saturating_sub(ear.turn) > TURNS
        };
        self.0.iter().filter(|(_, ear)| is_silent(ear)).map(|(peer, _)| *peer).collect()
    }

    /// When a hello is to be repeated.
    pub fn due(&self) -> Option<Instant> {
        self.0.values().filter_map(|ear| ear.hello.map(|(_, when)| when)).min()
    }

    /// All of them.
    pub fn peers(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.0.keys().copied()
    }

    /// One of them.
    pub fn pick(&self, chance: u32) -> Option<SocketAddr> {
        let at = chance as usize % self.0.len().max(1);
        self.0.keys().nth(at).copied()
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

const SILENCE: Duration = Duration::from_secs(1);
const TURNS: u64 = 3;
