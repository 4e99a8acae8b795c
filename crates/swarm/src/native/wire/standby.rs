//! What a splitter, the one that stands by for it, and their team say to each other.

use super::{address, put_address};
use crate::{native::seal::Hash, wire::Reader};
use bytes::{BufMut, Bytes, BytesMut};
use std::net::SocketAddr;

/// A word of theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// To a splitter: somebody who has its key would stand by.
    StandBy {
        /// The hello's.
        nonce: u64,
        /// The splitter's.
        cookie: [u8; 16],
        /// With the splitter's own key, of [`standby_statement`].
        signature: [u8; 64],
    },
    /// It may.
    Accepted {
        /// The hello's.
        nonce: u64,
        /// How the splitter sees it.
        you: SocketAddr,
        /// Seconds since the splitter began, for tickets.
        time: u32,
        /// How many stripes there are.
        stripes: u8,
        /// What chunks of a private team are hidden with, beside its token.
        salt: [u8; 16],
    },
    /// The splitter lives.
    Lives,
    /// Who stands by lives.
    Follows,
    /// What was dealt last: the newest group last.
    Ledger(Vec<Group>),
    /// Some members, and how many times a stripe each can upload.
    Roster(Vec<(SocketAddr, u16)>),
    /// One is a member no longer.
    Gone(SocketAddr),
    /// To the members: who will go on if the splitter dies.
    StandsBy {
        /// Where it is.
        standby: SocketAddr,
        /// Of [`heir_statement`].
        signature: [u8; 64],
    },
    /// To the members: the splitter is dead, and this one goes on.
    TakeOver {
        /// Where it is, as the dead one saw it.
        standby: SocketAddr,
        /// Seconds since the first splitter began.
        time: u32,
        /// Of [`take_over_statement`].
        signature: [u8; 64],
    },
    /// A member comes along.
    Followed,
}

/// A group of chunks as it was dealt: enough to find it in the same stream from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its first number.
    pub first: u64,
    /// The bytes that its first chunk begins with.
    pub mark: Bytes,
    /// What its signature is of.
    pub root: Hash,
    /// Each chunk's flags, and how long it is.
    pub chunks: Vec<(u8, u16)>,
}

/// Marks of private teams are hidden as chunks are, under their number with this bit.
pub const HIDDEN: u64 = 1 << 63;
/// Bytes by which a group is found.
pub const MARK: usize = 16;
/// Members in one datagram, at most.
pub const LISTED: usize = 48;
const MOST_GROUPS: usize = 8;

impl Word {
    pub(super) fn put(&self, out: &mut BytesMut) {
        match self {
            Word::StandBy { nonce, cookie, signature } => {
                out.put_u8(0);
                out.put_u64(*nonce);
                out.put_slice(cookie);
                out.put_slice(signature);
            }
            Word::Accepted { nonce, you, time, stripes, salt } => {
                out.put_u8(1);
                out.put_u64(*nonce);
                put_address(out, *you);
                out.put_u32(*time);
                out.put_u8(*stripes);
                out.put_slice(salt);
            }
            Word::Lives => out.put_u8(2),
            Word::Follows => out.put_u8(3),
            Word::Ledger(groups) => {
                out.put_u8(4);
                groups.iter().take(MOST_GROUPS).for_each(|group| group.put(out));
            }
            Word::Roster(members) => {
                out.put_u8(5);
                for (member, slots) in members.iter().take(LISTED) {
                    put_address(out, *member);
                    out.put_u16(*slots);
                }
            }
            Word::Gone(member) => {
                out.put_u8(6);
                put_address(out, *member);
            }
            Word::StandsBy { standby, signature } => {
                out.put_u8(7);
                put_address(out, *standby);
                out.put_slice(signature);
            }
            Word::TakeOver { standby, time, signature } => {
                out.put_u8(8);
                put_address(out, *standby);
                out.put_u32(*time);
                out.put_slice(signature);
            }
            Word::Followed => out.put_u8(9),
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Word> {
        Some(match reader.u8()? {
            0 => Word::StandBy { nonce: reader.u64()?, cookie: reader.array()?, signature: reader.array()? },
            1 => Word::Accepted {
                nonce: reader.u64()?,
                you: address(reader)?,
                time: reader.u32()?,
                stripes: reader.u8()?,
                salt: reader.array()?,
            },
            2 => Word::Lives,
            3 => Word::Follows,
            4 => Word::Ledger(all(reader, MOST_GROUPS, Group::read)?),
            5 => Word::Roster(all(reader, LISTED, |reader| Some((address(reader)?, reader.u16()?)))?),
            6 => Word::Gone(address(reader)?),
            7 => Word::StandsBy { standby: address(reader)?, signature: reader.array()? },
            8 => {
                Word::TakeOver { standby: address(reader)?, time: reader.u32()?, signature: reader.array()? }
            }
            9 => Word::Followed,
            _ => return None,
        })
    }
}

impl Group {
    fn put(&self, out: &mut BytesMut) {
        out.put_u64(self.first);
        out.put_u8(self.mark.len() as u8);
        out.put_slice(&self.mark);
        out.put_slice(&self.root);
        out.put_u8(self.chunks.len() as u8);
        for (flags, length) in &self.chunks {
            out.put_u8(*flags);
            out.put_u16(*length);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Group> {
        let first = reader.u64()?;
        let marked = reader.u8()?;
        let mark = Bytes::copy_from_slice(reader.bytes(marked.into())?);
        let root = reader.array()?;
        let count = reader.u8()?;
        let chunks = (0..count).map(|_| Some((reader.u8()?, reader.u16()?))).collect::<Option<Vec<_>>>()?;
        let sound = (1..=super::GROUP).contains(&chunks.len())
            && (1..=MARK).contains(&mark.len())
            && chunks.iter().all(|(_, length)| (1..=super::LONGEST).contains(&usize::from(*length)));
        sound.then_some(Group { first, mark, root, chunks })
    }

    /// Bytes of the stream in it.
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(|(_, length)| usize::from(*length)).sum()
    }
}

/// What somebody who would stand by signs: the splitter's cookie, which it got at its own address a moment ago.
pub fn standby_statement(nonce: u64, cookie: &[u8; 16]) -> Bytes {
    [&b"levada swarm stand by 1"[..], &nonce.to_be_bytes(), cookie].concat().into()
}

/// What a splitter signs to say who stands by.
pub fn heir_statement(standby: SocketAddr) -> Bytes {
    let mut out = BytesMut::from(&b"levada swarm heir 1"[..]);
    put_address(&mut out, standby);
    out.freeze()
}

/// What who takes over signs.
pub fn take_over_statement(standby: SocketAddr, time: u32) -> Bytes {
    let mut out = BytesMut::from(&b"levada swarm take over 1"[..]);
    put_address(&mut out, standby);
    out.put_u32(time);
    out.freeze()
}

/// All that is left, of what there is at most so much.
fn all<'a, T>(
    reader: &mut Reader<'a>,
    most: usize,
    read: impl Fn(&mut Reader<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let mut found = Vec::new();
    while !reader.is_empty() {
        if found.len() == most {
            return None;
        }
        found.push(read(reader)?);
    }
    Some(found)
}
