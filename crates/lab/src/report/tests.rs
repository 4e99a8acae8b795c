//! Reports of captures that are made here, and what must be in them.

use super::*;
use crate::report::{Captures, Choice};
use anyhow::{Result, ensure};
use etherparse::PacketBuilder;
use levada_capture::pcapng::{About, Writer};
use levada_capture::{Direction, Interface, Packet, Verdict};
use levada_link::{Link, Outcome};

/// A stream of datagrams over an emulated link whose rate and delay change, captured at both ends.
pub(crate) fn emulated(count: u32) -> Result<Vec<u8>> {
    let mut capture = Writer::new(Vec::new(), &About::default())?;
    let server =
        capture.interface(&Interface { speed: Some(10_000_000), ..Interface::ethernet("server-eth0") })?;
    let client = capture.interface(&Interface::ethernet("client-eth0"))?;
    let mut link = Link::new(&"rate=10mbit delay=10ms±2ms loss=0.5% queue=60ms".parse()?, 42)?;
    let mut frames: Vec<Vec<u8>> = Vec::new();
    let mut now = Duration::ZERO;
    let poll = |link: &mut Link, now, frames: &[Vec<u8>], capture: &mut Writer<Vec<u8>>| -> Result<()> {
        while let Some(outcome) = link.poll(now) {
            let Outcome::Delivered(packet) = outcome else { continue };
            let frame = &frames[packet.ticket as usize];
            let id = Some(packet.ticket.into());
            capture.packet(&Packet {
                id,
                direction: Some(Direction::In),
                ..Packet::new(client, packet.at, frame)
            })?;
        }
        Ok(())
    };
    for number in 0..count {
        // pictures in bursts, sound in between
        now += Duration::from_micros(if number % 12 < 9 { 150 } else { 11_000 });
        if number == count / 3 {
            link.change(now, &"rate=2mbit delay=40ms queue=200ms".parse()?)?;
            capture.note(now, "core: rate=2mbit delay=40ms queue=200ms")?;
        }
        if number == 2 * count / 3 {
            link.change(now, &"rate=20mbit delay=10ms±5ms order=free".parse()?)?;
            capture.note(now, "core: rate=20mbit delay=10ms±5ms order=free")?;
        }
        poll(&mut link, now, &frames, &mut capture)?;
        let mut frame = Vec::new();
        PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
            .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .udp(5004, 5004)
            .write(&mut frame, &vec![number as u8; if number % 12 < 9 { 1200 } else { 300 }])?;
        let entry = link.push(now, number, frame.len() as u32);
        let packet = Packet {
            id: Some(number.into()),
            direction: Some(Direction::Out),
            verdict: entry.refused.map(|_| Verdict::Dropped),
            comment: entry.refused.map(|why| format!("dropped: {}", why.word()).into()),
            ..Packet::new(server, now, &frame)
        };
        capture.packet(&packet)?;
        frames.push(frame);
    }
    poll(&mut link, now + Duration::from_secs(10), &frames, &mut capture)?;
    Ok(capture.into_inner())
}

fn report_of(file: &[u8], level: Level) -> Result<Report> {
    let desk = tempfile::tempdir()?;
    let path = desk.path().join("lab.pcapng");
    std::fs::write(&path, file)?;
    let mut captures = Captures::open(&Choice { server: path, ..Choice::default() })?;
    captures.read()?;
    Ok(Report::of(&captures.subject("a test".into(), level, None)))
}

#[test]
fn a_report_has_every_figure_and_needs_no_other_file() -> Result<()> {
    let report = report_of(&emulated(3000)?, Level::Packets)?;
    let names: Vec<&str> = report.figures.iter().map(|figure| figure.name).collect();
    ensure!(
        names == ["gaps-log", "gaps-linear", "ecdf", "gaps-over-time", "delay", "rate", "fates", "jitter"],
        "{names:?}"
    );
    ensure!(
        !report.html.contains("http://")
            || report.html.matches("http://").count() == report.html.matches("http://www.w3.org").count()
    );
    ensure!(!report.html.contains("https://") && !report.html.contains("src="));
    // the change of the link is in every figure over time, and in the list
    ensure!(report.html.matches("core: rate=2mbit delay=40ms queue=200ms").count() >= 5);
    for svg in &report.svgs {
        ensure!(
            svg.starts_with("<svg")
                && svg.contains("viewBox")
                && !svg.contains("NaN")
                && !svg.contains("inf")
        );
    }
    Ok(())
}

