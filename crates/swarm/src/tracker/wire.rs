//! The tracker's wire: datagrams that begin with `T`, one version, told apart by their third byte.

use crate::native::wire::{address, put_address};
use crate::wire::Reader;
use bytes::{BufMut, Bytes, BytesMut};
use std::net::SocketAddr;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A splitter says what team it has, again and again.
    Announce {
        /// To know the answer by.
        nonce: u64,
        /// What the tracker answered last: proves the address.
        cookie: [u8; 16],
        /// That it has the tracker's token, where that has one.
        proof: [u8; 16],
        /// What it deals.
        team: Team,
    },
    /// The tracker heard it.
    Noted {
        /// The announcement's.
        nonce: u64,
        /// For the next one.
        cookie: [u8; 16],
    },
    /// A peer wants a team of a channel: padded, so that nothing larger comes back.
    Find {
        /// To know the answer by.
        nonce: u64,
        /// That it has the tracker's token, where that has one.
        proof: [u8; 16],
        /// Which channel.
        channel: String,
    },
    /// Where that is; nothing where there is none with room.
    Found {
        /// The question's.
        nonce: u64,
        /// The team.
        place: Option<Place>,
    },
    /// A splitter shall send some of its peers to another team of its channel.
    Shed {
        /// The last announcement's.
        nonce: u64,
        /// How many.
        peers: u32,
        /// Where to.
        to: Place,
    },
    /// The tracker is private, and that was not its token.
    Refused {
        /// The question's, or the announcement's.
        nonce: u64,
    },
    /// The tracker speaks this version alone.
    OtherVersion {
        /// Which.
        version: u8,
        /// The question's, or the announcement's.
        nonce: u64,
    },
    /// A question or an announcement of another version: of that no more is understood.
    Stranger {
        /// Its version.
        version: u8,
        /// To know the answer by.
        nonce: u64,
    },
}

/// What a splitter says of its team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// The channel that it carries.
    pub channel: String,
    /// What it speaks: `a`, `b` or `n`.
    pub wire: u8,
    /// The key of a native splitter; zeros on the other wires.
    pub key: [u8; 32],
    /// How many peers it has.
    pub peers: u32,
    /// How many it takes at most.
    pub most: u32,
}

/// Where a team is to be joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its splitter.
    pub splitter: SocketAddr,
    /// What it speaks: `a`, `b` or `n`.
    pub wire: u8,
    /// The key of a native splitter; zeros on the other wires.
    pub key: [u8; 32],
}

impl Message {
    /// Writes it as a datagram.
    pub fn write(&self) -> Bytes {
        let version = match self {
            Message::OtherVersion { version, .. } | Message::Stranger { version, .. } => *version,
            _ => VERSION,
        };
        let mut out = BytesMut::from(&[b'T', version][..]);
        match self {
            Message::Announce { nonce, cookie, proof, team } => {
                out.put_u8(0);
                out.put_u64(*nonce);
                out.put_slice(cookie);
                out.put_slice(proof);
                out.put_u8(team.wire);
                out.put_slice(&team.key);
                out.put_u32(team.peers);
                out.put_u32(team.most);
                put_name(&mut out, &team.channel);
            }
            Message::Noted { nonce, cookie } => {
                out.put_u8(1);
                out.put_u64(*nonce);
                out.put_slice(cookie);
            }
            Message::Find { nonce, proof, channel } => {
                out.put_u8(2);
                out.put_u64(*nonce);
                out.put_slice(proof);
                put_name(&mut out, channel);
                out.resize(out.len().max(FIND), 0);
            }
            Message::Found { nonce, place } => {
                out.put_u8(3);
                out.put_u64(*nonce);
                place.iter().for_each(|place| put_place(&mut out, place));
            }
            Message::Shed { nonce, peers, to } => {
                out.put_u8(4);
                out.put_u64(*nonce);
                out.put_u32(*peers);
                put_place(&mut out, to);
            }
            Message::Refused { nonce } => {
                out.put_u8(5);
                out.put_u64(*nonce);
            }
            Message::OtherVersion { nonce, .. } => {
                out.put_u8(6);
                out.put_u64(*nonce);
            }
            Message::Stranger { nonce, .. } => {
                out.put_u8(2);
                out.put_u64(*nonce);
                out.resize(FIND, 0);
            }
        }
        out.freeze()
    }

    /// Reads a datagram.
    pub fn read(bytes: &[u8]) -> Option<Message> {
        let mut reader = Reader::new(bytes);
        let [b'T', version, kind] = reader.array()? else { return None };
        let nonce = reader.u64()?;
        if version != VERSION {
            let asks = matches!(kind, 0 | 2);
            return match kind {
                6 => Some(Message::OtherVersion { version, nonce }),
                _ => asks.then_some(Message::Stranger { version, nonce }),
            };
        }
        Some(match kind {
            0 => {
                let (cookie, proof) = (reader.array()?, reader.array()?);
                let (wire, key) = (reader.u8()?, reader.array()?);
                let (peers, most) = (reader.u32()?, reader.u32()?);
                let channel = name(&mut reader)?;
                Message::Announce { nonce, cookie, proof, team: Team { channel, wire, key, peers, most } }
            }
            1 => Message::Noted { nonce, cookie: reader.array()? },
            2 if bytes.len() >= FIND => {
                Message::Find { nonce, proof: reader.array()?, channel: name(&mut reader)? }
            }
            3 if reader.rest().is_empty() => Message::Found { nonce, place: None },
            3 => Message::Found { nonce, place: Some(place(&mut reader)?) },
            4 => Message::Shed { nonce, peers: reader.u32()?, to: place(&mut reader)? },
            5 => Message::Refused { nonce },
            6 => Message::OtherVersion { version, nonce },
            _ => return None,
        })
    }
}

fn put_name(out: &mut BytesMut, name: &str) {
    let mut end = name.len().min(LONGEST_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    out.put_u8(end as u8);
    out.put_slice(&name.as_bytes()[..end]);
}

fn name(reader: &mut Reader<'_>) -> Option<String> {
    let length = reader.u8()?;
    let bytes = reader.bytes(length.into())?;
    std::str::from_utf8(bytes).ok().filter(|name| name.len() <= LONGEST_NAME).map(str::to_owned)
}

fn put_place(out: &mut BytesMut, place: &Place) {
    out.put_u8(place.wire);
    out.put_slice(&place.key);
    put_address(out, place.splitter);
}

fn place(reader: &mut Reader<'_>) -> Option<Place> {
    let (wire, key) = (reader.u8()?, reader.array()?);
    Some(Place { splitter: address(reader)?, wire, key })
}

/// The version of this wire. What refuses another keeps its form in all versions, and so do the first bytes of what is
/// refused: `T`, the version, the kind and the nonce.
pub const VERSION: u8 = 2;
/// As long as the longest answer, or longer.
const FIND: usize = 72;
/// Longer names of channels are cut.
const LONGEST_NAME: usize = 200;
