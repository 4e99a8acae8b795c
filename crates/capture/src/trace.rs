//! The record of one side: which packets passed there, of which flows, and what RTMP was in them.

use crate::flow::{FlowId, Flows, Way};
use crate::rtmp_lane::Lane;
use crate::stream::Stream;
use crate::{Filter, Headers, Interface, LinkType, Packet, Verdict};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::time::Duration;

/// What one side saw: packets are given to it one by one, those that its filter lets in are kept as [`Seen`].
///
/// It keeps 80 bytes a packet, of any number of packets, and follows the RTMP in at most [`Trace::MOST_STREAMS`] TCP
/// connections.
#[derive(Debug, Default)]
pub struct Trace {
    filter: Option<Filter>,
    packets: Vec<Seen>,
    flows: Flows,
    /// By flow, one for each direction.
    streams: Vec<Option<Box<[Follow; 2]>>>,
    followed: usize,
    comments: Vec<String>,
    missed: u64,
    /// How many came, whether let in or not.
    offered: u64,
    shortened: u64,
}

/// One packet as one side saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub at: Duration,
    /// Its bytes on the link.
    pub length: u32,
    /// Those of them that its transport carries.
    pub payload: u32,
    /// Where it belongs; none where it is not of IP.
    pub flow: Option<(FlowId, Way)>,
    /// The same packet has the same number at both ends: given by the lab, or made of what routers do not change.
    pub key: u64,
    /// Whether `key` was given by the lab.
    pub sure: bool,
    /// TCP: the number of its first byte, going on where sequence numbers wrap.
    pub seq: i64,
    /// TCP: whether all of its payload had been seen before.
    pub again: bool,
    /// The link dropped it; the index of the comment that says why.
    pub dropped: Option<u32>,
}

/// Both ways of one TCP connection.
#[derive(Debug, Default)]
struct Follow {
    stream: Stream,
    lane: Lane,
}

impl Trace {
    /// How many TCP connections are put in order; of others, packets are kept alone.
    pub const MOST_STREAMS: usize = 4096;

    /// A trace of what `filter` lets in.
    pub fn new(filter: Option<Filter>) -> Trace {
        Trace { filter, ..Trace::default() }
    }

    /// Takes in a packet: whether the filter let it in.
    pub fn push(&mut self, interface: &Interface, packet: &Packet<'_>) -> bool {
        self.offered += 1;
        self.missed += packet.missed;
        let headers = Headers::of(interface.link, &packet.bytes);
        if self.filter.as_ref().is_some_and(|filter| !filter.matches(&headers, packet.length)) {
            return false;
        }
        self.shortened += u64::from(packet.length as usize > packet.bytes.len());
        let flow = self.flows.find(&headers);
        let (sure, key) = match packet.id {
            Some(id) => (true, id),
            None => (false, key_of(interface.link, &headers, packet)),
        };
        let dropped = (packet.verdict == Some(Verdict::Dropped)).then(|| self.comment(packet));
        let mut seen = Seen {
            at: packet.at,
            length: packet.length,
            payload: headers.payload_length,
            flow,
            key,
            sure,
            seq: 0,
            again: false,
            dropped,
        };
        if let (Some(tcp), Some((id, way))) = (&headers.tcp, flow) {
            self.follow(id, way, packet.at, tcp, &headers, &mut seen);
        }
        self.packets.push(seen);
        true
    }

    /// The packets that were let in, in the order of the capture.
    pub fn packets(&self) -> &[Seen] {
        &self.packets
    }

    /// The flows that they belong to.
    pub fn flows(&self) -> &Flows {
        &self.flows
    }

    /// The RTMP that goes one way of a flow, if it is one of TCP that was followed.
    pub fn lane(&self, flow: FlowId, way: Way) -> Option<&Lane> {
        Some(&self.streams.get(flow.0 as usize)?.as_ref()?[side(way)].lane)
    }

    /// What is known of the TCP bytes that go one way of a flow.
    pub fn stream(&self, flow: FlowId, way: Way) -> Option<&Stream> {
        Some(&self.streams.get(flow.0 as usize)?.as_ref()?[side(way)].stream)
    }

