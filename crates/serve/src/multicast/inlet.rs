//! From datagrams to the bytes of a transport stream: RTP put in order, junk counted.

use super::{
    Packing,
    rtp::{Header, Reorder},
};
use bytes::Bytes;
use std::{collections::VecDeque, time::Instant};

/// Takes what a socket hears. Datagrams of RTP are known by their header also where plain ones are awaited. Junk costs a
/// look at it and nothing else.
#[derive(Debug)]
pub struct Inlet {
    packing: Packing,
    /// The payload type of RTP that is a transport stream.
    payload: u8,
    reorder: Reorder,
    ready: VecDeque<Bytes>,
    stats: Stats,
}

/// What an inlet counts; it only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Datagrams with a transport stream inside.
    pub datagrams: u64,
    /// Datagrams with anything else.
    pub junk: u64,
    /// Of RTP: datagrams that never came, or too late.
    pub lost: u64,
    /// Of RTP: datagrams that were put in order.
    pub reordered: u64,
}

impl Inlet {
    /// An inlet for datagrams packed like this, with the payload type of RFC 3551.
    pub fn new(packing: Packing) -> Inlet {
        Inlet::with_payload(packing, super::TRANSPORT)
    }

    /// The same with another payload type, as a session description may say.
    pub fn with_payload(packing: Packing, payload: u8) -> Inlet {
        Inlet {
            packing,
            payload,
            reorder: Reorder::default(),
            ready: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// Takes the next datagram.
    pub fn push(&mut self, now: Instant, datagram: &[u8]) {
        if self.packing == Packing::Udp && is_transport(datagram) {
            self.stats.datagrams += 1;
            self.ready.push_back(Bytes::copy_from_slice(datagram));
            return;
        }
        let inside = Header::parse(datagram)
            .filter(|(header, inside)| header.payload == self.payload && is_transport(inside));
        let Some((header, inside)) = inside else {
            self.stats.junk += 1;
            return;
        };
        self.stats.datagrams += 1;
        self.reorder.push(now, header, Bytes::copy_from_slice(inside));
    }

    /// The next bytes in order; whole packets.
    pub fn poll(&mut self, now: Instant) -> Option<Bytes> {
        self.ready.pop_front().or_else(|| self.reorder.poll(now))
    }

    /// When [`Inlet::poll`] may have more without another datagram.
    pub fn due(&self) -> Option<Instant> {
        self.reorder.due()
    }

    /// What it counted.
    pub fn stats(&self) -> Stats {
        let order = self.reorder.stats;
        Stats { lost: order.lost, reordered: order.reordered, ..self.stats }
    }
}

/// Whether these are whole packets, each with its sync byte.
fn is_transport(bytes: &[u8]) -> bool {
    let whole = !bytes.is_empty() && bytes.len().is_multiple_of(PACKET);
    whole && bytes.iter().step_by(PACKET).all(|&byte| byte == SYNC)
}

const PACKET: usize = 188;
const SYNC: u8 = 0x47;

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(count: usize) -> Vec<u8> {
        [&[SYNC][..], &[0; PACKET - 1]].concat().repeat(count)
    }

    #[test]
    fn transport_packets_pass_and_junk_is_counted() {
        let now = Instant::now();
        let mut inlet = Inlet::new(Packing::Udp);
        let header = Header { payload: 33, sequence: 1, timestamp: 0, source: 1 }.to_bytes();
        let other = Header { payload: 96, sequence: 2, timestamp: 0, source: 1 }.to_bytes();
        for datagram in [
            packets(7),
            packets(1),
            [&header[..], &packets(7)].concat(),
            Vec::new(),
            packets(2)[1..].to_vec(),
            vec![SYNC; 187],
            [&other[..], &packets(1)].concat(),
            header.to_vec(),
        ] {
            inlet.push(now, &datagram);
        }
        assert_eq!(inlet.stats(), Stats { datagrams: 3, junk: 5, lost: 0, reordered: 0 });
        let sizes: Vec<_> = std::iter::from_fn(|| inlet.poll(now)).map(|bytes| bytes.len()).collect();
        assert_eq!(sizes, [7 * PACKET, PACKET, 7 * PACKET]);
    }

    /// A stream of RTP among 100,000 datagrams of junk: the stream is whole, and of the junk nothing is kept.
    #[test]
    fn a_flood_of_junk_is_counted_and_leaves_nothing_behind() {
        let (mut inlet, now) = (Inlet::new(Packing::Udp), Instant::now());
        let noise: Vec<u8> =
            (0..1_400u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 & 0x7e).collect();
        let mut heard = 0;
        for number in 0..100_000u32 {
            let start = number as usize % 700;
            inlet.push(now, &noise[start..start + number as usize % 700]);
            if number % 1_000 == 0 {
                let sequence = (number / 1_000) as u16;
                let header = Header { payload: 33, sequence, timestamp: 0, source: 1 }.to_bytes();
                inlet.push(now, &[&header[..], &packets(7)].concat());
                heard += std::iter::from_fn(|| inlet.poll(now)).count();
            }
            assert_eq!(inlet.ready.capacity(), 0, "junk is not kept");
        }
        assert_eq!(heard, 100);
        assert_eq!(inlet.stats(), Stats { datagrams: 100, junk: 100_000, lost: 0, reordered: 0 });
    }

    #[test]
    fn an_address_of_rtp_takes_nothing_else() {
        let mut inlet = Inlet::new(Packing::Rtp);
        inlet.push(Instant::now(), &packets(7));
        assert_eq!(inlet.stats().junk, 1);
    }
}
