//! What a browser hears of one other: frames with numbers of that member's own, as one unbroken stream of RTP.

use std::time::{Duration, Instant};
use str0m::{
    media::{Mid, Pt},
    rtp::{RtpWrite, SeqNo},
};

/// One stream to a browser. Whoever is heard on it may change; its numbers and its clock go on.
pub(super) struct Ear {
    /// Which stream.
    pub(super) mid: Mid,
    pt: Pt,
    /// The packet and the clock's reading that come next if nothing is known better.
    next: u64,
    clock: u32,
    voice: Option<Voice>,
}

/// Somebody who is heard.
struct Voice {
    stay: u32,
    /// The counter from which on, with the packet and the clock's reading of that.
    first: u32,
    packet: u64,
    clock: u32,
    /// The highest counter, when it came, and which of those before it were there.
    highest: u32,
    at: Instant,
    seen: u64,
}

impl Ear {
    /// A stream that nobody is heard on yet; chance is where its numbers begin.
    pub(super) fn new(mid: Mid, pt: Pt, chance: [u8; 6]) -> Ear {
        // the first of a stream's numbers must not be near its end (RFC 3711 §3.3.1)
        let next = u64::from(u16::from_be_bytes([chance[0], chance[1]]) >> 1);
        let clock = u32::from_be_bytes([chance[2], chance[3], chance[4], chance[5]]);
        Ear { mid, pt, next, clock, voice: None }
    }

    /// The packet of a frame with this `counter` of whoever's stay this is; none for one that was there, or is too late to be heard.
    pub(super) fn packet(
        &mut self,
        stay: u32,
        counter: u32,
        payload: &[u8],
        now: Instant,
    ) -> Option<RtpWrite> {
        let goes_on = |voice: &Voice| {
            voice.stay == stay && counter.saturating_sub(voice.highest) < FAR && counter >= voice.first
        };
        if !self.voice.as_ref().is_some_and(goes_on) {
            // a frame from before its voice's first is late; anything else begins anew
            if self.voice.as_ref().is_some_and(|voice| voice.stay == stay && counter < voice.first) {
                return None;
            }
            self.begin(stay, counter, now);
        }
        let voice = self.voice.as_mut()?;
        if counter > voice.highest {
            voice.seen = voice.seen.checked_shl(counter - voice.highest).unwrap_or(0);
            (voice.highest, voice.at) = (counter, now);
        }
        // no packet is sent twice: two under one number would be sealed with the same key stream
        let mark = 1_u64.checked_shl(voice.highest - counter)?;
        if voice.seen & mark != 0 {
            return None;
        }
        voice.seen |= mark;
        let ahead = counter - voice.first;
        let packet = voice.packet + u64::from(ahead);
        let clock = voice.clock.wrapping_add(ahead.wrapping_mul(TICKS));
        self.next = self.next.max(packet + 1);
        Some(RtpWrite::new(self.pt, SeqNo::from(packet), clock, now, payload))
    }

    /// The clock has gone on since the voice before was heard last.
    fn begin(&mut self, stay: u32, counter: u32, now: Instant) {
        if let Some(voice) = &self.voice {
            let last = voice.clock.wrapping_add((voice.highest - voice.first).wrapping_mul(TICKS));
            let since = now.saturating_duration_since(voice.at).max(FRAME);
            self.clock = last.wrapping_add((since.as_millis() * 48) as u32);
        }
        let (packet, clock) = (self.next, self.clock);
        self.voice = Some(Voice { stay, first: counter, packet, clock, highest: counter, at: now, seen: 0 });
    }
}

/// Ticks of 48 kHz in a frame, and how long it is.
pub(super) const TICKS: u32 = 960;
const FRAME: Duration = Duration::from_millis(20);
/// Frames that may be missing; beyond, packets would have numbers that receivers mistake for old ones.
const FAR: u32 = 3_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn ear() -> Ear {
        Ear::new("a".into(), 111.into(), [0, 20, 0, 0, 0, 100])
    }

    /// Numbers and clock of what becomes of a frame.
    fn heard(ear: &mut Ear, stay: u32, counter: u32, now: Instant) -> Option<(u64, u32)> {
        let packet = format!("{:?}", ear.packet(stay, counter, &[1], now)?);
        let field = |name: &str| {
            let rest = packet.split_once(name)?.1.trim_start_matches(|c: char| !c.is_ascii_digit());
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok()
        };
        Some((field("seq_no")?, field(" time")? as u32))
    }

    #[test]
    fn a_voice_keeps_its_gaps_and_nothing_comes_twice() {
        let (mut ear, now) = (ear(), Instant::now());
        let counters = [1_000, 1_001, 1_004, 1_003, 1_003, 999, 900, 1_004];
        let heard: Vec<_> = counters.map(|counter| heard(&mut ear, 7, counter, now)).to_vec();
        let at = |n: u64| Some((10 + n, 100 + 960 * n as u32));
        assert_eq!(heard, [at(0), at(1), at(4), at(3), None, None, None, None]);
    }

    #[test]
    fn another_voice_goes_on_where_the_one_before_was_heard_last() {
        let (mut ear, now) = (ear(), Instant::now());
        assert_eq!(heard(&mut ear, 7, 5, now), Some((10, 100)));
        assert_eq!(heard(&mut ear, 7, 6, now), Some((11, 1_060)));
        let later = now + Duration::from_millis(100);
        assert_eq!(heard(&mut ear, 8, 0, later), Some((12, 1_060 + 4_800)));
        assert_eq!(
            heard(&mut ear, 8, 4_000_000_000, later),
            Some((13, 1_060 + 4_800 + 960)),
            "too far to be true"
        );
        assert_eq!(heard(&mut ear, 8, u32::MAX, later), Some((14, 1_060 + 4_800 + 1_920)));
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_no_packet_has_the_number_of_another(
            frames in proptest::collection::vec((0_u32..3, proptest::num::u32::ANY, 0_u32..200, 0_u64..300), 1..300),
        ) {
            let (mut ear, mut now) = (ear(), Instant::now());
            let mut numbers = std::collections::HashSet::new();
            for (stay, far, near, pause) in frames {
                now += Duration::from_millis(pause);
                let counter = if far % 16 == 0 { far } else { near };
                if let Some((number, _)) = heard(&mut ear, stay, counter, now) {
                    proptest::prop_assert!(numbers.insert(number), "{number} again");
                }
            }
        }
    }
}