#[test]
fn its_numbers_are_those_of_the_link() -> Result<()> {
    let file = emulated(3000)?;
    let report = report_of(&file, Level::Packets)?;
    let summary = &report.summaries[0];
    ensure!(summary.sent.0 == 3000 && summary.sent.0 == summary.arrived.0 + summary.lost, "{summary:?}");
    ensure!(summary.lost > 5 && summary.extra == 0);
    // nothing is faster than the delay without its jitter
    ensure!(summary.delay.min >= 5_000_000 && summary.delay.max < 300_000_000, "{:?}", summary.delay);
    ensure!(summary.reordering.reordered > 0);
    // a packet of 1242 bytes takes 4.968 ms at 2 Mbit/s
    ensure!(summary.arrival.p95 > 1_000_000 && summary.jitter > 0.0);
    Ok(())
}

#[test]
fn half_a_capture_makes_a_report_and_says_so() -> Result<()> {
    let file = emulated(900)?;
    let half = report_of(&file[..file.len() / 2], Level::Packets)?;
    ensure!(half.html.contains("ends in the midst of a packet"));
    ensure!(half.summaries[0].sent.0 > 300 && half.figures.len() == 8);
    let nothing = report_of(&file[..9], Level::Packets)?;
    ensure!(nothing.figures.is_empty() && nothing.html.contains("There is nothing to show"));
    Ok(())
}

#[test]
fn a_run_that_is_invalid_says_so_first() -> Result<()> {
    let trace = Trace::default();
    let subject = Subject {
        title: "late <engine>".into(),
        server: &trace,
        client: None,
        names: ["a".into(), "b".into()],
        notes: &[],
        speed: None,
        level: Level::Packets,
        about: Vec::new(),
        fidelity: Some(Fidelity::Invalid("lateness p99 3 ms, bound 0.5 ms".into())),
    };
    let html = Report::of(&subject).html;
    ensure!(html.contains("<b>INVALID.</b> lateness p99 3 ms") && html.contains("late &lt;engine&gt;"));
    Ok(())
}

#[test]
fn notes_tell_the_rate_in_either_spelling() {
    assert_eq!(rate_of("core: rate=2mbit delay=80ms"), Some(Some(2e6)));
    assert_eq!(rate_of("tbf rate 200kbit burst 1024kbit limit 1024kbit"), Some(Some(2e5)));
    assert_eq!(
        rate_of("tc qdisc add dev s1-eth2 root tbf rate 100kbit burst 128kbit limit 128kbit"),
        Some(Some(1e5))
    );
    assert_eq!(rate_of("core: perfect"), Some(None));
    assert_eq!(rate_of("core: delay=80ms"), None);
    assert_eq!(rate_of("somebody sneezed"), None);
}

#[test]
fn files_lie_beside_the_page_and_pictures_are_pictures() -> Result<()> {
    let report = report_of(&emulated(600)?, Level::Packets)?;
    let desk = tempfile::tempdir()?;
    let folder = desk.path().join("run/report");
    let files = report.save(&folder, true)?;
    ensure!(files.len() == 2 + 2 * report.figures.len() && files.iter().all(|file| file.exists()));
    let png = std::fs::read(folder.join("delay.png"))?;
    ensure!(png.starts_with(b"\x89PNG") && png.len() > 10_000);
    let metrics: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("metrics.json"))?)?;
    ensure!(metrics[0]["level"] == "packets" && metrics[0]["delay"]["count"].as_u64() > Some(400));
    if let Some(kept) = std::env::var_os("LEVADA_KEEP_REPORT") {
        report.save(FilePath::new(&kept), true)?;
    }
    Ok(())
}
