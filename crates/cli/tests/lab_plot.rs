//! `levada lab plot` and `levada lab replay`: captures in, captures and pictures out.

use anyhow::{Context, Result, ensure};
use levada_capture::pcap::{Precision, Writer};
use levada_capture::{InterfaceId, LinkType, Packet};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use std::{fs, thread};

#[test]
fn a_capture_goes_over_a_link_and_the_page_says_what_the_link_did() -> Result<()> {
    let desk = tempfile::tempdir()?;
    let at = |name: &str| desk.path().join(name);
    fs::write(at("in.pcap"), capture(400)?)?;
    let words = "rate=2mbit delay=40ms queue=100ms loss=2%";
    let out =
        levada(&["lab", "replay", path(&at("in.pcap"))?, "--link", words, "-o", path(&at("both.pcapng"))?])?;
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    ensure!(out.status.success() && said.contains("400 sent"), "{said}");
    let shown = Command::new("tshark")
        .args(["-r", path(&at("both.pcapng"))?, "-T", "fields", "-e", "frame.comment"])
        .output()?;
    let warned = String::from_utf8_lossy(&shown.stderr).lines().filter(|l| !l.contains("dangerous")).count();
    ensure!(shown.status.success() && warned == 0, "{shown:?}");
    let dropped = String::from_utf8_lossy(&shown.stdout).matches("dropped: ").count();
    ensure!(dropped > 0, "nothing was dropped");

    let (both, folder) = (at("both.pcapng"), at("report"));
    let out = levada(&["--json", "lab", "plot", path(&both)?, "-o", path(&folder)?, "--no-png"])?;
    ensure!(out.status.success(), "{out:?}");
    let figures: serde_json::Value = serde_json::from_slice(&out.stdout)?;
    ensure!(figures[0]["sent"][0] == 400 && figures[0]["lost"] == dropped as u64, "{figures}");
    ensure!(figures[0]["delay"]["min"].as_u64() >= Some(40_000_000), "{figures}");
    let page = fs::read_to_string(at("report/report.html"))?;
    ensure!(page.contains("<svg") && page.contains(&format!("lost: {dropped}")));
    ensure!(at("report/gaps-log.svg").exists() && at("report/metrics.json").exists());
    Ok(())
}

#[test]
fn two_foreign_captures_find_each_other() -> Result<()> {
    let desk = tempfile::tempdir()?;
    let at = |name: &str| desk.path().join(name);
    fs::write(at("server.pcap"), capture(100)?)?;
    let [server, client] = [path(&at("server.pcap"))?.to_string(), path(&at("client.pcap"))?.to_string()];
    ensure!(levada(&["lab", "replay", &server, "--link", "delay=30ms", "-o", &client])?.status.success());
    let folder = at("report");
    let args = [
        "--json",
        "lab",
        "plot",
        &server,
        &client,
        "-o",
        path(&folder)?,
        "--filter",
        "udp dst port 5004",
        "--no-png",
    ];
    let out = levada(&args)?;
    let figures: serde_json::Value = serde_json::from_slice(&out.stdout)?;
    // half of them go to that port
    ensure!(figures[0]["sent"][0] == 50 && figures[0]["lost"] == 0, "{figures}");
    ensure!(figures[0]["delay"]["p50"] == 30_000_000, "{figures}");
    Ok(())
}

#[test]
fn a_page_follows_a_capture_that_grows() -> Result<()> {
    let desk = tempfile::tempdir()?;
    let (growing, folder) = (desk.path().join("growing.pcap"), desk.path().join("report"));
    let whole = capture(200)?;
    let (first, rest) = whole.split_at(whole.len() / 2);
    fs::write(&growing, first)?;
    let mut plot = Command::new(env!("CARGO_BIN_EXE_levada"))
        .args([
            "lab",
            "plot",
            path(&growing)?,
            "-o",
            path(&folder)?,
            "--no-png",
            "--follow",
            "--every",
            "100ms",
        ])
        .args(["--idle", "3s"])
        .spawn()?;
    let packets = || -> Option<u64> {
        let metrics: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join("metrics.json")).ok()?).ok()?;
        metrics[0]["sent"][0].as_u64()
    };
    let seen = until(|| packets().filter(|packets| *packets > 0)).context("no page came")?;
    ensure!(seen < 200, "{seen} of 200 packets in half of the capture");
    fs::write(desk.path().join("rest"), rest)?;
    let mut file = fs::OpenOptions::new().append(true).open(&growing)?;
    std::io::Write::write_all(&mut file, rest)?;
    until(|| packets().filter(|packets| *packets == 200)).context("the page did not grow")?;
    ensure!(plot.wait()?.success());
    Ok(())
}

#[test]
fn what_is_typed_wrong_is_told_with_its_place() -> Result<()> {
    let desk = tempfile::tempdir()?;
    let file = desk.path().join("in.pcap");
    fs::write(&file, capture(3)?)?;
    let file = path(&file)?;
    for (args, said) in [
        (
            vec!["lab", "plot", file, "--filter", "prot 80"],
            "column 1: \"prot\" is no word of a filter; did you mean \"port\"?",
        ),
        (vec!["lab", "plot", file, "--level", "frames"], "it is packets, data, chunks or messages"),
        (vec!["lab", "replay", file, "--link", "rate=fast", "-o", "/dev/null"], "--link: rate"),
    ] {
        let out = levada(&args)?;
        let error = String::from_utf8_lossy(&out.stderr);
        ensure!(out.status.code() == Some(2) && error.contains(said), "{args:?}: {error}");
    }
    let nothing = desk.path().join("nothing");
    fs::write(&nothing, "this is text\n")?;
    let out = levada(&["lab", "plot", path(&nothing)?])?;
    ensure!(
        out.status.code() == Some(1)
            && String::from_utf8_lossy(&out.stderr).contains("neither pcap nor pcapng")
    );
    Ok(())
}

/// So many datagrams of a kilobyte, one every five milliseconds, to two ports in turn.
fn capture(count: u64) -> Result<Vec<u8>> {
    let mut writer = Writer::new(Vec::new(), LinkType::ETHERNET, Precision::Nano, 0)?;
    for number in 0..count {
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
        let id = (number as u16).to_be_bytes();
        frame.extend_from_slice(&[0x45, 0, 4, 0, id[0], id[1], 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend_from_slice(&[0x13, 0x8c, 0x13, 0x8c - (number % 2) as u8, 3, 236, 0, 0]);
        frame.extend_from_slice(&number.to_be_bytes());
        frame.resize(14 + 1024, 7);
        let at = Duration::from_secs(1_700_000_000) + Duration::from_millis(5 * number);
        writer.packet(&Packet::new(InterfaceId(0), at, &frame))?;
    }
    Ok(writer.into_inner())
}

fn levada(args: &[&str]) -> Result<Output> {
    Ok(Command::new(env!("CARGO_BIN_EXE_levada")).args(args).output()?)
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no text")
}

/// Asks until there is an answer, at most half a minute.
fn until<T>(ask: impl Fn() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30) {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        thread::sleep(Duration::from_millis(20));
    }
    None
}
