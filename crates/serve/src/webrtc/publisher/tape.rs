//! Writes what a publisher sends as Flash video: what describes it comes before any media.

use crate::{LetGo, mounts::Claim};
use bytes::Bytes;
use levada_media::{
    Codec, Frame, Item, Mux, Span, Timebase, Timestamp, TrackId, TrackInfo,
    codec::{h264, nal},
    container::flv::{self, tag::View},
};
use std::time::{Duration, Instant};
use str0m::{format, media::MediaData};

/// A stream on its way into a mount.
pub(super) struct Tape {
    mux: flv::Mux,
    sight: Lane,
    sound: Lane,
    tracks: Vec<TrackInfo>,
    /// Frames that wait until all that was promised is described, at most [`PATIENCE`] long.
    held: Vec<Frame>,
    since: Option<Instant>,
    begun: bool,
    /// Pictures are missing: the next that one can begin with is awaited.
    broken: bool,
}

/// One track.
struct Lane {
    promised: bool,
    setup: Option<Bytes>,
    clock: Clock,
}

/// Turns a track's own time into time since the session began.
#[derive(Default)]
struct Clock {
    /// What the track's clock said at the beginning of the session, in nanoseconds.
    zero: Option<i128>,
    latest: i128,
}

impl Tape {
    /// For a session that has agreed on pictures, on sound, or on both.
    pub(super) fn new(sight: bool, sound: bool) -> Tape {
        let lane = |promised| Lane { promised, setup: None, clock: Clock::default() };
        Tape {
            mux: flv::Mux::new(View::Enhanced),
            sight: lane(sight),
            sound: lane(sound),
            tracks: Vec::new(),
            held: Vec::new(),
            since: None,
            begun: false,
            broken: true,
        }
    }

    /// Takes a frame; false when a picture that one can begin with is needed first.
    pub(super) fn take(&mut self, data: &MediaData, picture: bool, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let Some(codec) = codec(data.params.spec().codec) else { return true };
        if picture {
            self.broken |= !data.contiguous;
            self.broken &= !data.is_keyframe();
            if self.broken {
                return false;
            }
        }
        let lane = if picture { &mut self.sight } else { &mut self.sound };
        let (time, rate) = (data.time.numer(), data.time.frequency().get());
        let ticks = i128::from(time) * 1_000_000_000 / i128::from(rate.max(1));
        let at = lane.clock.at(ticks, now.duration_since(since));
        let (setup, body) = described(codec, data.is_keyframe(), &data.data);
        if let Some(setup) = setup.filter(|setup| lane.setup.as_ref() != Some(setup)) {
            lane.setup = Some(setup.clone());
            let track = TrackId(u32::from(!picture));
            self.tracks.retain(|known| known.id != track);
            self.tracks.push(TrackInfo { id: track, codec, timebase: NANOS, setup });
            self.tracks.sort_by_key(|track| track.id);
            if self.begun {
                drop(self.mux.push(&Item::Tracks(self.tracks.clone().into())));
            }
        }
        if lane.setup.is_some() && !body.is_empty() {
            self.held.push(Frame {
                track: TrackId(u32::from(!picture)),
                dts: at,
                pts: at,
                span: Span(0),
                key: !picture || data.is_keyframe(),
                data: body,
            });
        }
        true
    }

    /// Gives the mount what can be written.
    ///
    /// # Errors
    /// When the mount is somebody else's.
    pub(super) fn write(&mut self, claim: &Claim) -> Result<(), LetGo> {
        if !self.begun {
            let missing = |lane: &Lane| lane.promised && lane.setup.is_none();
            let waits = missing(&self.sight) || missing(&self.sound);
            let late = self.since.is_some_and(|since| since.elapsed() > PATIENCE);
            if self.tracks.is_empty() || waits && !late {
                let most = self.held.len().saturating_sub(MOST_HELD);
                self.held.drain(..most);
                return Ok(());
            }
            self.begun = true;
            claim.push(&flv::file_header(self.sound.setup.is_some(), self.sight.setup.is_some()))?;
            drop(self.mux.push(&Item::Tracks(self.tracks.clone().into())));
        }
        self.held.sort_by_key(|frame| frame.dts);
        for frame in self.held.drain(..) {
            drop(self.mux.push(&Item::Frame(frame))); // what cannot be carried is left out
        }
        while let Some(page) = self.mux.poll() {
            claim.push(&page.bytes)?;
        }
        Ok(())
    }
}

impl Clock {
    /// The time of a frame that says `ticks` and came `now` into the session. A jump of the track's clock, or a drift
    /// by more than [`MOST_DRIFT`], sets it right; it never goes back.
    fn at(&mut self, ticks: i128, now: Duration) -> Timestamp {
        let now = now.as_nanos() as i128;
        let zero = *self.zero.get_or_insert(ticks - now);
        if (ticks - zero - now).abs() > MOST_DRIFT {
            self.zero = Some(ticks - now);
        }
        self.latest = self.latest.max(ticks - self.zero.unwrap_or(zero));
        Timestamp(i64::try_from(self.latest).unwrap_or(i64::MAX))
    }
}

