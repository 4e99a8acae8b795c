//! Who is in a room, and what follows from that.

use super::{BROWSER, OPEN, PARTICIPANTS, is_number, kind, text};
use crate::room::name::DisplayName;
use bytes::{BufMut, BytesMut};

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

impl Roster {
    pub(super) fn put(&self, out: &mut BytesMut) {
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

    pub(super) fn read(rest: &[u8]) -> Option<Roster> {
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
