//! What a machine decides about who may talk to it, where a driver encrypts what it says.

use crate::Machine;
use bytes::Bytes;
use std::net::SocketAddr;

/// A public key by which somebody is known: Ed25519.
pub type PublicKey = [u8; 32];

/// A machine whose datagrams may travel encrypted, between ends that show each other who they are.
pub trait Guarded: Machine {
    /// Whether what it sends is to be encrypted, and what comes unencrypted is not for it.
    fn encrypts(&self) -> bool;

    /// Whether a datagram is for everybody to see all the same.
    fn is_open(&self, datagram: &Bytes) -> bool;

    /// What becomes of somebody at `from` who wants to connect.
    fn door(&self, from: SocketAddr) -> Door;

    /// Somebody at `address` has shown `key`: whether that is who may be there.
    fn admits(&mut self, address: SocketAddr, key: &PublicKey) -> bool;

    /// Nobody at `address` is connected any longer.
    fn parted(&mut self, address: SocketAddr);
}

/// What becomes of somebody who wants to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Let in, to show who it is.
    Open,
    /// Let in once it has shown that it is where it says, by a message no larger than its own.
    Proof,
    /// Not answered.
    Shut,
}
