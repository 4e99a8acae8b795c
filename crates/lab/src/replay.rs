//! A stored capture as what drives a link: packets in, packets out, in virtual time.

use levada_capture::pcap::{self, Precision};
use levada_capture::pcapng::{self, About};
use levada_capture::{Direction, Filter, Headers, Interface, InterfaceId, Item, Packet, Reader, Verdict};
use levada_link::{Delivered, Dropped, Link, LinkConfig, Outcome, Why};
use serde::Serialize;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::Duration;

/// What to do with the packets.
#[derive(Clone, Debug)]
pub struct Options {
    /// The link that they go over.
    pub link: LinkConfig,
    /// The same in words, for the capture's own description.
    pub words: String,
    /// The seed of its chance.
    pub seed: u64,
    /// Which packets; others are left out.
    pub filter: Option<Filter>,
    /// Write pcapng with both sides, rather than pcap with what arrives.
    pub both: bool,
}

/// What became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Came to the link.
    pub sent: u64,
    /// Arrived, copies counted.
    pub delivered: u64,
    /// Were lost by chance.
    pub lost: u64,
    /// Were dropped by the queue.
    pub queue: u64,
    /// Were dropped otherwise.
    pub other: u64,
    /// Why the capture was not read to its end.
    pub problem: Option<String>,
}

/// Sends the packets of `input` over the link and writes what arrives, in the order of time.
///
/// Only packets that are in the link are held. The same input, words and seed give the same bytes everywhere.
///
/// # Errors
/// Those of reading and writing, and `InvalidData` for what is no capture at all.
pub fn run(mut input: impl Read, output: impl Write, options: &Options) -> io::Result<Counts> {
    let link = Link::new(&options.link, options.seed).map_err(io::Error::other)?;
    let mut flight =
        Flight { link, held: VecDeque::new(), first: 0, epoch: None, out: None, counts: Counts::default() };
    let mut output = Some(output);
    let mut reader = Reader::new();
    let mut piece = vec![0; 1 << 20];
    loop {
        let length = input.read(&mut piece)?;
        reader.push(&piece[..length]);
        if let Err(error) = flight.take(&mut reader, &mut output, options)? {
            if reader.offset() == 0 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            flight.counts.problem = Some(format!("{error}; what comes before was sent"));
            break;
        }
        if length == 0 {
            break;
        }
    }
    if flight.counts.problem.is_none() && reader.left() > 0 {
        flight.counts.problem =
            Some(format!("it ends in the midst of a packet, {} bytes of which are there", reader.left()));
    }
    flight.arrive(None)?;
    Ok(flight.counts)
}

struct Flight<W> {
    link: Link,
    /// Packets that are in the link, by their ticket less `first`; `None` where it has left.
    held: VecDeque<Option<Held>>,
    first: u32,
    epoch: Option<Duration>,
    out: Option<Out<W>>,
    counts: Counts,
}

struct Held {
    bytes: Vec<u8>,
    length: u32,
    copies: u8,
}

enum Out<W> {
    Classic(pcap::Writer<W>),
    Both(pcapng::Writer<W>, InterfaceId, InterfaceId),
}

impl<W: Write> Flight<W> {
    /// Sends what the reader has; inside, why it has no more.
    fn take(
        &mut self,
        reader: &mut Reader,
        output: &mut Option<W>,
        options: &Options,
    ) -> io::Result<Result<(), levada_capture::Error>> {
        loop {
            let interfaces = reader.interfaces().to_vec();
            loop {
                match reader.poll() {
                    Ok(Some(Item::Packet(packet))) => {
                        let Some(interface) = interfaces.get(packet.interface.0 as usize) else { continue };
                        let headers = Headers::of(interface.link, &packet.bytes);
                        if options
                            .filter
                            .as_ref()
                            .is_some_and(|filter| !filter.matches(&headers, packet.length))
                        {
                            continue;
                        }
                        if let Some(output) = output.take() {
                            self.out = Some(Out::new(output, interface, options)?);
                        }
                        self.send(&packet)?;
                    }
                    Ok(Some(Item::Interface(_))) => break,
                    Ok(Some(Item::Note(_))) => {}
                    Ok(None) => return Ok(Ok(())),
                    Err(error) => return Ok(Err(error)),
                }
            }
        }
    }

