//! Private teams: the token that members share, how one shows that it has it, and what hides the stream from others.

use bytes::{Bytes, BytesMut};

/// What a token becomes; the token itself never travels.
///
/// Whoever hears a proof can try tokens against it, as many as a machine can hash: a token should be long, or drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pass([u8; 32]);

impl Pass {
    /// The one of a token.
    pub fn of(token: &str) -> Pass {
        Pass(blake3::derive_key("levada swarm 2026 team token", token.as_bytes()))
    }

    /// That somebody has the token: for a purpose, and for what makes this time unlike others.
    pub fn proof(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for part in [purpose.as_bytes()].iter().chain(parts) {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let mut proof = [0; 16];
        proof.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        proof
    }

    /// Whether a proof is one, in a time that does not tell how much of it was right.
    pub fn is_proof(&self, said: &[u8; 16], purpose: &str, parts: &[&[u8]]) -> bool {
        let wanted = self.proof(purpose, parts);
        said.iter().zip(wanted).fold(0, |differs, (said, wanted)| differs | (said ^ wanted)) == 0
    }
}

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pass")
    }
}

/// Proof of having no token.
pub const NO_PROOF: [u8; 16] = [0; 16];

/// What chunks of a private team are hidden under; nothing in an open one.
///
/// BLAKE3 with a key of the token and of the splitter's salt, which is another at every start, gives as many bytes for
/// each number as a chunk has; the chunk is added to them. That it is the splitter's its seal shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Veil(Option<[u8; 32]>);

impl Veil {
    /// The one of a team.
    pub fn of(pass: Option<&Pass>, salt: &[u8; 16]) -> Veil {
        Veil(pass.map(|pass| {
            let mut hasher = blake3::Hasher::new_keyed(&pass.0);
            hasher.update(b"levada swarm veil 1");
            hasher.update(salt);
            *hasher.finalize().as_bytes()
        }))
    }

    /// Hides what is open, or opens what is hidden.
    pub fn over(&self, number: u64, bytes: Bytes) -> Bytes {
        let Some(key) = &self.0 else { return bytes };
        let mut out = BytesMut::zeroed(bytes.len());
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher.update(&number.to_be_bytes());
        hasher.finalize_xof().fill(&mut out);
        out.iter_mut().zip(&bytes).for_each(|(hidden, open)| *hidden ^= open);
        out.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_good_for_its_token_purpose_and_time_alone() {
        let pass = Pass::of("seven quiet words");
        let proof = pass.proof("join", &[b"nonce", b"cookie"]);
        assert!(pass.is_proof(&proof, "join", &[b"nonce", b"cookie"]));
        assert!(!pass.is_proof(&proof, "find", &[b"nonce", b"cookie"]));
        assert!(!pass.is_proof(&proof, "join", &[b"noncec", b"ookie"]));
        assert!(!Pass::of("seven quiet word").is_proof(&proof, "join", &[b"nonce", b"cookie"]));
    }

    #[test]
    fn what_is_hidden_is_opened_by_the_same_token_salt_and_number_alone() {
        let (pass, chunk) = (Pass::of("tea"), Bytes::from(vec![7; 1_200]));
        let veil = Veil::of(Some(&pass), &[1; 16]);
        let hidden = veil.over(9, chunk.clone());
        assert_eq!(veil.over(9, hidden.clone()), chunk);
        assert!(
            veil.over(10, hidden.clone()) != chunk
                && Veil::of(Some(&pass), &[2; 16]).over(9, hidden) != chunk
        );
        assert_eq!(Veil::default().over(9, chunk.clone()), chunk);
    }
}
