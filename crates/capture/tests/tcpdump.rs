//! Our filters and tcpdump's: the same words choose the same packets.

use anyhow::{Context, Result, ensure};
use etherparse::PacketBuilder;
use levada_capture::pcap::{Precision, Writer};
use levada_capture::{Filter, Headers, InterfaceId, LinkType, Packet};
use std::process::Command;
use std::time::Duration;

#[test]
fn the_same_words_choose_the_same_packets_as_tcpdump() -> Result<()> {
    let frames = frames()?;
    let desk = tempfile::tempdir()?;
    let file = desk.path().join("sample.pcap");
    let mut writer = Writer::new(Vec::new(), LinkType::ETHERNET, Precision::Micro, 0)?;
    for (number, frame) in frames.iter().enumerate() {
        writer.packet(&Packet::new(InterfaceId(0), Duration::from_secs(number as u64), frame))?;
    }
    std::fs::write(&file, writer.into_inner())?;
    for filter in FILTERS {
        let ours: Filter = filter.parse()?;
        let chosen = |(number, frame): (usize, &Vec<u8>)| {
            let headers = Headers::of(LinkType::ETHERNET, frame);
            ours.matches(&headers, frame.len() as u32).then_some(number)
        };
        let ours: Vec<usize> = frames.iter().enumerate().filter_map(chosen).collect();
        let out = Command::new("tcpdump").args(["-n", "-tt", "-q", "-r"]).arg(&file).arg(filter).output();
        let out = out.context("tcpdump")?;
        ensure!(out.status.success(), "{filter}: {}", String::from_utf8_lossy(&out.stderr));
        let shown = String::from_utf8_lossy(&out.stdout);
        let seconds = shown.lines().filter(|line| !line.starts_with(['\t', ' ']));
        let theirs: Vec<usize> = seconds
            .map(|line| Ok(line.split('.').next().unwrap_or_default().parse()?))
            .collect::<Result<_>>()?;
        ensure!(ours == theirs, "{filter}: we chose {ours:?}, tcpdump {theirs:?}");
    }
    Ok(())
}

#[test]
fn what_we_refuse_tcpdump_refuses_too() -> Result<()> {
    for filter in [
        "prot 80",
        "port 70000",
        "net 10.0.0.1/8",
        "tcp and",
        "(tcp",
        "tcp)",
        "less many",
        "icmp port 5",
        "host",
    ] {
        ensure!(filter.parse::<Filter>().is_err(), "we took {filter}");
        let out = Command::new("tcpdump").args(["-d", "-y", "EN10MB", filter]).output()?;
        ensure!(!out.status.success(), "tcpdump took {filter}");
    }
    Ok(())
}

/// Every protocol, both versions of IP, several hosts, ports and lengths; a fragment, ARP, a broadcast.
fn frames() -> Result<Vec<Vec<u8>>> {
    let ether = || PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let v4 = |from: u8, to: u8| ether().ipv4([10, 0, 0, from], [10, 0, 1, to], 64);
    let v6 = |from: u8, to: u8| {
        let host = |last| [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
        ether().ipv6(host(from), host(to), 64)
    };
    let mut frames = Vec::new();
    for (from, to) in [(1, 2), (2, 1), (3, 130)] {
        for port in [53, 80, 443, 1935, 5004] {
            let payload = vec![7; usize::from(port) % 1200];
            let mut four = Vec::new();
            let mut six = Vec::new();
            if port % 2 == 1 {
                v4(from, to).tcp(40000, port, 1, 1000).write(&mut four, &payload)?;
                v6(from, to).udp(port, 40001).write(&mut six, &payload)?;
            } else {
                v4(from, to).udp(port, 40000).write(&mut four, &payload)?;
                v6(from, to).tcp(40001, port, 1, 1000).write(&mut six, &payload)?;
            }
            frames.extend([four, six]);
        }
    }
    let mut frame = Vec::new();
    v4(9, 9).icmpv4_echo_request(1, 1).write(&mut frame, b"ping")?;
    frames.push(std::mem::take(&mut frame));
    v6(9, 9).icmpv6_echo_request(1, 1).write(&mut frame, b"ping")?;
    frames.push(std::mem::take(&mut frame));
    frames.push(arp()?);
    // a later fragment has no ports, a first one has
    for (offset, more) in [(0u16, true), (100, false)] {
        v4(1, 2).udp(53, 1935).write(&mut frame, &[1; 64])?;
        let flags = (offset / 8) | if more { 0x2000 } else { 0 };
        frame[20..22].copy_from_slice(&flags.to_be_bytes());
        frames.push(std::mem::take(&mut frame));
    }
    let mut broadcast = frames[0].clone();
    broadcast[..6].fill(0xff);
    frames.push(broadcast);
    Ok(frames)
}

fn arp() -> Result<Vec<u8>> {
    let mut frame = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6];
    frame.extend_from_slice(&[
        0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 1, 2,
    ]);
    Ok(frame)
}

const FILTERS: &[&str] = &[
    "tcp",
    "udp",
    "ip",
    "ip6",
    "arp",
    "icmp",
    "icmp6",
    "port 1935",
    "port domain or 80",
    "src port 53",
    "dst port 53",
    "src or dst port 53",
    "src and dst port 53",
    "tcp port 53",
    "udp dst port 1935",
    "ip6 and port 80",
    "portrange 50-100",
    "tcp dst portrange 400-2000",
    "host 10.0.0.1",
    "src host 10.0.0.1",
    "dst host 10.0.1.2 and tcp",
    "host fd00::1",
    "ip host 10.0.0.1",
    "arp host 10.0.0.1",
    "src 10.0.0.2",
    "net 10",
    "net 10.0.1",
    "net 10.0.1.0/25",
    "dst net 10.0.1.128/25",
    "net 10.0.1.0 mask 255.255.255.0",
    "net fd00::/16",
    "not tcp",
    "! tcp && ! udp",
    "tcp or udp and port 80",
    "tcp or (udp and port 80)",
    "not (tcp or udp)",
    "not port 80 and not 443",
    "port (80 or 443)",
    "tcp port 80 or 443 or host 10.0.0.3",
    "less 100",
    "greater 500",
    "greater 100 and less 500",
    "ip proto 17",
    "ip proto \\tcp",
    "ip6 proto 17",
    "proto 6",
    "ether host 02:00:00:00:00:02",
    "ether src 02:00:00:00:00:01",
    "ether dst ff:ff:ff:ff:ff:ff",
    "ether broadcast",
    "broadcast or icmp",
    "ether proto 0x806",
    "ether proto \\ip6",
];
