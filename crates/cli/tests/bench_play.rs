//! `levada bench play` by every way: each picture's number and clock are found behind whatever carries them.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Program, Serve, levada};
use serde_json::Value;

#[test]
fn every_way_brings_every_picture_with_its_number_and_its_clock() -> Result<()> {
    let mut server = Serve::start(&["--rtmp", "127.0.0.1:0", "--webrtc", "127.0.0.1:0"])?;
    let rtmp = server.program.wait_for("serving on rtmp://")?.trim_end_matches('/').to_owned();
    let key = format!("rtmp://{rtmp}/live/bench?key=hush");
    let _publisher = Program::start(levada().args(["bench", "publish", &key]))?;
    server.wait_live("/live/bench")?;
    for url in [
        format!("rtmp://{rtmp}/live/bench"),
        server.url("/live/bench.flv"),
        server.url("/live/bench/index.m3u8"),
        server.url("/whep/live/bench"),
    ] {
        let play = ["bench", "play", &url, "-n", "3", "--rate", "10", "--settle", "3", "--secs", "2"];
        let out = levada().args(play).output()?;
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        ensure!(out.status.success(), "{url}: {said}");
        let seen: Value = serde_json::from_slice(&out.stdout).with_context(|| format!("{url}: {said}"))?;
        ensure!(seen["alive"] == 3 && seen["bare"] == 0 && seen["backwards"] == 0, "{url}: {seen}");
        ensure!(seen["lost"] == 0, "{url}: {seen}");
        ensure!(seen["frames"].as_u64() > Some(3 * 25), "{url}: {seen}");
        let late = seen["delay"]["p50_ms"].as_f64().context("no delay")?;
        ensure!(late > 0.0 && late < 8_000.0, "{url}: {seen}");
        ensure!(seen["join"]["p50_ms"].as_f64() > Some(0.0), "{url}: {seen}");
        println!("{url}: {seen}");
    }
    Ok(())
}
