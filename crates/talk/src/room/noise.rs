//! The handshake of two participants: Noise XX with a secret in the third message, of primitives that browsers have as well.

use crate::secure::{Given, Identity, PublicKey, Words};
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use hmac::{Hmac, Mac};
use levada_link::room::{DisplayName, RoomName};
use sha2::{Digest, Sha256};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState, params};

/// What the participants of a room know and nobody else; of a passphrase, or nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Psk {
    key: [u8; 32],
    is_said: bool,
}

/// A handshake under way.
pub struct Handshake(HandshakeState);

/// What a handshake leads to.
pub struct Agreed {
    pub sealing: Aes256Gcm,
    pub opening: Aes256Gcm,
    pub key: PublicKey,
    pub words: Words,
}

impl Psk {
    /// Nothing: whoever is in between can be found out by [`Words`] alone.
    pub fn none() -> Psk {
        Psk { key: [0; 32], is_said: false }
    }

    /// Of a passphrase, by PBKDF2 with 600,000 rounds of HMAC-SHA-256 (OWASP's figure; what browsers have), salted with the room's name.
    /// Takes some tenths of a second.
    pub fn of(passphrase: &str, room: &RoomName) -> Psk {
        Psk { key: pbkdf2(passphrase.as_bytes(), &prologue(room), ROUNDS), is_said: true }
    }

    /// Whether there is a passphrase at all.
    pub fn is_said(&self) -> bool {
        self.is_said
    }
}

impl Handshake {
    pub fn initiator(identity: &Identity, psk: &Psk, room: &RoomName, chance: [u8; 32]) -> Option<Handshake> {
        let prologue = prologue(room);
        builder(identity, psk, &prologue, chance)?.build_initiator().ok().map(Handshake)
    }

    pub fn responder(identity: &Identity, psk: &Psk, room: &RoomName, chance: [u8; 32]) -> Option<Handshake> {
        let prologue = prologue(room);
        builder(identity, psk, &prologue, chance)?.build_responder().ok().map(Handshake)
    }

    /// Appends the next message, with how this end is called.
    pub fn write(&mut self, name: &str, out: &mut Vec<u8>) -> Option<()> {
        let mut message = [0; LONGEST];
        let length = self.0.write_message(name.as_bytes(), &mut message).ok()?;
        out.extend_from_slice(&message[..length]);
        Some(())
    }

    /// Reads the other's next message; how it is called.
    pub fn read(&mut self, message: &[u8]) -> Option<DisplayName> {
        let mut payload = [0; LONGEST];
        let length = self.0.read_message(message.get(..message.len().min(LONGEST))?, &mut payload).ok()?;
        Some(DisplayName::of_bytes(&payload[..length]))
    }

    pub fn finish(mut self) -> Option<Agreed> {
        if !self.0.is_handshake_finished() {
            return None;
        }
        let key = PublicKey::of(self.0.get_remote_static()?);
        let said =
            Sha256::new().chain_update(b"levada room words 1").chain_update(self.0.get_handshake_hash());
        let words = Words::of_hash(&said.finalize());
        // the keys themselves, since what they seal may be lost or come in another order
        let (first, second) = self.0.dangerously_get_raw_split();
        let (ours, theirs) = if self.0.is_initiator() { (first, second) } else { (second, first) };
        Some(Agreed { sealing: cipher(&ours), opening: cipher(&theirs), key, words })
    }
}

pub fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(key.into())
}

fn prologue(room: &RoomName) -> Vec<u8> {
    [b"levada room 1\0", room.as_str().as_bytes()].concat()
}

fn builder<'a>(
    identity: &'a Identity,
    psk: &'a Psk,
    prologue: &'a [u8],
    chance: [u8; 32],
) -> Option<Builder<'a>> {
    let params = "Noise_XXpsk3_25519_AESGCM_SHA256".parse().ok()?;
    let builder = Builder::with_resolver(params, Box::new(Resolver(chance)));
    builder.psk(3, &psk.key).ok()?.local_private_key(identity.bytes()).ok()?.prologue(prologue).ok()
}

/// The first block of RFC 8018 5.2, which is all of 32 bytes.
fn pbkdf2(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    let keyed = Hmac::<Sha256>::new_from_slice(password).expect("HMAC takes keys of any length");
    let mac = |parts: &[&[u8]]| -> [u8; 32] {
        let mut mac = keyed.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    };
    let mut turn = mac(&[salt, &1_u32.to_be_bytes()]);
    let mut key = turn;
    for _ in 1..rounds {
        turn = mac(&[&turn]);
        key.iter_mut().zip(turn).for_each(|(key, turn)| *key ^= turn);
    }
    key
}

/// snow's curve, primitives of crates that are here already, and chance that was given.
struct Resolver([u8; 32]);

#[derive(Default)]
struct AesGcm(Option<Aes256Gcm>);

#[derive(Default)]
struct Sha(Sha256);

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Given::new(&self.0)))
    }

    fn resolve_dh(&self, choice: &params::DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &params::HashChoice) -> Option<Box<dyn Hash>> {
        matches!(choice, params::HashChoice::SHA256).then(|| Box::<Sha>::default() as Box<dyn Hash>)
    }

    fn resolve_cipher(&self, choice: &params::CipherChoice) -> Option<Box<dyn Cipher>> {
        matches!(choice, params::CipherChoice::AESGCM).then(|| Box::<AesGcm>::default() as Box<dyn Cipher>)
    }
}

impl Hash for Sha {
    fn name(&self) -> &'static str {
        "SHA256"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        32
    }

    fn reset(&mut self) {
        self.0 = Sha256::new();
    }

    fn input(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        out[..32].copy_from_slice(&self.0.finalize_reset());
    }
}

