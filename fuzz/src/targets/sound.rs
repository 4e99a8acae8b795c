//! What comes as a block of sound.

use levada_codec::compat::{Config, Layer, Unpacker};
use levada_codec::native::Decoder;
use levada_codec::packet::{self, Codec};
use levada_codec::video::{self, y4m};
use levada_talk::native::{Body, Piece, Receiving};
use levada_talk::secure::{Config as SecureConfig, Identity, Secret, Secure};
use std::net::SocketAddr;
use std::time::Instant;

/// A datagram of any of InterCom's layers: the first byte says which.
pub fn compat(bytes: &[u8]) {
    let Some((which, datagram)) = bytes.split_first() else { return };
    let layer = Layer::all().nth(usize::from(*which) % 22).expect("there are 22");
    let mut unpacker = Unpacker::new(Config::new(layer)).expect("defaults fit");
    let (mut values, mut out) = (vec![0; 2_048], vec![0; 2_048]);
    let good = unpacker.read(datagram, &mut values).is_ok();
    unpacker.render(good.then_some(&values[..]), 128, &mut out);
    assert!(!good || datagram.len() > 6, "so little opens to a block");
}

/// A packet of the native codec: the first byte says of which size.
pub fn native(bytes: &[u8]) {
    let Some((which, packet)) = bytes.split_first() else { return };
    let frames = [1_024, 480, 240, 120][usize::from(*which) % 4];
    let mut decoder = Decoder::new(frames).expect("these sizes are meant");
    let mut out = vec![0; 2 * frames];
    if decoder.decode(packet, &mut out).is_err() {
        decoder.lost(&mut out);
        assert!(out.iter().all(|x| *x == 0), "nothing was heard before");
    }
}

/// A body of a native call, after a byte that says how many frames it has and whether a report: what is read is written again as the
/// same.
pub fn wire(bytes: &[u8]) {
    let Some((which, body)) = bytes.split_first() else { return };
    let frames = usize::from(which & 15) + 1;
    let Some(read) = Body::read(body, which & 128 != 0, frames) else { return };
    let mut again = Vec::new();
    read.write(&mut again);
    assert_eq!(again, body);
}

/// Datagrams to one who waits to be called and to one who calls, each after a byte with its length: nothing of it opens, and no answer is
/// longer than what it answers.
pub fn handshake(bytes: &[u8]) {
    let peer = SocketAddr::from(([10, 0, 0, 2], 4_444));
    let now = Instant::now();
    for calls in [false, true] {
        let identity = Identity::new([7; 32]);
        let peer_called = calls.then_some(peer);
        let config =
            SecureConfig { peer: peer_called, secret: Secret::none(), identity, known: None, hello: [0; 4] };
        let mut end = Secure::new(config, [9; 32]);
        end.wake(now);
        while end.transmit().is_some() {}
        let (mut rest, mut body) = (bytes, Vec::new());
        while let Some((length, after)) = rest.split_first() {
            let (datagram, after) = after.split_at(usize::from(*length).min(after.len()));
            rest = after;
            assert_eq!(end.arrive(now, peer, datagram, &mut body), None);
            let answer: usize = std::iter::from_fn(|| end.transmit()).map(|(_, bytes)| bytes.len()).sum();
            // one who calls may begin to anew
            assert!(calls || answer <= datagram.len(), "{answer} bytes to {}", datagram.len());
        }
    }
}

/// A packet of any codec of a call: the first byte says which. What is refused is silence where nothing was heard before.
pub fn packet(bytes: &[u8]) {
    let Some((which, packet)) = bytes.split_first() else { return };
    let codec = [Codec::Lossless, Codec::Wavelet, Codec::Opus, Codec::Pcm][usize::from(*which) % 4];
    let mut decoder = packet::Decoder::new(codec, 120).expect("all have blocks of 120");
    let mut out = vec![0; 240];
    if decoder.decode(packet, &mut out).is_err() {
        assert!(out.iter().all(|x| *x == 0), "what is refused is not heard");
    }
    decoder.lost(&mut out);
}

/// Slices of pictures, each after its length: a decoder draws within its picture, and again the same.
pub fn slices(bytes: &[u8]) {
    let mut decoders = [0, 1].map(|_| video::Decoder::new(48, 32).expect("this size fits"));
    let mut rest = bytes;
    while let Some((length, more)) = rest.split_first() {
        let (slice, after) = more.split_at(usize::from(*length).min(more.len()));
        let said = decoders.each_mut().map(|decoder| decoder.decode(slice));
        assert_eq!(said[0], said[1]);
        rest = after;
    }
    assert_eq!(decoders[0].picture(), decoders[1].picture());
}

/// A file of pictures: what is read is as large as it says.
pub fn y4m(bytes: &[u8]) {
    let Ok(mut reader) = y4m::Reader::new(bytes) else { return };
    let (width, height) = reader.size();
    while let Ok(Some(picture)) = reader.picture() {
        assert_eq!(picture.planes[0].len(), width * height);
    }
}

/// Pieces of pictures, each after its length: what is read is written again as the same, little is held, and pictures come out in their order
/// and with all of their slices.
pub fn pictures(bytes: &[u8]) {
    let (mut receiving, mut rest, mut now) = (Receiving::default(), bytes, 0.0);
    while let Some((length, more)) = rest.split_first() {
        let (body, after) = more.split_at(usize::from(*length).min(more.len()));
        rest = after;
        now += 0.01;
        let Some(piece) = Piece::read(body) else { continue };
        assert_eq!(piece.write(), body);
        receiving.put(now, u32::from(piece.number), piece);
        assert!(receiving.missing(now, 0.02).len() <= 120 && receiving.bytes() <= bytes.len());
        let (mut last, mut key) = (None, receiving.is_lost());
        while let Some(coded) = receiving.take(now, 0.3) {
            assert!(coded.key || !key, "the first one stands alone");
            key = false;
            assert!(!coded.slices.is_empty() && coded.slices.iter().all(|slice| !slice.is_empty()));
            let follows = |before: u32| coded.time as u16 == (before as u16).wrapping_add(1) || coded.key;
            assert!(last.is_none_or(follows));
            last = Some(coded.time);
        }
    }
}
