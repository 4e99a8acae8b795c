//! What is said to a room's server and by it.
//!
//! A message begins with its kind. Where it comes in a datagram of a member, the pass that the member got follows, 8 bytes; what comes
//! over anything that belongs to one member (a data channel) has none. All numbers are big endian.
//!
//! ```text
//! to the server                                                     by the server
//!  1 join     version | nonce 8 | cookie 16 | pass 8 | flags          2 bring    nonce 8 | cookie 16
//!             | length | room | length | name | zeros up to 900       3 welcome  nonce 8 | pass 8
//!                                                                     4 refused  nonce 8 | why
//! 16 control  to | body                                             16 control  from | body
//! 17 frame    generation | counter 4 | sealed                       17 frame    from | generation | counter 4 | sealed
//! 18 known    version of a roster 4                                 18 roster   version 4 | mode | you | count
//!                                                                               | each: number | stay 4 | flags | length | name
//! 19 leave                                                          19 still    version of the roster 4
//!                                                                   20 gone     pass 8
//! ```
//!
//! Nothing that a stranger is answered is longer than what it sent: a join is longer than any answer to it, and only who has shown by a
//! cookie to be where it says is sent anything else.

mod roster;

use super::name::{DisplayName, RoomName};
use bytes::{BufMut, Bytes, BytesMut};
pub use roster::{Mode, Participant, Roster};

/// Participants of a room at most; they are numbered from 1.
pub const PARTICIPANTS: usize = 16;
/// The version of all this, and of the sound that is sealed in it: 2 since the codec's third bitstream.
pub const VERSION: u8 = 2;
/// Bytes of a join.
pub const JOIN: usize = 900;
/// Bytes of a cookie; zeros are none.
pub const COOKIE: usize = 16;
/// Bytes of what is said to another participant, at most.
pub const BODY: usize = 512;
/// Bytes of a frame at most, with what is before it: generation, counter and tag.
pub const FRAME: usize = 1_400;
/// What a frame has before its sound.
pub const FRAME_HEAD: usize = 5;

/// A browser, which knows Opus alone.
pub const BROWSER: u8 = 1;
/// Cannot seal what it sends.
pub const OPEN: u8 = 2;

/// Somebody wants to come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Which version it speaks.
    pub version: u8,
    /// What the answer is to repeat, so that nobody else can answer.
    pub nonce: u64,
    /// What it was told to bring; zeros at first.
    pub cookie: [u8; COOKIE],
    /// The pass that it has, where it only has moved; else 0.
    pub pass: u64,
    /// [`BROWSER`], [`OPEN`].
    pub flags: u8,
    /// Where to; none where that is no name.
    pub room: Option<RoomName>,
    /// How it is called.
    pub name: DisplayName,
}

/// What a member says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// To one other participant.
    Control {
        /// To which number.
        to: u8,
        /// What; the server does not look inside.
        body: &'a [u8],
    },
    /// To all others: generation, counter, and what is sealed.
    Frame(&'a [u8]),
    /// Knows the roster of this version; at the same time says that it is there.
    Known(u32),
    /// Goes.
    Leave,
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// The joiner is to come again with this cookie.
    Bring {
        /// The join's.
        nonce: u64,
        /// This one.
        cookie: [u8; COOKIE],
    },
    /// The joiner is in; who else is there is told by a roster.
    Welcome {
        /// The join's.
        nonce: u64,
        /// To be said with everything from now on.
        pass: u64,
    },
    /// The joiner is not let in.
    Refused {
        /// The join's.
        nonce: u64,
        /// Why.
        why: Refusal,
    },
    /// Another participant says something to this one alone.
    Control {
        /// Which.
        from: u8,
        /// What.
        body: &'a [u8],
    },
    /// Another participant's frame: generation, counter, and what is sealed.
    Frame {
        /// Whose.
        from: u8,
        /// The frame.
        frame: &'a [u8],
    },
    /// Who is here.
    Roster(Roster),
    /// The server is there, and this is its roster's version.
    Still(u32),
    /// Nobody here has this pass.
    Gone(u64),
}

