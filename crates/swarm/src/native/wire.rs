//! The native wire: datagrams of one version, told apart by their first byte.

pub mod bridge;
pub mod lan;
pub mod parity;
mod sealed;
pub mod standby;
mod ticket;

use crate::wire::Reader;
use bytes::{BufMut, Bytes, BytesMut};
use levada_link::guarded::PublicKey;
pub use parity::{LEAVES, PARITY_LEAF, Parity, SKILL as PARITY_SKILL};
pub use sealed::{ENTRY, FORGERY, GROUP, LONGEST, Sealed, is_forged};
use std::net::{IpAddr, SocketAddr};
pub use ticket::{Ticket, Token};

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A peer wants to join: padded, so that nothing larger comes back.
    Hello {
        /// To know the answer by.
        nonce: u64,
    },
    /// Somebody whose wire is of another version wants to join: of that no more is understood.
    Stranger {
        /// Its version.
        version: u8,
        /// To know the answer by.
        nonce: u64,
    },
    /// Its address must be proven by sending this back.
    Cookie {
        /// The hello's.
        nonce: u64,
        /// Good for a while at that address.
        cookie: [u8; 16],
        /// What the team does: [`ENCRYPTED`], [`BRIDGES`].
        capabilities: u8,
    },
    /// A peer whose address is proven joins.
    Join {
        /// The hello's.
        nonce: u64,
        /// The splitter's.
        cookie: [u8; 16],
        /// How many times a stripe it can upload.
        slots: u16,
        /// What it can do beside the rules: bits, of which strangers are ignored.
        skills: u16,
        /// That it has the team's token, where that has one.
        proof: [u8; 16],
        /// Where it is in its own network, where that may be behind a NAT: for members of that network alone.
        near: Option<SocketAddr>,
    },
    /// It is in.
    Welcome {
        /// The hello's.
        nonce: u64,
        /// How the splitter sees the newcomer.
        you: SocketAddr,
        /// Seconds since the splitter began, for tickets.
        time: u32,
        /// The splitter's own key, and what all chunks are checked with unless `channel` is said.
        key: [u8; 32],
        /// How many stripes there are.
        stripes: u8,
        /// How many bytes the head of the stream has.
        head: u32,
        /// The newest chunk that a player may begin with; [`NONE`] where there is none yet.
        entry: u64,
        /// What the splitter can do beside the rules, likewise.
        skills: u16,
        /// What chunks of a private team are hidden with, beside its token.
        salt: [u8; 16],
        /// What all chunks are checked with, where that is not `key`: of a bridge, the channel's.
        channel: Option<[u8; 32]>,
    },
    /// It is not let in.
    Refused {
        /// The join's.
        nonce: u64,
        /// Why.
        why: Refusal,
    },
    /// A member is a monitor.
    Prove {
        /// Seconds since the splitter began.
        time: u32,
        /// The monitor's.
        key: [u8; 32],
        /// Of [`monitor_statement`].
        signature: [u8; 64],
    },
    /// A monitor says which chunks did not come.
    Lost(Vec<u64>),
    /// From whom a stripe is to be had.
    Parent {
        /// Which stripe.
        stripe: u8,
        /// The parent; an unspecified address is the splitter, whatever it is called; the peer's own is nobody: it is to
        /// wait until somebody has room.
        parent: SocketAddr,
        /// What makes the parent listen.
        ticket: Ticket,
        /// By what key it is known, in an encrypted team.
        who: Option<PublicKey>,
    },
    /// A child wants a stripe, or goes on wanting it.
    Subscribe {
        /// Which stripe.
        stripe: u8,
        /// From the splitter.
        ticket: Ticket,
    },
    /// A child lives, and goes on wanting these stripes with the tickets that it showed.
    Keep {
        /// A bit for each stripe.
        stripes: u64,
    },
    /// A child does not want a stripe any longer.
    Unsubscribe {
        /// Which stripe.
        stripe: u8,
    },
    /// A chunk.
    Chunk(Sealed),
    /// A member says what it can upload from now on.
    Offer {
        /// How many times a stripe.
        slots: u16,
        /// In kilobits a second, with headers; zero where there is no cap.
        upload: u32,
    },
    /// Parity of a block of chunks.
    Parity(Parity),
    /// Chunks are missing.
    Nack(Vec<u64>),
    /// A member lives; it misses the stripes of this set from its parents.
    Alive {
        /// A bit for each stripe.
        missing: u64,
        /// Those in which nothing came from the parent yet.
        waiting: u64,
    },
    /// A child is about to come: something sent to it opens the ways that let in only who was spoken to.
    Introduce {
        /// Where it comes from.
        child: SocketAddr,
        /// Of its ticket, by which it knows who speaks.
        token: Token,
        /// By what key it is known, in an encrypted team.
        who: Option<PublicKey>,
    },
    /// Opens a way; and where the child hears it, that is where its parent is.
    Punch {
        /// The introduction's.
        token: Token,
    },
    /// A member is at another port than the splitter knows: it sits behind a symmetric NAT.
    Elsewhere {
        /// As the splitter knows it.
        member: SocketAddr,
    },
    /// A member of the same network, and where it is there.
    Near {
        /// As the splitter knows it.
        member: SocketAddr,
        /// In that network.
        at: SocketAddr,
    },
    /// A member leaves.
    Goodbye,
    /// The head of the stream from this byte on is wanted.
    HeadWanted {
        /// From where.
        from: u32,
    },
    /// A part of the head.
    HeadPart {
        /// Where it belongs.
        from: u32,
        /// How long the whole is.
        total: u32,
        /// The part.
        bytes: Bytes,
    },
    /// A newcomer wants what a stripe carried lately, from this number on.
    Backlog {
        /// Which stripe.
        stripe: u8,
        /// From where.
        from: u64,
    },
    /// The splitter sends a peer to another team.
    Move {
        /// The other splitter.
        to: SocketAddr,
        /// What its chunks are checked with.
        key: [u8; 32],
        /// In seconds since the splitter began.
        until: u32,
        /// The splitter's, of [`move_statement`].
        signature: [u8; 64],
    },
    /// A member says how it goes.
    Report(Report),
    /// What concerns peers that share a network.
    Lan(lan::Word),
    /// What concerns a splitter that stands by for another.
    Standby(standby::Word),
    /// What the head of the stream is, by the channel's own word.
    HeadIs(bridge::HeadWord),
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The team is private, and there was no token.
    Token,
    /// There was another team's.
    WrongToken,
    /// There is no room.
    Full,
    /// The splitter speaks this version of the wire alone.
    Version(u8),
}

