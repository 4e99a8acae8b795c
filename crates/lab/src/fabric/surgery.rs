//! What links do to the bytes of packets: damage, and marks of congestion.

use std::sync::Arc;

/// Flips bit number `bit`, counted round where the packet is shorter; addresses of the Ethernet header are spared, since a
/// frame that they send astray is not a damaged one.
pub(super) fn flip(bytes: &mut Arc<[u8]>, bit: u32) {
    let mut copy = bytes.to_vec();
    let damaged = copy.len().saturating_sub(ETHERNET);
    if damaged > 0 {
        let bit = bit as usize % (damaged * 8);
        copy[ETHERNET + bit / 8] ^= 1 << (bit % 8);
        *bytes = copy.into();
    }
}

/// Marks congestion on an IPv4 packet that allows it (RFC 3168).
pub(super) fn mark(bytes: &mut Arc<[u8]>) {
    let is_ipv4 = bytes.len() >= ETHERNET + 20 && bytes[12..14] == [8, 0];
    if !is_ipv4 || bytes[ETHERNET + 1] & 3 == 0 {
        return;
    }
    let mut copy = bytes.to_vec();
    copy[ETHERNET + 1] |= 3;
    let header = usize::from(copy[ETHERNET] & 15) * 4;
    if let Some(header) = copy.get_mut(ETHERNET..ETHERNET + header).filter(|header| header.len() >= 20) {
        header[10..12].fill(0);
        let sum = checksum(header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    *bytes = copy.into();
}

/// The Internet checksum (RFC 1071).
pub(crate) fn checksum(bytes: &[u8]) -> u16 {
    let words =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |b| u32::from(*b)));
    let mut sum: u64 = words.map(u64::from).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

const ETHERNET: usize = 14;