/// Why somebody is not let into a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// As many as fit are in.
    #[error("the room is full")]
    Full,
    /// The server has as many rooms as it takes.
    #[error("the server has no more rooms")]
    NoRoom,
    /// The server has no room of this name.
    #[error("the server has no such room")]
    Unknown,
    /// It speaks another version.
    #[error("the server speaks another version of levada's rooms")]
    Version,
    /// Too many came from the same address.
    #[error("too many from this address are in rooms of the server")]
    Crowd,
}

impl Refusal {
    const ALL: [Refusal; 5] =
        [Refusal::Full, Refusal::NoRoom, Refusal::Unknown, Refusal::Version, Refusal::Crowd];

    fn code(self) -> u8 {
        Refusal::ALL.iter().position(|why| *why == self).unwrap_or(0) as u8 + 1
    }

    fn of(code: u8) -> Option<Refusal> {
        Refusal::ALL.get(usize::from(code).checked_sub(1)?).copied()
    }
}

impl Join {
    /// As a datagram.
    pub fn write(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(JOIN);
        out.put_slice(&[kind::JOIN, self.version]);
        out.put_u64(self.nonce);
        out.put_slice(&self.cookie);
        out.put_u64(self.pass);
        out.put_u8(self.flags);
        let room = self.room.as_ref().map_or("", RoomName::as_str);
        for text in [room, self.name.as_str()] {
            out.put_u8(text.len() as u8);
            out.put_slice(text.as_bytes());
        }
        out.resize(JOIN, 0);
        out.freeze()
    }

    /// Of a datagram, if it is one.
    pub fn read(datagram: &[u8]) -> Option<Join> {
        let (head, mut rest) = datagram.split_first_chunk::<35>()?;
        if head[0] != kind::JOIN || datagram.len() != JOIN {
            return None;
        }
        let room = text(&mut rest)?;
        let name = text(&mut rest)?;
        Some(Join {
            version: head[1],
            nonce: long(head, 2),
            cookie: std::array::from_fn(|n| head[10 + n]),
            pass: long(head, 26),
            flags: head[34] & (BROWSER | OPEN),
            room: std::str::from_utf8(room).ok().and_then(|room| room.parse().ok()),
            name: DisplayName::of_bytes(name),
        })
    }
}

impl<'a> Said<'a> {
    /// As a message without a pass.
    pub fn write(&self) -> Bytes {
        self.put(None)
    }

    /// As a datagram of whoever has this pass.
    pub fn datagram(&self, pass: u64) -> Bytes {
        self.put(Some(pass))
    }

    fn put(&self, pass: Option<u64>) -> Bytes {
        let body = match self {
            Said::Control { body, .. } => body.len() + 1,
            Said::Frame(frame) => frame.len(),
            Said::Known(_) => 4,
            Said::Leave => 0,
        };
        let mut out = BytesMut::with_capacity(9 + body);
        out.put_u8(match self {
            Said::Control { .. } => kind::CONTROL,
            Said::Frame(_) => kind::FRAME,
            Said::Known(_) => kind::ROSTER,
            Said::Leave => kind::LEAVE,
        });
        pass.into_iter().for_each(|pass| out.put_u64(pass));
        match self {
            Said::Control { to, body } => {
                out.put_u8(*to);
                out.put_slice(body);
            }
            Said::Frame(frame) => out.put_slice(frame),
            Said::Known(version) => out.put_u32(*version),
            Said::Leave => {}
        }
        out.freeze()
    }