/// How it goes for a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The number of the next chunk to be played; zero before the first.
    pub played: u64,
    /// Chunks that did not come in time.
    pub lost: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
}

/// All but hellos and cookies travels by QUIC.
pub const ENCRYPTED: u8 = 1;
/// The splitter is a bridge: its key is not the channel's.
pub const BRIDGES: u8 = 2;
/// No chunk has this number.
pub const NONE: u64 = u64::MAX;
/// The version of this wire. Hellos, and what refuses them for it, keep their form in all versions.
pub const VERSION: u8 = 2;
/// What refuses a hello of another version.
const REFUSAL_LENGTH: usize = 11;
/// As long as what it is answered with, a welcome to an IPv6 address included.
const HELLO_LENGTH: usize = 128;
const MOST_NACKED: usize = 64;
const OTHER_VERSION: u8 = 4;

impl Message {
    /// Writes it.
    pub fn write(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(160);
        match self {
            Message::Hello { nonce } => {
                out.put_slice(&[0, VERSION]);
                out.put_u64(*nonce);
                out.resize(HELLO_LENGTH, 0);
            }
            Message::Stranger { version, nonce } => {
                out.put_slice(&[0, *version]);
                out.put_u64(*nonce);
                out.resize(HELLO_LENGTH, 0);
            }
            Message::Cookie { nonce, cookie, capabilities } => {
                out.put_slice(&[1, VERSION]);
                out.put_u64(*nonce);
                out.put_slice(cookie);
                out.put_u8(*capabilities);
            }
            Message::Join { nonce, cookie, slots, skills, proof, near } => {
                out.put_slice(&[2, VERSION]);
                out.put_u64(*nonce);
                out.put_slice(cookie);
                out.put_u16(*slots);
                out.put_u16(*skills);
                out.put_slice(proof);
                near.iter().for_each(|near| put_address(&mut out, *near));
                out.resize(HELLO_LENGTH, 0);
            }
            Message::Welcome { nonce, you, time, key, stripes, head, entry, skills, salt, channel } => {
                out.put_slice(&[3, VERSION]);
                out.put_u64(*nonce);
                put_address(&mut out, *you);
                out.put_u32(*time);
                out.put_slice(key);
                out.put_u8(*stripes);
                out.put_u32(*head);
                out.put_u64(*entry);
                out.put_u16(*skills);
                out.put_slice(salt);
                channel.iter().for_each(|channel| out.put_slice(channel));
            }
            Message::Refused { nonce, why } => {
                let (version, code) = match why {
                    Refusal::Token => (VERSION, 1),
                    Refusal::WrongToken => (VERSION, 2),
                    Refusal::Full => (VERSION, 3),
                    Refusal::Version(version) => (*version, OTHER_VERSION),
                };
                out.put_slice(&[51, version]);
                out.put_u64(*nonce);
                out.put_u8(code);
            }
            Message::Prove { time, key, signature } => {
                out.put_slice(&[52, VERSION]);
                out.put_u32(*time);
                out.put_slice(key);
                out.put_slice(signature);
            }
            Message::Lost(numbers) => {
                out.put_slice(&[53, VERSION]);
                numbers.iter().take(MOST_NACKED).for_each(|number| out.put_u64(*number));
            }
            Message::Parent { stripe, parent, ticket, who } => {
                out.put_slice(&[4, *stripe]);
                put_address(&mut out, *parent);
                ticket.put(&mut out);
                who.iter().for_each(|who| out.put_slice(who));
            }
            Message::Subscribe { stripe, ticket } => {
                out.put_slice(&[5, *stripe]);
                ticket.put(&mut out);
            }
            Message::Keep { stripes } => {
                out.put_u8(14);
                out.put_u64(*stripes);
            }
            Message::Unsubscribe { stripe } => out.put_slice(&[6, *stripe]),
            Message::Chunk(sealed) => return sealed.write(sealed.hops),
            Message::Parity(parity) => return parity.write(),
            Message::Offer { slots, upload } => {
                out.put_u8(61);
                out.put_u16(*slots);
                out.put_u32(*upload);
            }
            Message::Nack(numbers) => {
                out.put_u8(8);
                numbers.iter().take(MOST_NACKED).for_each(|number| out.put_u64(*number));
            }
            Message::Alive { missing, waiting } => {
                out.put_u8(9);
                out.put_u64(*missing);
                out.put_u64(*waiting);
            }
            Message::Introduce { child, token, who } => {
                out.put_u8(15);
                put_address(&mut out, *child);
                out.put_slice(token);
                who.iter().for_each(|who| out.put_slice(who));
            }
            Message::Punch { token } => {
                out.put_u8(16);
                out.put_slice(token);
            }
            Message::Elsewhere { member } => {
                out.put_u8(20);
                put_address(&mut out, *member);
            }
            Message::Near { member, at } => {
                out.put_u8(22);
                put_address(&mut out, *member);
                put_address(&mut out, *at);
            }
            Message::Goodbye => out.put_u8(10),
            Message::HeadWanted { from } => {
                out.put_u8(11);
                out.put_u32(*from);
            }
            Message::HeadPart { from, total, bytes } => {
                out.put_u8(12);
                out.put_u32(*from);
                out.put_u32(*total);
                out.put_slice(bytes);
            }
            Message::Backlog { stripe, from } => {
                out.put_slice(&[13, *stripe]);
                out.put_u64(*from);
            }
            Message::Move { to, key, until, signature } => {
                out.put_u8(40);
                put_address(&mut out, *to);
                out.put_slice(key);
                out.put_u32(*until);
                out.put_slice(signature);
            }
            Message::Report(report) => {
                out.put_u8(41);
                out.put_u64(report.played);
                out.put_u64(report.lost);
                out.put_u64(report.sent_bytes);
            }
            Message::Lan(word) => {
                out.put_slice(&[54, VERSION]);
                word.put(&mut out);
            }
            Message::Standby(word) => {
                out.put_slice(&[50, VERSION]);
                word.put(&mut out);
            }
            Message::HeadIs(word) => {
                out.put_slice(&[55, VERSION]);
                word.put(&mut out);
            }
        }
        out.freeze()
    }

