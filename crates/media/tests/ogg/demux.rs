//! Every packet comes out, once, whole and in time.

use crate::{clips, player};
use levada_media::{
    Codec, Demux, Error, Frame, Item, Span, Tags, Timebase, Timestamp, TrackId, TrackInfo, container::ogg,
};

/// The frames of `bytes`.
pub fn frames(bytes: &[u8]) -> Vec<Frame> {
    let frame = |item| if let Item::Frame(frame) = item { Some(frame) } else { None };
    items(bytes).into_iter().filter_map(frame).collect()
}

/// All that is in `bytes`.
pub fn items(bytes: &[u8]) -> Vec<Item> {
    let mut demux = ogg::Demux::new();
    demux.push(bytes);
    std::iter::from_fn(|| demux.poll().unwrap()).collect()
}

/// The tracks of `bytes` with the lengths of their ticks.
pub fn timebases(bytes: &[u8]) -> Vec<(TrackId, Timebase)> {
    let tracks = |item| if let Item::Tracks(tracks) = item { Some(tracks) } else { None };
    items(bytes)
        .into_iter()
        .find_map(tracks)
        .unwrap()
        .iter()
        .map(|track| (track.id, track.timebase))
        .collect()
}

#[test]
fn packets_are_those_that_ffprobe_finds() {
    // ffprobe takes the headers of a chain's second link for packets: see the test of chains
    for name in clips::ALL.into_iter().filter(|name| *name != "chain.ogg") {
        let clip = clips::clip(name);
        let theirs = String::from_utf8(player::output(player::PACKETS, &clip)).unwrap();
        let mut theirs: Vec<[i64; 4]> = theirs.lines().filter_map(packet).collect();
        let frames = frames(&clip);
        let ours = frames
            .iter()
            .map(|frame| [frame.track.0.into(), frame.pts.0, frame.data.len() as i64, frame.key.into()]);
        let mut ours: Vec<[i64; 4]> = ours.collect();
        theirs.sort_by_key(|packet| packet[0]);
        ours.sort_by_key(|packet| packet[0]);
        assert!(ours.len() >= 70, "{name}: only {} packets", ours.len());
        for (track, codec) in tracks(&clip) {
            // which of the two first packets of Vorbis has no time is a matter of taste
            let first = usize::from(codec == Codec::Vorbis);
            let of = |packets: &[[i64; 4]]| -> Vec<[i64; 4]> {
                packets.iter().filter(|packet| packet[0] == track).skip(first).copied().collect()
            };
            assert_eq!(of(&ours), of(&theirs), "{name}, track {track}");
        }
    }
}

/// A line of ffprobe: track, pts, duration, size, flags.
fn packet(line: &str) -> Option<[i64; 4]> {
    let fields: Vec<&str> = line.split(',').collect();
    let number = |at: usize| fields.get(at)?.parse().ok();
    let key = fields.get(4)?.starts_with('K');
    Some([number(0)?, number(1)?, number(3).filter(|size| *size > 0)?, key.into()])
}

fn tracks(bytes: &[u8]) -> Vec<(i64, Codec)> {
    let tracks = items(bytes).into_iter().find_map(|item| match item {
        Item::Tracks(tracks) => Some(tracks),
        _ => None,
    });
    tracks.unwrap().iter().map(|track| (track.id.0.into(), track.codec)).collect()
}

#[test]
fn frames_follow_one_another_without_a_hole() {
    for name in clips::ALL {
        let frames = frames(&clips::clip(name));
        for track in frames.iter().map(|frame| frame.track).collect::<std::collections::BTreeSet<_>>() {
            let frames: Vec<&Frame> = frames.iter().filter(|frame| frame.track == track).collect();
            // of Vorbis the first two decide where time begins
            for pair in frames[1..].windows(2).take(frames.len() - 3) {
                assert_eq!(pair[0].pts + pair[0].span, pair[1].pts, "{name}");
            }
        }
    }
}

#[test]
fn the_last_packet_is_cut_to_what_the_encoder_got() {
    // five seconds, by the clock of each codec
    for (name, end) in [("vorbis.ogg", 110_250), ("oggenc.ogg", 110_250), ("opus.opus", 240_000)] {
        let last = frames(&clips::clip(name)).pop().unwrap();
        assert_eq!(last.pts + last.span, Timestamp(end), "{name}");
    }
}

#[test]
fn a_chain_goes_on_where_the_link_before_ended() {
    let chain = items(&clips::clip("chain.ogg"));
    let is_tracks = |item: &&Item| matches!(item, Item::Tracks(_));
    let titles: Vec<String> = chain
        .iter()
        .filter_map(|item| if let Item::Tags(tags) = item { Some(tags.title.clone()) } else { None })
        .collect();
    assert_eq!((chain.iter().filter(is_tracks).count(), titles), (2, vec!["Tone".into(), "Second".into()]));
    let frames = frames(&clips::clip("chain.ogg"));
    let second = frames.windows(2).position(|pair| pair[1].span == Span(0)).unwrap() + 1;
    assert_eq!(frames[second].pts, Timestamp(110_250));
    assert_eq!(frames[..second], super::demux::frames(&clips::clip("vorbis.ogg")));
    let last = frames.last().unwrap();
    assert_eq!(last.pts + last.span, Timestamp(110_250 + 44_100));
}

#[test]
fn tags_and_tracks_come_before_the_frames() {
    let items = items(&clips::clip("theora.ogv"));
    let [Item::Tags(tags), Item::Tracks(tracks), Item::Frame(_), ..] = items.as_slice() else {
        panic!("{:?}", &items[..3]);
    };
    assert_eq!(**tags, Tags::titled("Picture"));
    let codecs: Vec<Codec> = tracks.iter().map(|track: &TrackInfo| track.codec).collect();
    assert_eq!(codecs, [Codec::Theora, Codec::Vorbis]);
}

#[test]
fn somebody_who_joined_late_hears_the_same_frames() {
    let clip = clips::clip("opus.opus");
    let whole = frames(&clip);
    let pages = clips::pages(&clip);
    let late = frames(&clips::joined_at(&pages, 12).unwrap());
    assert!(late.len() > 100 && late.len() < whole.len());
    assert_eq!(late, whole[whole.len() - late.len()..]);
}

#[test]
fn a_lost_page_costs_only_its_packets() {
    let clip = clips::clip("vorbis.ogg");
    let pages = clips::pages(&clip);
    let lossy = clips::join(pages.iter().enumerate().filter(|(at, _)| *at != 10).map(|(_, page)| page));
    let (whole, left) = (frames(&clip), frames(&lossy));
    let lost = ogg::pieces(&pages[10].bytes).count();
    assert_eq!(left.len(), whole.len() - lost);
    let as_before = |frame: &&Frame| whole.contains(frame);
    // the first one after the hole has no time of its own: its overlap is lost
    assert_eq!(left.iter().filter(as_before).count(), left.len() - 1);
}

#[test]
fn what_is_no_ogg_is_said_to_be_none() {
    let mut demux = ogg::Demux::new();
    demux.push(&[b'x'; 300_000]);
    assert_eq!(demux.poll(), Err(Error::Not("Ogg")));
}
