//! pcap and pcapng read and written, filters, flow reassembly, metrics of packets.
#![forbid(unsafe_code)]
