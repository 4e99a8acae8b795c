//! Who listens to which multicast group: what switches learn from IGMP (RFC 4541), without ever asking.

use std::collections::{BTreeSet, HashMap};

/// Members by group, as host interfaces have said.
///
/// Holds at most a thousand groups; further ones are flooded.
#[derive(Debug, Default)]
pub(super) struct Groups(HashMap<[u8; 4], BTreeSet<usize>>);

impl Groups {
    /// Learns from a packet that the host interface `port` sent.
    pub(super) fn listen(&mut self, port: usize, bytes: &[u8]) {
        let Some((header, igmp)) = ipv4(bytes).filter(|(header, _)| header[9] == IGMP) else { return };
        debug_assert!(header.len() >= 20);
        match igmp.first() {
            Some(0x12 | 0x16) => self.set(port, igmp.get(4..8), true),
            Some(0x17) => self.set(port, igmp.get(4..8), false),
            Some(0x22) => self.report(port, igmp),
            _ => {}
        }
    }

    /// The members of the group that a packet goes to; `None` where it goes to everybody.
    pub(super) fn members(&self, bytes: &[u8]) -> Option<impl Iterator<Item = usize>> {
        let (header, _) = ipv4(bytes)?;
        let group: [u8; 4] = header[16..20].try_into().ok()?;
        let local = group[..3] == [224, 0, 0];
        self.0.get(&group).filter(|_| !local).map(|members| members.iter().copied())
    }

    /// A report of version 3 (RFC 3376, 4.2).
    fn report(&mut self, port: usize, igmp: &[u8]) {
        let mut rest = igmp.get(8..).unwrap_or_default();
        while let Some(record) = rest.get(..8) {
            let sources = usize::from(u16::from_be_bytes([record[2], record[3]]));
            let joins = match record[0] {
                2 | 4 | 5 => true,
                1 | 3 => sources > 0,
                _ => return,
            };
            self.set(port, record.get(4..8), joins);
            rest = rest.get(8 + 4 * (sources + usize::from(record[1]))..).unwrap_or_default();
        }
    }

    fn set(&mut self, port: usize, group: Option<&[u8]>, joins: bool) {
        let Some(group) = group.and_then(|group| <[u8; 4]>::try_from(group).ok()) else { return };
        if joins && (self.0.contains_key(&group) || self.0.len() < MOST) {
            self.0.entry(group).or_default().insert(port);
        } else if let Some(members) = self.0.get_mut(&group) {
            members.remove(&port);
        }
    }
}

/// The header and the rest of an IPv4 packet in an Ethernet frame.
fn ipv4(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    if bytes.get(12..14)? != [8, 0] {
        return None;
    }
    let packet = &bytes[14..];
    let header = usize::from(packet.first()? & 15) * 4;
    (header >= 20).then_some(())?;
    packet.split_at_checked(header)
}

const IGMP: u8 = 2;
const MOST: usize = 1_000;
