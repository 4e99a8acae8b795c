//! What peers that share a network say to each other there, and to those who feed them from outside.

use super::{address, put_address};
use crate::wire::Reader;
use bytes::{BufMut, BytesMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A word of theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// To the group: a member of the team is on this network.
    Here {
        /// How the splitter sees it.
        me: SocketAddr,
        /// The stripes that it brings in and casts: a bit for each.
        gates: u64,
    },
    /// To a parent, or the splitter: these stripes come by another way at present, and need not be sent.
    Mute {
        /// A bit for each.
        stripes: u64,
    },
}

/// The bit of a hello by which somebody says that it heeds [`Word::Mute`].
pub const SKILL: u16 = 1;

impl Word {
    pub(super) fn put(&self, out: &mut BytesMut) {
        match self {
            Word::Here { me, gates } => {
                out.put_u8(0);
                put_address(out, *me);
                out.put_u64(*gates);
            }
            Word::Mute { stripes } => {
                out.put_u8(1);
                out.put_u64(*stripes);
            }
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Word> {
        Some(match reader.u8()? {
            0 => Word::Here { me: address(reader)?, gates: reader.u64()? },
            1 => Word::Mute { stripes: reader.u64()? },
            _ => return None,
        })
    }
}

/// The group of a team on any network: of those that stay within an organization (RFC 2365), so that different teams most
/// likely have different ones.
pub fn group(splitter: SocketAddr) -> SocketAddr {
    let mut hasher = blake3::Hasher::new_derive_key("levada swarm 2026 multicast group");
    hasher.update(splitter.to_string().as_bytes());
    let hash = hasher.finalize();
    let [a, b, c, d] = [0, 1, 2, 3].map(|at| hash.as_bytes()[at]);
    let port = 20_000 + u16::from_be_bytes([c, d]) % 20_000;
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(239, 255, a, b)), port)
}