/// What a frame says of its track, and the frame as containers carry it.
fn described(codec: Codec, key: bool, data: &[u8]) -> (Option<Bytes>, Bytes) {
    match codec {
        Codec::H264 => {
            let of = |kind| {
                let units = nal::units(data).filter(move |unit| h264::kind(unit) == kind);
                units.map(Bytes::copy_from_slice).collect::<Vec<_>>()
            };
            let setup = if key { h264::config(&of(h264::SPS), &of(h264::PPS)) } else { None };
            let kept = |unit: &&[u8]| !matches!(h264::kind(unit), h264::AUD | h264::SPS | h264::PPS);
            (setup, nal::with_lengths(nal::units(data).filter(kept)))
        }
        Codec::Opus => (Some(Bytes::from_static(OPUS)), Bytes::copy_from_slice(data)),
        Codec::Av1 => (if key { av1_config(data) } else { None }, Bytes::copy_from_slice(data)),
        _ => (key.then(|| Bytes::from_static(VPX)), Bytes::copy_from_slice(data)),
    }
}

/// An av1C with the sequence header of a key frame (AV1 in ISOBMFF §2.3.3), as far as that says it in its first byte.
fn av1_config(frame: &[u8]) -> Option<Bytes> {
    let mut rest = frame;
    loop {
        let head = *rest.first()?;
        let extension = usize::from(head >> 2 & 1);
        let body = rest.get(1 + extension..)?;
        let (size, behind) = leb128(body)?;
        let unit = behind.get(..size)?;
        if head >> 3 & 15 == 1 {
            let profile = unit.first()? >> 5;
            let whole = &rest[..rest.len() - behind.len() + size];
            return Some([&[0x81, profile << 5 | 8, 0x0c, 0], whole].concat().into());
        }
        rest = &behind[size..];
    }
}

fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_usize;
    for (at, byte) in bytes.iter().enumerate().take(4) {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

fn codec(codec: format::Codec) -> Option<Codec> {
    Some(match codec {
        format::Codec::H264 => Codec::H264,
        format::Codec::Vp8 => Codec::Vp8,
        format::Codec::Vp9 => Codec::Vp9,
        format::Codec::Av1 => Codec::Av1,
        format::Codec::Opus => Codec::Opus,
        _ => return None,
    })
}

/// Ticks of a nanosecond: tracks have clocks of their own, and share this one here.
const NANOS: Timebase = Timebase { num: 1, den: 1_000_000_000 };
/// RFC 7845 §5.1: version 1, stereo, no pre-skip, 48 kHz, no gain, mapping family 0.
const OPUS: &[u8] = b"OpusHead\x01\x02\0\0\x80\xbb\0\0\0\0\0";
/// A VPCodecConfigurationRecord in its full box: profile 0, level unknown, 8 bits of 4:2:0, colours not said.
const VPX: &[u8] = &[1, 0, 0, 0, 0, 0, 0x82, 2, 2, 2, 0, 0];
/// How long a track is awaited that was agreed on.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// Frames that are held meanwhile; the oldest leave first.
const MOST_HELD: usize = 256;
/// A publisher's clock and ours may be apart by this much, in nanoseconds.
const MOST_DRIFT: i128 = 400_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_runs_on_and_is_set_right_when_it_jumps() {
        let mut clock = Clock::default();
        let second = 1_000_000_000;
        let at = |clock: &mut Clock, ticks, ms| clock.at(ticks, Duration::from_millis(ms)).0;
        assert_eq!(at(&mut clock, 77 * second, 500), 500_000_000);
        assert_eq!(at(&mut clock, 77 * second + 40_000_000, 600), 540_000_000, "jitter is not heard");
        assert_eq!(at(&mut clock, 5 * second, 700), 700_000_000, "a jump is not followed");
        assert_eq!(at(&mut clock, 5 * second - 9_000_000, 710), 700_000_000, "nor is a step back");
    }

    #[test]
    fn what_describes_a_stream_is_taken_from_its_key_pictures() {
        let sps = [
            0x67, 0x64, 0x00, 0x0c, 0xac, 0xd9, 0x41, 0x41, 0x9f, 0x9f, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00,
            0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x42, 0x99, 0x60,
        ];
        let start = [0, 0, 0, 1];
        let annex_b = [&start, &sps[..], &start, &[0x68, 0xeb], &start, &[0x65, 7]].concat();
        let (setup, body) = described(Codec::H264, true, &annex_b);
        assert_eq!(&setup.unwrap()[..4], [1, 0x64, 0, 0x0c]);
        assert_eq!(&body[..], [0, 0, 0, 2, 0x65, 7]);
        let (setup, _) = described(Codec::Av1, true, &[0x12, 0, 0x0a, 2, 0x20, 7, 0x32, 1, 9]);
        assert_eq!(&setup.unwrap()[..], [0x81, 1 << 5 | 8, 0x0c, 0, 0x0a, 2, 0x20, 7]);
        for nothing in [&[][..], &[0x0a], &[0x0a, 0xff], &[0x0a, 9, 1]] {
            assert_eq!(av1_config(nothing), None);
        }
    }
}
