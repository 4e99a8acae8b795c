//! The one thing that is read of a datagram before anybody owns it: whom a STUN request names.

/// The user fragment of ours that a binding request is addressed to (RFC 8445 §7.2.2): the user name's part before the
/// colon. `None` for everything else.
pub(super) fn addressee(datagram: &[u8]) -> Option<&str> {
    let (head, mut rest) = datagram.split_at_checked(HEAD)?;
    if head[..2] != BINDING || head[4..8] != COOKIE {
        return None;
    }
    while let Some((attribute, behind)) = rest.split_at_checked(4) {
        let length = usize::from(u16::from_be_bytes([attribute[2], attribute[3]]));
        if attribute[..2] == USERNAME {
            let name = behind.get(..length).filter(|name| name.len() <= LONGEST)?;
            return std::str::from_utf8(name).ok()?.split_once(':').map(|(ours, _)| ours);
        }
        rest = behind.get(length.next_multiple_of(4)..)?;
    }
    None
}

/// RFC 8489 §5: a request of the method that is called binding, and the magic cookie.
const BINDING: [u8; 2] = [0, 1];
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEAD: usize = 20;
/// RFC 8489 §14.3.
const USERNAME: [u8; 2] = [0, 6];
const LONGEST: usize = 508;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A binding request, as far as it is read here.
    pub(in super::super) fn request(user: &str) -> Vec<u8> {
        let mut out = [&BINDING[..], &[0, 0], &COOKIE, &[7; 12]].concat();
        out.extend([0x80, 0x22, 0, 3, b'a', b'b', b'c', 0]); // software comes first
        out.extend([0, 6, 0, user.len() as u8]);
        out.extend(user.as_bytes());
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    #[test]
    fn the_addressee_is_named_before_the_colon() {
        assert_eq!(addressee(&request("alice:bob")), Some("alice"));
        assert_eq!(addressee(&request("alice")), None);
    }

    #[test]
    fn nothing_else_names_anybody() {
        let whole = request("alice:bob");
        for end in 0..whole.len() - 3 {
            assert_eq!(addressee(&whole[..end]), None, "{end}");
        }
        let mut response = whole.clone();
        response[0] = 1;
        assert_eq!(addressee(&response), None);
        let mut endless = whole;
        endless[22..24].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(addressee(&endless), None);
    }
}
