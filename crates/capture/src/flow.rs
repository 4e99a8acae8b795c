//! Which packets belong together: conversations between two hosts and ports.

use crate::Headers;
use std::collections::HashMap;
use std::net::IpAddr;

/// A conversation, named by its ends as its first packet had them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Who spoke first, and to whom.
    pub hosts: [IpAddr; 2],
    /// Their ports; 0 where the protocol has none.
    pub ports: [u16; 2],
    /// IP's number of the protocol.
    pub protocol: u8,
}

/// Which flow, in the order in which they were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u32);

/// Which way a packet of a flow goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// As the first one.
    Forth,
    /// Back to who spoke first.
    Back,
}

/// The flows of a capture: at most [`Flows::MOST`], later ones are not told apart.
#[derive(Clone, Debug, Default)]
pub struct Flows {
    known: HashMap<Flow, FlowId>,
    flows: Vec<Flow>,
    /// Most packets belong to the flow of the last one.
    last: Option<(Flow, FlowId)>,
}

impl Flow {
    /// The flow of a packet, if it is one of IP.
    pub fn of(headers: &Headers<'_>) -> Option<Flow> {
        let ip = headers.ip?;
        Some(Flow { hosts: headers.hosts?, ports: headers.ports.unwrap_or_default(), protocol: ip.protocol })
    }

    /// The same one, seen from the other end.
    pub fn turned(self) -> Flow {
        let [a, b] = self.hosts;
        let [p, q] = self.ports;
        Flow { hosts: [b, a], ports: [q, p], ..self }
    }

    /// Its ports, the same whoever was seen first.
    pub(crate) fn sorted_ports(self) -> [u16; 2] {
        let [p, q] = self.ports;
        [p.min(q), p.max(q)]
    }
}

impl Flows {
    /// How many are told apart.
    pub const MOST: usize = 1 << 20;

    /// The flow of a packet and which way it goes there.
    pub fn find(&mut self, headers: &Headers<'_>) -> Option<(FlowId, Way)> {
        let flow = Flow::of(headers)?;
        if let Some((last, id)) = self.last {
            if last == flow {
                return Some((id, Way::Forth));
            }
            if last.turned() == flow {
                return Some((id, Way::Back));
            }
        }
        let (named, id, way) = if let Some(id) = self.known.get(&flow) {
            (flow, *id, Way::Forth)
        } else if let Some(id) = self.known.get(&flow.turned()) {
            (flow.turned(), *id, Way::Back)
        } else if self.flows.len() < Flows::MOST {
            let id = FlowId(self.flows.len() as u32);
            self.flows.push(flow);
            self.known.insert(flow, id);
            (flow, id, Way::Forth)
        } else {
            return None;
        };
        self.last = Some((named, id));
        Some((id, way))
    }

    /// All of them; [`FlowId`] is the index.
    pub fn all(&self) -> &[Flow] {
        &self.flows
    }
}
