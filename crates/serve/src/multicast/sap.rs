//! Announcements of sessions (SAP, RFC 2974).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An announcement, or the end of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Who announces.
    pub origin: IpAddr,
    /// Together with the origin it names a version of a session; never zero.
    pub hash: u16,
    /// The session is over.
    pub over: bool,
    /// The session's description.
    pub session: String,
}

impl Announcement {
    /// The datagram (RFC 2974 3).
    pub fn to_bytes(&self) -> Vec<u8> {
        let six = self.origin.is_ipv6();
        let flags = 0x20 | if six { 0x10 } else { 0 } | if self.over { 0x04 } else { 0 };
        let mut out = vec![flags, 0];
        out.extend(self.hash.to_be_bytes());
        match self.origin {
            IpAddr::V4(ip) => out.extend(ip.octets()),
            IpAddr::V6(ip) => out.extend(ip.octets()),
        }
        out.extend(KIND);
        out.extend(self.session.as_bytes());
        out
    }

    /// Reads a datagram; `None` where it is none, or compressed, encrypted, or of another kind of session.
    pub fn parse(datagram: &[u8]) -> Option<Announcement> {
        let (&[flags, auth, high, low], rest) = datagram.split_first_chunk()?;
        if flags >> 5 != 1 || flags & 3 != 0 {
            return None;
        }
        let (origin, rest) = if flags & 0x10 != 0 {
            let (ip, rest) = rest.split_first_chunk::<16>()?;
            (IpAddr::from(*ip), rest)
        } else {
            let (ip, rest) = rest.split_first_chunk::<4>()?;
            (IpAddr::from(*ip), rest)
        };
        let rest = rest.get(4 * usize::from(auth)..)?;
        // the kind may be left out, which the first line of a description tells
        let session = match rest.strip_prefix(KIND) {
            Some(session) => session,
            None => Some(rest).filter(|rest| rest.starts_with(b"v=0"))?,
        };
        let session = std::str::from_utf8(session).ok()?.to_owned();
        Some(Announcement { origin, hash: u16::from_be_bytes([high, low]), over: flags & 4 != 0, session })
    }
}

/// Where sessions in `group` are announced: the highest address of its scope (RFC 2974 3, RFC 2365).
pub fn place(group: IpAddr) -> SocketAddr {
    let ip = match group {
        IpAddr::V4(ip) => IpAddr::V4(match ip.octets() {
            [239, 255, ..] => Ipv4Addr::new(239, 255, 255, 255),
            [239, 192..=195, ..] => Ipv4Addr::new(239, 195, 255, 255),
            _ => Ipv4Addr::new(224, 2, 127, 254),
        }),
        IpAddr::V6(ip) => {
            let scope = ip.segments()[0] & 0x000f;
            IpAddr::V6(Ipv6Addr::new(0xff00 | scope, 0, 0, 0, 0, 0, 2, 0x7ffe))
        }
    };
    SocketAddr::new(ip, PORT)
}

/// A number for a description that changes with it; never zero, which would mean any (RFC 2974 3).
pub fn hash(session: &str) -> u16 {
    let hash =
        session.bytes().fold(0x811c_9dc5u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    ((hash >> 16 ^ hash) as u16).max(1)
}

const KIND: &[u8] = b"application/sdp\0";
/// RFC 2974 3.
pub const PORT: u16 = 9875;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_survives_its_bytes() {
        for (origin, over) in [("10.0.0.1", false), ("::1", true)] {
            let said =
                Announcement { origin: origin.parse().unwrap(), hash: 513, over, session: "v=0\r\n".into() };
            assert_eq!(Announcement::parse(&said.to_bytes()), Some(said));
        }
        let plain = [&[0x20, 1, 0, 1, 10, 0, 0, 1][..], &[0; 4], b"v=0\r\n"].concat();
        assert_eq!(Announcement::parse(&plain).unwrap().session, "v=0\r\n");
        for cut in 0..9 {
            assert_eq!(Announcement::parse(&plain[..cut]), None);
        }
    }

    #[test]
    fn each_scope_has_its_place() {
        for (group, at) in [
            ("239.255.1.2", "239.255.255.255:9875"),
            ("239.193.1.2", "239.195.255.255:9875"),
            ("239.1.2.3", "224.2.127.254:9875"),
            ("ff15::1", "[ff05::2:7ffe]:9875"),
        ] {
            assert_eq!(place(group.parse().unwrap()), at.parse().unwrap(), "{group}");
        }
        assert_ne!(hash(""), 0);
    }
}
