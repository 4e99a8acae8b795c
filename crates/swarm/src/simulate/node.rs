//! What lives at a host of a simulated world: one of the machines, behind what its network does to it.

use super::{
    scenario::Nat,
    teams::{Announces, Seeker},
};
use crate::{
    native::{Bridge, Key, Peer, Splitter, Standby, peer, wire::is_forged},
    tracker::{self, Order, Tracker},
};
use bytes::Bytes;
use levada_link::{Input, Machine, Output, Transmit, world::HostId};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// A host's machine.
pub(super) struct Node {
    pub(super) role: Role,
    /// Of a splitter, where there is a tracker.
    pub(super) announces: Option<Box<Announces>>,
    door: Option<Box<Door>>,
    /// Where there are polluters.
    guard: Option<Arc<Guard>>,
}

pub(super) enum Role {
    Splitter(Box<Splitter>),
    Standby(Box<Standby>),
    Peer(Box<Peer>),
    Bridge(Box<Bridge>),
    Tracker(Box<Tracker>),
    Seeker(Box<Seeker>),
}

pub(super) enum Told {
    /// Whatever a splitter tells: nobody here asks what.
    Splitter,
    Peer(peer::Event),
    Tracker(tracker::Event),
}

/// Looks for forged chunks that come from honest hosts.
#[derive(Debug)]
pub(super) struct Guard {
    /// By host.
    pub(super) honest: Vec<bool>,
    /// Forged chunks that an honest peer passed on.
    pub(super) passed_on: AtomicU64,
}

/// What lets datagrams in.
struct Door {
    kind: Nat,
    /// Of every host.
    kinds: Arc<[Nat]>,
    /// To whom something went out.
    sent: BTreeSet<HostId>,
}

impl Node {
    pub(super) fn new(role: Role, at: HostId, kinds: &Arc<[Nat]>, guard: Option<Arc<Guard>>) -> Node {
        let kind = kinds.get(at.0 as usize).copied().unwrap_or_default();
        let symmetric = kinds.contains(&Nat::Symmetric);
        // Who is not behind anything needs a door only to know whom it cannot have answered.
        let door = (kind != Nat::None || symmetric).then(|| Door {
            kind,
            kinds: kinds.clone(),
            sent: BTreeSet::new(),
        });
        Node { role, announces: None, door: door.map(Box::new), guard }
    }

    /// Of a splitter that lets newcomers in: the channel's key, and how many peers it has.
    fn team(&self) -> Option<(Key, usize)> {
        match &self.role {
            Role::Splitter(splitter) => Some((splitter.key(), splitter.stats().peers)),
            Role::Bridge(bridge) if bridge.is_open() => {
                Some((bridge.splitter().channel_key(), bridge.splitter().stats().peers))
            }
            _ => None,
        }
    }

    fn announce(&mut self, now: Instant) -> Option<Transmit> {
        if self.announces.as_ref().is_none_or(|announces| announces.due() > now) {
            return None;
        }
        let (key, peers) = self.team()?;
        self.announces.as_mut()?.say(now, key, peers)
    }

    /// The tracker wants peers to go elsewhere.
    fn shed(&mut self, now: Instant, order: Order) {
        let Some(key) = Key::from_bytes(&order.to.key) else { return };
        let splitter = match &mut self.role {
            Role::Splitter(splitter) => splitter,
            Role::Bridge(bridge) => bridge.splitter_mut(),
            _ => return,
        };
        splitter.shed(now, order.peers as usize, order.to.splitter, key);
    }

    fn lets_in(&self, input: &Input) -> bool {
        let (Some(door), Input::Datagram { from, .. }) = (&self.door, input) else { return true };
        HostId::at(*from).is_some_and(|from| door.lets_in(from))
    }
}

impl Door {
    fn lets_in(&self, from: HostId) -> bool {
        let theirs = self.kinds.get(from.0 as usize).copied().unwrap_or_default();
        let sent = self.sent.contains(&from);
        match self.kind {
            Nat::None => true,
            Nat::FullCone => !self.sent.is_empty(),
            Nat::Restricted => sent,
            // A symmetric one sends from a port that this one did not send to.
            Nat::PortRestricted | Nat::Symmetric => sent && theirs != Nat::Symmetric && !self.strange(theirs),
        }
    }

    /// Whether who is behind `theirs` cannot have learnt the port that a symmetric one sends from.
    fn strange(&self, theirs: Nat) -> bool {
        self.kind == Nat::Symmetric && theirs == Nat::PortRestricted
    }
}

impl Machine for Node {
    type Event = Told;

    fn handle(&mut self, now: Instant, input: Input) {
        if !self.lets_in(&input) {
            return;
        }
        if let (Some(guard), Input::Datagram { from, bytes }) = (&self.guard, &input) {
            let host = HostId::at(*from).map_or(0, |host| host.0 as usize);
            if guard.honest.get(host).copied().unwrap_or(true) && is_forged(bytes) {
                guard.passed_on.fetch_add(1, Ordering::Relaxed);
            }
        }
        if let (Some(announces), Input::Datagram { from, bytes }) = (&mut self.announces, &input)
            && let Some(order) = announces.hear(now, *from, bytes)
        {
            order.into_iter().for_each(|order| self.shed(now, order));
            return;
        }
        match &mut self.role {
            Role::Bridge(bridge) => bridge.handle(now, input),
            Role::Tracker(tracker) => tracker.handle(now, input),
            Role::Seeker(seeker) => {
                if let Input::Datagram { bytes, .. } = &input
                    && let Some(peer) = seeker.hear(now, bytes)
                {
                    self.role = Role::Peer(Box::new(peer));
                }
            }
            Role::Splitter(splitter) => splitter.handle(now, input),
            Role::Standby(standby) => standby.handle(now, input),
            Role::Peer(peer) => peer.handle(now, input),
        }
    }

    fn poll(&mut self, now: Instant) -> Output<Told> {
        let said = self.announce(now);
        let output = match &mut self.role {
            _ if said.is_some() => said.map_or(Output::Wait(None), Output::Send),
            Role::Bridge(bridge) => told(bridge.poll(now), |_| Told::Splitter),
            Role::Tracker(tracker) => told(tracker.poll(now), Told::Tracker),
            Role::Seeker(seeker) => seeker.poll(now),
            Role::Splitter(splitter) => told(splitter.poll(now), |_| Told::Splitter),
            Role::Standby(standby) => told(standby.poll(now), |_| Told::Splitter),
            Role::Peer(peer) => told(peer.poll(now), Told::Peer),
        };
        if let (Some(door), Output::Send(Transmit::Datagram { to, .. })) = (&mut self.door, &output)
            && let Some(to) = HostId::at(*to)
        {
            door.sent.insert(to);
        }
        match (output, &self.announces) {
            (Output::Wait(until), Some(announces)) if self.team().is_some() => {
                Output::Wait(Some(until.map_or(announces.due(), |until| until.min(announces.due()))))
            }
            (output, _) => output,
        }
    }

    fn read_ahead(&self, step: u32, datagram: Option<&Bytes>) -> u64 {
        if let Role::Peer(peer) = &self.role { peer.read_ahead(step, datagram) } else { 0 }
    }
}

fn told<E>(output: Output<E>, wrap: impl Fn(E) -> Told) -> Output<Told> {
    match output {
        Output::Send(transmit) => Output::Send(transmit),
        Output::Event(event) => Output::Event(wrap(event)),
        Output::Wait(until) => Output::Wait(until),
    }
}