impl Cipher for AesGcm {
    fn name(&self) -> &'static str {
        "AESGCM"
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.0 = Some(cipher(key));
    }

    fn encrypt(&self, number: u64, bound: &[u8], plain: &[u8], out: &mut [u8]) -> usize {
        let (body, rest) = out.split_at_mut(plain.len());
        body.copy_from_slice(plain);
        let sealed = self.0.as_ref().and_then(|cipher| seal(cipher, &nonce(number), bound, body));
        // it fails for bodies of gigabytes only
        rest[..TAG].copy_from_slice(&sealed.unwrap_or_default());
        plain.len() + TAG
    }

    fn decrypt(
        &self,
        number: u64,
        bound: &[u8],
        sealed: &[u8],
        out: &mut [u8],
    ) -> Result<usize, snow::Error> {
        let (body, tag) = sealed.split_last_chunk::<TAG>().ok_or(snow::Error::Decrypt)?;
        let out = out.get_mut(..body.len()).ok_or(snow::Error::Decrypt)?;
        out.copy_from_slice(body);
        let cipher = self.0.as_ref().ok_or(snow::Error::Decrypt)?;
        open(cipher, &nonce(number), bound, out, tag).ok_or(snow::Error::Decrypt)?;
        Ok(body.len())
    }
}

/// Seals `body` in place; the tag.
pub fn seal(cipher: &Aes256Gcm, nonce: &[u8; 12], bound: &[u8], body: &mut [u8]) -> Option<[u8; TAG]> {
    cipher.encrypt_inout_detached(&Nonce::from(*nonce), bound, body.into()).ok().map(Into::into)
}

/// Opens `body` in place.
pub fn open(
    cipher: &Aes256Gcm,
    nonce: &[u8; 12],
    bound: &[u8],
    body: &mut [u8],
    tag: &[u8; TAG],
) -> Option<()> {
    cipher.decrypt_inout_detached(&Nonce::from(*nonce), bound, body.into(), &Tag::from(*tag)).ok()
}

/// As Noise has it for AES-GCM: four zeros and the number.
pub fn nonce(number: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    nonce
}

impl std::fmt::Debug for Psk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_said { "Psk" } else { "no secret" })
    }
}

/// Bytes that sealing adds.
pub const TAG: usize = 16;
const ROUNDS: u32 = 600_000;
/// Bytes of a message at most.
const LONGEST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pbkdf2_is_as_published() {
        // RFC 7914 11
        let once = pbkdf2(b"passwd", b"salt", 1);
        assert_eq!(once[..8], [0x55, 0xac, 0x04, 0x6e, 0x56, 0xe3, 0x08, 0x9f]);
        let often = pbkdf2(b"Password", b"NaCl", 80_000);
        assert_eq!(often[..8], [0x4d, 0xdc, 0xd8, 0xf6, 0x0b, 0x98, 0xbe, 0x21]);
    }

    #[test]
    fn aes_gcm_is_as_published() {
        // McGrew and Viega, test cases 13 and 14
        let cipher = cipher(&[0; 32]);
        let mut body = [0; 16];
        let tag = seal(&cipher, &nonce(0), b"", &mut body).unwrap();
        assert_eq!(body[..4], [0xce, 0xa7, 0x40, 0x3d]);
        assert_eq!(tag[..4], [0xd0, 0xd1, 0xc8, 0xa7]);
        assert!(open(&cipher, &nonce(0), b"", &mut body, &tag).is_some() && body == [0; 16]);
        assert_eq!(seal(&cipher, &nonce(0), b"", &mut []).unwrap()[..4], [0x53, 0x0f, 0x8a, 0xfb]);
    }

    fn meet(psks: [Psk; 2], rooms: [&str; 2]) -> Option<[Agreed; 2]> {
        let [ana, ben] = [Identity::new([1; 32]), Identity::new([2; 32])];
        let [room, other] = rooms.map(|room| room.parse().unwrap());
        let mut first = Handshake::initiator(&ana, &psks[0], &room, [3; 32])?;
        let mut second = Handshake::responder(&ben, &psks[1], &other, [4; 32])?;
        let mut messages: [Vec<u8>; 3] = Default::default();
        first.write("", &mut messages[0])?;
        second.read(&messages[0])?;
        second.write("Ben", &mut messages[1])?;
        assert_eq!(first.read(&messages[1])?.as_str(), "Ben");
        first.write("Ana", &mut messages[2])?;
        assert_eq!(second.read(&messages[2])?.as_str(), "Ana");
        let lengths = messages.map(|message| message.len());
        assert_eq!(lengths, [48, 32 + 48 + 3 + 16, 48 + 3 + 16]);
        let agreed = [first.finish()?, second.finish()?];
        assert_eq!([agreed[0].key, agreed[1].key], [ben.public(), ana.public()]);
        Some(agreed)
    }

    #[test]
    fn two_who_know_the_same_agree_and_others_do_not() {
        let band: RoomName = "band".parse().unwrap();
        let [ana, ben] = meet([Psk::none(); 2], ["band"; 2]).expect("they agree");
        assert_eq!(ana.words, ben.words);
        let mut body = *b"hello";
        let tag = seal(&ana.sealing, &nonce(7), b"", &mut body).unwrap();
        assert!(open(&ben.opening, &nonce(7), b"", &mut body, &tag).is_some() && body == *b"hello");
        assert!(meet([Psk::none(); 2], ["band", "choir"]).is_none());
        assert!(meet([Psk::of("x", &band), Psk::none()], ["band"; 2]).is_none());
        assert!(meet([Psk::of("x", &band), Psk::of("x", &band)], ["band"; 2]).is_some());
    }
}
