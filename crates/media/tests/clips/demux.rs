//! What comes out of a demuxer is what ffprobe finds: as many packets, at the same times, the same of them key frames.

use crate::{
    clip::{ALL, Clip, demuxer},
    player,
};
use levada_media::{Demux, Format, Frame, Item, TrackInfo};

/// A packet's presentation and decoding time in seconds, whether it is a key frame, and its size.
type Packet = (f64, Option<f64>, bool, usize);

#[test]
fn every_packet_has_the_time_the_flag_and_the_size_that_ffprobe_says() {
    for clip in ALL {
        let (tracks, frames) = open(*clip);
        let streams = player::list(&clip.file(), &["-show_entries", "stream=index"]);
        assert_eq!(
            tracks.len(),
            streams.split_whitespace().collect::<std::collections::BTreeSet<_>>().len(),
            "{clip:?}"
        );
        for (index, track) in tracks.iter().enumerate() {
            let ours: Vec<Packet> = frames
                .iter()
                .filter(|frame| frame.track == track.id)
                .map(|frame| packet(track, frame))
                .collect();
            compare(*clip, index, &ours, &theirs(*clip, index));
        }
    }
}

#[test]
fn decoding_times_never_decrease_nor_pass_the_showing() {
    for clip in ALL {
        let (tracks, frames) = open(*clip);
        for track in tracks {
            let of_track: Vec<&Frame> = frames.iter().filter(|frame| frame.track == track.id).collect();
            assert!(of_track.is_sorted_by_key(|frame| frame.dts), "{clip:?} {:?}", track.codec);
            assert!(of_track.iter().all(|frame| frame.dts <= frame.pts), "{clip:?} {:?}", track.codec);
        }
    }
}

fn compare(clip: Clip, index: usize, ours: &[Packet], theirs: &[Packet]) {
    assert_eq!(ours.len(), theirs.len(), "{clip:?} track {index}");
    let (from, other_from) = (ours[0].0, theirs[0].0);
    for (n, (our, their)) in ours.iter().zip(theirs).enumerate() {
        let near = |a: f64, b: f64| ((a - from) - (b - other_from)).abs() < 0.0011;
        assert!(near(our.0, their.0), "{clip:?} track {index} packet {n}: {our:?} {their:?}");
        if let (Some(our), Some(their)) = (our.1, their.1) {
            assert!(near(our, their), "{clip:?} track {index} packet {n} is decoded at {our}, not {their}");
        }
        assert_eq!(our.2, their.2, "{clip:?} track {index} packet {n}");
        if sizes_agree(clip.format) {
            assert_eq!(our.3, their.3, "{clip:?} track {index} packet {n}");
        }
    }
}

/// ffprobe counts the ADTS header and start codes that our frames do not have.
fn sizes_agree(format: Format) -> bool {
    !matches!(format, Format::Adts | Format::MpegTs)
}

fn packet(track: &TrackInfo, frame: &Frame) -> Packet {
    let seconds = |ticks: i64| ticks as f64 * f64::from(track.timebase.num) / f64::from(track.timebase.den);
    (seconds(frame.pts.0), Some(seconds(frame.dts.0)), frame.key, frame.data.len())
}

fn theirs(clip: Clip, index: usize) -> Vec<Packet> {
    let arguments =
        ["-select_streams", &index.to_string(), "-show_entries", "packet=pts_time,dts_time,size,flags"];
    let table = player::list(&clip.file(), &arguments);
    table.lines().filter(|line| !line.is_empty()).map(line).collect()
}

/// `pts,dts,size,flags`, with "N/A" for what is not known and sometimes side data behind.
fn line(line: &str) -> Packet {
    let fields: Vec<&str> = line.split(',').collect();
    (
        fields[0].parse().unwrap(),
        fields[1].parse().ok(),
        fields[3].starts_with('K'),
        fields[2].parse().unwrap(),
    )
}

fn open(clip: Clip) -> (Vec<TrackInfo>, Vec<Frame>) {
    let mut demux = demuxer(clip.format);
    let (mut tracks, mut frames) = (Vec::new(), Vec::new());
    let mut take = |demux: &mut Box<dyn Demux>| {
        while let Some(item) = demux.poll().unwrap() {
            match item {
                Item::Tracks(all) => tracks = all.to_vec(),
                Item::Frame(frame) => frames.push(frame),
                _ => {}
            }
        }
    };
    for piece in clip.bytes().chunks(777) {
        demux.push(piece);
        take(&mut demux);
    }
    demux.finish();
    take(&mut demux);
    (tracks, frames)
}
