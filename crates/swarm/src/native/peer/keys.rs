//! Who is who, in an encrypted team: a peer connects only with those of whom the splitter told it the keys.

use super::Peer;
use crate::native::wire;
use bytes::Bytes;
use levada_link::{Door, Guarded, guarded::PublicKey};
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
};

/// Keys of the splitter's word: at most [`MOST`], the oldest leave first; and of those who are connected.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    /// Whether the team encrypts.
    pub(super) encrypts: bool,
    /// Whether its splitter is a bridge, as that says at the door.
    pub(super) of_bridge: bool,
    told: VecDeque<(SocketAddr, PublicKey)>,
    shown: BTreeMap<SocketAddr, PublicKey>,
}

impl Keys {
    /// The splitter says who is there; behind some NATs it will be at another port.
    pub(super) fn learn(&mut self, address: SocketAddr, who: Option<PublicKey>) {
        let Some(who) = who else { return };
        self.told.retain(|(_, known)| *known != who);
        if self.told.len() == MOST {
            self.told.pop_front();
        }
        self.told.push_back((address, who));
    }

    /// Who has connected from there.
    pub(super) fn of(&self, address: SocketAddr) -> Option<&PublicKey> {
        self.shown.get(&address)
    }
}

impl Guarded for Peer {
    fn encrypts(&self) -> bool {
        self.keys.encrypts
    }

    fn is_open(&self, datagram: &Bytes) -> bool {
        wire::is_open(datagram)
    }

    fn door(&self, from: SocketAddr) -> Door {
        let told = self.keys.told.iter().map(|(told, _)| *told);
        let is_told = told.chain(self.standby).any(|told| told.ip() == from.ip());
        if self.keys.encrypts && (is_told || self.home.has(from.ip())) { Door::Open } else { Door::Shut }
    }

    fn admits(&mut self, address: SocketAddr, key: &PublicKey) -> bool {
        let welcome = match address == self.config.splitter {
            // Without a key known before, what it says at the door must be this one.
            // One that calls itself a bridge shows its own; that its chunks are the channel's they show themselves.
            true => self.keys.of_bridge || self.config.key.is_none_or(|known| known.to_bytes() == *key),
            // Who goes on when the splitter dies has its key.
            false => {
                // Where a bridge dies that is the channel's own splitter.
                let known = [self.proofs.key(), self.proofs.channel()].into_iter().flatten();
                let splitters = known.into_iter().any(|known| known.to_bytes() == *key);
                splitters || self.keys.told.iter().any(|(_, told)| told == key)
            }
        };
        if welcome {
            self.keys.shown.insert(address, *key);
        }
        welcome
    }

    fn parted(&mut self, address: SocketAddr) {
        self.keys.shown.remove(&address);
    }
}

const MOST: usize = 256;
