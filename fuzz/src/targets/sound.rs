//! What comes as a block of sound.

use bytes::Bytes;
use levada_codec::compat::{Config, Layer, Unpacker};
use levada_codec::native::Decoder;
use levada_talk::native::Packet;

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

/// A datagram of a native call: what is read is written again as the same.
pub fn wire(bytes: &[u8]) {
    let Some(packet) = Packet::read(&Bytes::copy_from_slice(bytes)) else { return };
    let mut again = Vec::new();
    packet.write(usize::MAX, &mut again);
    assert_eq!(again, bytes);
}
