//! What any offer and any datagram are met with, without a network. For fuzzing.

use super::{Webrtc, cast::Lineup, join, peer::Peer, sockets::Local, stun, whep, whip};
use levada_media::Codec;
use std::sync::LazyLock;

/// Answers `offer` as a viewer's, a publisher's and a room's, and looks whom it would name if it were a datagram. Gives the
/// answers, where there are any.
pub fn rehearse(offer: &[u8]) -> Vec<String> {
    static WEBRTC: LazyLock<Webrtc> = LazyLock::new(Webrtc::default);
    let _nobody = stun::addressee(offer);
    let Ok(offer) = std::str::from_utf8(offer) else { return Vec::new() };
    let local = Local { socket: 0, address: ([192, 0, 2, 1], 8189).into(), tcp: true };
    let lineup = Lineup { video: Some(Codec::H264), profile: Some(66), audio: true };
    let configs = [
        whep::config(lineup),
        whip::session(offer, None),
        whip::session(offer, Some("av1")),
        join::session(),
    ];
    let answer = |config| {
        let (peer, answer) = Peer::answer(offer, config, vec![local], &WEBRTC).ok()?;
        peer.close();
        Some(answer)
    };
    configs.into_iter().filter_map(answer).collect()
}
