//! Wire B: the C++ implementation (`P2PSP/core` with `p2psp-console`).
//!
//! Joining: the peer says `P`, or `M` for a monitor; the splitter answers where the head of the stream is to be had, the
//! sizes, and the peers; the peer fetches the head, says `R` and closes. The C++ splitter reads the first letter into an
//! empty vector and so takes it for the `R`; therefore a splitter must not insist on the `R`, and a peer gets chunks
//! before it has sent it. Afterwards everything is UDP: a chunk is its number and its data, the rest is told by length.

use super::{Datagram, Head, Reader, Welcome, ipv4};
use bytes::{BufMut, Bytes, BytesMut};
use std::net::SocketAddr;

/// What a peer says first.
pub const PEER: u8 = b'P';
/// What a monitor says first.
pub const MONITOR: u8 = b'M';
/// What either says last.
pub const READY: u8 = b'R';

/// Reads a datagram.
pub(super) fn read(bytes: &Bytes, chunk_size: usize) -> Option<Datagram> {
    let number = || Some(u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]));
    match bytes.len() {
        length if length == 2 + chunk_size => {
            Some(Datagram::Chunk { number: number()?, data: bytes.slice(2..), origin: None })
        }
        1 if bytes[0] == b'H' => Some(Datagram::Hello),
        1 if bytes[0] == b'G' => Some(Datagram::Goodbye),
        2 => Some(Datagram::Lost(number()?)),
        _ => None,
    }
}

/// `u16 number | data`.
pub(super) fn chunk(number: u16, data: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(2 + data.len());
    bytes.put_u16(number);
    bytes.put_slice(data);
    bytes.freeze()
}

/// Source, channel, head size in bytes, chunk size, buffer size, monitors, peers.
pub(super) fn write_welcome(welcome: &Welcome) -> Vec<u8> {
    let none = ((std::net::Ipv4Addr::UNSPECIFIED, 0).into(), String::new(), 0);
    let (source, channel, size) = match &welcome.head {
        Head::At { source, channel, size } => (*source, channel.clone(), *size),
        Head::Told(_) => none,
    };
    let channel = &channel.as_bytes()[..channel.len().min(usize::from(u16::MAX))];
    let count = welcome.peers.len().min(usize::from(u16::MAX));
    let mut bytes = BytesMut::with_capacity(18 + channel.len() + 6 * count);
    put_endpoint(&mut bytes, source);
    bytes.put_u16(channel.len() as u16);
    bytes.put_slice(channel);
    bytes.put_u16(size);
    bytes.put_u16(welcome.chunk_size);
    bytes.put_u16(welcome.buffer_size);
    bytes.put_u16(welcome.monitors);
    bytes.put_u16(count as u16);
    welcome.peers[..count].iter().for_each(|peer| put_endpoint(&mut bytes, *peer));
    bytes.to_vec()
}

pub(super) fn read_welcome(reader: &mut Reader<'_>) -> Option<Welcome> {
    let source = reader.endpoint()?;
    let length = reader.u16()?;
    let channel = String::from_utf8_lossy(reader.bytes(length.into())?).into_owned();
    let head = Head::At { source, channel, size: reader.u16()? };
    let (chunk_size, buffer_size) = (reader.u16()?, reader.u16()?);
    let (monitors, count) = (reader.u16()?, reader.u16()?);
    let peers = (0..count).map(|_| reader.endpoint()).collect::<Option<_>>()?;
    Some(Welcome { chunk_size, buffer_size, you: None, head, monitors, peers })
}

fn put_endpoint(bytes: &mut BytesMut, endpoint: SocketAddr) {
    bytes.put_slice(&ipv4(endpoint).octets());
    bytes.put_u16(endpoint.port());
}
