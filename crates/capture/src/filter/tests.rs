//! What filters mean, and what is said of those that mean nothing.

use super::*;
use crate::LinkType;
use etherparse::PacketBuilder;

fn tcp(from: ([u8; 4], u16), to: ([u8; 4], u16)) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .ipv4(from.0, to.0, 64)
        .tcp(from.1, to.1, 1, 1000)
        .write(&mut frame, b"hello")
        .unwrap();
    frame
}

fn matches(filter: &str) -> bool {
    let frame = tcp(([10, 0, 0, 1], 40000), ([10, 0, 0, 2], 1935));
    let filter = Filter::parse(filter, &|name| (name == "server").then(|| [10, 0, 0, 2].into())).unwrap();
    filter.matches(&Headers::of(LinkType::ETHERNET, &frame), frame.len() as u32)
}

fn wrong(filter: &str) -> String {
    filter.parse::<Filter>().unwrap_err().to_string()
}

#[test]
fn filters_mean_what_tcpdump_means_by_them() {
    for yes in [
        "",
        "tcp",
        "port 1935",
        "tcp port 1935",
        "tcp dst port 1935",
        "src host 10.0.0.1 and dst host 10.0.0.2",
        "host server",
        "src or dst host server",
        "src and dst net 10",
        "net 10.0.0.0/30",
        "net 10.0.0.0 mask 255.255.255.0",
        "portrange 1930-1940",
        "port 80 or 443 or rtmp",
        "not udp",
        "! udp && ! arp",
        "not (udp or port 80)",
        "port (80 or 1935)",
        "less 59",
        "greater 59",
        "ip proto 6",
        "proto \\tcp",
        "ether host 02:00:00:00:00:01",
        "ether proto 0x800",
        "udp or tcp and port 1935",
        "10.0.0.1",
    ] {
        assert!(matches(yes), "{yes}");
    }
    for no in [
        "udp",
        "src port 1935",
        "dst host 10.0.0.1",
        "src and dst host 10.0.0.1",
        "net 10.0.0.128/25",
        "not tcp",
        "greater 60",
        "less 58",
        "ip6",
        "tcp or udp and port 80", // from the left: (tcp or udp) and port 80
        "vlan",
        "broadcast",
        "host server and not port 1935",
        "arp host 10.0.0.1",
    ] {
        assert!(!matches(no), "{no}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_column_and_the_nearest_word() {
    for (filter, said) in [
        ("prot 80", "column 1: \"prot\" is no word of a filter; did you mean \"port\"?"),
        ("tcp and hots 10.0.0.1", "column 9: \"hots\" is no word of a filter; did you mean \"host\"?"),
        ("tcp pport 80", "column 5: \"pport\" is no word of a filter; did you mean \"port\"?"),
        ("port 70000", "column 6: \"70000\" is no port: a number up to 65535 is expected"),
        ("host", "column 5: the filter ends where a host is expected"),
        ("(tcp or udp", "column 12: here \")\" is missing"),
        ("tcp)", "column 4: this parenthesis was never opened"),
        ("tcp udp", "column 5: here \"and\" or \"or\" is missing"),
        ("tcp and", "column 8: the filter ends where a word such as \"host\" or \"port\" is expected"),
        ("net 10.0.0.1/8", "column 5: \"10.0.0.1/8\" has bits set beyond its first 8"),
        ("port and", "column 6: a port is expected, not \"and\""),
        ("less many", "column 6: a length in bytes is expected"),
        ("icmp port 5", "column 1: \"icmp\" has no hosts, nets, ports or protocols of that kind"),
        ("host nowhere", "column 6: \"nowhere\" is neither an address nor a host that is known here"),
    ] {
        assert_eq!(wrong(filter), said, "{filter}");
    }
}

#[test]
fn endless_nesting_is_refused() {
    assert!(wrong(&"(".repeat(5000)).contains("4096 words"));
    assert!(wrong(&format!("{}tcp", "not ".repeat(2000))).contains("too deeply"));
    assert!(wrong(&format!("{}tcp", "tcp or tcp and ".repeat(1000))).contains("too deeply"));
    assert!("port 80 or ".repeat(1000).parse::<Filter>().is_err());
    assert!(format!("{}port 80", "port 80 or ".repeat(1000)).parse::<Filter>().is_ok());
}

#[test]
fn headers_are_found_behind_every_link_header() {
    let frame = tcp(([10, 0, 0, 1], 40000), ([10, 0, 0, 2], 1935));
    let ip = &frame[14..];
    let behind = |head: &[u8]| [head, ip].concat();
    let sll = [&[0; 14][..], &[8, 0]].concat();
    let sll2 = [&[8, 0][..], &[0; 18]].concat();
    let tagged = [&frame[..12], &[0x81, 0, 0, 7, 8, 0]].concat();
    for (link, bytes) in [
        (LinkType::ETHERNET, frame.clone()),
        (LinkType::ETHERNET, behind(&tagged)),
        (LinkType::RAW, ip.to_vec()),
        (LinkType::LINUX_SLL, behind(&sll)),
        (LinkType::LINUX_SLL2, behind(&sll2)),
        (LinkType::NULL, behind(&[2, 0, 0, 0])),
    ] {
        let headers = Headers::of(link, &bytes);
        assert_eq!(headers.ports, Some([40000, 1935]), "{link:?}");
        assert_eq!((headers.payload, headers.payload_length), (&b"hello"[..], 5));
        assert_eq!(headers.tcp.map(|tcp| tcp.seq), Some(1));
        // what was not captured still counts
        let cut = Headers::of(link, &bytes[..bytes.len() - 3]);
        assert_eq!((cut.payload, cut.payload_length), (&b"he"[..], 5), "{link:?}");
        for end in 0..bytes.len() {
            Headers::of(link, &bytes[..end]);
        }
    }
}
