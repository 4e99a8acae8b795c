//! Files that the server plays by itself: as a mount, and while a mount's source is away.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Serve, clip, codecs, decode, eventually, http, push};
use std::time::{Duration, Instant};

#[test]
fn one_command_serves_a_file_in_a_loop() -> Result<()> {
    let file = clip("testcard.ogv");
    let server = Serve::start(&["--mount", &format!("BBB.ogv={}", file.display())])?;
    server.wait_live("/BBB.ogv")?;
    let began = Instant::now();
    let mut listener = http::Listener::open(&server.url("/BBB.ogv"), "")?;
    let whole = std::fs::metadata(&file)?.len() as usize;
    while listener.body.len() < whole + whole / 8 {
        ensure!(listener.more()?, "the stream ended");
    }
    // nine seconds of media, four of which may come at once
    let took = began.elapsed();
    ensure!((Duration::from_secs(4)..Duration::from_secs(15)).contains(&took), "paced, not {took:?}");
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("a.ogv");
    std::fs::write(&copy, &listener.body)?;
    ensure!(codecs(&copy)? == ["theora", "vorbis"]);
    let complaints = decode(&copy)?;
    // the cut at the end is ours
    ensure!(complaints.lines().all(|line| line.contains("End of file")), "{complaints}");
    let status = http::get(&server.url("/status-json.xsl"))?.json()?;
    ensure!(status["icestats"]["source"]["title"] == "Test card", "{status}");
    Ok(())
}

#[test]
fn a_mount_of_files_is_not_for_sources() -> Result<()> {
    let server = Serve::start(&["--mount", &format!("/a.mp3={}", clip("chords.mp3").display())])?;
    server.wait_live("/a.mp3")?;
    let mut refused = kit::levada();
    let out = refused.arg("push").arg(clip("chords.mp3")).arg(server.source("/a.mp3")).output()?;
    let said = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.code() == Some(4) && said.contains("Mountpoint in use"), "{said}");
    Ok(())
}

#[test]
fn a_fallback_file_plays_only_while_it_is_needed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("levada.toml");
    let file = clip("speech.opus");
    std::fs::write(
        &config,
        format!("[[mount]]\nname = '/live.opus'\nfallback_file = '{}'\n", file.display()),
    )?;
    let server = Serve::start(&["--config", config.to_str().context("UTF-8")?])?;
    ensure!(sources(&server)? == 0, "nobody listens, so nothing plays");

    let mut listener = http::Listener::open(&server.url("/live.opus"), "")?;
    listener.until("the fallback", |body| body.len() > 10_000)?;
    ensure!(listener.body.starts_with(b"OggS"));
    let source = push(&server, "speech.opus", "/live.opus")?;
    eventually("the fallback to rest", || Ok((sources(&server)? == 1).then_some(())))?;
    let heard = listener.body.len();
    listener.until("the live source", |body| body.len() > heard + 20_000)?;

    drop(source);
    let heard = listener.body.len();
    listener.until("the fallback again", |body| body.len() > heard + 20_000)?;
    let count = listener.body.windows(8).filter(|window| window == b"OpusHead").count();
    ensure!(count == 3, "fallback, source and fallback each begin with their header: {count}");
    drop(listener);
    eventually("the fallback to rest", || Ok((sources(&server)? == 0).then_some(())))
}

/// Sources connected now, internal ones included.
fn sources(server: &Serve) -> Result<u64> {
    let metrics = http::get(&server.url("/metrics"))?.text();
    let line = metrics.lines().find(|line| line.starts_with("levada_sources ")).context(metrics.clone())?;
    Ok(line.rsplit(' ').next().context("no number")?.parse::<f64>()? as u64)
}
