//! The peers among which a splitter deals, in turn.

use serde::Serialize;
use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// A peer of the team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Where it is.
    pub endpoint: SocketAddr,
    /// Whether its complaints are believed.
    pub monitor: bool,
    /// Chunks of which it was the origin and that a monitor missed, halved every second.
    pub losses: u32,
    /// How many chunks it was dealt.
    pub dealt: u64,
    /// The last of these that a monitor missed, and how many in a row.
    #[serde(skip)]
    pub missed: (u64, u32),
    /// When it last showed that it lives, where it is one that does: ours do on wire A, twice a second.
    #[serde(skip)]
    pub alive: Option<Instant>,
    /// When it said goodbye.
    #[serde(skip)]
    pub leaving: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Team {
    members: Vec<Member>,
    turn: usize,
    monitors: usize,
    max_chunk_loss: u32,
    /// Who left last, at most [`REMEMBERED`]: their goodbyes are answered again.
    gone: VecDeque<SocketAddr>,
}

impl Team {
    pub(super) fn new(monitors: usize, max_chunk_loss: u32) -> Team {
        Team { members: Vec::new(), turn: 0, monitors, max_chunk_loss, gone: VecDeque::new() }
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Those who do not leave.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.members.iter().filter(|member| member.leaving.is_none()).map(|member| member.endpoint)
    }

    /// A peer joins, or joins again. The first are monitors, until there are enough.
    pub(super) fn add(&mut self, endpoint: SocketAddr) {
        self.remove(endpoint);
        self.gone.retain(|gone| *gone != endpoint);
        let monitor = self.members.iter().filter(|member| member.monitor).count() < self.monitors;
        self.members.push(Member {
            endpoint,
            monitor,
            losses: 0,
            dealt: 0,
            missed: (0, 0),
            alive: None,
            leaving: None,
        });
    }

    /// Whether the next chunk is the first of a round.
    pub(super) fn begins_round(&self) -> bool {
        self.turn == 0 && !self.members.is_empty()
    }

    /// The peer whose turn it is, and which one of its own that is.
    pub(super) fn next_peer(&mut self) -> Option<(SocketAddr, u64)> {
        let count = self.members.len();
        let member = self.members.get_mut(self.turn)?;
        member.dealt += 1;
        self.turn = (self.turn + 1) % count;
        Some((member.endpoint, member.dealt))
    }

    /// A peer said goodbye: it goes on until the round ends. False for who is none.
    pub(super) fn leaves(&mut self, now: Instant, peer: SocketAddr) -> bool {
        let Some(member) = self.members.iter_mut().find(|member| member.endpoint == peer) else {
            return false;
        };
        member.leaving.get_or_insert(now);
        true
    }

    pub(super) fn leaving_since(&self) -> Option<Instant> {
        self.members.iter().filter_map(|member| member.leaving).min()
    }

    /// Removes all who said goodbye.
    pub(super) fn take_leaving(&mut self) -> Vec<SocketAddr> {
        let gone: Vec<_> = self
            .members
            .iter()
            .filter(|member| member.leaving.is_some())
            .map(|member| member.endpoint)
            .collect();
        gone.iter().for_each(|peer| self.remove(*peer));
        self.gone.extend(&gone);
        let surplus = self.gone.len().saturating_sub(REMEMBERED);
        self.gone.drain(..surplus);
        gone
    }

    /// A member said hello again. False for who is none.
    pub(super) fn lives(&mut self, now: Instant, peer: SocketAddr) -> bool {
        let member = self.members.iter_mut().find(|member| member.endpoint == peer);
        member.map(|member| member.alive = Some(now)).is_some()
    }

    /// Removes all who used to show that they live and do no longer.
    pub(super) fn take_dead(&mut self, now: Instant) -> Vec<SocketAddr> {
        let is_dead =
            |member: &&Member| member.alive.is_some_and(|alive| now.saturating_duration_since(alive) >= DEAD);
        let dead: Vec<_> = self.members.iter().filter(is_dead).map(|member| member.endpoint).collect();
        dead.iter().for_each(|peer| self.remove(*peer));
        dead
    }

    /// Removes a member that is known to be dead; false for who is none, or was leaving.
    pub(super) fn take_out(&mut self, peer: SocketAddr) -> bool {
        let is_there = self.members.iter().any(|member| member.endpoint == peer && member.leaving.is_none());
        self.remove(peer);
        is_there
    }

    pub(super) fn remembers(&self, peer: SocketAddr) -> bool {
        self.gone.contains(&peer)
    }

    pub(super) fn is_monitor(&self, peer: SocketAddr) -> bool {
        self.members.iter().any(|member| member.monitor && member.endpoint == peer)
    }

    /// `origin` did not pass the chunk of its turn `dealt` on to the monitor `by`. Gives it where that was once too often,
    /// or too often in a row; monitors are never blamed.
    pub(super) fn blame(&mut self, origin: SocketAddr, dealt: u64, by: SocketAddr) -> Option<SocketAddr> {
        let limit = self.max_chunk_loss;
        let member = self.members.iter_mut().find(|member| member.endpoint == origin && !member.monitor)?;
        member.losses += u32::from(origin != by);
        let in_a_row = if dealt == member.missed.0 + 1 { member.missed.1 + 1 } else { 1 };
        member.missed = (dealt, in_a_row);
        if member.losses <= limit && in_a_row < IN_A_ROW {
            return None;
        }
        self.remove(origin);
        Some(origin)
    }

    /// Halves all losses.
    pub(super) fn forgive(&mut self) {
        self.members.iter_mut().for_each(|member| member.losses /= 2);
    }

    fn remove(&mut self, peer: SocketAddr) {
        let Some(at) = self.members.iter().position(|member| member.endpoint == peer) else { return };
        self.members.remove(at);
        if at < self.turn {
            self.turn -= 1;
        }
        if self.turn >= self.members.len() {
            self.turn = 0;
        }
    }
}

const REMEMBERED: usize = 256;
/// Who misses so many turns on end is not there: loss by chance does not do that.
const IN_A_ROW: u32 = 5;
/// Three signs of life missed.
const DEAD: Duration = Duration::from_millis(1_500);
