//! What any bytes must not be able to do here: one function for each door, which panics when a promise is broken.

use crate::{
    Monitor, Peer, Splitter, Wire, native, peer, splitter,
    wire::{Datagram, Reader},
};
use bytes::Bytes;
use levada_link::{Input, Machine, Output, StreamId, StreamInput};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Wire A: what is read is written again as the same.
pub fn wire_a(bytes: &[u8]) {
    old_wire(Wire::A, bytes);
}

/// Wire B, likewise.
pub fn wire_b(bytes: &[u8]) {
    old_wire(Wire::B, bytes);
}

fn old_wire(wire: Wire, bytes: &[u8]) {
    let size = bytes.len().saturating_sub(if wire == Wire::A { 12 } else { 2 });
    let bytes = Bytes::copy_from_slice(bytes);
    if let Some(Datagram::Chunk { number, data, origin }) = wire.read(&bytes, size) {
        let origin = origin.unwrap_or(NOBODY);
        let again = wire.chunk(crate::ChunkNumber(number.into()), &data, origin);
        let same = wire.read(&again, size);
        let origin = (wire == Wire::A).then_some(origin);
        assert_eq!(same, Some(Datagram::Chunk { number, data, origin }));
    }
    if let Ok(Some(welcome)) = wire.read_welcome(&bytes) {
        let again = wire.write_welcome(&welcome);
        assert_eq!(wire.read_welcome(&again), Ok(Some(welcome)));
    }
}

/// The native wire, likewise.
pub fn wire_native(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    if let Some(message) = native::wire::Message::read(&bytes) {
        assert_eq!(native::wire::Message::read(&message.write()), Some(message));
    }
}

/// The tracker's wire, likewise; and a tracker lives through it.
#[allow(clippy::disallowed_methods)] // where time begins does not matter
pub fn wire_tracker(bytes: &[u8]) {
    if let Some(message) = crate::tracker::wire::Message::read(bytes) {
        assert_eq!(crate::tracker::wire::Message::read(&message.write()), Some(message));
    }
    let now = Instant::now();
    let mut tracker = crate::Tracker::new(now, [1; 32], None);
    let bytes = Bytes::copy_from_slice(bytes);
    for from in [at(1), at(2)] {
        rest(&mut tracker, now, Input::Datagram { from, bytes: bytes.clone() });
    }
    rest(&mut tracker, now + Duration::from_secs(9), Input::Wake);
}

/// Machines of every kind live through any script of datagrams, streams and time, and always come to rest.
#[allow(clippy::disallowed_methods)] // where time begins does not matter
pub fn team(script: &[u8]) {
    let start = Instant::now();
    let mut now = start;
    let mut reader = Reader::new(script);
    let wire = if reader.u8().unwrap_or(0).is_multiple_of(2) { Wire::A } else { Wire::B };
    let config = peer::Config { requests: true, farewells: true, ..peer::Config::new(wire, at(0), at(1)) };
    let sizes = splitter::Config { chunk_size: 4, buffer_size: 8, ..splitter::Config::new(wire) };
    let seal = native::Seal::StandIn;
    let mut splitter = Splitter::new(now, sizes);
    let mut peer = Peer::new(now, config.clone(), 1);
    let mut monitor = Monitor::new(now, config, 1);
    let fec = levada_link::Percent::of(50.0);
    let deals = native::splitter::Config { fec, ..native::splitter::Config::new(at(0), seal, [1; 32]) };
    let mut dealer = native::Splitter::new(now, deals);
    let group = native::wire::lan::group(at(0));
    let on_lan = native::peer::Config { lan: Some(group), ..native::peer::Config::new(at(0)) };
    let mut player = native::Peer::new(now, on_lan, 1);
    let private = native::splitter::Config {
        pass: Some(native::Pass::of("tea")),
        ..native::splitter::Config::new(at(2), native::Seal::StandIn, [2; 32])
    };
    let mut heir = native::Standby::new(now, private, at(0), 1);
    let (member, dealt) = (
        native::peer::Config::new(at(0)),
        native::splitter::Config::new(at(3), native::Seal::StandIn, [3; 32]),
    );
    let mut bridge = native::Bridge::new(now, member, dealt, 1);
    while let (Some(what), Some(who), Some(length)) = (reader.u8(), reader.u8(), reader.u8()) {
        let Some(bytes) = reader.bytes(length.into()) else { return };
        let bytes = Bytes::copy_from_slice(bytes);
        now += Duration::from_millis(u64::from(what));
        let id =
            if what & 8 == 0 { StreamId::ours((who % 4).into()) } else { StreamId::theirs((who % 4).into()) };
        let input = match what % 5 {
            0 | 1 => Input::Datagram { from: at(who % 4), bytes: bytes.clone() },
            2 => Input::Stream { id, what: StreamInput::Opened { peer: at(who % 4) } },
            3 => Input::Stream { id, what: StreamInput::Bytes(bytes.clone()) },
            _ => Input::Wake,
        };
        if what.is_multiple_of(7) {
            splitter.feed(now, &bytes);
            dealer.feed(now, true, &bytes);
            heir.feed(now, what & 16 == 0, &bytes);
        }
        if what == 255 {
            peer.leave(now);
        }
        rest(&mut splitter, now, input.clone());
        rest(&mut peer, now, input.clone());
        rest(&mut monitor, now, input.clone());
        rest(&mut dealer, now, input.clone());
        rest(&mut heir, now, input.clone());
        rest(&mut bridge, now, input.clone());
        player.heard_on_lan(now, at(who % 4), &bytes);
        rest(&mut player, now, input);
    }
}

/// A machine that is told something says what it wants, and then waits.
fn rest<M: Machine>(machine: &mut M, now: Instant, input: Input) {
    machine.handle(now, input);
    for _ in 0..100_000 {
        if matches!(machine.poll(now), Output::Wait(_)) {
            return;
        }
    }
    panic!("a machine does not come to rest");
}

fn at(host: u8) -> SocketAddr {
    ([10, 0, 0, host], 7_000).into()
}

const NOBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

#[cfg(test)]
mod tests {
    use super::*;
    use levada_link::Chance;

    #[test]
    fn scripts_of_chance_break_no_promise() {
        for seed in 0..3_000 {
            let mut chance = Chance::new(seed, 9);
            let mut script = vec![chance.bits() as u8];
            for _ in 0..chance.below(60) {
                let bytes: Vec<u8> = match chance.below(4) {
                    0 => Wire::A.write_welcome(&welcome()),
                    1 => Wire::B.write_welcome(&welcome()),
                    2 => Wire::A
                        .chunk(crate::ChunkNumber(chance.below(70_000).into()), &[1; 4], at(2))
                        .to_vec(),
                    _ => (0..chance.below(80)).map(|_| chance.bits() as u8).collect(),
                };
                script.extend([chance.bits() as u8, chance.bits() as u8, bytes.len() as u8]);
                script.extend(bytes);
            }
            team(&script);
            for door in [wire_a, wire_b, wire_native, wire_tracker] {
                door(&script);
            }
        }
    }

    fn welcome() -> crate::wire::Welcome {
        let head = crate::wire::Head::At { source: at(3), channel: "c".into(), size: 5 };
        crate::wire::Welcome {
            chunk_size: 4,
            buffer_size: 8,
            you: Some(at(1)),
            head,
            monitors: 1,
            peers: vec![at(2), at(3)],
        }
    }
}
