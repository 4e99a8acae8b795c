//! ffmpeg publishes; ffmpeg and rtmpdump play.

use crate::{child::*, toy::Toy};
use std::{path::Path, time::Instant};

/// Pictures with B-frames and sound for `seconds`, as fast as they are watched.
fn publish(url: &str, seconds: &str) -> Program {
    let pictures = "testsrc2=size=320x240:rate=25";
    let sound = "sine=frequency=440:sample_rate=44100";
    Program::start(
        "ffmpeg",
        &[
            "-v", "error", "-nostdin", "-re", "-f", "lavfi", "-i", pictures, "-re", "-f", "lavfi", "-i",
            sound, "-t", seconds, "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "25", "-c:a",
            "aac", "-f", "flv", url,
        ],
    )
}

/// Codec and number of frames of each stream of a file.
fn streams(file: &Path) -> Vec<(String, u32)> {
    let entries = "stream=codec_name,nb_read_packets";
    let file = file.to_str().expect("a plain path");
    let text = output(
        "ffprobe",
        &["-v", "error", "-count_packets", "-show_entries", entries, "-of", "csv=p=0", file],
    );
    let parse = |line: &str| {
        let (codec, count) = line.trim().split_once(',')?;
        Some((codec.to_owned(), count.parse().ok()?))
    };
    let mut streams: Vec<_> = text.lines().filter_map(parse).collect();
    streams.sort();
    streams
}

#[test]
fn ffmpeg_publishes_and_ffmpeg_and_rtmpdump_save_both_streams() {
    if !is_installed("ffmpeg") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut toy = Toy::new();
    let url = format!("rtmp://{}/live/tea", toy.address());
    let mut publisher = publish(&format!("{url}?key=secret"), "6");
    let begun = Instant::now();
    while toy.pictures < 2 {
        toy.step();
        assert!(publisher.ended().is_none(), "{}", publisher.errors());
        assert!(begun.elapsed() < PATIENCE, "no picture came");
    }
    let mut players = Vec::new();
    for name in ["ffmpeg", "rtmpdump"].into_iter().filter(|name| is_installed(name)) {
        let file = folder.path().join(name).with_extension("flv");
        let path = file.to_str().expect("a plain path");
        let arguments: &[&str] = match name {
            "ffmpeg" => &["-v", "error", "-nostdin", "-i", &url, "-c", "copy", path],
            _ => &["-q", "-r", &url, "--live", "-o", path],
        };
        players.push((name, Program::start(name, arguments), file));
    }
    assert!(publisher.wait(&mut || toy.step()).success(), "{}", publisher.errors());
    for (name, mut player, file) in players {
        let status = player.wait(&mut || toy.step());
        assert!(status.success(), "{name}: {status} {}", player.errors());
        let streams = streams(&file);
        let [(sound, packets), (pictures, frames)] = &streams[..] else { panic!("{name}: {streams:?}") };
        assert_eq!((sound.as_str(), pictures.as_str()), ("aac", "h264"), "{name}");
        // at least two of the four or five seconds that were left when it joined
        assert!(*frames >= 50 && *packets >= 86, "{name}: {streams:?}");
    }
    assert!(toy.ends.iter().all(|reason| reason == "ended"), "{:?}", toy.ends);
}

#[test]
fn ffmpeg_gives_up_on_a_wrong_key_and_a_missing_stream_and_says_why() {
    if !is_installed("ffmpeg") {
        return;
    }
    let mut toy = Toy::new();
    let url = format!("rtmp://{}/live", toy.address());
    let mut publisher = publish(&format!("{url}/tea?key=wrong"), "60");
    assert!(!publisher.wait(&mut || toy.step()).success());
    let errors = publisher.errors();
    assert!(errors.contains("wrong key"), "{errors}");
    let mut player =
        Program::start("ffmpeg", &["-v", "error", "-i", &format!("{url}/none"), "-f", "null", "-"]);
    assert!(!player.wait(&mut || toy.step()).success());
    let errors = player.errors();
    assert!(errors.contains("no such stream"), "{errors}");
}