    /// Why a packet was dropped.
    pub fn reason(&self, seen: &Seen) -> Option<&str> {
        self.comments.get(seen.dropped? as usize).map(String::as_str)
    }

    /// How many packets the capture says it has missed.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// How many packets were given to it, let in or not.
    pub fn offered(&self) -> u64 {
        self.offered
    }

    /// How many packets were not captured whole.
    pub fn shortened(&self) -> u64 {
        self.shortened
    }

    /// Between which hosts most bytes were carried, and which way most of these: source and destination.
    pub fn main_hosts(&self) -> Option<[IpAddr; 2]> {
        let mut bytes = vec![[0u64; 2]; self.flows.all().len()];
        for seen in &self.packets {
            let Some((flow, way)) = seen.flow else { continue };
            bytes[flow.0 as usize][side(way)] += u64::from(seen.payload.max(1));
        }
        let (flow, [forth, back]) =
            self.flows.all().iter().zip(bytes).max_by_key(|(_, bytes)| bytes[0].max(bytes[1]))?;
        Some(if forth >= back { flow.hosts } else { flow.turned().hosts })
    }

    /// Whether a packet goes from the first host to the second.
    pub fn goes(&self, seen: &Seen, [from, to]: [IpAddr; 2]) -> bool {
        let Some((flow, way)) = seen.flow else { return false };
        let hosts = self.flows.all()[flow.0 as usize].hosts;
        match way {
            Way::Forth => hosts == [from, to],
            Way::Back => hosts == [to, from],
        }
    }

    fn follow(
        &mut self,
        id: FlowId,
        way: Way,
        at: Duration,
        tcp: &crate::Tcp,
        headers: &Headers<'_>,
        seen: &mut Seen,
    ) {
        let index = id.0 as usize;
        if self.streams.len() <= index {
            self.streams.resize_with(index + 1, || None);
        }
        if self.streams[index].is_none() && self.followed < Trace::MOST_STREAMS {
            self.followed += 1;
            self.streams[index] = Some(Box::default());
        }
        let Some(follow) = &mut self.streams[index] else { return };
        let [here, there] = match (way, &mut **follow) {
            (Way::Forth, [forth, back]) => [forth, back],
            (Way::Back, [forth, back]) => [back, forth],
        };
        let place =
            here.stream.push(tcp, headers.payload, headers.payload_length, |piece| here.lane.push(at, piece));
        (seen.seq, seen.again) = (place.seq, place.again);
        if tcp.acks {
            there.stream.acknowledged(tcp.ack, |piece| there.lane.push(at, piece));
        }
    }

    fn comment(&mut self, packet: &Packet<'_>) -> u32 {
        let comment = packet.comment.as_deref().unwrap_or("dropped").lines().last().unwrap_or("dropped");
        let known = self.comments.iter().position(|known| known == comment);
        let index = known.unwrap_or_else(|| {
            // Reasons may carry numbers, so that each is another one.
            if self.comments.len() < MOST_COMMENTS {
                self.comments.push(comment.to_string());
            }
            self.comments.len() - 1
        });
        index as u32
    }
}

fn side(way: Way) -> usize {
    match way {
        Way::Forth => 0,
        Way::Back => 1,
    }
}

/// What two captures of a packet have in common: addresses, ports, IP's number of it, TCP's numbers, the beginning of its
/// payload. Not the checksum, which the sender's network card may fill in, nor what routers change.
fn key_of(link: LinkType, headers: &Headers<'_>, packet: &Packet<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (headers.hosts, headers.ports, headers.ip.and_then(|ip| ip.id), headers.payload_length).hash(&mut hasher);
    match (&headers.tcp, headers.ip) {
        (Some(tcp), _) => (tcp.seq, tcp.ack, tcp.syn, tcp.fin).hash(&mut hasher),
        (None, Some(ip)) => {
            ip.protocol.hash(&mut hasher);
            headers.payload[..headers.payload.len().min(KEY_BYTES)].hash(&mut hasher);
        }
        (None, None) => (link, &packet.bytes[..packet.bytes.len().min(KEY_BYTES)]).hash(&mut hasher),
    }
    hasher.finish()
}

/// Enough for the number that media protocols begin with, and there even in captures cut short.
const KEY_BYTES: usize = 20;
const MOST_COMMENTS: usize = 256;
