//! What a NAT does to datagrams: by which port others see who is behind it, and what of theirs it lets in.

use crate::Chance;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    str::FromStr,
    time::Duration,
};

/// A class of NAT, by the words of RFC 3489 5, which people still use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// One port for each inside, which anybody may use once something went out by it.
    FullCone,
    /// The same port, which those hosts may use to which something went out by it.
    Restricted,
    /// The same port, which those ports of hosts may use to which something went out by it.
    PortRestricted,
    /// Another port for each destination, which that destination alone may use.
    Symmetric,
}

impl Class {
    /// All of them, the most open first.
    pub const ALL: [Class; 4] = [Class::FullCone, Class::Restricted, Class::PortRestricted, Class::Symmetric];

    /// The word that [`FromStr`] reads.
    pub fn name(self) -> &'static str {
        match self {
            Class::FullCone => "full-cone",
            Class::Restricted => "restricted",
            Class::PortRestricted => "port-restricted",
            Class::Symmetric => "symmetric",
        }
    }

    /// Whether two hosts behind NATs of these classes can speak with each other, once somebody has introduced them.
    pub fn meets(self, other: Class) -> bool {
        let (first, second) = if self < other { (self, other) } else { (other, self) };
        second != Class::Symmetric || first <= Class::Restricted
    }
}

/// A word that names no class of NAT.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no NAT {0:?}: full-cone, restricted, port-restricted or symmetric")]
pub struct UnknownClass(String);

impl FromStr for Class {
    type Err = UnknownClass;

    fn from_str(text: &str) -> Result<Class, UnknownClass> {
        let found = Class::ALL.into_iter().find(|class| class.name() == text);
        found.ok_or_else(|| UnknownClass(text.to_owned()))
    }
}

/// A NAT with one address outside.
///
/// A way out keeps the inside's port where that is free. It is forgotten when nothing went out by it for two minutes (RFC
/// 4787 REQ-5), and when there are 4,096: the oldest leaves first.
#[derive(Debug)]
pub struct Nat {
    class: Class,
    chance: Chance,
    /// By the port outside.
    ways: BTreeMap<u16, Way>,
    /// The port outside of an inside; of a symmetric NAT, and a destination.
    known: HashMap<(SocketAddr, Option<SocketAddr>), u16>,
}

#[derive(Clone, Debug)]
struct Way {
    inside: SocketAddr,
    /// Whom it is for, where it is for one alone.
    only: Option<SocketAddr>,
    /// To whom something went out: at most [`MOST_SPOKEN_TO`], then the way lets no more in than those.
    spoken_to: Vec<SocketAddr>,
    used: Duration,
}

impl Nat {
    /// Nobody is behind it yet. The ports of a symmetric one follow from `seed`.
    pub fn new(class: Class, seed: u64) -> Nat {
        let (ways, known) = Default::default();
        Nat { class, chance: Chance::new(seed, NAT), ways, known }
    }

    /// What it is.
    pub fn class(&self) -> Class {
        self.class
    }

    /// A datagram goes out at `now` (since some beginning): the port that others see it come from.
    pub fn out(&mut self, now: Duration, inside: SocketAddr, to: SocketAddr) -> u16 {
        let only = (self.class == Class::Symmetric).then_some(to);
        let known = self.known.get(&(inside, only)).copied();
        let port =
            known.filter(|port| self.lives(now, *port)).unwrap_or_else(|| self.open(now, inside, only));
        if let Some(way) = self.ways.get_mut(&port) {
            way.used = now;
            if way.spoken_to.len() < MOST_SPOKEN_TO && !way.spoken_to.contains(&to) {
                way.spoken_to.push(to);
            }
        }
        port
    }

    /// A datagram from `from` comes to the port `port` outside: who inside gets it, if anybody.
    pub fn lets_in(&self, now: Duration, port: u16, from: SocketAddr) -> Option<SocketAddr> {
        let way = self.ways.get(&port).filter(|_| self.lives(now, port))?;
        let same_host = |to: &SocketAddr| same(to.ip(), from.ip());
        let welcome = match self.class {
            Class::FullCone => true,
            Class::Restricted => way.spoken_to.iter().any(same_host),
            Class::PortRestricted | Class::Symmetric => way.spoken_to.contains(&from),
        };
        welcome.then_some(way.inside)
    }

    /// Who inside the port `port` outside belongs to, whoever may use it.
    pub fn behind(&self, port: u16) -> Option<SocketAddr> {
        self.ways.get(&port).map(|way| way.inside).filter(|inside| *inside != NOWHERE)
    }

    /// Forgets all ways, and sees to it that new ones get other ports: what a NAT that starts again does.
    pub fn forget(&mut self) {
        self.known.clear();
        let shut = Way { inside: NOWHERE, only: None, spoken_to: Vec::new(), used: Duration::MAX };
        // Nobody is behind the ports of before.
        self.ways.values_mut().for_each(|way| *way = shut.clone());
    }

