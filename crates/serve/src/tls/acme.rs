//! Certificates from an authority by ACME (RFC 8555), proven on the very port they are for (TLS-ALPN-01, RFC 8737).

use super::{ACME, BadTls, HTTP, builder, read};
use crate::{auth::make_private, config::Acme};
use futures_util::StreamExt;
use rustls_acme::{AcmeConfig, AcmeState, caches::DirCache};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

/// Keeps a certificate fresh for as long as it is run.
pub struct Renewal {
    acme: Acme,
    state: AcmeState<io::Error>,
}

impl Renewal {
    /// Prepares for the names in `acme`; account, key and certificate are kept in `folder`.
    ///
    /// # Errors
    /// When the folder cannot be made, or the authority's root cannot be read.
    pub fn new(acme: &Acme, folder: &Path) -> Result<Renewal, BadTls> {
        make_private(folder).map_err(|why| BadTls::File(folder.to_owned(), why))?;
        let client = Arc::new(trusting(acme.root.as_deref())?);
        let mut config = AcmeConfig::new_with_client_config(&acme.domains, client)
            .contact(acme.email.iter().map(|email| format!("mailto:{email}")))
            .cache(DirCache::new(PathBuf::from(folder)))
            .directory_lets_encrypt(acme.production);
        if let Some(directory) = &acme.directory {
            config = config.directory(directory);
        }
        Ok(Renewal { acme: acme.clone(), state: config.state() })
    }

    /// What new connections get: the certificate once it is there, and the proof while one is asked for.
    pub fn config(&self) -> Arc<ServerConfig> {
        let mut config = builder().with_no_client_auth().with_cert_resolver(self.state.resolver());
        config.alpn_protocols = vec![HTTP.to_vec(), ACME.to_vec()];
        Arc::new(config)
    }

    /// Obtains and renews; ends when it is dropped.
    pub async fn run(mut self) {
        let names = self.acme.domains.join(", ");
        while let Some(step) = self.state.next().await {
            match step {
                Ok(step) => tracing::info!(names, ?step, "certificate"),
                Err(why) => tracing::error!(names, %why, "no certificate; trying again later"),
            }
        }
    }
}

/// Trusts what this machine trusts, and the house's own root.
fn trusting(root: Option<&Path>) -> Result<ClientConfig, BadTls> {
    let mut roots = RootCertStore::empty();
    let (_taken, _odd) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = root {
        for certificate in CertificateDer::pem_slice_iter(&read(path)?) {
            let certificate = certificate.map_err(|why| BadTls::Pem(path.to_owned(), why))?;
            roots.add(certificate).map_err(|why| BadTls::Pair(path.to_owned(), why))?;
        }
    }
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3");
    Ok(client.with_root_certificates(roots).with_no_client_auth())
}
