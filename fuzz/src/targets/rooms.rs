//! What comes to rooms: to their server, and to who takes part.

use bytes::Bytes;
use levada_codec::packet::Codec;
use levada_link::room::wire::{COOKIE, Heard, JOIN, Join, Said, VERSION};
use levada_link::room::{Config, DisplayName, Hub, PARTICIPANTS, RoomName};
use levada_link::{Input, Machine, Output, Transmit};
use levada_talk::native::Rendition;
use levada_talk::room::{self, Member, Psk};
use levada_talk::secure::Identity;
use levada_talk::{Call, Place};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A message of any kind: what is read is written and read again as the same.
pub fn wire(bytes: &[u8]) {
    if let Some(heard) = Heard::read(bytes) {
        let again = heard.write();
        assert_eq!(Heard::read(&again), Some(heard));
    }
    if let Some(said) = Said::read(bytes) {
        assert_eq!(said.write(), bytes);
    }
    if let Some((pass, Some(said))) = Said::read_datagram(bytes) {
        assert_eq!(said.datagram(pass), bytes);
    }
    if let Some(join) = Join::read(bytes) {
        let again = join.write();
        assert_eq!((again.len(), Join::read(&again)), (JOIN, Some(join)));
    }
}

/// Datagrams to a hub, each after a byte that says from whom and two with its length; three are in, whose passes are put in where a
/// member could say something. Strangers get no more than they sent, nobody else anything of theirs, and rooms stay bounded.
pub fn hub(bytes: &[u8]) {
    let mut now = Instant::now();
    let mut hub = Hub::new(Config::default(), [4; 32]);
    let passes = [1, 2, 3].map(|who| enter(&mut hub, now, who).expect("there is room"));
    let mut rest = bytes;
    while let Some((&[who, high, low], after)) = rest.split_first_chunk() {
        let (datagram, after) = after.split_at(usize::from(u16::from_be_bytes([high, low])).min(after.len()));
        rest = after;
        let from = address(who);
        let stranger = !hub.knows(from);
        let mut datagram = datagram.to_vec();
        let member = usize::from(who).checked_sub(1).and_then(|at| passes.get(at));
        if let (Some(pass), [16..=19, _, _, _, _, _, _, _, _, ..]) = (member, &datagram[..]) {
            datagram[1..9].copy_from_slice(&pass.to_be_bytes());
        }
        now += Duration::from_millis(u64::from(low));
        let length = datagram.len();
        hub.handle(now, Input::Datagram { from, bytes: datagram.into() });
        let answers: usize =
            sent(&mut hub, now).iter().filter(|(to, _)| *to == from).map(|(_, bytes)| bytes.len()).sum();
        assert!(!stranger || hub.knows(from) || answers <= length, "{answers} bytes to {length}");
        assert!(hub.rooms().iter().all(|(_, count)| *count <= PARTICIPANTS));
    }
}

/// Datagrams of its server to one who is in a room, each after a byte with its length: nothing is heard of them.
pub fn member(bytes: &[u8]) {
    let mut now = Instant::now();
    let server = address(0);
    let config = room::Config {
        server,
        room: band(),
        name: DisplayName::of("ana"),
        identity: Identity::new([7; 32]),
        psk: Psk::none(),
        known: None,
        rendition: Rendition { codec: Codec::Pcm, frames: 120, rate: room::RATE },
        bitrate: 64_000,
        late: 0.01,
        place: Place::default(),
    };
    let mut member = Member::new(config, [9; 32]).expect("a rendition");
    let (said, mut heard) = ([0; 240], [0; 240]);
    member.cycle(now, &said, &mut heard);
    let join = member.transmit(now).and_then(|(_, bytes)| Join::read(&bytes)).expect("it knocks");
    member.arrive(now, server, Heard::Welcome { nonce: join.nonce, pass: 5 }.write());
    let mut was_open = false;
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first() {
        let (datagram, after) = after.split_at(usize::from(*length).min(after.len()));
        rest = after;
        member.arrive(now, server, Bytes::copy_from_slice(datagram));
        now += Duration::from_millis(3);
        member.cycle(now, &said, &mut heard);
        while member.transmit(now).is_some() {}
        // where somebody is said not to be able to seal, anybody can be heard
        was_open |= !member.is_sealed();
        assert!(was_open || heard.iter().all(|x| *x == 0), "a stranger is heard");
    }
}

fn address(who: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, who], 4_445))
}

fn band() -> RoomName {
    "band".parse().expect("a name")
}

fn sent(hub: &mut Hub, now: Instant) -> Vec<(SocketAddr, Bytes)> {
    let mut sent = Vec::new();
    loop {
        match hub.poll(now) {
            Output::Send(Transmit::Datagram { to, bytes }) => sent.push((to, bytes)),
            Output::Send(Transmit::Stream { .. }) | Output::Event(_) => {}
            Output::Wait(_) => return sent,
        }
    }
}

fn enter(hub: &mut Hub, now: Instant, who: u8) -> Option<u64> {
    let (room, name) = (Some(band()), DisplayName::of("ben"));
    let mut join = Join { version: VERSION, nonce: 1, cookie: [0; COOKIE], pass: 0, flags: 0, room, name };
    for _ in 0..2 {
        hub.handle(now, Input::Datagram { from: address(who), bytes: join.write() });
        for (_, answer) in sent(hub, now) {
            match Heard::read(&answer) {
                Some(Heard::Bring { cookie, .. }) => join.cookie = cookie,
                Some(Heard::Welcome { pass, .. }) => return Some(pass),
                _ => {}
            }
        }
    }
    None
}