    fn lives(&self, now: Duration, port: u16) -> bool {
        self.ways.get(&port).is_some_and(|way| way.inside != NOWHERE && now.saturating_sub(way.used) < LASTS)
    }

    fn open(&mut self, now: Duration, inside: SocketAddr, only: Option<SocketAddr>) -> u16 {
        if self.ways.len() >= MOST {
            let oldest = self.ways.iter().min_by_key(|(_, way)| way.used).map(|(port, _)| *port);
            if let Some(way) = oldest.and_then(|port| self.ways.remove(&port)) {
                self.known.remove(&(way.inside, way.only));
            }
        }
        let mut port = match only {
            Some(_) => FIRST + self.chance.below(u32::from(u16::MAX - FIRST)) as u16,
            None => inside.port(),
        };
        while port == 0 || self.ways.contains_key(&port) {
            port = port.checked_add(1).unwrap_or(FIRST);
        }
        self.ways.insert(port, Way { inside, only, spoken_to: Vec::new(), used: now });
        self.known.insert((inside, only), port);
        port
    }
}

fn same(one: IpAddr, other: IpAddr) -> bool {
    one.to_canonical() == other.to_canonical()
}

const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
const NAT: u64 = 0x6e61_7400;
const LASTS: Duration = Duration::from_secs(120);
const MOST: usize = 4_096;
const MOST_SPOKEN_TO: usize = 1_024;
/// The first of the ports that anybody may have.
const FIRST: u16 = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: u8, port: u16) -> SocketAddr {
        ([10, 0, 0, host], port).into()
    }

    const NOW: Duration = Duration::from_secs(1);

    #[test]
    fn each_class_lets_in_what_its_name_says() {
        for class in Class::ALL {
            let mut nat = Nat::new(class, 1);
            assert_eq!(nat.lets_in(NOW, 7, at(1, 7)), None, "nobody spoke yet");
            let port = nat.out(NOW, at(9, 7), at(1, 7));
            let seen =
                [at(1, 7), at(1, 8), at(2, 7)].map(|from| nat.lets_in(NOW, port, from) == Some(at(9, 7)));
            let expected = match class {
                Class::FullCone => [true, true, true],
                Class::Restricted => [true, true, false],
                Class::PortRestricted | Class::Symmetric => [true, false, false],
            };
            assert_eq!(seen, expected, "{class:?}");
            let other = nat.out(NOW, at(9, 7), at(2, 7));
            assert_eq!(other != port, class == Class::Symmetric, "{class:?}");
            assert_eq!(port == 7, class != Class::Symmetric, "{class:?}");
        }
    }

    #[test]
    fn ways_are_forgotten_when_nobody_uses_them_and_when_the_nat_starts_again() {
        let mut nat = Nat::new(Class::PortRestricted, 1);
        let port = nat.out(NOW, at(9, 7), at(1, 7));
        assert!(nat.lets_in(NOW + LASTS / 2, port, at(1, 7)).is_some());
        assert!(nat.lets_in(NOW + LASTS, port, at(1, 7)).is_none());
        let port = nat.out(NOW + LASTS, at(9, 7), at(1, 7));
        nat.forget();
        assert!(nat.lets_in(NOW + LASTS, port, at(1, 7)).is_none());
        assert_ne!(nat.out(NOW + LASTS, at(9, 7), at(1, 7)), port);
        // Two insides with one port of their own have two outside.
        assert_ne!(nat.out(NOW, at(8, 7), at(1, 7)), nat.out(NOW, at(9, 7), at(1, 7)));
    }

    #[test]
    fn a_nat_keeps_no_more_ways_than_it_says() {
        let mut nat = Nat::new(Class::Symmetric, 1);
        for n in 0..3 * MOST as u32 {
            let to = SocketAddr::new(n.to_be_bytes().into(), 7);
            nat.out(NOW + Duration::from_micros(n.into()), at(9, 7), to);
        }
        assert_eq!((nat.ways.len(), nat.known.len()), (MOST, MOST));
    }

    #[test]
    fn words_name_classes_and_who_meets_whom_is_the_same_both_ways() {
        for class in Class::ALL {
            assert_eq!(class.name().parse(), Ok(class));
        }
        assert!("conical".parse::<Class>().is_err());
        let apart = Class::ALL.into_iter().flat_map(|one| Class::ALL.map(|other| (one, other)));
        let apart: Vec<_> = apart.filter(|(one, other)| !one.meets(*other)).collect();
        let (port, symmetric) = (Class::PortRestricted, Class::Symmetric);
        assert_eq!(apart, [(port, symmetric), (symmetric, port), (symmetric, symmetric)]);
    }
}
