//! pcap and pcapng read and written, filters, flow reassembly, metrics of packets.
#![forbid(unsafe_code)]

mod filter;
pub mod flow;
mod headers;
pub mod metrics;
mod packet;
pub mod path;
pub mod pcap;
pub mod pcapng;
mod reader;
pub mod rtmp_lane;
pub mod stream;
pub mod trace;

pub use filter::{Filter, FilterError};
pub use headers::{Headers, Ip, Tcp};
pub use packet::{Direction, Interface, InterfaceId, LinkType, Note, Packet, Verdict};
pub use reader::{Error, Item, Reader};
