//! Packets of a lab into capture files while it runs, and onto a screen.

use crate::core::Sight;
use crate::fabric::{Fate, Seen};
use crate::lab::{Lab, LabError};
use levada_capture::pcap::{self, Precision};
use levada_capture::pcapng::{About, Statistics, Writer};
use levada_capture::{
    Direction, Filter, FilterError, Headers, Interface, InterfaceId, LinkType, Packet, Verdict,
};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What is to be captured.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// At which interfaces; none for those of all hosts.
    pub points: Vec<String>,
    /// Which packets, in tcpdump's words; empty for all.
    pub filter: String,
    /// At most so many bytes of each; 0 for all.
    pub snaplen: u32,
    /// Anything to be said in the file.
    pub comment: String,
}

/// A capture being written, to be finished.
#[derive(Debug)]
pub struct Recording {
    thread: Option<JoinHandle<io::Result<Recorded>>>,
    stop: std::sync::mpsc::Sender<()>,
}

/// What has been captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Packets written, each at each interface.
    pub packets: u64,
    /// Packets that came faster than they could be written.
    pub missed: u64,
}

/// Why there is no capture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The filter cannot be read.
    #[error("filter")]
    Filter(#[from] FilterError),
    /// There is no such interface.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The files cannot be written.
    #[error("cannot write the capture")]
    Io(#[from] io::Error),
}

impl Lab {
    /// Writes `capture.pcapng`, and for each host among the points `HOST_out.pcap`, into `folder`, until told to stop. The
    /// files can be read at any time.
    ///
    /// # Errors
    /// A filter that cannot be read, an interface that is none, files that cannot be written.
    pub fn record(&self, capture: &Capture, folder: &Path) -> Result<Recording, CaptureError> {
        let filter = Filter::parse(&capture.filter, &|name| self.address(name).ok().map(IpAddr::V4))?;
        let points = self.points(&capture.points);
        let writer = Files::create(self, capture, &points, folder)?;
        let sights = self.watch(&points)?;
        let (stop, stopped) = std::sync::mpsc::channel();
        let body = move || writer.run(&filter, &sights, &stopped);
        let thread = thread::Builder::new().name("capture".into()).spawn(body)?;
        Ok(Recording { thread: Some(thread), stop })
    }

    /// Gives a line to `show` for each packet at an interface that the filter lets in, until that or `go_on` says no.
    ///
    /// # Errors
    /// A filter that cannot be read, or an interface that is none.
    pub fn show_packets(
        &self,
        interface: &str,
        filter: &str,
        mut go_on: impl FnMut() -> bool,
        mut show: impl FnMut(&str) -> bool,
    ) -> Result<(), CaptureError> {
        let filter = Filter::parse(filter, &|name| self.address(name).ok().map(IpAddr::V4))?;
        let (link, side) = self.find_interface(interface)?;
        let out = 2 * link + side;
        let sights = self.watch(&[interface.to_owned()])?;
        while go_on() {
            match sights.recv_timeout(Duration::from_millis(100)) {
                Ok(Sight::Packets(packets)) => {
                    for seen in packets {
                        let way = match (seen.direction == out, seen.fate) {
                            (true, Fate::Sent) => "Out",
                            (false, Fate::Arrived) => "In ",
                            (true, Fate::Dropped(_)) => "---",
                            _ => continue,
                        };
                        let headers = Headers::of(LinkType::ETHERNET, &seen.bytes);
                        let wanted = filter.matches(&headers, seen.bytes.len() as u32);
                        if wanted && !show(&line(&seen, way, &headers)) {
                            return Ok(());
                        }
                    }
                }
                Ok(Sight::Note { at, text }) => {
                    if !show(&format!("{:>12.6} === {text}\n", at.as_secs_f64())) {
                        return Ok(());
                    }
                }
                Ok(Sight::Missed(count)) => {
                    let _next_time = show(&format!("             ... {count} packets were not shown\n"));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
        Ok(())
    }

    fn points(&self, said: &[String]) -> Vec<String> {
        if !said.is_empty() {
            return said.to_vec();
        }
        let hosts = self.topology().interfaces().filter(|interface| interface.address.is_some());
        hosts.map(|interface| interface.name.clone()).collect()
    }
}

impl Recording {
    /// Writes what has come until now, and ends.
    ///
    /// # Errors
    /// That it could not be written.
    pub fn finish(mut self) -> io::Result<Recorded> {
        let _ended_already = self.stop.send(());
        let Some(thread) = self.thread.take() else { return Ok(Recorded::default()) };
        thread.join().map_err(|_| io::Error::other("the capture panicked"))?
    }
}

/// The files of a capture.
struct Files {
    all: Writer<BufWriter<File>>,
    /// By direction, and whether it is the near end: the interface there.
    ends: HashMap<(usize, bool), InterfaceId>,
    /// By interface.
    hosts: Vec<Option<pcap::Writer<BufWriter<File>>>>,
    counts: Vec<Statistics>,
    wall: Duration,
    last: Duration,
    done: Recorded,
    missed: u64,
}

impl Files {
    fn create(lab: &Lab, capture: &Capture, points: &[String], folder: &Path) -> Result<Files, CaptureError> {
        let about = About {
            os: std::env::consts::OS.into(),
            program: concat!("levada ", env!("CARGO_PKG_VERSION")).into(),
            comment: capture.comment.clone(),
            ..About::default()
        };
        let mut all = Writer::new(BufWriter::new(File::create(folder.join("capture.pcapng"))?), &about)?;
        let (mut ends, mut hosts) = (HashMap::new(), Vec::new());
        for name in points {
            let (link, side) = lab.find_interface(name)?;
            let config = &lab.link(&lab.topology().links()[link].name)?[side];
            let id = all.interface(&Interface {
                snaplen: capture.snaplen,
                speed: config.rate.map(|rate| rate.0),
                filter: Some(capture.filter.clone()).filter(|filter| !filter.is_empty()),
                ..Interface::ethernet(name.as_str())
            })?;
            // What it sends, and what comes to it.
            ends.insert((2 * link + side, true), id);
            ends.insert((2 * link + (1 - side), false), id);
            let interface = &lab.topology().links()[link].ends[side];
            let file =
                interface.address.map(|_| File::create(folder.join(format!("{}_out.pcap", interface.node))));
            let file = file.transpose()?.map(BufWriter::new);
            let writer = file
                .map(|file| pcap::Writer::new(file, LinkType::ETHERNET, Precision::Nano, capture.snaplen));
            hosts.push(writer.transpose()?);
        }
        let names =
            lab.topology().interfaces().filter_map(|i| Some((IpAddr::V4(i.address?), i.node.as_str())));
        all.names(names)?;
        let wall = lab.began().1.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let now = wall + lab.began().0.elapsed();
        links(lab)?.iter().try_for_each(|text| all.note(now, text))?;
        all.flush()?;
        let counts = vec![Statistics::default(); points.len()];
        let done = Recorded::default();
        Ok(Files { all, ends, hosts, counts, wall, last: wall, done, missed: 0 })
    }

    fn run(
        mut self,
        filter: &Filter,
        sights: &Receiver<Sight>,
        stopped: &Receiver<()>,
    ) -> io::Result<Recorded> {
        let mut ending = false;
        loop {
            match sights.recv_timeout(Duration::from_millis(20)) {
                Ok(Sight::Packets(packets)) => self.packets(filter, &packets)?,
                Ok(Sight::Note { at, text }) => self.all.note(self.wall + at, &text)?,
                Ok(Sight::Missed(count)) => self.missed += count,
                Err(RecvTimeoutError::Timeout) if !ending => {}
                Err(_) => break,
            }
            // Once more round, for what was on its way.
            ending |= stopped.try_recv().is_ok();
            self.flush()?;
        }
        for (number, counts) in self.counts.iter().enumerate() {
            self.all.statistics(InterfaceId(number as u32), self.last, counts)?;
        }
        self.flush()?;
        self.done.missed += self.missed;
        Ok(self.done)
    }

    fn packets(&mut self, filter: &Filter, packets: &[Seen]) -> io::Result<()> {
        // A packet that some link drops as it comes is one packet, with that verdict where it was sent.
        let mut dropped: HashMap<u64, &'static str> = HashMap::new();
        for seen in packets {
            if let Fate::Dropped(why) = seen.fate {
                dropped.insert(seen.packet, why.word());
            }
        }
        for seen in packets {
            let near = !matches!(seen.fate, Fate::Arrived);
            let Some(&id) = self.ends.get(&(seen.direction, near)) else { continue };
            let headers = Headers::of(LinkType::ETHERNET, &seen.bytes);
            self.counts[id.0 as usize].received += 1;
            if !filter.matches(&headers, seen.bytes.len() as u32) {
                continue;
            }
            let why = match seen.fate {
                Fate::Arrived => None,
                Fate::Sent => dropped.remove(&seen.packet),
                // Told of where it was sent, just before.
                Fate::Dropped(_) if !dropped.contains_key(&seen.packet) => continue,
                Fate::Dropped(why) => Some(why.word()),
            };
            self.write(id, seen, near, why)?;
        }
        Ok(())
    }

    fn write(&mut self, id: InterfaceId, seen: &Seen, near: bool, why: Option<&str>) -> io::Result<()> {
        let at = self.wall + seen.at;
        self.last = self.last.max(at);
        let packet = Packet {
            direction: Some(if near { Direction::Out } else { Direction::In }),
            id: Some(seen.packet),
            verdict: Some(if why.is_some() { Verdict::Dropped } else { Verdict::Passed }),
            missed: std::mem::take(&mut self.missed),
            comment: why.map(|why| Cow::Owned(format!("dropped: {why}"))),
            ..Packet::new(id, at, &seen.bytes)
        };
        self.done.missed += packet.missed;
        self.done.packets += 1;
        let counts = &mut self.counts[id.0 as usize];
        counts.accepted = Some(counts.accepted.unwrap_or_default() + 1);
        self.all.packet(&packet)?;
        match &mut self.hosts[id.0 as usize] {
            Some(file) => file.packet(&packet),
            None => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.all.flush()?;
        self.hosts.iter_mut().flatten().try_for_each(pcap::Writer::flush)
    }
}

/// What the links are that are no perfect wires, as a change to that would be noted.
fn links(lab: &Lab) -> Result<Vec<String>, LabError> {
    let mut notes = Vec::new();
    for link in lab.topology().links() {
        let [down, up] = lab.link(&link.name)?;
        if down == up {
            notes.extend((!down.is_perfect()).then(|| format!("{}: {down}", link.name)));
            continue;
        }
        for (word, config) in [("down", down), ("up", up)] {
            notes.push(format!("{}.{word}: {config}", link.name));
        }
    }
    Ok(notes)
}

/// A packet in a line, much as tcpdump has it.
fn line(seen: &Seen, way: &str, headers: &Headers<'_>) -> String {
    let mut line = Vec::new();
    let _in_memory = write!(line, "{:>12.6} {way} ", seen.at.as_secs_f64());
    let _in_memory = match (headers.hosts, headers.ports) {
        (Some([from, to]), Some([source, sink])) => write!(line, "IP {from}.{source} > {to}.{sink}: "),
        (Some([from, to]), None) => write!(line, "IP {from} > {to}: "),
        _ => write!(line, "ethertype {:#06x}, ", headers.ethertype),
    };
    if let Some(tcp) = headers.tcp {
        let flags = [(tcp.syn, 'S'), (tcp.fin, 'F'), (tcp.rst, 'R'), (tcp.acks, '.')];
        let flags: String = flags.into_iter().filter(|(set, _)| *set).map(|(_, letter)| letter).collect();
        let _in_memory = write!(line, "Flags [{flags}], seq {}, ack {}, ", tcp.seq, tcp.ack);
    }
    let protocol = headers.ip.map_or("", |ip| match ip.protocol {
        1 => "ICMP, ",
        17 => "UDP, ",
        _ => "",
    });
    let _in_memory = write!(line, "{protocol}length {}", headers.payload_length);
    if let Fate::Dropped(why) = seen.fate {
        let _in_memory = write!(line, " (dropped: {})", why.word());
    }
    line.push(b'\n');
    String::from_utf8_lossy(&line).into_owned()
}
