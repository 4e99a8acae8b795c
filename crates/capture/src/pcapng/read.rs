//! Reads the blocks of pcapng, one whole block at a time.

use super::{BYTE_ORDER, COMMENT, END, INTERFACE, OLD_PACKET, PACKET, SECTION, SIMPLE_PACKET, STATISTICS};
use crate::reader::{Item, word};
use crate::{Direction, Interface, InterfaceId, LinkType, Note, Packet, Verdict};
use std::borrow::Cow;
use std::time::Duration;

/// What the blocks so far said about those to come.
#[derive(Debug, Default)]
pub(crate) struct Sections {
    big_endian: bool,
    /// The clocks of the interfaces of all sections, and where those of the current one begin.
    clocks: Vec<Clock>,
    first: usize,
}

/// What a block was.
pub(crate) enum Entered {
    Nothing,
    Interface(InterfaceId),
    Packet,
    Note,
}

impl Sections {
    pub(crate) fn big_endian(&self) -> bool {
        self.big_endian
    }

    /// A section begins with this byte order mark; `false` where it is none.
    pub(crate) fn begin(&mut self, mark: [u8; 4]) -> bool {
        self.big_endian = u32::from_be_bytes(mark) == BYTE_ORDER;
        self.big_endian || u32::from_le_bytes(mark) == BYTE_ORDER
    }

    /// Takes in a block, except what a packet or note says, which is asked for with [`Sections::item`].
    pub(crate) fn enter(
        &mut self,
        kind: u32,
        body: &[u8],
        interfaces: &mut Vec<Interface>,
    ) -> Result<Entered, &'static str> {
        match kind {
            SECTION => {
                self.first = self.clocks.len();
                Ok(Entered::Nothing)
            }
            INTERFACE => {
                let (interface, clock) =
                    self.interface(body).ok_or("an interface block that is too short")?;
                if self.clocks.len() == MOST_INTERFACES {
                    return Err("more than 65,536 interfaces");
                }
                interfaces.push(interface);
                self.clocks.push(clock);
                Ok(Entered::Interface(InterfaceId(self.clocks.len() as u32 - 1)))
            }
            PACKET | OLD_PACKET | SIMPLE_PACKET => Ok(Entered::Packet),
            STATISTICS if self.note(body).is_some() => Ok(Entered::Note),
            _ => Ok(Entered::Nothing),
        }
    }

    /// What a block is that was [`Entered::Packet`] or [`Entered::Note`].
    pub(crate) fn item<'a>(&self, kind: u32, body: &'a [u8]) -> Result<Item<'a>, &'static str> {
        let item = match kind {
            PACKET => self.packet(body).map(Item::Packet),
            OLD_PACKET => self.old_packet(body).map(Item::Packet),
            SIMPLE_PACKET => self.simple_packet(body).map(Item::Packet),
            _ => self.note(body).map(Item::Note),
        };
        item.ok_or("a packet block that contradicts itself")
    }

    fn interface(&self, body: &[u8]) -> Option<(Interface, Clock)> {
        let link = self.half(body, 0)?;
        let snaplen = self.word(body, 4)?;
        let mut interface = Interface { link: LinkType(link), snaplen, ..Interface::ethernet("") };
        let (mut resolution, mut offset) = (6, 0);
        for (code, value) in self.options(&body[8..]) {
            match code {
                2 => interface.name = text(value).into_owned(),
                3 => interface.description = text(value).into_owned(),
                8 => interface.speed = self.long(value),
                9 => resolution = value.first().copied().unwrap_or(resolution),
                11 if value.first() == Some(&0) => interface.filter = Some(text(&value[1..]).into_owned()),
                14 => offset = self.long(value).unwrap_or_default() as i64,
                _ => {}
            }
        }
        Some((interface, Clock::new(resolution, offset)))
    }

    fn packet<'a>(&self, body: &'a [u8]) -> Option<Packet<'a>> {
        let (interface, clock) = self.clock(self.word(body, 0)?)?;
        let at = clock.time(self.word(body, 4)?, self.word(body, 8)?);
        let mut packet = self.bytes(body, 12, Packet::new(interface, at, &[]))?;
        let options = body.get(20 + packet.bytes.len().next_multiple_of(4)..).unwrap_or_default();
        let mut comments: Option<Cow<'a, str>> = None;
        for (code, value) in self.options(options) {
            match code {
                COMMENT => {
                    comments = Some(match comments {
                        None => text(value),
                        Some(before) => Cow::Owned(format!("{before}\n{}", text(value))),
                    });
                }
                2 => packet.direction = direction(self.word(value, 0)?),
                4 => packet.missed = self.long(value).unwrap_or_default(),
                5 => packet.id = self.long(value),
                7 => packet.verdict = self.verdict(value),
                _ => {}
            }
        }
        packet.comment = comments;
        Some(packet)
    }

    fn old_packet<'a>(&self, body: &'a [u8]) -> Option<Packet<'a>> {
        let (interface, clock) = self.clock(self.half(body, 0)?.into())?;
        let at = clock.time(self.word(body, 4)?, self.word(body, 8)?);
        // 65535 is "not known"
        let missed = self.half(body, 2).filter(|missed| *missed != u16::MAX).unwrap_or_default();
        self.bytes(body, 12, Packet { missed: missed.into(), ..Packet::new(interface, at, &[]) })
    }

    /// A packet without time and interface.
    fn simple_packet<'a>(&self, body: &'a [u8]) -> Option<Packet<'a>> {
        let (interface, _) = self.clock(0)?;
        let length = self.word(body, 0)?;
        let kept = &body[4..];
        let bytes = Cow::Borrowed(&kept[..kept.len().min(length as usize)]);
        Some(Packet { bytes, length, ..Packet::new(interface, Duration::ZERO, &[]) })
    }

    fn note<'a>(&self, body: &'a [u8]) -> Option<Note<'a>> {
        let (_, clock) = self.clock(self.word(body, 0)?)?;
        let at = clock.time(self.word(body, 4)?, self.word(body, 8)?);
        Some(Note { at, text: self.comment(&body[12..])? })
    }

    fn comment<'a>(&self, options: &'a [u8]) -> Option<Cow<'a, str>> {
        self.options(options).find(|(code, _)| *code == COMMENT).map(|(_, value)| text(value))
    }

    /// Fills in the bytes and length of a packet, whose counts are at `at`.
    fn bytes<'a>(&self, body: &'a [u8], at: usize, packet: Packet<'a>) -> Option<Packet<'a>> {
        let kept = self.word(body, at)? as usize;
        let length = self.word(body, at + 4)?;
        let from = at + 8;
        let bytes = Cow::Borrowed(body.get(from..from.checked_add(kept)?)?);
        Some(Packet { bytes, length, ..packet })
    }

    fn clock(&self, interface: u32) -> Option<(InterfaceId, Clock)> {
        let index = self.first.checked_add(interface as usize)?;
        Some((InterfaceId(index as u32), *self.clocks.get(index)?))
    }

    fn verdict(&self, value: &[u8]) -> Option<Verdict> {
        // 1: an action of traffic control; 2 (shot) and 4 (stolen) let nothing on.
        let (kind, action) = value.split_first()?;
        match (kind, self.long(action)?) {
            (1, 2) => Some(Verdict::Dropped),
            (1, 0) => Some(Verdict::Passed),
            _ => None,
        }
    }

    fn options<'a>(&self, mut rest: &'a [u8]) -> impl Iterator<Item = (u16, &'a [u8])> {
        std::iter::from_fn(move || {
            let (code, length) = (self.half(rest, 0)?, usize::from(self.half(rest, 2)?));
            let value = rest.get(4..4 + length).filter(|_| code != END)?;
            rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
            Some((code, value))
        })
    }

    fn half(&self, bytes: &[u8], at: usize) -> Option<u16> {
        let half = bytes.get(at..)?.first_chunk::<2>()?;
        Some(if self.big_endian { u16::from_be_bytes(*half) } else { u16::from_le_bytes(*half) })
    }

    fn word(&self, bytes: &[u8], at: usize) -> Option<u32> {
        word(bytes.get(at..)?, self.big_endian)
    }

    fn long(&self, bytes: &[u8]) -> Option<u64> {
        let long = bytes.first_chunk::<8>()?;
        Some(if self.big_endian { u64::from_be_bytes(*long) } else { u64::from_le_bytes(*long) })
    }
}

