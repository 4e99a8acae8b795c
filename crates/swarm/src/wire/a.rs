//! Wire A: the Python implementation of 2018 (`P2PSP/simulator` at 1f5d318, the programs for video).
//!
//! Joining: the splitter writes and closes, the peer says nothing. Afterwards everything is UDP, big-endian; a chunk
//! has its origin behind its data, a control message begins with a negative number.

use super::{Datagram, Head, Reader, Welcome, ipv4};
use bytes::{BufMut, Bytes, BytesMut};
use std::net::SocketAddr;

/// `[hello]`.
pub const HELLO: i32 = -1;
/// `[goodbye]`.
pub const GOODBYE: i32 = -2;
/// `[request number]`.
pub const REQUEST: i32 = -3;
/// `[prune number]`.
pub const PRUNE: i32 = -4;
/// `[lost number]`.
pub const LOST: i32 = -5;

/// Reads a datagram. The reference tells them apart by length; so is it here, and the code must agree.
pub(super) fn read(bytes: &Bytes, chunk_size: usize) -> Option<Datagram> {
    let mut reader = Reader::new(bytes);
    let first = reader.i32()?;
    let is_chunk = bytes.len() == OVERHEAD + chunk_size;
    match (first, bytes.len()) {
        (0.., _) if is_chunk => {
            let data = bytes.slice(4..4 + chunk_size);
            reader.bytes(chunk_size)?;
            Some(Datagram::Chunk {
                number: u16::try_from(first).ok()?,
                data,
                origin: Some(endpoint(&mut reader)?),
            })
        }
        (HELLO, 4) => Some(Datagram::Hello),
        (GOODBYE, 4 | 12) => Some(Datagram::Goodbye),
        (REQUEST | PRUNE | LOST, 8) => {
            let number = u16::try_from(reader.i32()?).ok()?;
            Some(match first {
                REQUEST => Datagram::Request(number),
                PRUNE => Datagram::Prune(number),
                _ => Datagram::Lost(number),
            })
        }
        _ => None,
    }
}

/// `i32 number | data | u32 address | i32 port`.
pub(super) fn chunk(number: u16, data: &[u8], origin: SocketAddr) -> Bytes {
    let mut bytes = BytesMut::with_capacity(OVERHEAD + data.len());
    bytes.put_i32(i32::from(number));
    bytes.put_slice(data);
    put_endpoint(&mut bytes, origin);
    bytes.freeze()
}

/// A message that is only its code.
pub(super) fn code(code: i32) -> Bytes {
    Bytes::copy_from_slice(&code.to_be_bytes())
}

/// A code and a chunk's number.
pub(super) fn numbered(code: i32, number: u16) -> Bytes {
    let mut bytes = BytesMut::with_capacity(8);
    bytes.put_i32(code);
    bytes.put_i32(i32::from(number));
    bytes.freeze()
}

/// A peer's goodbye: chunks consumed and chunks lost, as far as they fit.
pub(super) fn farewell(played: u64, lost: u64) -> Bytes {
    let fits = |count: u64| i32::try_from(count).unwrap_or(i32::MAX);
    let mut bytes = BytesMut::with_capacity(12);
    bytes.put_i32(GOODBYE);
    bytes.put_i32(fits(played));
    bytes.put_i32(fits(lost));
    bytes.freeze()
}

/// Chunk size, the newcomer's endpoint, buffer size, head, monitors, peers. The number of monitors is always zero on
/// the reference's wire; peers do not use it.
pub(super) fn write_welcome(welcome: &Welcome) -> Vec<u8> {
    let head = match &welcome.head {
        Head::Told(head) => &head[..head.len().min(usize::from(u16::MAX))],
        Head::At { .. } => &[],
    };
    let count = welcome.peers.len().min(usize::from(u16::MAX));
    let mut bytes = BytesMut::with_capacity(18 + head.len() + 8 * count);
    bytes.put_u16(welcome.chunk_size);
    put_endpoint(&mut bytes, welcome.you.unwrap_or(NOBODY));
    bytes.put_u16(welcome.buffer_size);
    bytes.put_u16(head.len() as u16);
    bytes.put_slice(head);
    bytes.put_u16(welcome.monitors);
    bytes.put_u16(count as u16);
    welcome.peers[..count].iter().for_each(|peer| put_endpoint(&mut bytes, *peer));
    bytes.to_vec()
}

pub(super) fn read_welcome(reader: &mut Reader<'_>) -> Option<Welcome> {
    let chunk_size = reader.u16()?;
    let you = endpoint(reader)?;
    let buffer_size = reader.u16()?;
    let head = reader.u16()?;
    let head = Head::Told(Bytes::copy_from_slice(reader.bytes(head.into())?));
    let monitors = reader.u16()?;
    let count = reader.u16()?;
    let peers = (0..count).map(|_| endpoint(reader)).collect::<Option<_>>()?;
    Some(Welcome { chunk_size, buffer_size, you: Some(you), head, monitors, peers })
}

/// `u32 address | i32 port`; a port that is none becomes zero.
fn endpoint(reader: &mut Reader<'_>) -> Option<SocketAddr> {
    let address = reader.ipv4()?;
    let port = reader.i32()?;
    Some((address, u16::try_from(port).unwrap_or_default()).into())
}

fn put_endpoint(bytes: &mut BytesMut, endpoint: SocketAddr) {
    bytes.put_slice(&ipv4(endpoint).octets());
    bytes.put_i32(i32::from(endpoint.port()));
}

/// Number, address and port around the data.
const OVERHEAD: usize = 12;
const NOBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
