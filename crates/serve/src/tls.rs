//! TLS on the same port as plain HTTP: told apart by the first byte, renewed without dropping anyone.

mod acme;

pub use acme::Renewal;

use crate::{Station, config::Http, conn::Stream};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::SystemTime,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    },
};

/// What new TLS connections get; those that are here keep what they have.
#[derive(Default)]
pub struct Tls {
    current: Mutex<Option<Arc<ServerConfig>>>,
}

impl Tls {
    /// What new connections get; `None` when TLS is not spoken.
    pub fn current(&self) -> Option<Arc<ServerConfig>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives new connections something else.
    pub fn replace(&self, config: Option<Arc<ServerConfig>>) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = config;
    }
}

/// A certificate and its key, in files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    /// What the configuration names, if anything.
    pub fn of(http: &Http) -> Option<Files> {
        let certificate = http.certificate.clone()?;
        let key = http.key.clone().unwrap_or_else(|| certificate.clone());
        Some(Files { certificate, key })
    }

    /// Reads them.
    ///
    /// # Errors
    /// When a file cannot be read, holds no PEM of its kind, or the key is not the certificate's.
    pub fn read(&self) -> Result<Arc<ServerConfig>, BadTls> {
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&read(&self.certificate)?)
                .collect::<Result<_, _>>()
                .map_err(|why| BadTls::Pem(self.certificate.clone(), why))?;
        if certificates.is_empty() {
            return Err(BadTls::Pem(self.certificate.clone(), pem::Error::NoItemsFound));
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?)
            .map_err(|why| BadTls::Pem(self.key.clone(), why))?;
        let mut config = builder()
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(|why| BadTls::Pair(self.certificate.clone(), why))?;
        config.alpn_protocols = vec![HTTP.to_vec()];
        Ok(Arc::new(config))
    }

    /// What changes when one of them does.
    pub fn stamp(&self) -> [Option<SystemTime>; 2] {
        [&self.certificate, &self.key].map(|path| fs::metadata(path).and_then(|about| about.modified()).ok())
    }
}

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadTls {
    /// A file cannot be read.
    #[error("{0} cannot be read: {1}")]
    File(PathBuf, io::Error),
    /// A file holds something else.
    #[error("{0} holds no certificate or key in PEM: {1}")]
    Pem(PathBuf, pem::Error),
    /// The key is not the certificate's, or of a kind that is not spoken.
    #[error("{0} and its key do not go together: {1}")]
    Pair(PathBuf, rustls::Error),
}

/// Finds out whether a fresh connection speaks TLS, and if so, shakes hands. `None` when it failed or came to prove a
/// name; such a connection is over.
pub async fn welcome(stream: TcpStream, station: &Station) -> Option<Stream> {
    let Some(tls) = station.tls.current() else { return Some(Stream::Plain(stream)) };
    let shake = async {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 || first != [HANDSHAKE] {
            return Ok(Some(Stream::Plain(stream)));
        }
        let stream = TlsAcceptor::from(tls).accept(stream).await?;
        let proof = stream.get_ref().1.alpn_protocol() == Some(ACME);
        Ok::<_, io::Error>((!proof).then(|| Stream::Tls(Box::new(stream))))
    };
    let patience = station.config().limits.head_timeout;
    let shaken = tokio::select! {
        shaken = timeout(patience, shake) => shaken,
        () = station.stop.cancelled() => return None,
    };
    match shaken {
        Ok(Ok(stream)) => stream,
        Ok(Err(why)) => {
            station.counters.bad_requests.fetch_add(1, Relaxed);
            tracing::debug!(%why, "TLS failed");
            None
        }
        Err(_late) => {
            station.counters.bad_requests.fetch_add(1, Relaxed);
            None
        }
    }
}

fn builder() -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
}

fn read(path: &Path) -> Result<Vec<u8>, BadTls> {
    fs::read(path).map_err(|why| BadTls::File(path.to_owned(), why))
}

/// The first byte of a TLS connection (RFC 8446 §5.1: a record of type handshake); no request begins with it.
const HANDSHAKE: u8 = 0x16;
const HTTP: &[u8] = b"http/1.1";
const ACME: &[u8] = b"acme-tls/1";

#[cfg(test)]
pub(crate) mod tests;
