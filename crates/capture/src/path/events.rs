//! What a trace has of a stream, at each level.

use super::Level;
use crate::flow::{FlowId, Way};
use crate::headers::TCP;
use crate::rtmp_lane::{Kind, Lane};
use crate::trace::{Seen, Trace};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// A packet, chunk or message that passed one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When; of chunks and messages, when the last byte did.
    pub at: Duration,
    /// Messages: when the first byte did. Otherwise the same as `at`.
    pub began: Duration,
    /// Bytes: of packets on the link, otherwise what they are.
    pub size: u32,
    /// The same at both ends.
    pub key: u64,
    /// What RTMP carried.
    pub kind: Option<Kind>,
    /// RTMP's own time in milliseconds.
    pub timestamp: Option<u32>,
    /// TCP: all of it was sent before.
    pub again: bool,
    /// The link dropped it.
    pub dropped: bool,
    /// The lab gave it its key.
    pub sure: bool,
    /// TCP: the bytes that it carries: of which ports, the first, and behind the last.
    pub bytes: Option<([u16; 2], i64, i64)>,
}

/// The events of what goes from the first of `hosts` to the second, by time.
pub(super) fn of(trace: &Trace, hosts: [IpAddr; 2], level: Level) -> Vec<Event> {
    let mut events: Vec<Event> = match level {
        Level::Packets => packets(trace, hosts).map(|seen| packet(trace, seen)).collect(),
        Level::Data => {
            packets(trace, hosts).filter(|seen| seen.payload > 0).map(|seen| packet(trace, seen)).collect()
        }
        Level::Chunks => lanes(trace, hosts).flat_map(|(flow, lane)| chunks(flow, lane)).collect(),
        Level::Messages => lanes(trace, hosts).flat_map(|(flow, lane)| messages(flow, lane)).collect(),
    };
    events.sort_by_key(|event| event.at);
    merge_drops(&mut events);
    events
}

/// A packet that was sent and dropped later on its way may be told of twice, under one number: it is one that was dropped.
fn merge_drops(events: &mut Vec<Event>) {
    let mut fates: HashMap<u64, bool> = HashMap::new();
    for event in events.iter().filter(|event| event.dropped && event.sure) {
        fates.insert(event.key, false);
    }
    if fates.is_empty() {
        return;
    }
    events.retain_mut(|event| {
        let Some(told) = fates.get_mut(&event.key).filter(|_| event.sure) else { return true };
        event.dropped = true;
        !std::mem::replace(told, true)
    });
}

/// The packets of a trace that go from the first of `hosts` to the second.
pub(super) fn packets(trace: &Trace, hosts: [IpAddr; 2]) -> impl Iterator<Item = &Seen> {
    trace.packets().iter().filter(move |seen| trace.goes(seen, hosts))
}

pub(super) fn packet(trace: &Trace, seen: &Seen) -> Event {
    let flow = seen.flow.map(|(flow, _)| trace.flows().all()[flow.0 as usize]);
    let tcp = flow.filter(|flow| seen.payload > 0 && flow.protocol == TCP);
    Event {
        at: seen.at,
        began: seen.at,
        size: seen.length,
        key: seen.key,
        kind: None,
        timestamp: None,
        again: seen.again,
        dropped: seen.dropped.is_some(),
        sure: seen.sure,
        bytes: tcp.map(|flow| (flow.sorted_ports(), seen.seq, seen.seq + i64::from(seen.payload))),
    }
}

fn lanes(trace: &Trace, [from, to]: [IpAddr; 2]) -> impl Iterator<Item = (u64, &Lane)> {
    trace.flows().all().iter().enumerate().filter_map(move |(index, flow)| {
        let way = match flow.hosts {
            hosts if hosts == [from, to] => Way::Forth,
            hosts if hosts == [to, from] => Way::Back,
            _ => return None,
        };
        // The ports tell one connection from another at both ends.
        let [low, high] = flow.sorted_ports();
        let ports = u64::from(low) << 16 | u64::from(high);
        Some((ports, trace.lane(FlowId(index as u32), way)?))
    })
}

fn chunks(flow: u64, lane: &Lane) -> impl Iterator<Item = Event> {
    lane.chunks().iter().map(move |chunk| Event {
        at: chunk.at,
        began: chunk.at,
        size: chunk.size,
        key: key(flow, chunk.end),
        kind: Some(chunk.kind),
        timestamp: None,
        again: false,
        dropped: false,
        sure: false,
        bytes: None,
    })
}

fn messages(flow: u64, lane: &Lane) -> impl Iterator<Item = Event> {
    lane.messages().iter().map(move |message| Event {
        at: message.event.at,
        began: message.began,
        size: message.event.size,
        key: key(flow, message.event.end),
        kind: Some(message.event.kind),
        timestamp: Some(message.timestamp),
        again: false,
        dropped: false,
        sure: false,
        bytes: None,
    })
}

/// Where something ends in a stream names it at both ends.
fn key(flow: u64, end: u64) -> u64 {
    (flow << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ end
}
