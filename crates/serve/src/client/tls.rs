//! TLS towards servers: whom this machine trusts.

use super::http::Wire;
use std::{
    io,
    sync::{Arc, OnceLock},
};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};

/// The certificates that this machine trusts, read when first needed. `SSL_CERT_FILE` names others.
#[derive(Clone, Default)]
pub(super) struct Trust(Arc<OnceLock<Arc<ClientConfig>>>);

impl Trust {
    /// Speaks TLS on `stream` with `host`.
    pub(super) async fn shake(&self, host: &str, stream: TcpStream) -> io::Result<Wire> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(self.0.get_or_init(config).clone());
        Ok(Box::new(connector.connect(name, stream).await?))
    }
}

fn config() -> Arc<ClientConfig> {
    let found = rustls_native_certs::load_native_certs();
    found.errors.iter().for_each(|why| tracing::warn!(%why, "a trusted certificate cannot be read"));
    let mut roots = RootCertStore::empty();
    let (_taken, _odd) = roots.add_parsable_certificates(found.certs);
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3");
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}
