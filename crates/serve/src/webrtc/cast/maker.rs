//! Makes packets of frames, on one line of time, and finds out whether that can be done.

use super::{Burst, Lineup, State};
use crate::webrtc::{
    packets::{Packet, Packetizer},
    sound::Transcoder,
};
use levada_media::{
    Codec, Frame, Item, Kind, Timebase, TrackId, TrackInfo,
    codec::{aac::Config, h264},
};
use std::time::{Duration, Instant};

/// What is made of a mount's items.
#[derive(Default)]
pub(super) struct Maker {
    sight: Option<Sight>,
    sound: Option<Sound>,
    line: Line,
    verdict: Option<State>,
    lineup: Lineup,
}

/// The track of pictures.
struct Sight {
    id: TrackId,
    timebase: Timebase,
    packetizer: Packetizer,
    /// Pictures that came since one could begin, until it is sure that they come in the order in which they are shown.
    seen: usize,
    /// When the latest picture so far is shown.
    latest: Option<i64>,
    /// Whether the stream says itself that there is nothing to reorder.
    straight: bool,
}

/// The track of sound.
struct Sound {
    id: TrackId,
    timebase: Timebase,
    way: Way,
}

/// How sound becomes Opus.
enum Way {
    /// It is.
    Through,
    /// It is made so.
    Made {
        transcoder: Box<Transcoder>,
        /// When the first sample that went in is heard, and how many went in, at so many a second.
        anchor: Option<Duration>,
        samples: u64,
        rate: u32,
    },
}

/// One line of time over all sources.
#[derive(Default)]
struct Line {
    /// Which time of the source is which time here, in nanoseconds.
    origin: Option<(i128, i128)>,
    latest: i128,
    heard: Option<Instant>,
}

impl Maker {
    /// Another source follows.
    pub(super) fn restart(&mut self) {
        (self.sight, self.sound) = (None, None);
        self.line.origin = None;
        self.verdict = None;
    }

    /// What is known so far.
    pub(super) fn state(&self) -> State {
        self.verdict.clone().unwrap_or(State::Opening)
    }

    /// The packets of the next item.
    pub(super) fn take(&mut self, item: Item, now: Instant) -> Vec<Burst> {
        match item {
            Item::Tracks(tracks) => {
                self.begin(&tracks);
                Vec::new()
            }
            Item::Frame(frame) => self.frame(&frame, now),
            _ => Vec::new(),
        }
    }

    fn begin(&mut self, tracks: &[TrackInfo]) {
        let of = |kind| tracks.iter().filter(move |track: &&TrackInfo| track.codec.kind() == kind);
        let sight = of(Kind::Video).find_map(|track| Sight::new(track).map(|sight| (sight, track)));
        let profile = sight.as_ref().and_then(|(_, track)| track.setup.get(1).copied());
        let sound = of(Kind::Audio).find_map(Sound::new);
        self.lineup = Lineup {
            video: sight.as_ref().map(|(_, track)| track.codec),
            profile: profile.filter(|_| sight.as_ref().is_some_and(|(_, track)| track.codec == Codec::H264)),
            audio: sound.is_some(),
        };
        if matches!(self.verdict, Some(State::Ready(_))) {
            self.verdict = None;
        }
        if of(Kind::Video).next().is_some() && sight.is_none() {
            self.verdict = Some(State::Unfit(NO_PICTURE));
        } else if sight.is_none() && sound.is_none() && of(Kind::Audio).next().is_some() {
            self.verdict = Some(State::Unfit(NO_SOUND));
        }
        self.sight = sight.map(|(sight, _)| sight);
        self.sound = sound;
    }

    fn frame(&mut self, frame: &Frame, now: Instant) -> Vec<Burst> {
        if let Some(sight) = self.sight.as_mut().filter(|sight| sight.id == frame.track) {
            let (judgement, packets) = sight.take(frame);
            match judgement {
                Some(true) if !matches!(self.verdict, Some(State::Unfit(_))) => {
                    self.verdict = Some(State::Ready(self.lineup));
                }
                Some(false) => self.verdict = Some(State::Unfit(REORDERED)),
                _ => {}
            }
            let at = self.line.place(nanos(sight.timebase, frame.pts.0), now);
            return burst(true, frame.key, at, packets);
        }
        let Some(sound) = self.sound.as_mut().filter(|sound| sound.id == frame.track) else {
            return Vec::new();
        };
        let alone = self.sight.is_none();
        if alone && self.verdict.is_none() {
            self.verdict = Some(State::Ready(self.lineup));
        }
        let at = self.line.place(nanos(sound.timebase, frame.pts.0), now);
        let heard = sound.way.take(&frame.data, at);
        heard.into_iter().flat_map(|(at, packets)| burst(false, alone, at, packets)).collect()
    }
}

