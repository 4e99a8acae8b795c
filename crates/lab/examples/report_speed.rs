//! How long a report over a million packets takes: `cargo run --release -p levada-lab --example report_speed [PACKETS]`.
//!
//! The packets are those of a TCP stream of 100 Mbit/s that go over an emulated link and are captured at both ends, half
//! of them at each. Everything counts that `levada lab plot` does: reading the file, the figures, the page, SVG and PNG.

use levada_capture::path::Level;
use levada_capture::pcapng::{About, Writer};
use levada_capture::{Direction, Interface, Packet};
use levada_lab::report::{Captures, Choice, Report};
use levada_link::{Link, Outcome};
use std::fs::File;
use std::io::BufWriter;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let packets: u32 = std::env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse())?;
    let folder = std::env::temp_dir().join(format!("levada-report-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("lab.pcapng");
    write(&file, packets / 2)?;
    let size = std::fs::metadata(&file)?.len() / 1_000_000;

    let began = Instant::now();
    let mut captures = Captures::open(&Choice { server: file, ..Choice::default() })?;
    let read = captures.read()?;
    let reading = began.elapsed();
    let report = Report::of(&captures.subject("speed".into(), Level::Packets, None));
    let drawing = began.elapsed() - reading;
    report.save(&folder, true)?;
    let whole = began.elapsed();
    println!("{read} packets, {size} MB, page of {} kB", report.html.len() / 1000);
    println!(
        "read {reading:.2?}, page and SVG {drawing:.2?}, PNG and files {:.2?}: {whole:.2?}",
        whole - reading - drawing
    );
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

/// A stream of segments of 1448 bytes, of which the headers and a few bytes are kept.
fn write(file: &std::path::Path, count: u32) -> Result<(), Box<dyn std::error::Error>> {
    let mut capture = Writer::new(BufWriter::with_capacity(1 << 20, File::create(file)?), &About::default())?;
    let snaplen = 96;
    let server = capture.interface(&Interface { snaplen, ..Interface::ethernet("server-eth0") })?;
    let client = capture.interface(&Interface { snaplen, ..Interface::ethernet("client-eth0") })?;
    let mut link = Link::new(&"rate=150mbit delay=10ms±1ms order=keep loss=0.1%".parse()?, 1)?;
    let mut frame = Vec::new();
    etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .tcp(1935, 40000, 0, 1000)
        .write(&mut frame, &[0; 1448])?;
    let mut now = Duration::ZERO;
    for number in 0..=count {
        now += Duration::from_micros(if number % 20 == 0 { 1160 } else { 60 });
        if number == count {
            now += Duration::from_secs(1);
        }
        while let Some(outcome) = link.poll(now) {
            let Outcome::Delivered(packet) = outcome else { continue };
            stamp(&mut frame, packet.ticket);
            let (id, direction) = (Some(packet.ticket.into()), Some(Direction::In));
            capture.packet(&Packet { id, direction, ..Packet::new(client, packet.at, &frame) })?;
        }
        if number == count {
            break;
        }
        if number % (count / 5).max(1) == 1 {
            capture.note(now, "core: rate=150mbit delay=10ms")?;
        }
        stamp(&mut frame, number);
        link.push(now, number, frame.len() as u32);
        let (id, direction) = (Some(number.into()), Some(Direction::Out));
        capture.packet(&Packet { id, direction, ..Packet::new(server, now, &frame) })?;
    }
    Ok(())
}

/// Puts the sequence number of the `number`th segment into a frame.
fn stamp(frame: &mut [u8], number: u32) {
    frame[38..42].copy_from_slice(&number.wrapping_mul(1448).to_be_bytes());
}