    fn send(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        let epoch = *self.epoch.get_or_insert(packet.at);
        // One that goes back counts as standing still, as in the link.
        let now = packet.at.saturating_sub(epoch);
        self.arrive(Some(now))?;
        let ticket = self.first.wrapping_add(self.held.len() as u32);
        let entry = self.link.push(now, ticket, packet.length);
        self.counts.sent += 1;
        match entry.refused {
            Some(Why::Loss) => self.counts.lost += 1,
            Some(Why::Full) => self.counts.queue += 1,
            Some(_) => self.counts.other += 1,
            None => {}
        }
        if let Some(Out::Both(writer, sender, _)) = &mut self.out {
            let dropped = Some(Verdict::Dropped).filter(|_| entry.taken == 0);
            let comment = entry.refused.map(|why| format!("dropped: {}", why.word()).into());
            writer.packet(&Packet {
                interface: *sender,
                id: Some(ticket.into()),
                direction: Some(Direction::Out),
                verdict: dropped,
                comment,
                ..packet.clone()
            })?;
        }
        let held = Held { bytes: packet.bytes.to_vec(), length: packet.length, copies: entry.taken };
        self.held.push_back(Some(held).filter(|held| held.copies > 0));
        Ok(())
    }

    /// Writes what arrives until `until`, or all that still will.
    fn arrive(&mut self, until: Option<Duration>) -> io::Result<()> {
        let until = until.unwrap_or(Duration::MAX);
        while let Some(now) = self.link.due().filter(|due| *due <= until) {
            let mut told = false;
            while let Some(outcome) = self.link.poll(now) {
                self.tell(outcome)?;
                told = true;
            }
            if !told && self.link.due() == Some(now) {
                break;
            }
        }
        while self.held.front().is_some_and(Option::is_none) {
            self.held.pop_front();
            self.first = self.first.wrapping_add(1);
        }
        Ok(())
    }

    fn tell(&mut self, outcome: Outcome) -> io::Result<()> {
        match outcome {
            Outcome::Delivered(delivered) => self.deliver(&delivered),
            Outcome::Dropped(dropped) => self.drop_late(&dropped),
        }
    }

    fn deliver(&mut self, delivered: &Delivered) -> io::Result<()> {
        let at = self.epoch.unwrap_or_default() + delivered.at;
        let index = delivered.ticket.wrapping_sub(self.first) as usize;
        let Some(slot) = self.held.get_mut(index) else { return Ok(()) };
        let Some(held) = slot else { return Ok(()) };
        self.counts.delivered += 1;
        let mut packet = Packet { length: held.length, ..Packet::new(InterfaceId(0), at, &held.bytes) };
        if let Some(bit) = delivered.flipped
            && let Some(byte) = packet.bytes.to_mut().get_mut(bit as usize / 8)
        {
            *byte ^= 0x80 >> (bit % 8);
        }
        match &mut self.out {
            Some(Out::Classic(writer)) => writer.packet(&packet)?,
            Some(Out::Both(writer, _, receiver)) => {
                let id = Some(delivered.ticket.into());
                let direction = Some(Direction::In);
                writer.packet(&Packet { interface: *receiver, id, direction, ..packet })?;
            }
            None => {}
        }
        held.copies -= 1;
        if held.copies == 0 {
            *slot = None;
        }
        Ok(())
    }

    /// The queue chose a packet that it had taken: where it was sent this is told as well, under the same number.
    fn drop_late(&mut self, dropped: &Dropped) -> io::Result<()> {
        match dropped.why {
            Why::Full | Why::Managed => self.counts.queue += 1,
            _ => self.counts.other += 1,
        }
        let at = self.epoch.unwrap_or_default() + dropped.at;
        let index = dropped.ticket.wrapping_sub(self.first) as usize;
        let Some(slot) = self.held.get_mut(index) else { return Ok(()) };
        let Some(held) = slot.take() else { return Ok(()) };
        let Some(Out::Both(writer, sender, _)) = &mut self.out else { return Ok(()) };
        writer.packet(&Packet {
            length: held.length,
            id: Some(dropped.ticket.into()),
            direction: Some(Direction::Out),
            verdict: Some(Verdict::Dropped),
            comment: Some(format!("dropped: {}", dropped.why.word()).into()),
            ..Packet::new(*sender, at, &held.bytes)
        })
    }
}

impl<W: Write> Out<W> {
    fn new(output: W, interface: &Interface, options: &Options) -> io::Result<Out<W>> {
        if !options.both {
            let snaplen = interface.snaplen.min(262_144);
            return Ok(Out::Classic(pcap::Writer::new(output, interface.link, Precision::Nano, snaplen)?));
        }
        let comment = format!("link {}, seed {}", options.words, options.seed);
        let mut writer = pcapng::Writer::new(output, &About { comment, ..About::default() })?;
        let side = |name: &str| Interface {
            speed: options.link.rate.map(|rate| rate.0),
            filter: options.filter.as_ref().map(ToString::to_string),
            link: interface.link,
            snaplen: interface.snaplen,
            ..Interface::ethernet(name)
        };
        let (server, client) = (writer.interface(&side("server"))?, writer.interface(&side("client"))?);
        Ok(Out::Both(writer, server, client))
    }
}

#[cfg(test)]
mod tests;
