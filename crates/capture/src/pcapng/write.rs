//! Writes a capture, block by block, so that it can be read while it grows.

use super::{BYTE_ORDER, COMMENT, END, INTERFACE, NAMES, PACKET, SECRETS, SECTION, STATISTICS};
use crate::{Direction, Interface, InterfaceId, Note, Packet, Verdict};
use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

/// Writes a capture.
///
/// Each block is one `write_all`: what was given out so far is a whole file at any time. Behind a `File` every packet
/// is there at once; a `BufWriter` around it holds back whole blocks and saves the system calls.
///
/// ```
/// use levada_capture::{Interface, InterfaceId, Packet, Verdict, pcapng::{About, Writer}};
/// use std::time::Duration;
///
/// let mut capture = Writer::new(Vec::new(), &About::default())?;
/// let server = capture.interface(&Interface::ethernet("server-eth0"))?;
/// let client = capture.interface(&Interface::ethernet("client-eth0"))?;
/// let frame = [0u8; 60];
/// // one packet at both ends has one number
/// capture.packet(&Packet { id: Some(7), ..Packet::new(server, Duration::from_millis(1), &frame) })?;
/// capture.packet(&Packet { id: Some(7), ..Packet::new(client, Duration::from_millis(11), &frame) })?;
/// capture.note(Duration::from_millis(12), "core: rate=2mbit delay=80ms")?;
/// // one that did not arrive is told of where it was sent
/// capture.packet(&Packet {
///     id: Some(8),
///     verdict: Some(Verdict::Dropped),
///     comment: Some("dropped: queue full, 20 packets".into()),
///     ..Packet::new(server, Duration::from_millis(13), &frame)
/// })?;
/// let file: Vec<u8> = capture.into_inner();
/// # assert!(file.len() > 300);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    block: Vec<u8>,
    /// How many bytes of a packet each interface keeps.
    kept: Vec<usize>,
    /// Notes that no packet has carried as a comment yet; at most [`MOST_NOTES`], the oldest leave first.
    notes: Vec<String>,
}

/// What a capture says about itself: all of it may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The machine.
    pub hardware: String,
    /// The operating system.
    pub os: String,
    /// The program that wrote it.
    pub program: String,
    /// Anything else: scenario, seed, version.
    pub comment: String,
}

/// What an interface has counted by a certain time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Packets that came by.
    pub received: u64,
    /// Packets that the capture missed.
    pub missed: u64,
    /// Packets that the filter let in.
    pub accepted: Option<u64>,
}

impl<W: Write> Writer<W> {
    /// Begins a capture.
    ///
    /// # Errors
    /// Those of `out`, as in every method.
    pub fn new(out: W, about: &About) -> io::Result<Writer<W>> {
        let mut writer = Writer { out, block: Vec::with_capacity(2048), kept: Vec::new(), notes: Vec::new() };
        writer.begin(SECTION);
        writer.u32(BYTE_ORDER);
        writer.block.extend_from_slice(&[1, 0, 0, 0]); // version 1.0
        writer.block.extend_from_slice(&u64::MAX.to_le_bytes()); // of unknown length, as it grows
        let program = if about.program.is_empty() { "levada" } else { &about.program };
        for (code, text) in [(COMMENT, &*about.comment), (2, &about.hardware), (3, &about.os), (4, program)] {
            writer.text(code, text);
        }
        writer.end()?;
        Ok(writer)
    }

    /// Describes an interface; its packets may come from now on.
    pub fn interface(&mut self, interface: &Interface) -> io::Result<InterfaceId> {
        self.begin(INTERFACE);
        self.block.extend_from_slice(&interface.link.0.to_le_bytes());
        self.block.extend_from_slice(&[0, 0]);
        self.u32(interface.snaplen);
        self.text(2, &interface.name);
        self.text(3, &interface.description);
        if let Some(speed) = interface.speed {
            self.option(8, &speed.to_le_bytes());
        }
        self.option(9, &[9]); // nanoseconds
        if let Some(filter) = interface.filter.as_ref().filter(|filter| !filter.is_empty()) {
            let filter: Vec<u8> = [0].into_iter().chain(filter.bytes()).collect(); // 0: in libpcap's words
            self.option(11, &filter);
        }
        self.end()?;
        let kept = if interface.snaplen == 0 { usize::MAX } else { interface.snaplen as usize };
        self.kept.push(kept);
        Ok(InterfaceId(self.kept.len() as u32 - 1))
    }

