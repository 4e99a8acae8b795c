//! pcapng: the capture format of Wireshark, with everything that the lab knows about a packet.
//!
//! Blocks and options are those of the IETF draft "PCAP Now Generic Dump File Format" (draft-ietf-opsawg-pcapng).
//! Notes have no block of their own there. A custom block would do, but Wireshark lists each as if it were a packet; so
//! a note is the comment of a block of interface statistics, which has a time, and a comment on the next packet.

pub(crate) mod read;
mod write;

pub use write::{About, Statistics, Writer};

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const NAMES: u32 = 4;
const STATISTICS: u32 = 5;
const PACKET: u32 = 6;
const SECRETS: u32 = 10;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;

const END: u16 = 0;
const COMMENT: u16 = 1;

/// Longer blocks are taken for damage; Wireshark has the same bound.
pub(crate) const LONGEST_BLOCK: usize = 16 << 20;