    /// A frame to all others, where it is as long as one.
    pub fn frame(frame: &'a [u8]) -> Option<Said<'a>> {
        is_frame(frame).then_some(Said::Frame(frame))
    }

    /// Of a message without a pass.
    pub fn read(message: &'a [u8]) -> Option<Said<'a>> {
        let (kind, rest) = message.split_first()?;
        Said::of(*kind, rest)
    }

    /// Of a member's datagram: the pass, and what is said where that can be understood.
    pub fn read_datagram(datagram: &'a [u8]) -> Option<(u64, Option<Said<'a>>)> {
        let (head, rest) = datagram.split_first_chunk::<9>()?;
        matches!(head[0], kind::CONTROL..=kind::LEAVE).then(|| (long(head, 1), Said::of(head[0], rest)))
    }

    fn of(kind: u8, rest: &'a [u8]) -> Option<Said<'a>> {
        match kind {
            kind::CONTROL => {
                let (to, body) = rest.split_first()?;
                (1..=BODY).contains(&body.len()).then_some(Said::Control { to: *to, body })
            }
            kind::FRAME => Said::frame(rest),
            kind::ROSTER => Some(Said::Known(u32::from_be_bytes(rest.try_into().ok()?))),
            kind::LEAVE => rest.is_empty().then_some(Said::Leave),
            _ => None,
        }
    }
}

impl<'a> Heard<'a> {
    /// As a message.
    pub fn write(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(32);
        match self {
            Heard::Bring { nonce, cookie } => {
                out.put_u8(kind::BRING);
                out.put_u64(*nonce);
                out.put_slice(cookie);
            }
            Heard::Welcome { nonce, pass } => {
                out.put_u8(kind::WELCOME);
                out.put_u64(*nonce);
                out.put_u64(*pass);
            }
            Heard::Refused { nonce, why } => {
                out.put_u8(kind::REFUSED);
                out.put_u64(*nonce);
                out.put_u8(why.code());
            }
            Heard::Control { from, body } => {
                out.put_slice(&[kind::CONTROL, *from]);
                out.put_slice(body);
            }
            Heard::Frame { from, frame } => {
                out.put_slice(&[kind::FRAME, *from]);
                out.put_slice(frame);
            }
            Heard::Roster(roster) => roster.put(&mut out),
            Heard::Still(version) => {
                out.put_u8(kind::LEAVE);
                out.put_u32(*version);
            }
            Heard::Gone(pass) => {
                out.put_u8(kind::GONE);
                out.put_u64(*pass);
            }
        }
        out.freeze()
    }

    /// Of a message of the server, if it is one.
    pub fn read(message: &'a [u8]) -> Option<Heard<'a>> {
        let (kind, rest) = message.split_first()?;
        match *kind {
            kind::BRING => {
                let rest: &[u8; 8 + COOKIE] = rest.try_into().ok()?;
                Some(Heard::Bring { nonce: long(rest, 0), cookie: std::array::from_fn(|n| rest[8 + n]) })
            }
            kind::WELCOME => {
                let rest: &[u8; 16] = rest.try_into().ok()?;
                Some(Heard::Welcome { nonce: long(rest, 0), pass: long(rest, 8) })
            }
            kind::REFUSED => {
                let rest: &[u8; 9] = rest.try_into().ok()?;
                Some(Heard::Refused { nonce: long(rest, 0), why: Refusal::of(rest[8])? })
            }
            kind::CONTROL => {
                let (from, body) = rest.split_first()?;
                let good = is_number(*from) && (1..=BODY).contains(&body.len());
                good.then_some(Heard::Control { from: *from, body })
            }
            kind::FRAME => {
                let (from, frame) = rest.split_first()?;
                (is_number(*from) && is_frame(frame)).then_some(Heard::Frame { from: *from, frame })
            }
            kind::ROSTER => Roster::read(rest).map(Heard::Roster),
            kind::LEAVE => Some(Heard::Still(u32::from_be_bytes(rest.try_into().ok()?))),
            kind::GONE => Some(Heard::Gone(u64::from_be_bytes(rest.try_into().ok()?))),
            _ => None,
        }
    }
}

/// Whether so many bytes can be a frame; frames that are sealed have a tag as well.
fn is_frame(frame: &[u8]) -> bool {
    (FRAME_HEAD + 1..=FRAME).contains(&frame.len())
}

fn is_number(number: u8) -> bool {
    (1..=PARTICIPANTS as u8).contains(&number)
}

/// A length and so many bytes.
fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first()?;
    let found = after.get(..usize::from(*length))?;
    *rest = &after[found.len()..];
    Some(found)
}

/// Eight bytes at `at`, which are there.
fn long(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

mod kind {
    pub const JOIN: u8 = 1;
    pub const BRING: u8 = 2;
    pub const WELCOME: u8 = 3;
    pub const REFUSED: u8 = 4;
    pub const CONTROL: u8 = 16;
    pub const FRAME: u8 = 17;
    pub const ROSTER: u8 = 18;
    pub const LEAVE: u8 = 19;
    pub const GONE: u8 = 20;
}

// a roster is no longer than the join that it may follow
const _: () = assert!(8 + PARTICIPANTS * (7 + DisplayName::LONGEST) <= JOIN);

#[cfg(test)]
mod tests;
