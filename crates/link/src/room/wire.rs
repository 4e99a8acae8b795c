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

use super::name::{DisplayName, RoomName};
use bytes::{BufMut, Bytes, BytesMut};

/// Participants of a room at most; they are numbered from 1.
pub const PARTICIPANTS: usize = 16;
/// The version of all this.
pub const VERSION: u8 = 1;
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

/// Who is in a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// Which of the room's rosters.
    pub version: u32,
    /// What follows from who is there.
    pub mode: Mode,
    /// The number of whoever is told.
    pub you: u8,
    /// All participants in the order of their numbers, whoever is told included.
    pub participants: Vec<Participant>,
}

/// What follows from who is in a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    /// A browser is there: everybody speaks Opus, stereo, 48,000 frames a second, 20 ms.
    pub opus: bool,
    /// Somebody cannot seal what it sends: the room is not end to end.
    pub open: bool,
}

/// One of those in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// 1 to 16; free again when it leaves.
    pub number: u8,
    /// Tells it from another that had the number before.
    pub stay: u32,
    /// [`BROWSER`], [`OPEN`].
    pub flags: u8,
    /// How the server believes that it is called.
    pub name: DisplayName,
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

impl Mode {
    fn bits(self) -> u8 {
        u8::from(self.opus) | u8::from(self.open) << 1
    }

    fn of(bits: u8) -> Mode {
        Mode { opus: bits & 1 != 0, open: bits & 2 != 0 }
    }
}

impl Participant {
    /// Whether it is a browser.
    pub fn is_browser(&self) -> bool {
        self.flags & BROWSER != 0
    }

    /// Whether it cannot seal what it sends.
    pub fn is_open(&self) -> bool {
        self.flags & OPEN != 0
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

impl Roster {
    fn put(&self, out: &mut BytesMut) {
        out.put_u8(kind::ROSTER);
        out.put_u32(self.version);
        let here = &self.participants[..self.participants.len().min(PARTICIPANTS)];
        out.put_slice(&[self.mode.bits(), self.you, here.len() as u8]);
        for Participant { number, stay, flags, name } in here {
            out.put_u8(*number);
            out.put_u32(*stay);
            out.put_slice(&[*flags, name.as_str().len() as u8]);
            out.put_slice(name.as_str().as_bytes());
        }
    }

    fn read(rest: &[u8]) -> Option<Roster> {
        let (head, mut rest) = rest.split_first_chunk::<7>()?;
        let mut participants = Vec::new();
        let mut last = 0;
        for _ in 0..head[6] {
            let (entry, after) = rest.split_first_chunk::<6>()?;
            rest = after;
            let number = entry[0];
            if !is_number(number) || number <= last {
                return None;
            }
            last = number;
            let stay = u32::from_be_bytes([entry[1], entry[2], entry[3], entry[4]]);
            let name = DisplayName::of_bytes(text(&mut rest)?);
            participants.push(Participant { number, stay, flags: entry[5] & (BROWSER | OPEN), name });
        }
        let version = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        let has_you = participants.iter().any(|one| one.number == head[5]);
        let roster = Roster { version, mode: Mode::of(head[4]), you: head[5], participants };
        (rest.is_empty() && has_you).then_some(roster)
    }

    /// Whoever has this number.
    pub fn find(&self, number: u8) -> Option<&Participant> {
        self.participants.iter().find(|one| one.number == number)
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
mod tests {
    use super::*;

    fn roster(names: &[&str]) -> Roster {
        let one = |(n, name): (usize, &&str)| Participant {
            number: n as u8 + 1,
            stay: 7_000_000 + n as u32,
            flags: n as u8 & 3,
            name: DisplayName::of(name),
        };
        let participants = names.iter().enumerate().map(one).collect();
        Roster { version: 9, mode: Mode { opus: true, open: false }, you: 2, participants }
    }

    #[test]
    fn what_members_say_comes_back_with_and_without_a_pass() {
        let frame = [7; 40];
        let all = [
            Said::Control { to: 3, body: b"sealed" },
            Said::Frame(&frame),
            Said::Known(u32::MAX),
            Said::Leave,
        ];
        for said in all {
            assert_eq!(Said::read(&said.write()), Some(said));
            let datagram = said.datagram(0x0102_0304_0506_0708);
            assert_eq!(Said::read_datagram(&datagram), Some((0x0102_0304_0506_0708, Some(said))));
        }
        assert_eq!(Said::read(&[17, 1, 0, 0, 0, 1]), None, "a frame of nothing");
        assert_eq!(Said::read(&[16, 3]), None, "a body of nothing");
        assert_eq!(Said::read(&[&[16, 3][..], &[0; BODY + 1]].concat()), None);
        assert_eq!(Said::read_datagram(&[17, 0, 0, 0, 0, 0, 0, 0, 9]), Some((9, None)));
    }

    #[test]
    fn what_the_server_says_comes_back_and_stumps_do_not() {
        let all = [
            Heard::Bring { nonce: 5, cookie: [9; COOKIE] },
            Heard::Welcome { nonce: 5, pass: u64::MAX },
            Heard::Refused { nonce: 5, why: Refusal::Full },
            Heard::Control { from: 16, body: b"sealed" },
            Heard::Frame { from: 1, frame: &[7; 40] },
            Heard::Roster(roster(&["Ana", "", "Øyvind"])),
            Heard::Still(3),
            Heard::Gone(8),
        ];
        for heard in all {
            let message = heard.write();
            assert_eq!(Heard::read(&message).as_ref(), Some(&heard));
            let opaque = matches!(heard, Heard::Control { .. } | Heard::Frame { .. });
            (0..message.len()).for_each(|end| {
                assert!(opaque || Heard::read(&message[..end]).is_none(), "{heard:?} {end}");
            });
        }
        assert_eq!(Heard::read(&[17, 17, 1, 0, 0, 0, 0, 0]), None, "nobody has this number");
        Refusal::ALL.iter().for_each(|why| assert_eq!(Refusal::of(why.code()), Some(*why)));
    }

    #[test]
    fn a_join_is_longer_than_any_answer() {
        let join = Join {
            version: VERSION,
            nonce: 1,
            cookie: [2; COOKIE],
            pass: 3,
            flags: BROWSER,
            room: "r".repeat(64).parse().ok(),
            name: DisplayName::of(&"n".repeat(99)),
        };
        let datagram = join.write();
        assert_eq!((datagram.len(), Join::read(&datagram)), (JOIN, Some(join)));
        assert_eq!(Join::read(&datagram[..JOIN - 1]), None);
        let longest = "n".repeat(48);
        let full = Heard::Roster(roster(&[&longest[..]; 16])).write();
        assert!(full.len() <= JOIN, "{}", full.len());
    }
}
