//! Datagrams and what describes them: RTP, SDP, SAP, addresses.

use crate::{Pieces, text};
use levada_serve::multicast::{Address, Inlet, Packing, Session, rtp::Header, sap::Announcement};
use std::time::{Duration, Instant};

/// Datagrams of a network: whole packets come out, each once and in the order of their numbers; all else is counted.
pub fn inlet(bytes: &[u8]) {
    let pieces = Pieces::of(bytes);
    let mut now = Instant::now();
    for packing in [Packing::Udp, Packing::Rtp] {
        let mut inlet = Inlet::new(packing);
        let (mut sent, mut out) = (0u64, 0u64);
        let datagrams = std::iter::once(bytes).chain(pieces.clone()).chain(bytes.chunks(188 + Header::LEN));
        for datagram in datagrams {
            sent += 1;
            inlet.push(now, datagram);
            while let Some(bytes) = inlet.poll(now) {
                assert!(!bytes.is_empty() && bytes.len().is_multiple_of(188) && bytes[0] == 0x47);
                out += 1;
            }
            now += Duration::from_millis(u64::from(datagram.first().copied().unwrap_or(0)));
        }
        now += Duration::from_secs(1);
        out += std::iter::from_fn(|| inlet.poll(now)).count() as u64;
        assert!(inlet.due().is_none(), "nothing waits for ever");
        let stats = inlet.stats();
        assert_eq!(stats.datagrams + stats.junk, sent);
        assert!(out <= stats.datagrams);
    }
    if let Some((header, payload)) = Header::parse(bytes) {
        let again = [&header.to_bytes()[..], payload].concat();
        assert_eq!(Header::parse(&again), Some((header, payload)));
    }
}

/// A description that can be used is written and read again as the same session.
pub fn sdp(bytes: &[u8]) {
    let Ok(session) = Session::parse(&text(bytes)) else { return };
    let written = session.write();
    let again = Session::parse(&written).unwrap_or_else(|why| panic!("{why}: {written}"));
    assert_eq!(
        (again.at.to, again.at.packing, again.at.source),
        (session.at.to, session.at.packing, session.at.source)
    );
    assert_eq!(again.write(), written);
    assert_eq!(written.matches("\r\nm=").count(), 1, "{written}");
}

/// An announcement is written and read again as the same.
pub fn sap(bytes: &[u8]) {
    let Some(said) = Announcement::parse(bytes) else { return };
    assert!(said.session.len() <= bytes.len());
    assert_eq!(Announcement::parse(&said.to_bytes()), Some(said));
}

/// An address is written and read again as the same.
pub fn address(bytes: &[u8]) {
    let Ok(address) = text(bytes).parse::<Address>() else { return };
    let written = address.to_string();
    assert_eq!(written.parse(), Ok(address), "{written}");
}
