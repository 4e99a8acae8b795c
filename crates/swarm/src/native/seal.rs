//! What proves that a chunk is the splitter's: an Ed25519 signature of the Merkle root of its group, and the way to it.

use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};

/// A leaf or node of a group's tree: the first half of a BLAKE3 hash. Whoever forges a chunk needs a second preimage.
pub type Hash = [u8; 16];

/// What a splitter signs with.
#[derive(Clone)]
pub enum Seal {
    /// Ed25519.
    Ed25519(Box<SigningKey>),
    /// A stand-in for simulations, which costs next to nothing and protects from nobody.
    StandIn,
}

/// What everybody checks with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Ed25519.
    Ed25519(VerifyingKey),
    /// See [`Seal::StandIn`].
    StandIn,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Seal").field(&self.key()).finish()
    }
}

impl Seal {
    /// A key made of 32 bytes of chance.
    pub fn ed25519(secret: &[u8; 32]) -> Seal {
        Seal::Ed25519(Box::new(SigningKey::from_bytes(secret)))
    }

    /// The key to check with.
    pub fn key(&self) -> Key {
        match self {
            Seal::Ed25519(key) => Key::Ed25519(key.verifying_key()),
            Seal::StandIn => Key::StandIn,
        }
    }

    /// Signs a text.
    pub fn sign(&self, text: &[u8]) -> [u8; 64] {
        match self {
            Seal::Ed25519(key) => key.sign(text).to_bytes(),
            Seal::StandIn => stand_in(text),
        }
    }
}

impl Key {
    /// The key as it travels: a kind that no curve point has where it is none.
    pub fn to_bytes(self) -> [u8; 32] {
        match self {
            Key::Ed25519(key) => key.to_bytes(),
            Key::StandIn => [0xff; 32],
        }
    }

    /// A key that has travelled; `None` where it is none, or one of the few under which a signature fits several texts.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Key> {
        if *bytes == [0xff; 32] {
            return Some(Key::StandIn);
        }
        VerifyingKey::from_bytes(bytes).ok().filter(|key| !key.is_weak()).map(Key::Ed25519)
    }

    /// The leaf of a chunk; of a stand-in's, its beginning alone.
    pub fn leaf(self, number: u64, flags: u8, data: &[u8]) -> Hash {
        match self {
            Key::Ed25519(_) => leaf(number, flags, data),
            Key::StandIn => {
                // Where it is all there: what is further back would have to come from memory, at a hundred thousand peers.
                let head = &data[..data.len().min(16)];
                let mut text = [0; 32];
                text[..8].copy_from_slice(&number.to_be_bytes());
                text[8] = flags;
                text[9..9 + head.len()].copy_from_slice(head);
                let mut hash = [0; 16];
                hash[..8].copy_from_slice(&sum(&text).to_be_bytes());
                hash
            }
        }
    }

    /// Whether `signature` is the splitter's of this text.
    pub fn verify(&self, text: &[u8], signature: &[u8; 64]) -> bool {
        match self {
            // What the strict check has beside this concerns weak keys, which are none here, and costs a quarter more.
            Key::Ed25519(key) => key.verify(text, &Signature::from_bytes(signature)).is_ok(),
            Key::StandIn => signature.first_chunk() == Some(&sum(text).to_be_bytes()),
        }
    }
}

fn stand_in(text: &[u8]) -> [u8; 64] {
    let mut signature = [0; 64];
    signature[..8].copy_from_slice(&sum(text).to_be_bytes());
    signature
}

/// One pass over a short text, eight bytes at a time: some ten nanoseconds.
fn sum(text: &[u8]) -> u64 {
    let (words, rest) = text.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().chain([&last]).map(|word| u64::from_le_bytes(*word));
    words.fold(0xcbf2_9ce4_8422_2325 ^ text.len() as u64, |sum, word| {
        (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    })
}

/// The leaf of a chunk.
pub fn leaf(number: u64, flags: u8, data: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[0, flags]);
    hasher.update(&number.to_be_bytes());
    hasher.update(data);
    half(hasher.finalize())
}

/// The levels of the tree above `leaves`, lowest first; a node without a sibling goes up as it is.
pub fn tree(leaves: Vec<Hash>) -> Vec<Vec<Hash>> {
    let mut levels = vec![leaves];
    while let Some(level) = levels.last().filter(|level| level.len() > 1) {
        let above = level
            .chunks(2)
            .map(|pair| if pair.len() == 2 { node(&pair[0], &pair[1]) } else { pair[0] })
            .collect();
        levels.push(above);
    }
    levels
}

/// The siblings on the way from leaf `at` to the root.
pub fn path(levels: &[Vec<Hash>], mut at: usize) -> Vec<Hash> {
    let mut siblings = Vec::new();
    for level in levels {
        if let Some(sibling) = level.get(at ^ 1).filter(|_| level.len() > 1) {
            siblings.push(*sibling);
        }
        at /= 2;
    }
    siblings
}

/// The root that `leaf` at `at` of `count` has with these siblings; `None` where they cannot be its way.
pub fn root(leaf: Hash, mut at: usize, mut count: usize, siblings: &[Hash]) -> Option<Hash> {
    let mut siblings = siblings.iter();
    let mut hash = leaf;
    while count > 1 {
        if at ^ 1 < count {
            let sibling = siblings.next()?;
            hash = if at.is_multiple_of(2) { node(&hash, sibling) } else { node(sibling, &hash) };
        }
        (at, count) = (at / 2, count.div_ceil(2));
    }
    siblings.next().is_none().then_some(hash)
}

/// What is signed of a group.
pub fn statement(first: u64, count: u8, root: &Hash) -> [u8; 45] {
    let mut text = [0; 45];
    text[..20].copy_from_slice(b"levada swarm group 1");
    text[20..28].copy_from_slice(&first.to_be_bytes());
    text[28] = count;
    text[29..].copy_from_slice(root);
    text
}

fn node(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[1]);
    hasher.update(left);
    hasher.update(right);
    half(hasher.finalize())
}

fn half(hash: blake3::Hash) -> Hash {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.as_bytes()[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_of_every_group_finds_the_root_and_no_other_does() {
        for count in 1..=32usize {
            let leaves: Vec<_> = (0..count).map(|at| leaf(at as u64, 0, b"x")).collect();
            let levels = tree(leaves.clone());
            let top = levels.last().unwrap()[0];
            for (at, leaf_at) in leaves.iter().enumerate() {
                let way = path(&levels, at);
                assert_eq!(root(*leaf_at, at, count, &way), Some(top), "{at} of {count}");
                assert_ne!(root(leaf(99, 0, b"x"), at, count, &way), Some(top));
                assert_eq!(root(*leaf_at, at, count, &[way.clone(), vec![top]].concat()), None);
            }
        }
    }

    #[test]
    fn a_key_of_small_order_is_none() {
        // the neutral point (RFC 8032 5.1.2: y is 1): any text has the same signature under it
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert!(VerifyingKey::from_bytes(&neutral).is_ok());
        assert_eq!(Key::from_bytes(&neutral), None);
    }

    #[test]
    fn a_signature_is_good_for_its_text_alone() {
        for seal in [Seal::ed25519(&[7; 32]), Seal::StandIn] {
            let signature = seal.sign(b"text");
            let key = Key::from_bytes(&seal.key().to_bytes()).unwrap();
            assert!(key.verify(b"text", &signature) && !key.verify(b"other", &signature));
        }
    }
}
