//! What Wireshark's programs and tcpdump make of our captures, and we of theirs.

use anyhow::{Context, Result, ensure};
use levada_capture::pcap::{self, Precision};
use levada_capture::pcapng::{About, Statistics, Writer};
use levada_capture::{Direction, Interface, InterfaceId, Item, LinkType, Packet, Reader, Verdict};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

#[test]
fn tshark_shows_all_that_we_know_of_a_packet_and_complains_of_nothing() -> Result<()> {
    let desk = tempfile::tempdir()?;
    let file = desk.path().join("lab.pcapng");
    std::fs::write(&file, lab_capture()?)?;
    let shown = tshark(
        &file,
        &["-T", "fields", "-E", "separator=|"],
        &[
            "frame.interface_name",
            "frame.time_epoch",
            "frame.packet_id",
            "frame.packet_flags_direction",
            "frame.verdict.ebpf_tc",
            "frame.drop_count",
            "frame.comment",
            "ip.src_host",
            "udp.dstport",
        ],
    )?;
    ensure!(shown.len() == 4, "{shown:#?}");
    ensure!(shown[0] == "server-eth0|1700000000.000000001|7|0x00000002||||server|1935", "{}", shown[0]);
    ensure!(
        shown[1]
            == "client-eth0|1700000000.010000001|7|0x00000001|||core: rate=2mbit (at 1700000000.005000000)|server|1935",
        "{}",
        shown[1]
    );
    ensure!(
        shown[2] == "server-eth0|1700000000.011000000|8|0x00000002|2||dropped: queue full|server|1935",
        "{}",
        shown[2]
    );
    ensure!(shown[3] == "client-eth0|1700000000.012000000||||3||server|1935", "{}", shown[3]);
    Ok(())
}

#[test]
fn capinfos_reads_the_section_the_interfaces_and_their_counts() -> Result<()> {
    let desk = tempfile::tempdir()?;
    let file = desk.path().join("lab.pcapng");
    std::fs::write(&file, lab_capture()?)?;
    let out = run(Command::new("capinfos").arg(&file))?;
    for wanted in [
        "nanoseconds (9)",
        "server-eth0",
        "seed 42",
        "Number of interfaces in file: 2",
        "Speed = 10000000",
        "port 1935",
    ] {
        ensure!(out.contains(wanted), "{wanted} is missing in {out}");
    }
    Ok(())
}

#[test]
fn a_capture_cut_between_blocks_is_whole_to_tshark() -> Result<()> {
    let desk = tempfile::tempdir()?;
    let file = desk.path().join("growing.pcapng");
    let mut writer = Writer::new(Log::default(), &About::default())?;
    let id = writer.interface(&Interface::ethernet("eth0"))?;
    for second in 0..3 {
        writer.packet(&Packet::new(id, Duration::from_secs(second), &udp()))?;
        writer.note(Duration::from_secs(second), "core: delay=10ms")?;
    }
    for (packets, upto) in [(0, 2), (1, 3), (1, 4), (2, 5), (2, 6), (3, 7)] {
        std::fs::write(&file, writer.get_mut().writes[..upto].concat())?;
        let seen = tshark(&file, &[], &[])?;
        ensure!(seen.len() == packets, "after {upto} writes: {seen:#?}");
    }
    Ok(())
}

#[test]
fn tcpdump_and_tshark_read_our_classic_captures() -> Result<()> {
    let desk = tempfile::tempdir()?;
    for (precision, at) in [(Precision::Micro, "0.000001"), (Precision::Nano, "0.000001002")] {
        let file = desk.path().join("server_out.pcap");
        let mut writer = pcap::Writer::new(Vec::new(), LinkType::ETHERNET, precision, 0)?;
        writer.packet(&Packet::new(InterfaceId(0), Duration::from_nanos(1002), &udp()))?;
        std::fs::write(&file, writer.into_inner())?;
        let out = run(Command::new("tcpdump").args(["-tt", "-n", "-r"]).arg(&file).arg("--nano"))?;
        ensure!(out.starts_with(at) && out.contains("10.0.0.1.5000 > 10.0.0.2.1935: UDP, length 4"), "{out}");
        ensure!(tshark(&file, &["-T", "fields"], &["udp.length"])? == ["12"]);
    }
    Ok(())
}