    /// Writes one packet: of its bytes as many as its interface keeps.
    ///
    /// # Errors
    /// `InvalidInput` where its interface was not described; those of the output.
    pub fn packet(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        let Some(kept) = self.kept.get(packet.interface.0 as usize) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a packet of an interface that is not described",
            ));
        };
        let bytes = &packet.bytes[..packet.bytes.len().min(*kept).min(LONGEST_PACKET)];
        self.begin(PACKET);
        self.u32(packet.interface.0);
        self.stamp(packet.at);
        self.u32(bytes.len() as u32);
        self.u32(packet.length.max(bytes.len() as u32));
        self.block.extend_from_slice(bytes);
        self.pad();
        for note in std::mem::take(&mut self.notes) {
            self.text(COMMENT, &note);
        }
        for line in packet.comment.as_deref().unwrap_or_default().lines() {
            self.text(COMMENT, line);
        }
        match packet.direction {
            Some(Direction::In) => self.option(2, &1u32.to_le_bytes()),
            Some(Direction::Out) => self.option(2, &2u32.to_le_bytes()),
            None => {}
        }
        if packet.missed > 0 {
            self.option(4, &packet.missed.to_le_bytes());
        }
        if let Some(id) = packet.id {
            self.option(5, &id.to_le_bytes());
        }
        if let Some(verdict) = packet.verdict {
            let action: u64 = match verdict {
                Verdict::Passed => 0,
                Verdict::Dropped => 2,
            };
            let mut value = [1; 9]; // 1: of Linux's traffic control
            value[1..].copy_from_slice(&action.to_le_bytes());
            self.option(7, &value);
        }
        self.end()
    }

    /// Writes what happened at `at`: it is in the file at once, as the comment of a block of statistics, and stands as a
    /// comment on the next packet. Before the first interface, only the latter.
    pub fn note(&mut self, at: Duration, text: &str) -> io::Result<()> {
        if self.notes.len() == MOST_NOTES {
            self.notes.remove(0);
        }
        self.notes.push(format!("{text} (at {}.{:09})", at.as_secs(), at.subsec_nanos()));
        if self.kept.is_empty() {
            return Ok(());
        }
        self.begin(STATISTICS);
        self.u32(0);
        self.stamp(at);
        self.text(COMMENT, text);
        self.end()
    }

    /// [`Writer::note`] for a note that was read.
    pub fn copy_note(&mut self, note: &Note<'_>) -> io::Result<()> {
        self.note(note.at, &note.text)
    }

    /// Says which hosts the addresses belong to, so that they are shown by name.
    pub fn names<'n>(&mut self, hosts: impl IntoIterator<Item = (IpAddr, &'n str)>) -> io::Result<()> {
        self.begin(NAMES);
        for (address, name) in hosts {
            let (kind, address): (u16, Vec<u8>) = match address {
                IpAddr::V4(address) => (1, address.octets().to_vec()),
                IpAddr::V6(address) => (2, address.octets().to_vec()),
            };
            let value: Vec<u8> = address.into_iter().chain(shortened(name).bytes()).chain([0]).collect();
            self.option(kind, &value);
        }
        self.option(END, &[]);
        self.close()
    }

    /// Keeps the secrets of TLS or QUIC, in the form of `SSLKEYLOGFILE`, so that Wireshark can decrypt what follows.
    pub fn tls_secrets(&mut self, key_log: &str) -> io::Result<()> {
        self.begin(SECRETS);
        self.u32(0x544c_534b);
        let key_log = &key_log.as_bytes()[..key_log.len().min(LONGEST_PACKET)];
        self.u32(key_log.len() as u32);
        self.block.extend_from_slice(key_log);
        self.pad();
        self.close()
    }

    /// Says what an interface has counted by `at`; usually the last word about it.
    pub fn statistics(
        &mut self,
        interface: InterfaceId,
        at: Duration,
        counts: &Statistics,
    ) -> io::Result<()> {
        self.begin(STATISTICS);
        self.u32(interface.0);
        self.stamp(at);
        self.option(4, &counts.received.to_le_bytes());
        self.option(5, &counts.missed.to_le_bytes());
        if let Some(accepted) = counts.accepted {
            self.option(6, &accepted.to_le_bytes());
        }
        self.end()
    }

    /// Passes a buffer's contents on.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// What it writes to.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Ends the writing; a capture needs no last block.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn begin(&mut self, kind: u32) {
        self.block.clear();
        self.u32(kind);
        self.u32(0);
    }

    fn u32(&mut self, value: u32) {
        self.block.extend_from_slice(&value.to_le_bytes());
    }

    fn stamp(&mut self, at: Duration) {
        let at = nanos(at);
        self.u32((at >> 32) as u32);
        self.u32(at as u32);
    }

    fn pad(&mut self) {
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        self.block.extend_from_slice(&code.to_le_bytes());
        self.block.extend_from_slice(&(value.len() as u16).to_le_bytes());
        self.block.extend_from_slice(value);
        self.pad();
    }

    fn text(&mut self, code: u16, text: &str) {
        if !text.is_empty() {
            self.option(code, shortened(text).as_bytes());
        }
    }

    /// Ends a block that has options.
    fn end(&mut self) -> io::Result<()> {
        self.option(END, &[]);
        self.close()
    }

    fn close(&mut self) -> io::Result<()> {
        let length = self.block.len() as u32 + 4;
        self.block[4..8].copy_from_slice(&length.to_le_bytes());
        self.u32(length);
        self.out.write_all(&self.block)
    }
}

fn nanos(at: Duration) -> u64 {
    u64::try_from(at.as_nanos()).unwrap_or(u64::MAX)
}

/// As much of a text as an option is given, cut between characters.
fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST_TEXT)]
}

/// An option's length has 16 bits; nothing sensible is near.
const LONGEST_TEXT: usize = 4096;
const LONGEST_PACKET: usize = 1 << 20;
const MOST_NOTES: usize = 64;
