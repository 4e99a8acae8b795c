//! What str0m needs of cryptography, from the crates that TLS uses already.
//!
//! str0m's own back ends want cmake (all of them pull in aws-lc, the pure one by a feature of its DTLS crate). Here
//! DTLS is `dimpl` with RustCrypto, and what runs for every packet is `ring`.

mod dtls;
mod srtp;

use ring::{digest, hmac};
use std::sync::{Arc, LazyLock};
use str0m::{
    config::{CryptoProvider, DtlsCert},
    crypto::{Sha1HmacProvider, Sha1Provider, Sha256Provider},
};

/// The same for all sessions.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        Arc::new(CryptoProvider {
            srtp_provider: &srtp::Srtp,
            sha1_hmac_provider: &Digests,
            sha1_provider: &Digests,
            sha256_provider: &Digests,
            dtls_provider: &dtls::Provider,
        })
    });
    PROVIDER.clone()
}

/// A certificate of our own making, for as long as the server runs; `None` where the system has no chance to give.
pub(crate) fn certificate() -> Option<DtlsCert> {
    dtls::certificate()
}

#[derive(Debug)]
struct Digests;

impl Sha1HmacProvider for Digests {
    fn sha1_hmac(&self, key: &[u8], payloads: &[&[u8]]) -> [u8; 20] {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
        let mut context = hmac::Context::with_key(&key);
        payloads.iter().for_each(|payload| context.update(payload));
        context.sign().as_ref().try_into().expect("SHA-1 has twenty bytes")
    }
}

impl Sha1Provider for Digests {
    fn sha1(&self, data: &[u8]) -> [u8; 20] {
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, data);
        digest.as_ref().try_into().expect("SHA-1 has twenty bytes")
    }
}

impl Sha256Provider for Digests {
    fn sha256(&self, data: &[u8]) -> [u8; 32] {
        digest::digest(&digest::SHA256, data).as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}