impl Sight {
    fn new(track: &TrackInfo) -> Option<Sight> {
        if track.codec == Codec::Opus {
            return None;
        }
        Some(Sight {
            id: track.id,
            timebase: track.timebase,
            packetizer: Packetizer::new(track.codec, &track.setup)?,
            seen: 0,
            latest: None,
            straight: track.codec != Codec::H264 || h264::reorder(&track.setup) == 0,
        })
    }

    /// Whether pictures come in the order in which they are shown, once that is sure, and the packets of this one.
    fn take(&mut self, frame: &Frame) -> (Option<bool>, Vec<Packet>) {
        if self.latest.is_none() && !frame.key {
            return (None, Vec::new());
        }
        let back = self.latest.is_some_and(|latest| frame.pts.0 < latest);
        self.latest = self.latest.max(Some(frame.pts.0));
        self.seen = self.seen.saturating_add(1);
        let judgement = match (back, self.straight || self.seen >= SURE) {
            (true, _) => Some(false),
            (false, sure) => sure.then_some(true),
        };
        (judgement, self.packetizer.cut(&frame.data, frame.key))
    }
}

impl Sound {
    fn new(track: &TrackInfo) -> Option<Sound> {
        let way = match track.codec {
            Codec::Opus => Way::Through,
            Codec::Aac => Way::Made {
                transcoder: Box::new(Transcoder::new(&track.setup)?),
                anchor: None,
                samples: 0,
                rate: Config::parse(&track.setup)?.rate,
            },
            _ => return None,
        };
        Some(Sound { id: track.id, timebase: track.timebase, way })
    }
}

impl Way {
    /// The packets of sound that are whole when `frame` has come, which is heard at `at`; each with its own time.
    fn take(&mut self, frame: &[u8], at: Duration) -> Vec<(Duration, Vec<Packet>)> {
        let (transcoder, anchor, samples, rate) = match self {
            Way::Through => return vec![(at, Packetizer::Opus.cut(frame, true))],
            Way::Made { transcoder, anchor, samples, rate } => (transcoder, anchor, samples, *rate),
        };
        let ran = Timebase::hz(rate).duration(levada_media::Timestamp(*samples as i64));
        let begun = at.saturating_sub(ran);
        let began = *anchor.get_or_insert(begun);
        if began.abs_diff(begun) > GAP {
            *anchor = Some(begun); // frames are missing, or more came than the clock has room for
        }
        *samples += 1_024;
        let zero = anchor.unwrap_or(begun);
        let place = |ticks: i64| {
            let span = Duration::from_nanos(ticks.unsigned_abs() * 1_000_000 / 48);
            if ticks < 0 { zero.saturating_sub(span) } else { zero + span }
        };
        let made = transcoder.push(frame);
        made.into_iter().map(|made| (place(made.at), Packetizer::Opus.cut(&made.packet, true))).collect()
    }
}

impl Line {
    /// The time here of what the source says is at `time`. The line begins with a second, so that what comes a little
    /// before the first frame has its place; it never jumps back with a new source.
    fn place(&mut self, time: i128, now: Instant) -> Duration {
        let passed = self.heard.map_or(SECOND, |heard| now.duration_since(heard).as_nanos() as i128);
        let begins = self.latest + passed.max(MILLISECOND);
        let jumps = |(from, to): &(i128, i128)| (to + time - from - self.latest).abs() > JUMP;
        let known = self.origin.filter(|origin| !jumps(origin));
        let (from, to) = *self.origin.insert(known.unwrap_or((time, begins)));
        let at = (to + time - from).max(0);
        self.latest = self.latest.max(at);
        self.heard = Some(now);
        Duration::from_nanos(u64::try_from(at).unwrap_or(u64::MAX))
    }
}

fn burst(picture: bool, entry: bool, at: Duration, packets: Vec<Packet>) -> Vec<Burst> {
    if packets.is_empty() {
        return Vec::new();
    }
    vec![Burst { picture, entry, at, packets: packets.into() }]
}

fn nanos(timebase: Timebase, ticks: i64) -> i128 {
    i128::from(ticks) * i128::from(timebase.num) * 1_000_000_000 / i128::from(timebase.den.max(1))
}

/// Pictures after which it is sure that none comes out of order: with the usual two or three B-frames it shows in the
/// fourth.
const SURE: usize = 6;
/// What sound may be off its own clock before it is set right.
const GAP: Duration = Duration::from_millis(80);
const MILLISECOND: i128 = 1_000_000;
const SECOND: i128 = 1_000_000_000;
/// A source that jumps further has begun anew.
const JUMP: i128 = 10 * SECOND;

const REORDERED: &str = "its pictures come in another order than they are shown in (B-frames), which WebRTC cannot \
                         carry; encode without them (x264: tune=zerolatency or bframes=0), or watch over HLS";
