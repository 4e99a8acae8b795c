//! A mount that is always on: its slate while the source is away, and every output goes on over the change.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Program, Serve, clip, codecs, eventually, http, levada, programs::Desk};
use std::{path::Path, process::Command};

fn serve(desk: &Desk) -> Result<(Serve, String)> {
    let config = desk.write(
        "slate.toml",
        &format!("[[mount]]\nname = '/live/tea'\nalways_on = '{}'\n", clip("testcard.flv").display()),
    )?;
    let mut server = Serve::with(|command| {
        command.args(["--rtmp", "127.0.0.1:0", "--config"]).arg(&config);
    })?;
    let rtmp = server.program.wait_for("serving on rtmp://")?.trim_end_matches('/').to_owned();
    Ok((server, rtmp))
}

/// Times of the packets of a track in a file, in the order of the file.
fn times(file: &Path, track: &str) -> Result<Vec<f64>> {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", track, "-show_entries", "packet=dts_time", "-of", "csv=p=0"])
        .arg(file)
        .output()?;
    let text = String::from_utf8_lossy(&out.stdout);
    Ok(text.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect())
}

#[test]
fn every_output_goes_on_while_the_source_comes_and_goes() -> Result<()> {
    let desk = Desk::new()?;
    let (server, rtmp) = serve(&desk)?;
    let source = |color: &str| -> Result<Program> {
        let mut command = Command::new("ffmpeg");
        let picture = format!("color={color}:size=320x180:rate=25");
        command.args(["-v", "error", "-re", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", "sine=440"]);
        command.args([
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-g",
            "25",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
        ]);
        Program::start(command.args(["-f", "flv"]).arg(format!("rtmp://{rtmp}/live/tea?key=hush")))
    };
    // nobody has ever fed it, and it plays
    let (by_rtmp, by_http) = (desk.path("rtmp.flv"), desk.path("http.flv"));
    let mut players = Vec::new();
    for (url, file) in
        [(format!("rtmp://{rtmp}/live/tea"), &by_rtmp), (server.url("/live/tea.flv"), &by_http)]
    {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-i", &url, "-t", "12", "-c", "copy", "-y"]).arg(file);
        players.push(Program::start(&mut command)?);
    }
    let list = || -> Result<String> { Ok(http::get(&server.url("/live/tea/index.m3u8"))?.text()) };
    let is_fed = |wanted: bool| {
        eventually(if wanted { "the source" } else { "the source's end" }, || {
            let view = http::get(&server.url("/api/v1/mounts/live%2Ftea"))?.text();
            Ok((view.contains("\"live\":true") == wanted).then_some(()))
        })
    };
    let discontinuities = |wanted: usize| {
        eventually("a discontinuity in the playlist", || {
            let list = media_list(&server, &list()?)?;
            Ok((list.matches("#EXT-X-DISCONTINUITY\n").count() >= wanted).then_some(()))
        })
    };
    eventually("segments of the slate", || Ok(list()?.contains("#EXTM3U").then_some(())))?;
    let encoder = source("red")?;
    is_fed(true)?;
    discontinuities(1)?;
    drop(encoder);
    is_fed(false)?;
    discontinuities(2)?;
    for player in &mut players {
        let (good, said) = player.wait()?;
        ensure!(good, "{said}");
    }
    for file in [&by_rtmp, &by_http] {
        ensure!(codecs(file)? == ["h264", "aac"], "{:?}", codecs(file)?);
        for track in ["v", "a"] {
            let times = times(file, track)?;
            ensure!(times.is_sorted(), "backwards: {track} of {}: {times:?}", file.display());
            let (first, last) = (times.first().context("none")?, times.last().context("none")?);
            ensure!(last - first > 9.0, "{track} of {}: {first} to {last}", file.display());
        }
    }
    Ok(())
}

/// The playlist with the segments, where the first one only names it.
fn media_list(server: &Serve, list: &str) -> Result<String> {
    let named = list.lines().find(|line| !line.starts_with('#') && line.contains(".m3u8"));
    Ok(match named {
        Some(name) => http::get(&server.url(&format!("/live/tea/{name}")))?.text(),
        None => list.to_owned(),
    })
}

#[test]
fn a_slate_that_does_not_fit_is_refused_with_a_reason() -> Result<()> {
    let desk = Desk::new()?;
    let (flv, mp3) = (clip("testcard.flv"), clip("chords.mp3"));
    for (slate, more, why) in [
        (&mp3, format!("file = '{}'", flv.display()), "players cannot change between them"),
        (&flv, "content_type = 'audio/mpeg'".to_owned(), "content_type says otherwise"),
        (&flv, format!("fallback_file = '{}'", flv.display()), "exclude each other"),
    ] {
        let text = format!("[[mount]]\nname = '/a'\nalways_on = '{}'\n{more}\n", slate.display());
        let out = levada().arg("check-config").arg(desk.write("wrong.toml", &text)?).output()?;
        let said = String::from_utf8_lossy(&out.stderr);
        ensure!(out.status.code() == Some(3) && said.contains(why), "{said}");
        std::fs::remove_file(desk.path("wrong.toml"))?;
    }
    // a source of another container is told so
    let (server, _) = serve(&desk)?;
    let out = levada().arg("push").arg(&mp3).arg(server.source("/live/tea")).output()?;
    let said = String::from_utf8_lossy(&out.stderr);
    ensure!(!out.status.success() && said.contains("always_on clip is video/x-flv"), "{said}");
    Ok(())
}