#[test]
fn we_read_what_editcap_makes_of_our_captures_in_every_format() -> Result<()> {
    let desk = tempfile::tempdir()?;
    let ours = desk.path().join("ours.pcapng");
    std::fs::write(&ours, lab_capture()?)?;
    let before = packets(&ours)?;
    ensure!(before.len() == 4);
    for format in ["pcapng", "pcap", "nsecpcap", "modpcap"] {
        let theirs = desk.path().join(format);
        run(Command::new("editcap").args(["-F", format]).args([&ours, &theirs]))?;
        let after = packets(&theirs)?;
        ensure!(after.len() == before.len(), "{format}: {after:?}");
        for (before, after) in before.iter().zip(&after) {
            let at = if format.ends_with("pcap") && format != "nsecpcap" {
                Duration::from_micros(before.at.as_micros() as u64)
            } else {
                before.at
            };
            ensure!((after.at, &after.bytes, after.length) == (at, &before.bytes, before.length), "{format}");
            if format == "pcapng" {
                // Wireshark 4.0 spoils the verdict when it writes one
                ensure!((after.id, after.direction) == (before.id, before.direction));
                ensure!(after.comment == before.comment);
            }
        }
    }
    Ok(())
}

/// Two ends of one link: a packet that passed, a change, one that did not, one after a gap.
fn lab_capture() -> Result<Vec<u8>> {
    let mut writer =
        Writer::new(Vec::new(), &About { comment: "two-ends, seed 42".into(), ..About::default() })?;
    let filter = Some("port 1935".to_string());
    let speed = Some(10_000_000);
    let server = writer.interface(&Interface { filter, speed, ..Interface::ethernet("server-eth0") })?;
    let client = writer.interface(&Interface::ethernet("client-eth0"))?;
    writer.names([("10.0.0.1".parse()?, "server"), ("10.0.0.2".parse()?, "client")])?;
    let at = |nanos| Duration::from_secs(1_700_000_000) + Duration::from_nanos(nanos);
    let frame = udp();
    let (out, into) = (Some(Direction::Out), Some(Direction::In));
    writer.packet(&Packet { id: Some(7), direction: out, ..Packet::new(server, at(1), &frame) })?;
    writer.note(at(5_000_000), "core: rate=2mbit")?;
    writer.packet(&Packet { id: Some(7), direction: into, ..Packet::new(client, at(10_000_001), &frame) })?;
    writer.packet(&Packet {
        id: Some(8),
        direction: out,
        verdict: Some(Verdict::Dropped),
        comment: Some("dropped: queue full".into()),
        ..Packet::new(server, at(11_000_000), &frame)
    })?;
    writer.packet(&Packet { missed: 3, ..Packet::new(client, at(12_000_000), &frame) })?;
    writer.statistics(server, at(13_000_000), &Statistics { received: 2, missed: 0, accepted: Some(2) })?;
    Ok(writer.into_inner())
}

/// A UDP datagram of four bytes from 10.0.0.1:5000 to 10.0.0.2:1935 in an Ethernet frame.
fn udp() -> Vec<u8> {
    let mut frame = Vec::new();
    etherparse::PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .udp(5000, 1935)
        .write(&mut frame, b"live")
        .expect("a vector takes everything");
    frame
}

fn packets(file: &Path) -> Result<Vec<Packet<'static>>> {
    let mut reader = Reader::new();
    reader.push(&std::fs::read(file)?);
    let mut packets = Vec::new();
    while let Some(item) = reader.poll()? {
        let Item::Packet(packet) = item else { continue };
        let bytes = packet.bytes.into_owned().into();
        let comment = packet.comment.map(|comment| comment.into_owned().into());
        packets.push(Packet { bytes, comment, ..packet });
    }
    ensure!(reader.left() == 0, "{} bytes are left", reader.left());
    Ok(packets)
}

/// The lines that tshark shows of a file, each with these fields; a warning is an error.
fn tshark(file: &Path, args: &[&str], fields: &[&str]) -> Result<Vec<String>> {
    let mut command = Command::new("tshark");
    command.args(["-N", "n"]).arg("-r").arg(file).args(args);
    fields.iter().for_each(|field| {
        command.args(["-e", field]);
    });
    Ok(run(&mut command)?.lines().map(str::to_string).collect())
}

fn run(command: &mut Command) -> Result<String> {
    let out = command.output().with_context(|| format!("{command:?}"))?;
    let said = String::from_utf8_lossy(&out.stderr);
    let said: Vec<&str> = said
        .lines()
        .filter(|line| !line.contains("This could be dangerous") && !line.starts_with("reading from file"))
        .collect();
    ensure!(out.status.success() && said.is_empty(), "{command:?}: {}, {said:?}", out.status);
    Ok(String::from_utf8(out.stdout)?)
}

/// What a writer wrote, call by call.
#[derive(Debug, Default)]
struct Log {
    writes: Vec<Vec<u8>>,
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writes.push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
