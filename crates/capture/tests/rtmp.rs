//! The RTMP in a capture: what ffmpeg sent to a server, cut into segments, some of them lost, late or twice.

use anyhow::{Context, Result, ensure};
use etherparse::PacketBuilder;
use levada_capture::flow::{FlowId, Way};
use levada_capture::path::{Level, Path};
use levada_capture::pcap::{Precision, Writer};
use levada_capture::rtmp_lane::{Ended, Kind};
use levada_capture::trace::Trace;
use levada_capture::{Interface, InterfaceId, LinkType, Packet};
use std::process::Command;
use std::time::Duration;

#[test]
fn messages_are_those_that_tshark_sees() -> Result<()> {
    let frames = conversation(&[])?;
    let (trace, file) = (trace_of(&frames, 0), pcap_of(&frames)?);
    let lane = trace.lane(FlowId(0), Way::Forth).context("no lane")?;
    ensure!(lane.ended().is_none(), "{:?}", lane.ended());
    let desk = tempfile::tempdir()?;
    std::fs::write(desk.path().join("rtmp.pcap"), file)?;
    let out = Command::new("tshark")
        .args([
            "-n",
            "-o",
            "tcp.desegment_tcp_streams:TRUE",
            "-Y",
            "tcp.dstport == 1935 && rtmpt",
            "-T",
            "fields",
        ])
        .args(["-e", "rtmpt.header.typeid", "-e", "rtmpt.header.bodysize", "-r"])
        .arg(desk.path().join("rtmp.pcap"))
        .output()?;
    let theirs = String::from_utf8(out.stdout)?;
    let theirs: Vec<(u8, u32)> = theirs.lines().flat_map(listed).collect();
    let ours: Vec<(u8, u32)> =
        lane.messages().iter().map(|m| (type_of(m.event.kind), m.event.size)).collect();
    // tshark 4.0 overlooks one of those that two segments share
    ensure!(
        ours.len() > 80 && theirs.len() + 1 >= ours.len(),
        "we saw {}, tshark {}",
        ours.len(),
        theirs.len()
    );
    let mut rest = ours.iter();
    for message in &theirs {
        ensure!(
            rest.any(|ours| ours == message || (ours.0 == 0 && ours.1 == message.1)),
            "we miss {message:?}"
        );
    }
    // 1.5 s at 10 pictures a second, a key every five
    let keys = lane.messages().iter().filter(|message| message.event.kind == Kind::Key).count();
    ensure!(keys == 3, "{keys} keys");
    Ok(())
}

#[test]
fn loss_disorder_and_repetition_change_times_but_no_message() -> Result<()> {
    let good = trace_of(&conversation(&[])?, 0);
    let bad = trace_of(&conversation(&[Trouble::Swap(5), Trouble::Twice(7), Trouble::Late(9, 4)])?, 20);
    let [good_lane, bad_lane] =
        [&good, &bad].map(|trace| trace.lane(FlowId(0), Way::Forth).expect("there is a lane"));
    ensure!(good_lane.chunks().len() == bad_lane.chunks().len() && good_lane.chunks().len() > 80);
    let names = |lane: &levada_capture::rtmp_lane::Lane| -> Vec<_> {
        lane.messages().iter().map(|m| (m.event.end, m.event.kind, m.event.size, m.timestamp)).collect()
    };
    ensure!(names(good_lane) == names(bad_lane));
    for level in [Level::Chunks, Level::Messages] {
        let path = Path::between(&good, Some(&bad), level);
        ensure!(path.pairs.len() == path.sent.len() && path.lost.is_empty(), "{level}: {:?}", path.lost);
        let delays: Vec<i64> = path.delays().map(|(_, delay)| delay / 1_000_000).collect();
        // both ways are later by 20 ms: that is the clock
        ensure!(path.clocks.correction == -20_000_000 && delays.iter().min() == Some(&0), "{delays:?}");
        // what waits for the late segment comes with it
        ensure!(delays.iter().filter(|delay| **delay > 2).count() >= 3, "{delays:?}");
        ensure!(path.arrived.iter().all(|event| event.began <= event.at));
    }
    Ok(())
}

