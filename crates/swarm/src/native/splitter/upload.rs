//! What members say that they upload, and how many children that is by the stream's own rate.

use super::{MOST_SLOTS, Splitter};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// What the stream takes: of each stripe, in bytes a second with all headers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    since: Option<Instant>,
    bytes: u64,
    /// Follows a rate that grows at once, and one that falls slowly.
    stripes: Option<f64>,
}

/// What a member said of itself when it joined, or since.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offered {
    slots: u16,
    /// In kilobits a second; nothing where it has no cap.
    upload: u32,
}

impl Offered {
    pub(super) fn slots(slots: u16) -> Offered {
        Offered { slots, upload: 0 }
    }
}

impl Pace {
    pub(super) fn note(&mut self, now: Instant, datagram: usize) {
        self.since.get_or_insert(now);
        self.bytes += (datagram + HEADERS) as u64;
    }

    /// Whether a second is over.
    fn turn(&mut self, now: Instant, stripes: u8) -> bool {
        let passed = self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        if passed < SECOND {
            return false;
        }
        let is = self.bytes as f64 / passed.as_secs_f64() / f64::from(stripes.max(1));
        let follows = |was: f64| if is > was { is } else { was * 0.9 + is * 0.1 };
        *self = Pace { since: Some(now), bytes: 0, stripes: Some(self.stripes.map_or(is, follows)) };
        true
    }

    /// How many stripes go through a cap, where each is so many times as large.
    fn fits(&self, upload: u32, times: f64) -> usize {
        if upload == 0 {
            return MOST_SLOTS;
        }
        let Some(stripe) = self.stripes.filter(|stripe| *stripe > 0.0) else { return UNKNOWN };
        let cap = f64::from(upload) * 125.0;
        // A peer sends less than its cap, by what its bucket holds; some is for the rules and for who misses chunks.
        let usable = (cap - (cap / 16.0).max(1_800.0) - RULES) * ANSWERS_LEAVE;
        (usable.max(0.0) / (stripe * times)) as usize
    }
}

impl Splitter {
    /// A member says anew what it can upload.
    pub(super) fn hear_offer(&mut self, now: Instant, from: SocketAddr, slots: u16, upload: u32) {
        let Some(member) = self.members.get_mut(&from) else { return };
        let before = (member.offered.slots, member.offered.upload);
        member.offered = Offered { slots, upload };
        if before != (slots, upload) {
            self.reckon_slots(now, from, true);
        }
    }

    /// Once a second: the stream may be another by now.
    pub(super) fn look_at_pace(&mut self, now: Instant) {
        if !self.pace.turn(now, self.config.stripes) {
            return;
        }
        let capped = self.members.iter().filter(|(_, member)| member.offered.upload > 0);
        let capped: Vec<_> = capped.map(|(member, _)| *member).collect();
        capped.into_iter().for_each(|member| self.reckon_slots(now, member, false));
    }

    /// How many children a member may have; more only where there is some room to spare, or it said so just now.
    fn reckon_slots(&mut self, now: Instant, at: SocketAddr, said: bool) {
        let Some(member) = self.members.get_mut(&at) else { return };
        let Offered { slots, upload } = member.offered;
        let fits = |times| self.pace.fits(upload, times).min(slots.into()).min(MOST_SLOTS) as u16;
        let (least, most) = (fits(SPARE), fits(1.0));
        let before = member.slots;
        let is = if said { most } else { before.clamp(least, most.max(least)) };
        if is == before {
            return;
        }
        member.slots = is;
        let mut moves = self.allow(at);
        moves.extend(self.trees.trim(at));
        self.give_parents(now, moves);
    }
}

const SECOND: Duration = Duration::from_secs(1);
/// Of IPv4 and UDP.
const HEADERS: usize = 28;
/// Bytes a second that a member's own words take.
const RULES: f64 = 1_500.0;
/// What is for chunks, and not for answers to who misses some.
const ANSWERS_LEAVE: f64 = 0.9;
/// A stripe is reckoned so much larger before a member gets more children.
const SPARE: f64 = 1.1;
/// So many children has who has a cap before the stream's rate is known.
const UNKNOWN: usize = 2;
