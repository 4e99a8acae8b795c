//! ffmpeg and ffprobe, which must be there: without them these tests fail.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// Plays each of `streams` to its end, two at a time; gives what the program had to say about those that it
/// did not play in silence.
pub fn complaints(program: &[&str], streams: Vec<(String, Vec<u8>)>) -> Vec<String> {
    let (left, said) = (Mutex::new(streams), Mutex::new(Vec::new()));
    let work = || {
        while let Some((name, bytes)) = { left.lock().unwrap().pop() } {
            let (ok, _, words) = run(program, &bytes);
            if !ok || !words.trim().is_empty() {
                said.lock().unwrap().push(format!("{name}: {words}"));
            }
        }
    };
    std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(work))));
    said.into_inner().unwrap()
}

/// What a program says on stdout when it is fed `bytes`; it must have no complaint.
pub fn output(program: &[&str], bytes: &[u8]) -> Vec<u8> {
    let (ok, output, words) = run(program, bytes);
    assert!(ok && words.trim().is_empty(), "{program:?}: {words}");
    output
}

fn run(program: &[&str], bytes: &[u8]) -> (bool, Vec<u8>, String) {
    let mut child = Command::new(program[0])
        .args(&program[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|why| panic!("{} is needed for this test: {why}", program[0]));
    let mut input = child.stdin.take().unwrap();
    let result = std::thread::scope(|scope| {
        // a program that has heard enough closes its end: that is for its exit status to say
        scope.spawn(move || drop(input.write_all(bytes)));
        child.wait_with_output().unwrap()
    });
    (result.status.success(), result.stdout, String::from_utf8_lossy(&result.stderr).into_owned())
}

/// Decodes everything and throws it away.
pub const PLAY: &[&str] =
    &["ffmpeg", "-nostdin", "-guess_layout_max", "0", "-v", "warning", "-i", "-", "-f", "null", "-"];
/// Lists every packet: track, time, duration, size, flags.
pub const PACKETS: &[&str] = &[
    "ffprobe",
    "-v",
    "fatal",
    "-show_entries",
    "packet=stream_index,pts,duration,size,flags",
    "-of",
    "csv=p=0",
    "-",
];
/// Decodes to samples.
pub const PCM: &[&str] = &["ffmpeg", "-nostdin", "-v", "warning", "-i", "-", "-f", "s16le", "-"];
/// Decodes Vorbis to samples with libvorbis.
pub const OGGDEC: &[&str] = &["oggdec", "-Q", "-R", "-o", "-", "-"];
/// Says what is playing.
pub const TITLE: &[&str] =
    &["ffprobe", "-v", "warning", "-show_entries", "stream_tags=title", "-of", "csv=p=0", "-"];