#[test]
fn a_lane_says_where_bytes_are_missing() -> Result<()> {
    let trace = trace_of(&conversation(&[Trouble::Lost(6)])?, 0);
    let lane = trace.lane(FlowId(0), Way::Forth).context("no lane")?;
    ensure!(matches!(lane.ended(), Some(Ended::Missing(SEGMENT))), "{:?}", lane.ended());
    ensure!(!lane.messages().is_empty());
    Ok(())
}

/// The types and sizes in a line of tshark's.
fn listed(line: &str) -> Vec<(u8, u32)> {
    let (types, sizes) = line.split_once('\t').unwrap_or_default();
    let types = types
        .split(',')
        .map(|kind| u8::from_str_radix(kind.trim_start_matches("0x"), 16).unwrap_or_default());
    types
        .zip(sizes.split(',').map(|size| size.parse().unwrap_or_default()))
        .filter(|(_, size)| *size > 0)
        .collect()
}

/// Which type it is in RTMP; 0 where there are several.
fn type_of(kind: Kind) -> u8 {
    match kind {
        Kind::Key | Kind::Video => 9,
        Kind::Audio => 8,
        Kind::Data => 18,
        Kind::Command => 20,
        Kind::Control => 0,
    }
}

enum Trouble {
    /// Comes after the next.
    Swap(usize),
    Twice(usize),
    /// Comes so many segments later.
    Late(usize, usize),
    /// Is not in the capture, but was acknowledged.
    Lost(usize),
}

/// What ffmpeg sent to publish, in segments; the server's answers are only acknowledgements.
fn conversation(troubles: &[Trouble]) -> Result<Vec<Vec<u8>>> {
    let sent =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../rtmp/tests/fixtures/ffmpeg_publish.c2s"))?;
    let packet = |back: bool, seq: u32, ack: u32, syn: bool, payload: &[u8]| -> Result<Vec<u8>> {
        let (from, to) = if back { (2, 1) } else { (1, 2) };
        let ip = PacketBuilder::ethernet2([2, 0, 0, 0, 0, from], [2, 0, 0, 0, 0, to]).ipv4(
            [10, 0, 0, from],
            [10, 0, 0, to],
            64,
        );
        let ports = if back { (1935, 40000) } else { (40000, 1935) };
        let tcp = ip.tcp(ports.0, ports.1, seq, 60_000);
        let tcp = if syn { tcp.syn() } else { tcp.psh() };
        let tcp = if syn && !back { tcp } else { tcp.ack(ack) };
        let mut frame = Vec::new();
        tcp.write(&mut frame, payload)?;
        Ok(frame)
    };
    let mut frames = vec![packet(false, 999, 0, true, &[])?, packet(true, 4999, 1000, true, &[])?];
    let mut segments = Vec::new();
    for (number, payload) in sent.chunks(SEGMENT as usize).enumerate() {
        segments.push(packet(false, 1000 + number as u32 * SEGMENT as u32, 5000, false, payload)?);
    }
    for trouble in troubles {
        match *trouble {
            Trouble::Swap(at) => segments.swap(at, at + 1),
            Trouble::Twice(at) => segments.insert(at + 1, segments[at].clone()),
            Trouble::Late(at, by) => {
                let late = segments.remove(at);
                segments.insert(at + by, late);
            }
            Trouble::Lost(at) => {
                segments.remove(at);
            }
        }
    }
    frames.extend(segments);
    frames.push(packet(true, 5000, 1000 + sent.len() as u32, false, &[])?);
    Ok(frames)
}

/// One a millisecond, from `from` ms on.
fn trace_of(frames: &[Vec<u8>], from: u64) -> Trace {
    let mut trace = Trace::default();
    for (frame, at) in frames.iter().zip(from..) {
        trace.push(&Interface::ethernet(""), &Packet::new(InterfaceId(0), Duration::from_millis(at), frame));
    }
    trace
}

fn pcap_of(frames: &[Vec<u8>]) -> Result<Vec<u8>> {
    let mut writer = Writer::new(Vec::new(), LinkType::ETHERNET, Precision::Nano, 0)?;
    for (frame, at) in frames.iter().zip(0..) {
        writer.packet(&Packet::new(InterfaceId(0), Duration::from_millis(at), frame))?;
    }
    Ok(writer.into_inner())
}

const SEGMENT: u64 = 1448;