/// How an interface counts time.
#[derive(Clone, Copy, Debug)]
struct Clock {
    units: Units,
    /// Seconds to add.
    offset: i64,
}

#[derive(Clone, Copy, Debug)]
enum Units {
    /// So many a second.
    Parts(u64),
    /// Two to that power a second.
    Binary(u32),
}

impl Clock {
    fn new(resolution: u8, offset: i64) -> Clock {
        let exponent = u32::from(resolution & 0x7f);
        let units = match resolution & 0x80 {
            0 => Units::Parts(10u64.checked_pow(exponent).unwrap_or(u64::MAX)),
            _ => Units::Binary(exponent.min(63)),
        };
        Clock { units, offset }
    }

    fn time(self, high: u32, low: u32) -> Duration {
        let count = u64::from(high) << 32 | u64::from(low);
        let (seconds, nanos) = match self.units {
            Units::Parts(1_000_000_000) => (count / 1_000_000_000, count % 1_000_000_000),
            Units::Parts(a_second) => {
                let rest = u128::from(count % a_second) * 1_000_000_000 / u128::from(a_second);
                (count / a_second, rest as u64)
            }
            Units::Binary(bits) => {
                let rest = (u128::from(count & ((1 << bits) - 1)) * 1_000_000_000) >> bits;
                (count >> bits, rest as u64)
            }
        };
        Duration::new(seconds.saturating_add_signed(self.offset), nanos as u32)
    }
}

fn direction(flags: u32) -> Option<Direction> {
    match flags & 3 {
        1 => Some(Direction::In),
        2 => Some(Direction::Out),
        _ => None,
    }
}

fn text(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}

const MOST_INTERFACES: usize = 65_536;