const NO_PICTURE: &str = "WebRTC carries pictures in H.264, VP8, VP9 and AV1 only; watch over HLS";
const NO_SOUND: &str =
    "WebRTC carries sound in Opus, and AAC-LC is made into that; this is neither; listen over HTTP";

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use levada_media::{Span, Timestamp};

    fn track(id: u32, codec: Codec, setup: &'static [u8]) -> TrackInfo {
        TrackInfo { id: TrackId(id), codec, timebase: Timebase::MILLIS, setup: Bytes::from_static(setup) }
    }

    fn frame(id: u32, dts: i64, pts: i64, key: bool) -> Item {
        let data = Bytes::from_static(&[0, 0, 0, 2, 0x65, 1]);
        let (dts, pts) = (Timestamp(dts), Timestamp(pts));
        Item::Frame(Frame { track: TrackId(id), dts, pts, span: Span(0), key, data })
    }

    const AVCC: &[u8] = &[1, 77, 0, 30, 0xff, 0xe1, 0, 2, 0x67, 7, 1, 0, 2, 0x68, 8];

    fn maker() -> Maker {
        let mut maker = Maker::default();
        let tracks = vec![track(0, Codec::H264, AVCC), track(1, Codec::Opus, b"")];
        maker.take(Item::Tracks(tracks.into()), Instant::now());
        maker
    }

    #[test]
    fn pictures_out_of_order_are_refused_with_a_reason() {
        let mut maker = maker();
        let now = Instant::now();
        for (at, pts) in [40, 160, 80, 120].into_iter().enumerate() {
            maker.take(frame(0, at as i64 * 40, pts, at == 0), now);
        }
        assert_eq!(maker.state(), State::Unfit(REORDERED));
        maker.take(frame(0, 400, 400, true), now);
        assert_eq!(maker.state(), State::Unfit(REORDERED), "it stays so");
        maker.restart();
        assert_eq!(maker.state(), State::Opening, "until another source comes");
    }

    #[test]
    fn pictures_in_order_are_sure_after_a_few() {
        let mut maker = maker();
        let now = Instant::now();
        let sent: usize = (0..20).map(|n| maker.take(frame(0, n * 40, n * 40, n == 3), now).len()).sum();
        assert_eq!(sent, 17, "nothing comes before a picture one can begin with");
        let State::Ready(lineup) = maker.state() else { panic!("{:?}", maker.state()) };
        assert_eq!((lineup.video, lineup.profile, lineup.audio), (Some(Codec::H264), Some(77), true));
    }

    #[test]
    fn time_goes_on_over_a_new_source() {
        let mut maker = maker();
        let now = Instant::now();
        let first = maker.take(frame(0, 5_000, 5_000, true), now)[0].at;
        let second = maker.take(frame(0, 5_040, 5_040, false), now)[0].at;
        assert_eq!(second - first, Duration::from_millis(40));
        maker.restart();
        maker.take(Item::Tracks(vec![track(0, Codec::Vp8, b"")].into()), now);
        let later = now + Duration::from_secs(3);
        let third = maker.take(frame(0, 0, 0, true), later)[0].at;
        assert_eq!(third - second, Duration::from_secs(3));
        assert_eq!(maker.state(), State::Ready(Lineup { video: Some(Codec::Vp8), ..Lineup::default() }));
    }

    #[test]
    fn aac_becomes_opus_on_the_same_clock() {
        let mut maker = Maker::default();
        // AAC-LC, 44.1 kHz, stereo
        maker.take(Item::Tracks(vec![track(1, Codec::Aac, &[0x12, 0x10])].into()), Instant::now());
        let now = Instant::now();
        let mut times = Vec::new();
        for n in 0..200 {
            let bursts = maker.take(frame(1, n * 1_024_000 / 44_100, n * 1_024_000 / 44_100, true), now);
            times.extend(bursts.iter().map(|burst| burst.at));
            assert!(bursts.iter().all(|burst| burst.entry && !burst.picture && burst.packets.len() == 1));
        }
        assert!((230..=233).contains(&times.len()), "{}", times.len());
        let apart = |pair: &[Duration]| (pair[1] - pair[0]).abs_diff(Duration::from_millis(20));
        assert!(times.windows(2).all(|pair| apart(pair) < Duration::from_micros(1)), "{times:?}");
        assert!(matches!(maker.state(), State::Ready(_)));
    }

    #[test]
    fn what_cannot_be_carried_is_refused_with_a_reason() {
        for (codec, why) in [(Codec::H265, NO_PICTURE), (Codec::Vorbis, NO_SOUND)] {
            let mut maker = Maker::default();
            maker.take(Item::Tracks(vec![track(0, codec, b"")].into()), Instant::now());
            assert_eq!(maker.state(), State::Unfit(why));
        }
    }
}
