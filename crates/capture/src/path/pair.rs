//! Finds what arrived among what was sent.

use super::{Event, Path, events};
use crate::metrics::{Reordering, nanos};
use crate::trace::Trace;
use serde::Serialize;
use std::collections::HashMap;
use std::net::IpAddr;

/// How the clocks of two captures differ, as far as packets both ways can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Clocks {
    /// Nanoseconds that were added to every delay, because otherwise packets would arrive before they are sent: what makes
    /// the fastest packets of both ways take equally long, or, with one way only, no time at all.
    pub correction: i64,
    /// The stream goes from where the second capture was taken to the first.
    #[serde(skip)]
    pub turned: bool,
}

/// What the fastest packets of both ways say of the clocks.
pub(super) fn clocks(server: &Trace, client: &Trace, [from, to]: [IpAddr; 2]) -> Clocks {
    let fastest = |hosts: [IpAddr; 2]| {
        let there: Vec<Event> =
            events::packets(server, hosts).map(|seen| events::packet(server, seen)).collect();
        let here: Vec<Event> =
            events::packets(client, hosts).map(|seen| events::packet(client, seen)).collect();
        let pairs = by_key(&there, &here);
        let delay = |(sent, arrived): &(u32, u32)| {
            nanos(here[*arrived as usize].at) - nanos(there[*sent as usize].at)
        };
        let delays = pairs.iter().map(delay);
        Some((delays.clone().min()?, delays.max()?))
    };
    // delays of the stream from first to second capture, and of the answers from second to first
    let forth = fastest([from, to]);
    let back = fastest([to, from]).map(|(min, max)| (-max, -min));
    match (forth, back) {
        // sent before they arrive, both ways: one clock
        (Some((forth, _)), Some((back, _))) if forth >= 0 && back >= 0 => Clocks::default(),
        // arrive before they are sent, both ways: the captures are the other way round
        (Some((_, forth)), Some((_, back))) if forth <= 0 && back <= 0 => {
            Clocks { correction: 0, turned: true }
        }
        (Some((forth, _)), Some((back, _))) => Clocks { correction: back / 2 - forth / 2, turned: false },
        (Some((forth, most)), None) if forth < 0 => {
            // One way only: all before they are sent is more likely the wrong order than a wrong clock, where it is little.
            let turned = most <= 0 && most > -LIKELY_DELAY;
            Clocks { correction: if turned { 0 } else { -forth }, turned }
        }
        _ => Clocks::default(),
    }
}

/// Fills in what became of everything.
pub(super) fn join(path: &mut Path) {
    let mut pairs = by_key(&path.sent, &path.arrived);
    let mut sent_known = vec![false; path.sent.len()];
    let mut arrived_known = vec![false; path.arrived.len()];
    for (sent, arrived) in &pairs {
        (sent_known[*sent as usize], arrived_known[*arrived as usize]) = (true, true);
    }
    by_bytes(path, &mut sent_known, &mut arrived_known, &mut pairs);
    pairs.sort_unstable_by_key(|(_, arrived)| *arrived);
    // What was sent after the last that arrived may be on its way.
    let last = pairs.iter().map(|(sent, _)| *sent).max().unwrap_or_default();
    let unknown = |known: &[bool]| -> Vec<u32> {
        known.iter().enumerate().filter(|(_, known)| !**known).map(|(index, _)| index as u32).collect()
    };
    path.lost = unknown(&sent_known);
    path.lost.retain(|index| *index < last || path.sent[*index as usize].dropped);
    path.extra = unknown(&arrived_known);
    let mut reordering = Reordering::default();
    path.late =
        pairs.iter().filter(|(sent, _)| reordering.push(*sent as usize)).map(|(_, late)| *late).collect();
    path.pairs = pairs;
}

/// Pairs the first of a key with the first, the second with the second. What the link dropped has no partner.
fn by_key(sent: &[Event], arrived: &[Event]) -> Vec<(u32, u32)> {
    // Most come in the order in which they were sent: those need no table.
    let mut pairs = Vec::with_capacity(arrived.len());
    let mut left = Vec::new();
    let mut next = 0;
    for (index, event) in arrived.iter().enumerate() {
        let ahead = sent[next..].iter().take(LOOK_AHEAD).position(|s| s.key == event.key && !s.dropped);
        match ahead {
            Some(ahead) => {
                pairs.push(((next + ahead) as u32, index as u32));
                next += ahead + 1;
            }
            None => left.push(index as u32),
        }
    }
    if left.is_empty() {
        return pairs;
    }
    let mut taken = vec![false; sent.len()];
    pairs.iter().for_each(|(sent, _)| taken[*sent as usize] = true);
    let mut table: HashMap<u64, Vec<u32>> = HashMap::new();
    for (index, event) in sent.iter().enumerate().rev() {
        if !taken[index] && !event.dropped {
            table.entry(event.key).or_default().push(index as u32);
        }
    }
    for index in left {
        if let Some(sent) = table.get_mut(&arrived[index as usize].key).and_then(Vec::pop) {
            pairs.push((sent, index));
        }
    }
    pairs
}

/// Segments that network cards have joined or cut: what arrives was sent with the segment that has its last byte.
fn by_bytes(path: &Path, sent_known: &mut [bool], arrived_known: &mut [bool], pairs: &mut Vec<(u32, u32)>) {
    if !arrived_known.iter().zip(&path.arrived).any(|(known, event)| !known && event.bytes.is_some()) {
        return;
    }
    let mut by_end: Vec<([u16; 2], i64, u32)> = Vec::new();
    for (index, event) in path.sent.iter().enumerate() {
        if let Some((flow, _, end)) = event.bytes.filter(|_| !event.dropped) {
            by_end.push((flow, end, index as u32));
        }
    }
    by_end.sort_unstable();
    for (index, event) in path.arrived.iter().enumerate().filter(|(_, event)| !event.again) {
        let Some((flow, first, end)) = event.bytes.filter(|_| !arrived_known[index]) else { continue };
        // All that this one joins have arrived; the last of them names when.
        let from = by_end.partition_point(|(f, e, _)| (*f, *e) <= (flow, first));
        let covering = by_end[from..].iter().take_while(|(f, _, _)| *f == flow);
        let mut partner = None;
        for (_, sent_end, sent) in covering.take(MOST_JOINED) {
            sent_known[*sent as usize] = true;
            partner = Some(*sent);
            if *sent_end >= end {
                break;
            }
        }
        if let Some(sent) = partner {
            arrived_known[index] = true;
            pairs.push((sent, index as u32));
        }
    }
}

/// How many losses in a row are passed over before a table is made.
const LOOK_AHEAD: usize = 8;
/// 64 KiB in segments of 536 bytes, and as much again.
const MOST_JOINED: usize = 256;
/// Ten seconds.
const LIKELY_DELAY: i64 = 10_000_000_000;
