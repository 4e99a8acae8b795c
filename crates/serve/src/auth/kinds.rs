//! The kinds of password hashes that are found in files.

use argon2::{Argon2, PasswordVerifier};
use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use sha1::Sha1;
use subtle::ConstantTimeEq;

/// How a hash was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `$argon2id$…`, in PHC string format.
    Argon2,
    /// `$2y$…`, as `htpasswd -B` writes it.
    Bcrypt,
    /// `$5$…` and `$6$…`, as `crypt(3)` of today.
    ShaCrypt,
    /// `$apr1$…` (`htpasswd -m`) and `$1$…`, a thousand rounds of MD5.
    Md5Crypt,
    /// `{SHA}…`, as `htpasswd -s` writes it.
    Sha1,
    /// MD5 in hexadecimal digits, as Icecast 2.4 writes it.
    Md5,
}

impl Kind {
    /// The kind of `hash`, if it is one we know.
    pub fn of(hash: &str) -> Option<Kind> {
        let is = |prefixes: &[&str]| prefixes.iter().any(|prefix| hash.starts_with(prefix));
        match hash {
            _ if is(&["$argon2"]) => Some(Kind::Argon2),
            _ if is(&["$2a$", "$2b$", "$2x$", "$2y$"]) => Some(Kind::Bcrypt),
            _ if is(&["$5$", "$6$"]) => Some(Kind::ShaCrypt),
            _ if is(&["$apr1$", "$1$"]) => Some(Kind::Md5Crypt),
            _ if is(&["{SHA}"]) => Some(Kind::Sha1),
            _ if hash.len() == 32 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => Some(Kind::Md5),
            _ => None,
        }
    }

    /// Whether checking takes so little that it may happen at once; the others are made to take long.
    pub fn is_cheap(self) -> bool {
        matches!(self, Kind::Sha1 | Kind::Md5)
    }

    /// Whether `hash`, which is of this kind, was made of `password`.
    pub fn fits(self, hash: &str, password: &str) -> bool {
        let bytes = password.as_bytes();
        match self {
            Kind::Argon2 => Argon2::default().verify_password(bytes, hash).is_ok(),
            Kind::Bcrypt => bcrypt::verify(bytes, hash).unwrap_or(false),
            Kind::ShaCrypt => sha_crypt::ShaCrypt::default().verify_password(bytes, hash).is_ok(),
            Kind::Md5Crypt => md5_crypt(bytes, hash).is_some_and(|made| same(&made, hash)),
            Kind::Sha1 => same(&format!("{{SHA}}{}", STANDARD.encode(Sha1::digest(bytes))), hash),
            Kind::Md5 => same(&hex(&Md5::digest(bytes)), &hash.to_ascii_lowercase()),
        }
    }
}

/// `$apr1$salt$…` or `$1$salt$…` of `password`, with the salt of `like`.
fn md5_crypt(password: &[u8], like: &str) -> Option<String> {
    let magic = if like.starts_with("$apr1$") { "$apr1$" } else { "$1$" };
    let (salt, _) = like.strip_prefix(magic)?.split_once('$')?;
    let salt = salt.as_bytes().get(..salt.len().min(8))?;
    let inner = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut first = Md5::new().chain_update(password).chain_update(magic).chain_update(salt);
    let filler = inner.iter().copied().cycle().take(password.len());
    first.update(filler.collect::<Vec<u8>>());
    let mut length = password.len();
    while length > 0 {
        first.update(if length & 1 == 1 { &[0][..] } else { password.get(..1).unwrap_or_default() });
        length >>= 1;
    }
    let mut sum = first.finalize();
    for round in 0..1_000 {
        let mut next = Md5::new();
        next.update(if round % 2 == 1 { password } else { &sum[..] });
        if round % 3 > 0 {
            next.update(salt);
        }
        if round % 7 > 0 {
            next.update(password);
        }
        next.update(if round % 2 == 1 { &sum[..] } else { password });
        sum = next.finalize();
    }
    let salt = std::str::from_utf8(salt).ok()?;
    Some(format!("{magic}{salt}${}", crypt_digits(&sum.into())))
}

