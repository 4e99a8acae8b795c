//! The three messages of a handshake: Noise XX, with what both know mixed into the third.

use super::identity::{Identity, PublicKey, Secret, Words};
use super::keys::{Opening, Sealing};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState, params};

/// A handshake under way.
pub struct Handshake(HandshakeState);

/// What a handshake leads to.
pub struct Agreed {
    pub sealing: Sealing,
    pub opening: Opening,
    pub key: PublicKey,
    pub words: Words,
}

/// Bytes of each message, with the greeting in the second and third; beginning from the ephemeral key (which is a key already where there is a secret to come: even nothing is sealed).
pub const MESSAGES: [usize; 3] = [32 + 16, 32 + 48 + HELLO + 16, 48 + HELLO + 16];
/// Bytes of what each end says of itself.
pub const HELLO: usize = 4;

impl Handshake {
    pub fn initiator(identity: &Identity, secret: &Secret, chance: [u8; 32]) -> Option<Handshake> {
        builder(identity, secret, chance)?.build_initiator().ok().map(Handshake)
    }

    pub fn responder(identity: &Identity, secret: &Secret, chance: [u8; 32]) -> Option<Handshake> {
        builder(identity, secret, chance)?.build_responder().ok().map(Handshake)
    }

    /// Appends the next message.
    pub fn write(&mut self, hello: &[u8], datagram: &mut Vec<u8>) -> Option<()> {
        let mut message = [0; 128];
        let length = self.0.write_message(hello, &mut message).ok()?;
        datagram.extend_from_slice(&message[..length]);
        Some(())
    }

    /// Reads the other's next message; what it says of itself.
    pub fn read(&mut self, message: &[u8]) -> Option<[u8; HELLO]> {
        let mut payload = [0; 128];
        let length = self.0.read_message(message, &mut payload).ok()?;
        payload[..length].try_into().ok().or((length == 0).then_some([0; HELLO]))
    }

    pub fn finish(mut self) -> Option<Agreed> {
        if !self.0.is_handshake_finished() {
            return None;
        }
        let key = PublicKey::of(self.0.get_remote_static()?);
        let words = Words::of(self.0.get_handshake_hash());
        // the keys themselves, since the header of every datagram is to be authenticated with it, and old keys are to open what was overtaken
        let (first, second) = self.0.dangerously_get_raw_split();
        let (ours, theirs) = if self.0.is_initiator() { (first, second) } else { (second, first) };
        Some(Agreed { sealing: Sealing::new(ours), opening: Opening::new(theirs), key, words })
    }
}

fn builder<'a>(identity: &'a Identity, secret: &'a Secret, chance: [u8; 32]) -> Option<Builder<'a>> {
    let params = "Noise_XXpsk3_25519_ChaChaPoly_BLAKE2s".parse().ok()?;
    let builder = Builder::with_resolver(params, Box::new(Resolver(chance)));
    builder
        .psk(3, &secret.key)
        .ok()?
        .local_private_key(identity.bytes())
        .ok()?
        .prologue(b"levada talk 1")
        .ok()
}

/// snow's own primitives, and chance that was given.
struct Resolver([u8; 32]);

/// Chance that follows from a seed, which is to be used once.
pub(crate) struct Given(blake3::OutputReader);

impl Given {
    pub(crate) fn new(seed: &[u8; 32]) -> Given {
        Given(blake3::Hasher::new_keyed(seed).finalize_xof())
    }
}

impl Random for Given {
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), snow::Error> {
        self.0.fill(out);
        Ok(())
    }
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Given::new(&self.0)))
    }

    fn resolve_dh(&self, choice: &params::DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &params::HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &params::CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}
