//! The signatures of the digest greeting: HMAC-SHA256 with keys that everybody knows.

use super::{BLOCK, Block};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Where in a block the signature's place is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// By the four bytes at 8.
    Early,
    /// By the four bytes at 772.
    Late,
}

pub(super) type Signature = [u8; SIGNATURE];

/// The scheme and signature of `block`, if it is signed with `key`.
pub(super) fn find(block: &Block, key: &[u8]) -> Option<(Scheme, Signature)> {
    [Scheme::Late, Scheme::Early].into_iter().find_map(|scheme| {
        let place = scheme.place(block);
        let found: Signature = *block.get(place..)?.first_chunk()?;
        (found == signature(block, place, key)).then_some((scheme, found))
    })
}

/// Signs `block` with `key`.
pub(super) fn sign(block: &mut Block, scheme: Scheme, key: &[u8]) {
    let place = scheme.place(block);
    let signature = signature(block, place, key);
    block[place..place + SIGNATURE].copy_from_slice(&signature);
}

/// Ends `block` with what proves that `theirs` was read.
pub(super) fn answer(block: &mut Block, theirs: &Signature, key: &[u8]) {
    let (noise, place) = block.split_at_mut(BLOCK - SIGNATURE);
    place.copy_from_slice(&hmac(&hmac(key, &[theirs]), &[noise]));
}

impl Scheme {
    fn place(self, block: &Block) -> usize {
        let told = if self == Scheme::Early { 8 } else { 772 };
        let sum: usize = block[told..told + 4].iter().map(|byte| usize::from(*byte)).sum();
        // each half of the block has 764 bytes: four that tell the place, and 728 places for 32 bytes
        sum % 728 + told + 4
    }
}

/// The HMAC of the block without the 32 bytes at `place`.
fn signature(block: &Block, place: usize, key: &[u8]) -> Signature {
    hmac(key, &[&block[..place], &block[place + SIGNATURE..]])
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Signature {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

const SIGNATURE: usize = 32;

/// Signs C1.
pub(super) const CLIENT_SHORT: &[u8] = b"Genuine Adobe Flash Player 001";
/// Signs S1.
pub(super) const SERVER_SHORT: &[u8] = b"Genuine Adobe Flash Media Server 001";
/// Signs C2.
pub(super) const CLIENT: &[u8] = b"Genuine Adobe Flash Player 001\
    \xf0\xee\xc2\x4a\x80\x68\xbe\xe8\x2e\x00\xd0\xd1\x02\x9e\x7e\x57\
    \x6e\xec\x5d\x2d\x29\x80\x6f\xab\x93\xb8\xe6\x36\xcf\xeb\x31\xae";
/// Signs S2.
pub(super) const SERVER: &[u8] = b"Genuine Adobe Flash Media Server 001\
    \xf0\xee\xc2\x4a\x80\x68\xbe\xe8\x2e\x00\xd0\xd1\x02\x9e\x7e\x57\
    \x6e\xec\x5d\x2d\x29\x80\x6f\xab\x93\xb8\xe6\x36\xcf\xeb\x31\xae";
