//! Whoever joins at any moment decodes from the first byte on, without a warning.

use crate::{
    clip::{ALL, Chance, Stream},
    player,
};
use std::collections::BTreeSet;

/// A thousand moments in each clip; those that begin at the same entry are played once.
#[test]
fn a_thousand_random_joins_decode_without_a_warning() {
    for clip in ALL {
        let (stream, mut chance) = (Stream::cut(clip.format, &clip.bytes()), Chance(3));
        let joins: BTreeSet<Vec<u8>> =
            (0..1000).filter_map(|_| stream.joined_at(chance.below(stream.pages.len()))).collect();
        let joins: Vec<Vec<u8>> = joins.into_iter().filter(|stream| stream.len() > 2000).collect();
        assert!(!joins.is_empty(), "{clip:?}");
        let complaints = player::complaints(&joins);
        assert!(
            complaints.is_empty(),
            "{clip:?}: {} of {}\n{}",
            complaints.len(),
            joins.len(),
            complaints.join("\n")
        );
        println!("{}: {} different joins", clip.path, joins.len());
    }
}

/// What a player sees that is told nothing but the bytes.
#[test]
fn ffprobe_lists_the_frames_of_a_stream_joined_in_the_middle() {
    for clip in ALL {
        let stream = Stream::cut(clip.format, &clip.bytes());
        let stream = (0..stream.pages.len() / 3).rev().find_map(|at| stream.joined_at(at)).unwrap();
        let frames = player::probe(&["-show_frames", "-show_entries", "frame=media_type"], &stream);
        assert!(frames.lines().count() > 10, "{clip:?}: {frames}");
    }
}
