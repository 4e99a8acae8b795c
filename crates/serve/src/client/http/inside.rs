//! Which addresses are inside: this machine's, a home's or a company's, or those of a cloud's own services.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `address` is one that only this network reaches: loopback, private, link-local (where clouds keep their
/// secrets), shared by a carrier, unspecified, or unique local (RFC 1918, 3927, 4193, 4291, 6598).
pub(super) fn is_inside(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_inside_v4(address),
        IpAddr::V6(address) => is_inside_v6(address),
    }
}

fn is_inside_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    let shared = first == 100 && (64..128).contains(&second);
    address.is_loopback() || address.is_private() || address.is_link_local() || shared || first == 0
}

fn is_inside_v6(address: Ipv6Addr) -> bool {
    let inside = address.is_unique_local() || address.is_unicast_link_local();
    address.is_loopback() || address.is_unspecified() || inside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_this_network_reaches_is_inside() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fd00::1",
        ] {
            assert!(is_inside(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["8.8.8.8", "100.128.0.1", "172.32.0.1", "2001:db8::1", "::ffff:9.9.9.9"] {
            assert!(!is_inside(outside.parse().unwrap()), "{outside}");
        }
        assert!(is_inside("::ffff:192.168.1.1".parse().unwrap()), "also in the clothes of the new kind");
    }
}
