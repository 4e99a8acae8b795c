//! Any bytes at every door.

use crate::support::fixture;
use levada_rtmp::fuzz;
use proptest::prelude::*;

proptest! {
    #[test]
    fn no_door_breaks(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        for door in [fuzz::handshake, fuzz::chunks, fuzz::amf0, fuzz::tag, fuzz::server, fuzz::server_chunks, fuzz::client, fuzz::address] {
            door(&bytes);
        }
    }

    /// Damage reaches further than noise.
    #[test]
    fn no_damaged_capture_breaks_a_session(
        which in 0usize..3,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let name = ["ffmpeg_publish.c2s", "ffmpeg_play.c2s", "rtmpdump_play.c2s"][which];
        let mut sent = fixture(name);
        sent.truncate(8_000);
        for (at, byte) in damage {
            // the greeting is not worth damaging
            let at = 3_073 + at.index(sent.len() - 3_073);
            sent[at] = byte;
        }
        fuzz::server(&sent);
        let mut answers = vec![(which % 2) as u8];
        answers.extend_from_slice(&sent[3_073..]);
        fuzz::client(&answers);
        fuzz::chunks(&sent[3_072..]);
    }
}