    /// Reads a datagram.
    pub fn read(bytes: &Bytes) -> Option<Message> {
        let mut reader = Reader::new(bytes);
        let message = match reader.u8()? {
            0 if bytes.len() >= REFUSAL_LENGTH => match reader.u8()? {
                VERSION if bytes.len() == HELLO_LENGTH => Message::Hello { nonce: reader.u64()? },
                0 | VERSION => return None,
                version => Message::Stranger { version, nonce: reader.u64()? },
            },
            1 if reader.u8()? == VERSION => {
                let (nonce, cookie) = (reader.u64()?, reader.array()?);
                Message::Cookie { nonce, cookie, capabilities: reader.u8()? }
            }
            2 if bytes.len() == HELLO_LENGTH && reader.u8()? == VERSION => {
                let (nonce, cookie, slots) = (reader.u64()?, reader.array()?, reader.u16()?);
                let (skills, proof) = (reader.u16()?, reader.array()?);
                // What fills it up to its length is no address.
                Message::Join { nonce, cookie, slots, skills, proof, near: address(&mut reader) }
            }
            3 if reader.u8()? == VERSION => {
                let (nonce, you) = (reader.u64()?, address(&mut reader)?);
                let (time, key) = (reader.u32()?, reader.array()?);
                let (stripes, head) = (reader.u8()?, reader.u32()?);
                let (entry, skills, salt) = (reader.u64()?, reader.u16()?, reader.array()?);
                let channel = who(&mut reader)?;
                Message::Welcome { nonce, you, time, key, stripes, head, entry, skills, salt, channel }
            }
            4 => Message::Parent {
                stripe: reader.u8()?,
                parent: address(&mut reader)?,
                ticket: Ticket::read(&mut reader)?,
                who: who(&mut reader)?,
            },
            5 => Message::Subscribe { stripe: reader.u8()?, ticket: Ticket::read(&mut reader)? },
            6 => Message::Unsubscribe { stripe: reader.u8()? },
            7 => Message::Chunk(Sealed::read(bytes, &mut reader)?),
            61 => Message::Offer { slots: reader.u16()?, upload: reader.u32()? },
            parity::KIND => Message::Parity(Parity::read(bytes, &mut reader)?),
            8 => {
                let numbers: Vec<_> = std::iter::from_fn(|| reader.u64()).take(MOST_NACKED).collect();
                Message::Nack(numbers)
            }
            9 => Message::Alive { missing: reader.u64()?, waiting: reader.u64()? },
            15 => Message::Introduce {
                child: address(&mut reader)?,
                token: reader.array()?,
                who: who(&mut reader)?,
            },
            16 => Message::Punch { token: reader.array()? },
            20 => Message::Elsewhere { member: address(&mut reader)? },
            22 => Message::Near { member: address(&mut reader)?, at: address(&mut reader)? },
            10 => Message::Goodbye,
            11 => Message::HeadWanted { from: reader.u32()? },
            12 => {
                let (from, total) = (reader.u32()?, reader.u32()?);
                Message::HeadPart { from, total, bytes: bytes.slice_ref(reader.rest()) }
            }
            14 => Message::Keep { stripes: reader.u64()? },
            13 => Message::Backlog { stripe: reader.u8()?, from: reader.u64()? },
            40 => Message::Move {
                to: address(&mut reader)?,
                key: reader.array()?,
                until: reader.u32()?,
                signature: reader.array()?,
            },
            41 => Message::Report(Report {
                played: reader.u64()?,
                lost: reader.u64()?,
                sent_bytes: reader.u64()?,
            }),
            50 if reader.u8()? == VERSION => Message::Standby(standby::Word::read(&mut reader)?),
            55 if reader.u8()? == VERSION => Message::HeadIs(bridge::HeadWord::read(&mut reader)?),
            54 if reader.u8()? == VERSION => Message::Lan(lan::Word::read(&mut reader)?),
            51 => {
                let (version, nonce) = (reader.u8()?, reader.u64()?);
                let why = match (reader.u8()?, version) {
                    (OTHER_VERSION, version) => Refusal::Version(version),
                    (1, VERSION) => Refusal::Token,
                    (2, VERSION) => Refusal::WrongToken,
                    (3, VERSION) => Refusal::Full,
                    _ => return None,
                };
                Message::Refused { nonce, why }
            }
            52 if reader.u8()? == VERSION => {
                Message::Prove { time: reader.u32()?, key: reader.array()?, signature: reader.array()? }
            }
            53 if reader.u8()? == VERSION => {
                Message::Lost(std::iter::from_fn(|| reader.u64()).take(MOST_NACKED).collect())
            }
            _ => return None,
        };
        Some(message)
    }
}

