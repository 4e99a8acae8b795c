//! Who one is, whom one knows, and what two have agreed on before.

use snow::params::DHChoice;
use snow::resolvers::{CryptoResolver, DefaultResolver};
use std::fmt;
use std::str::FromStr;

/// The private key of an end of calls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Identity([u8; 32]);

/// The public key of an end of calls; written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// What both ends know and nobody else: made of a passphrase, or nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret {
    pub(super) key: [u8; 32],
    /// Whether there is a passphrase at all.
    pub(super) is_said: bool,
}

/// What both ends of a call show, and nobody in between can make equal: eight letters and digits, read out to each other.
///
/// Forty bits, not the twenty of ZRTP: nothing here commits an end to its key before it sees the other's, and in the five seconds
/// that a handshake may take somebody in between can try millions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Words([u8; 8]);

/// This is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is 64 hexadecimal digits")]
pub struct NoKey;

impl Identity {
    /// Of 32 bytes of chance.
    pub fn new(chance: [u8; 32]) -> Identity {
        Identity(chance)
    }

    /// The bytes, to be kept where nobody else reads them.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What others know it by.
    pub fn public(&self) -> PublicKey {
        let dh = DefaultResolver.resolve_dh(&DHChoice::Curve25519);
        let mut dh = dh.expect("the resolver is built with this curve");
        dh.set(&self.0);
        PublicKey::of(dh.pubkey())
    }
}

impl PublicKey {
    pub(crate) fn of(bytes: &[u8]) -> PublicKey {
        let mut key = [0; 32];
        key.iter_mut().zip(bytes).for_each(|(key, byte)| *key = *byte);
        PublicKey(key)
    }
}

impl Secret {
    /// Nothing: whoever is in between can be found out by [`Words`] alone.
    pub fn none() -> Secret {
        Secret { key: [0; 32], is_said: false }
    }

    /// Of a passphrase, by Argon2id with 19 MiB and two passes (RFC 9106's order of magnitude, OWASP's figures), which makes each guess of
    /// somebody who took part in a handshake dear. Takes some tens of milliseconds.
    pub fn of(passphrase: &str) -> Secret {
        let mut key = [0; 32];
        let params = argon2::Params::new(19 * 1_024, 2, 1, Some(32)).expect("these are fine");
        let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        argon.hash_password_into(passphrase.as_bytes(), b"levada talk", &mut key).expect("lengths are fine");
        Secret { key, is_said: true }
    }
}

impl Words {
    pub(super) fn of(handshake: &[u8]) -> Words {
        Words::of_hash(&blake3::derive_key("levada talk 2026-11 short authentication string", handshake))
    }

    /// The first forty bits of a hash of a handshake.
    pub(crate) fn of_hash(hash: &[u8]) -> Words {
        let bits = hash.iter().take(5).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        Words(std::array::from_fn(|n| LETTERS[(bits >> (35 - 5 * n)) as usize & 31]))
    }
}

impl FromStr for PublicKey {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<PublicKey, NoKey> {
        let digits: Option<Vec<u8>> = text.chars().map(|c| Some(c.to_digit(16)? as u8)).collect();
        let digits = digits.filter(|digits| digits.len() == 64).ok_or(NoKey)?;
        Ok(PublicKey(std::array::from_fn(|n| digits[2 * n] << 4 | digits[2 * n + 1])))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |letters: &[u8]| letters.iter().map(|c| char::from(*c)).collect::<String>();
        write!(f, "{}-{}", text(&self.0[..4]), text(&self.0[4..]))
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_said { "Secret" } else { "no secret" })
    }
}

/// z-base-32: no letter looks or sounds too much like another.
const LETTERS: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";