/// Sixteen bytes in the order and the digits of `crypt(3)`.
fn crypt_digits(sum: &[u8; 16]) -> String {
    const ORDER: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];
    const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = String::new();
    let mut digits = |mut bits: u32, count: usize| {
        for _ in 0..count {
            text.push(char::from(DIGITS[(bits & 63) as usize]));
            bits >>= 6;
        }
    };
    for [a, b, c] in ORDER {
        digits(u32::from(sum[a]) << 16 | u32::from(sum[b]) << 8 | u32::from(sum[c]), 4);
    }
    digits(u32::from(sum[11]), 2);
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn same(made: &str, hash: &str) -> bool {
    made.as_bytes().ct_eq(hash.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made with `openssl passwd -apr1|-1|-5|-6`, `htpasswd -nbB|-nbs` and `md5sum`.
    const OF_HUSH: &[(Kind, &str)] = &[
        (Kind::Bcrypt, "$2y$05$abcdefghijklmnopqrstuuxCX.LR/r325wLNEERMRvco8tVvMd5na"),
        (Kind::ShaCrypt, "$5$rounds=1000$saltsalt$17RGh3D2rHTKGnZU5B04OPp7/BiiCG4WaG2rtV97ZX5"),
        (
            Kind::ShaCrypt,
            "$6$rounds=1000$saltstring$8J7ncQ5F4NHWQJJ/2Z9WmB76Y9S032U7o3pVdSyGkGXSe9hpWqYVwiczwN7plmJh5jsCq.wde7QV5l8Boc.Jl.",
        ),
        (Kind::Md5Crypt, "$apr1$8sFt66rZ$x7g3q4LybpyUKN7bfoNff."),
        (Kind::Md5Crypt, "$1$ab$64wXe9zZH5y7wW1ihJ3Fw/"),
        (Kind::Sha1, "{SHA}i2SuISiTpRKX4kR7HEEPKvX3wW8="),
        (Kind::Md5, "3c09e5c5c16a5c154680f015e02ebe6b"),
    ];

    #[test]
    fn every_kind_of_hash_fits_its_password_only() {
        for (kind, hash) in OF_HUSH {
            assert_eq!(Kind::of(hash), Some(*kind), "{hash}");
            assert!(kind.fits(hash, "hush, now"), "{hash}");
            for wrong in ["hush", "hush, noW", "", "hush, now "] {
                assert!(!kind.fits(hash, wrong), "{hash} {wrong}");
            }
        }
    }

    #[test]
    fn long_and_empty_passwords_agree_with_openssl() {
        for (word, times, hash) in [
            ("", 1, "$apr1$xxxxxxxx$AL/DOdqyMUurcg0cPNW/P1"),
            ("x", 1, "$apr1$xxxxxxxx$ZzUs2JSwvQkXusw7eMv78/"),
            ("aaaaaaaaaaaaaaaa", 1, "$apr1$xxxxxxxx$ikRO1K1pHvcd1um5FSmnJ."),
            ("bbbbbbbbbbbbbbbbb", 1, "$apr1$xxxxxxxx$Cn2s3R3/mhqGwA2p2ru/8/"),
            ("long ", 30, "$apr1$xxxxxxxx$gOzrnxhowvKrw7e.C8Qms/"),
        ] {
            assert!(Kind::Md5Crypt.fits(hash, &word.repeat(times)), "{hash}");
        }
    }

    #[test]
    fn a_damaged_hash_fits_nothing() {
        for (kind, hash) in OF_HUSH {
            for end in 0..hash.len() {
                assert!(!kind.fits(&hash[..end], "hush, now"), "{}", &hash[..end]);
            }
        }
        for unknown in ["", "hush", "rqXexS6ZhobKA", "$7$x", "{SSHA}x", &"g".repeat(32)] {
            assert_eq!(Kind::of(unknown), None, "{unknown}");
        }
    }
}