/// A key at the end of a message, or none.
fn who(reader: &mut Reader<'_>) -> Option<Option<PublicKey>> {
    match reader.rest() {
        [] => Some(None),
        key => key.try_into().ok().map(Some),
    }
}

/// Whether a datagram may travel unencrypted in an encrypted team: hellos, cookies, and that a version is another.
pub fn is_open(datagram: &[u8]) -> bool {
    let other_version = || datagram.len() == REFUSAL_LENGTH && datagram.last() == Some(&OTHER_VERSION);
    matches!(datagram.first(), Some(0 | 1)) || datagram.first() == Some(&51) && other_version()
}

/// What a splitter signs to send a peer to another team.
pub fn move_statement(peer: SocketAddr, to: SocketAddr, key: &[u8; 32], until: u32) -> Bytes {
    let mut out = BytesMut::from(&b"levada swarm move 1"[..]);
    put_address(&mut out, peer);
    put_address(&mut out, to);
    out.put_slice(key);
    out.put_u32(until);
    out.freeze()
}

/// What a monitor signs: where the splitter sees it, whose monitor it is, and when.
pub fn monitor_statement(monitor: SocketAddr, splitter: &[u8; 32], time: u32) -> Bytes {
    let mut out = BytesMut::from(&b"levada swarm monitor 1"[..]);
    put_address(&mut out, monitor);
    out.put_slice(splitter);
    out.put_u32(time);
    out.freeze()
}

/// Puts an address: its version, its bytes, its port.
pub(crate) fn put_address(out: &mut BytesMut, address: SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => {
            out.put_u8(4);
            out.put_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.put_u8(6);
            out.put_slice(&ip.octets());
        }
    }
    out.put_u16(address.port());
}

/// What [`put_address`] has put.
pub(crate) fn address(reader: &mut Reader<'_>) -> Option<SocketAddr> {
    let ip: IpAddr = match reader.u8()? {
        4 => reader.array::<4>()?.into(),
        6 => reader.array::<16>()?.into(),
        _ => return None,
    };
    Some((ip, reader.u16()?).into())
}
