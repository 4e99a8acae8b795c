//! A thousand listeners join at random moments, and every one of them decodes cleanly from its first byte.

mod kit;

use anyhow::{Result, ensure};
use kit::{Serve, http, programs::Desk, push};
use levada_media::Format;
use std::{path::Path, process::Command, sync::Mutex, thread, time::Duration};

#[test]
fn a_thousand_random_joins_decode_from_the_first_byte() -> Result<()> {
    let server = Serve::start(&[])?;
    let mut sources = Vec::new();
    for (clip, ..) in CLIPS {
        sources.push(push(&server, clip, &format!("/{clip}"))?);
    }
    let desk = Desk::new()?;
    let work: Vec<(usize, &str, Format)> =
        (0..JOINS).map(|n| (n, CLIPS[n % CLIPS.len()].0, CLIPS[n % CLIPS.len()].1)).collect();
    let bad = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for part in work.chunks(JOINS.div_ceil(HANDS)) {
            let (server, desk, bad) = (&server, &desk, &bad);
            scope.spawn(move || {
                for (number, clip, format) in part {
                    if let Err(why) = join(server, desk, *number, clip, *format) {
                        bad.lock().expect("no hand panics").push(format!("{clip} #{number}: {why:#}"));
                    }
                }
            });
        }
    });
    let bad = bad.into_inner()?;
    ensure!(
        bad.is_empty(),
        "{} of {JOINS} joins do not decode:\n{}",
        bad.len(),
        bad[..bad.len().min(5)].join("\n")
    );
    Ok(())
}

/// Joins, takes what comes at once, cuts it behind the last whole page, and has ffmpeg decode it.
fn join(server: &Serve, desk: &Desk, number: usize, clip: &str, format: Format) -> Result<()> {
    // a step that is no multiple of anything in the clips, so that the joins fall on all moments
    thread::sleep(Duration::from_micros(number as u64 * 7_919 % 23_000));
    let heard = http::listen(&server.url(&format!("/{clip}")), "", 12_000)?;
    let mut cutter = format.cutter();
    cutter.push(&heard.body);
    let whole: Vec<u8> = std::iter::from_fn(|| cutter.poll()).flat_map(|page| page.bytes.to_vec()).collect();
    ensure!(cutter.skipped() == 0, "{} bytes are no part of a page", cutter.skipped());
    let file = desk.path(&format!("{number}-{clip}"));
    std::fs::write(&file, whole)?;
    let said = decode(&file)?;
    ensure!(said.is_empty(), "{said}");
    std::fs::remove_file(file)?;
    Ok(())
}

/// What ffprobe has to say while it decodes every frame; nothing is what we want.
fn decode(file: &Path) -> Result<String> {
    let out =
        Command::new("ffprobe").args(["-v", "warning", "-show_frames", "-of", "flat"]).arg(file).output()?;
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    let said: Vec<_> = said.lines().filter(|line| !line.contains(NO_LENGTH)).collect();
    ensure!(out.status.success(), "{}", said.join("\n"));
    Ok(said.join("\n"))
}

/// True of every bare stream of frames, wherever it begins.
const NO_LENGTH: &str = "Estimating duration from bitrate";
const CLIPS: &[(&str, Format)] = &[
    ("chords.mp3", Format::Mp3),
    ("speech.aac", Format::Adts),
    ("chords.ogg", Format::Ogg),
    ("speech.opus", Format::Ogg),
    ("testcard.ogv", Format::Ogg),
    ("fractal.webm", Format::WebM),
];
const JOINS: usize = 1_000;
const HANDS: usize = 4;
