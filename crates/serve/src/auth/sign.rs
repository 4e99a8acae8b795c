//! Signed addresses: whoever holds the key can give somebody a mount for a while, without a list of users.
//!
//! An address ends in `?exp=UNIX&sig=HEX`, or `?token=UNIX.HEX` where one parameter is all there is room for; `sig` is HMAC-SHA256 under the mount's key over what stands before it, that
//! is over `/mount?exp=UNIX`.

use crate::MountName;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt::Write;

/// The query that opens `mount` until `exp` (seconds since 1970), without the question mark.
///
/// ```
/// use levada_serve::auth::{sign, signature_fits};
/// let mount = "/radio.mp3".parse().unwrap();
/// let query = sign(b"key", &mount, 1_800_000_000);
/// let sig = query.rsplit('=').next().unwrap();
/// assert!(signature_fits(b"key", &mount, "1800000000", sig, 1_799_999_999));
/// assert!(!signature_fits(b"key", &mount, "1800000000", sig, 1_800_000_001));
/// ```
pub fn sign(key: &[u8], mount: &MountName, exp: u64) -> String {
    let mut query = format!("exp={exp}&sig=");
    for byte in mac(key, mount, &exp.to_string()).finalize().into_bytes() {
        write!(query, "{byte:02x}").expect("a string takes what is written");
    }
    query
}

/// Whether `token`, which is `EXP.SIG`, opens `mount` at `now` (seconds since 1970).
pub fn token_fits(key: &[u8], mount: &MountName, token: &str, now: u64) -> bool {
    token.split_once('.').is_some_and(|(exp, sig)| signature_fits(key, mount, exp, sig, now))
}

/// Whether `sig` opens `mount` at `now` (seconds since 1970). Compared in constant time.
pub fn signature_fits(key: &[u8], mount: &MountName, exp: &str, sig: &str, now: u64) -> bool {
    let Ok(until) = exp.parse::<u64>() else { return false };
    let Some(sig) = unhex(sig) else { return false };
    mac(key, mount, exp).verify_slice(&sig).is_ok() && now <= until
}

fn mac(key: &[u8], mount: &MountName, exp: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    mac.update(format!("{mount}?exp={exp}").as_bytes());
    mac
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || text.len() % 2 == 1 {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_for_one_mount_one_key_and_one_time() {
        let (mount, other) = ("/a".parse().unwrap(), "/b".parse().unwrap());
        let query = sign(b"key", &mount, 100);
        // printf '/a?exp=100' | openssl dgst -sha256 -hmac key
        assert_eq!(query, "exp=100&sig=6d5fef71d569060955ab4c9301f8302311b3f37f5637f2c5683daed420546b33");
        let sig = query.strip_prefix("exp=100&sig=").unwrap();
        assert!(signature_fits(b"key", &mount, "100", sig, 100));
        assert!(signature_fits(b"key", &mount, "100", &sig.to_uppercase(), 100));
        assert!(!signature_fits(b"key", &mount, "100", sig, 101));
        assert!(!signature_fits(b"key", &mount, "0100", sig, 1), "what is signed is the text");
        assert!(!signature_fits(b"key", &mount, "101", sig, 1));
        assert!(!signature_fits(b"yek", &mount, "100", sig, 1));
        assert!(!signature_fits(b"key", &other, "100", sig, 1));
        assert!(token_fits(b"key", &mount, &format!("100.{sig}"), 100));
        assert!(!token_fits(b"key", &mount, &format!("100{sig}"), 100));
        for odd in ["", "0", "zz", "é0", &sig[..62]] {
            assert!(!signature_fits(b"key", &mount, "100", odd, 1), "{odd}");
        }
    }
}
