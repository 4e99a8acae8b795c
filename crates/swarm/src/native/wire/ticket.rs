//! Tickets: the splitter's word that a child may have a stripe from its parent.

use super::put_address;
use crate::wire::Reader;
use bytes::{BufMut, Bytes, BytesMut};
use levada_link::guarded::PublicKey;
use std::net::SocketAddr;

/// A child may have a stripe from its parent until a time: the splitter's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Seconds since the splitter began.
    pub until: u32,
    /// The splitter's signature of child, parent, stripe and time.
    pub signature: [u8; 64],
}

/// What the splitter tells both a child and its parent, and nobody else: the beginning of the ticket's signature.
pub type Token = [u8; 8];

impl Ticket {
    /// What is signed; with the key by which the child is known, in an encrypted team.
    pub fn statement(
        child: SocketAddr,
        who: Option<&PublicKey>,
        parent: SocketAddr,
        stripe: u8,
        until: u32,
    ) -> Bytes {
        let mut out = BytesMut::from(&b"levada swarm ticket 1"[..]);
        // Of the child its host alone: behind some NATs each of its parents sees it at another port.
        put_address(&mut out, SocketAddr::new(child.ip(), 0));
        put_address(&mut out, parent);
        out.put_u8(stripe);
        out.put_u32(until);
        who.iter().for_each(|who| out.put_slice(*who));
        out.freeze()
    }

    /// What the parent is told of it.
    pub fn token(&self) -> Token {
        let mut token = Token::default();
        token.copy_from_slice(&self.signature[..8]);
        token
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u32(self.until);
        out.put_slice(&self.signature);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Ticket> {
        Some(Ticket { until: reader.u32()?, signature: reader.array()? })
    }
}
