//! Keys by which ends of QUIC connections are known: raw ones, in certificates that nobody signs (RFC 7250).

use crate::guarded::PublicKey;
use quinn_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::{AlwaysResolvesClientRawPublicKeys, danger},
    crypto::{CryptoProvider, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::{AlwaysResolvesServerRawPublicKeys, danger as server_danger},
    sign::CertifiedKey,
};
use std::sync::Arc;

/// A key pair, and what TLS needs of it.
#[derive(Clone)]
pub struct Identity {
    key: PublicKey,
    client: Arc<QuicClientConfig>,
    server: Arc<QuicServerConfig>,
}

impl Identity {
    /// The Ed25519 key of 32 secret bytes.
    ///
    /// # Errors
    /// That the library for TLS cannot do what it is built for.
    pub fn ed25519(secret: &[u8; 32]) -> Result<Identity, Error> {
        // PKCS #8 of such a key, RFC 8410 7.
        let der = [&PKCS8[..], secret].concat();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let signing = rustls::crypto::ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(der))?;
        let spki = signing.public_key().ok_or(Error::General("a key without its public half".into()))?;
        let key = key_of(&spki).ok_or(CertificateError::BadEncoding)?;
        let certified = CertifiedKey::new(vec![CertificateDer::from(spki.to_vec())], signing);
        let certified = Arc::new(certified);
        let anybody = Arc::new(Anybody(provider.clone()));
        let mut client = rustls::ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(anybody.clone())
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified.clone())));
        let mut server = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(anybody)
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified)));
        // Who comes back shows who it is anew.
        client.resumption = rustls::client::Resumption::disabled();
        server.send_tls13_tickets = 0;
        client.alpn_protocols = vec![PROTOCOL.to_vec()];
        server.alpn_protocols = vec![PROTOCOL.to_vec()];
        let suite = |why: quinn_proto::crypto::rustls::NoInitialCipherSuite| Error::General(why.to_string());
        let client = Arc::new(client.try_into().map_err(suite)?);
        Ok(Identity { key, client, server: Arc::new(server.try_into().map_err(suite)?) })
    }

    /// By what others know it.
    pub fn key(&self) -> PublicKey {
        self.key
    }

    pub(super) fn client(&self) -> quinn_proto::ClientConfig {
        quinn_proto::ClientConfig::new(self.client.clone())
    }

    pub(super) fn server(&self) -> quinn_proto::ServerConfig {
        quinn_proto::ServerConfig::with_crypto(self.server.clone())
    }
}

/// Who is at the other end of a connection.
pub(super) fn shown(connection: &quinn_proto::Connection) -> Option<PublicKey> {
    let identity = connection.crypto_session().peer_identity()?;
    let certificates = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    key_of(certificates.first()?)
}

/// The key in a SubjectPublicKeyInfo of Ed25519 (RFC 8410 4).
fn key_of(spki: &[u8]) -> Option<PublicKey> {
    spki.strip_prefix(&SPKI)?.try_into().ok()
}

/// Checks that the other end has the key that it shows; whether it is a welcome one is the machine's affair.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl Anybody {
    fn has_key(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<danger::HandshakeSignatureValid, Error> {
        let spki = SubjectPublicKeyInfoDer::from(certificate.as_ref());
        verify_tls13_signature_with_raw_key(message, &spki, signed, &self.0.signature_verification_algorithms)
    }
}

fn is_key(certificate: &CertificateDer<'_>) -> Result<(), Error> {
    key_of(certificate).map(|_| ()).ok_or_else(|| CertificateError::BadEncoding.into())
}

impl danger::ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<danger::ServerCertVerified, Error> {
        is_key(certificate).map(|()| danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<danger::HandshakeSignatureValid, Error> {
        Err(Error::General("QUIC has no TLS 1.2".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<danger::HandshakeSignatureValid, Error> {
        self.has_key(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl server_danger::ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<server_danger::ClientCertVerified, Error> {
        is_key(certificate).map(|()| server_danger::ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<danger::HandshakeSignatureValid, Error> {
        Err(Error::General("QUIC has no TLS 1.2".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<danger::HandshakeSignatureValid, Error> {
        self.has_key(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

const PROTOCOL: &[u8] = b"levada/1";
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
