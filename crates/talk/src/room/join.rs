//! The way into a room and back into it: through the server's door, again when it forgot us, when we moved, when it was silent.

use bytes::Bytes;
use levada_link::room::wire::{COOKIE, Heard, Join, Said, VERSION};
use levada_link::room::{DisplayName, Refusal, RoomName};
use std::time::{Duration, Instant};

/// What one says to the server to be in a room.
#[derive(Debug)]
pub struct Way {
    join: Join,
    phase: Phase,
    /// When something is said next.
    next: Option<Instant>,
    heard: Option<Instant>,
    /// When it was last said that we are here, until it is answered; and how long the answer took.
    asked: Option<Instant>,
    rtt: Option<Duration>,
    /// The version of the last roster.
    pub version: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Knocking { pause: Duration },
    In,
}

/// What comes of the server's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// We are in; whether as one who was not before.
    In { anew: bool },
    /// We are not let in.
    Refused(Refusal),
    /// The server does not know us any longer.
    Forgotten,
}

impl Way {
    pub fn new(room: RoomName, name: DisplayName, nonce: u64) -> Way {
        let join =
            Join { version: VERSION, nonce, cookie: [0; COOKIE], pass: 0, flags: 0, room: Some(room), name };
        let phase = Phase::Knocking { pause: FASTEST };
        Way { join, phase, next: None, heard: None, asked: None, rtt: None, version: 0 }
    }

    pub fn is_in(&self) -> bool {
        self.phase == Phase::In
    }

    /// What the server gave us to show.
    pub fn pass(&self) -> u64 {
        self.join.pass
    }

    /// To the server and back.
    pub fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// What is to be said by now, and whether the server has just been found silent.
    pub fn wake(&mut self, now: Instant) -> (Option<Bytes>, bool) {
        if self.next.is_some_and(|next| now < next) {
            return (None, false);
        }
        let silent = self.is_in() && self.heard.is_some_and(|heard| now.duration_since(heard) > SILENT);
        if silent {
            self.phase = Phase::Knocking { pause: FASTEST };
        }
        let said = match &mut self.phase {
            Phase::Knocking { pause } => {
                self.next = Some(now + *pause);
                *pause = (*pause * 3 / 2).min(SLOWEST);
                self.join.write()
            }
            Phase::In => {
                self.next = Some(now + HERE);
                self.asked = Some(now);
                Said::Known(self.version).datagram(self.join.pass)
            }
        };
        (Some(said), silent)
    }

    /// That the roster is known.
    pub fn know(&mut self, version: u32) -> Bytes {
        self.version = version;
        Said::Known(version).datagram(self.join.pass)
    }

    /// The server says something; `nonce` is for what we may have to ask.
    pub fn heard(&mut self, now: Instant, heard: &Heard<'_>, nonce: u64) -> Option<Step> {
        let step = match heard {
            Heard::Bring { nonce: asked, cookie } => {
                let moved = self.is_in() && *asked == self.join.pass;
                if moved {
                    self.join.nonce = nonce;
                    self.phase = Phase::Knocking { pause: FASTEST };
                } else if self.is_in() || *asked != self.join.nonce {
                    return None;
                }
                self.join.cookie = *cookie;
                self.next = Some(now);
                None
            }
            Heard::Welcome { nonce: asked, pass } => {
                if self.is_in() || *asked != self.join.nonce {
                    return None;
                }
                let anew = self.join.pass != *pass;
                (self.join.pass, self.join.nonce, self.join.cookie) = (*pass, nonce, [0; COOKIE]);
                (self.phase, self.next) = (Phase::In, Some(now + HERE));
                self.version = if anew { 0 } else { self.version };
                Some(Step::In { anew })
            }
            Heard::Refused { nonce: asked, why } => {
                let ours = !self.is_in() && *asked == self.join.nonce;
                return ours.then_some(Step::Refused(*why));
            }
            Heard::Gone(pass) => {
                if *pass != self.join.pass || *pass == 0 {
                    return None;
                }
                (self.join.pass, self.join.nonce) = (0, nonce);
                (self.phase, self.next) = (Phase::Knocking { pause: FASTEST }, Some(now));
                Some(Step::Forgotten)
            }
            Heard::Still(_) => {
                let took = self.asked.take().map(|asked| now.duration_since(asked));
                self.rtt = took.or(self.rtt);
                None
            }
            Heard::Control { .. } | Heard::Frame { .. } | Heard::Roster(_) => None,
        };
        self.heard = Some(now);
        step
    }
}

/// How soon, and how seldom at last, it is knocked again.
const FASTEST: Duration = Duration::from_millis(150);
const SLOWEST: Duration = Duration::from_secs(1);
/// How often a participant says that it is there.
const HERE: Duration = Duration::from_secs(1);
/// A server that says nothing for so long is asked anew.
const SILENT: Duration = Duration::from_secs(3);
