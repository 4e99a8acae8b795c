//! A certificate by ACME from a small authority on this machine: proven on the port it is for, kept for the next start.
//!
//! The authority trusts signatures and nonces unseen; the proof of the name is checked as RFC 8737 says.

mod kit;

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::{Serve, eventually};
use rcgen::{BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, KeyPair, SanType};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    thread,
};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::ring,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
};

const NAME: &str = "radio.example.org";

#[test]
fn a_certificate_is_obtained_proven_and_kept() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::start()?;
    let root = folder.path().join("root.pem");
    std::fs::write(&root, &authority.pem)?;
    let sets = [
        format!("http.acme.domains={NAME}"),
        format!("http.acme.directory=https://localhost:{}/directory", authority.port),
        format!("http.acme.root={}", root.display()),
        "http.acme.email=me@example.org".to_owned(),
    ];
    let start = |authority: Option<&Authority>| -> Result<Serve> {
        let server = Serve::with(|command| {
            for set in &sets {
                command.args(["--set", set]);
            }
            command.arg("--state").arg(folder.path().join("state"));
        })?;
        if let Some(authority) = authority {
            *authority.known.target.lock().expect("nobody panics under it") = Some(server.address.parse()?);
        }
        Ok(server)
    };
    let first = start(Some(&authority))?;
    let port = first.address.rsplit(':').next().context("no port")?;
    eventually("the certificate", || Ok(trusted(port, &root)?.then_some(())))
        .with_context(|| first.program.said())?;
    ensure!(authority.issued() == 1 && *authority.known.proven.lock().expect("nobody panics under it"));
    drop(first);
    let second = start(None)?;
    let port = second.address.rsplit(':').next().context("no port")?;
    eventually("the kept certificate", || Ok(trusted(port, &root)?.then_some(())))?;
    ensure!(authority.issued() == 1, "a kept certificate is asked for again");
    Ok(())
}

/// Whether curl trusts the server under its name.
fn trusted(port: &str, root: &Path) -> Result<bool> {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-m", "10", "-o", "/dev/null", "--resolve", &format!("{NAME}:{port}:127.0.0.1")]);
    let out = curl.arg("--cacert").arg(root).arg(format!("https://{NAME}:{port}/")).output()?;
    Ok(out.status.success())
}

/// An authority that serves its directory over HTTPS.
struct Authority {
    port: u16,
    pem: String,
    known: Arc<Known>,
}

/// What it learns while somebody asks for a certificate.
struct Known {
    base: String,
    certificate: rcgen::Certificate,
    key: KeyPair,
    /// Where the name is said to be.
    target: Mutex<Option<SocketAddr>>,
    thumbprint: Mutex<String>,
    proven: Mutex<bool>,
    issued: Mutex<Vec<String>>,
}

impl Authority {
    fn start() -> Result<Authority> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key)?;
        let own_key = KeyPair::generate()?;
        let mut own = CertificateParams::default();
        own.subject_alt_names = vec![SanType::DnsName("localhost".try_into()?)];
        let own = own.signed_by(&own_key, &certificate, &key)?;
        let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![own.der().clone()],
                PrivatePkcs8KeyDer::from(own_key.serialize_der()).into(),
            )?;
        let pem = certificate.pem();
        let known = Arc::new(Known {
            base: format!("https://localhost:{port}"),
            certificate,
            key,
            target: Mutex::default(),
            thumbprint: Mutex::default(),
            proven: Mutex::default(),
            issued: Mutex::default(),
        });
        let (tls, serving) = (Arc::new(tls), known.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Ok(connection) = ServerConnection::new(tls.clone()) else { continue };
                if let Err(why) = serving.answer(StreamOwned::new(connection, stream)) {
                    eprintln!("authority: {why:#}");
                }
            }
        });
        Ok(Authority { port, pem, known })
    }

    fn issued(&self) -> usize {
        self.known.issued.lock().expect("nobody panics under it").len()
    }
}

impl Known {
    /// One request and its answer.
    fn answer(&self, stream: StreamOwned<ServerConnection, TcpStream>) -> Result<()> {
        let mut reader = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            ensure!(reader.read_line(&mut line)? > 0, "no request");
            match line.trim() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let length = lines.iter().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        let mut body = vec![0; length.unwrap_or_default()];
        reader.read_exact(&mut body)?;
        let path = lines[0].split(' ').nth(1).context("no path")?;
        let (location, mut text) = self.document(path, &body)?;
        if lines[0].starts_with("HEAD") {
            text.clear();
        }
        let mut stream = reader.into_inner();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nReplay-Nonce: once\r\nLocation: {location}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            text.len()
        )?;
        stream.write_all(text.as_bytes())?;
        stream.conn.send_close_notify();
        Ok(stream.flush()?)
    }

    fn document(&self, path: &str, body: &[u8]) -> Result<(String, String)> {
        let at = |path: &str| format!("{}{path}", self.base);
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let part = |name: &str| -> Result<Value> {
            let bytes = URL_SAFE_NO_PAD.decode(asked[name].as_str().unwrap_or_default())?;
            Ok(serde_json::from_slice(&bytes).unwrap_or_default())
        };
        let proven = *self.proven.lock().expect("nobody panics under it");
        let answer = match path {
            "/directory" => {
                json!({ "newNonce": at("/nonce"), "newAccount": at("/account"), "newOrder": at("/order") })
            }
            "/account" => {
                let jwk = &part("protected")?["jwk"];
                let text = format!(
                    "{{\"crv\":{},\"kty\":{},\"x\":{},\"y\":{}}}",
                    jwk["crv"], jwk["kty"], jwk["x"], jwk["y"]
                );
                *self.thumbprint.lock().expect("nobody panics under it") =
                    URL_SAFE_NO_PAD.encode(Sha256::digest(text));
                json!({})
            }
            "/order" if proven => self.order("ready"),
            "/order" => self.order("pending"),
            "/authorization" => json!({
                "status": if proven { "valid" } else { "pending" },
                "identifier": { "type": "dns", "value": NAME },
                "challenges": [{ "type": "tls-alpn-01", "url": at("/challenge"), "token": "token" }],
            }),
            "/challenge" => {
                *self.proven.lock().expect("nobody panics under it") = self.is_proven()?;
                json!({})
            }
            "/finalize" => {
                let csr = part("payload")?["csr"].as_str().map(|csr| URL_SAFE_NO_PAD.decode(csr));
                let csr = csr.context("no request for a certificate")??;
                let params = CertificateSigningRequestParams::from_der(&csr.into())?;
                let signed = params.signed_by(&self.certificate, &self.key)?;
                self.issued.lock().expect("nobody panics under it").push(signed.pem());
                self.order("valid")
            }
            "/certificate" => {
                let leaf = self
                    .issued
                    .lock()
                    .expect("nobody panics under it")
                    .last()
                    .cloned()
                    .context("nothing issued")?;
                return Ok((String::new(), leaf + &self.certificate.pem()));
            }
            _ => json!({}),
        };
        Ok((at(path), answer.to_string()))
    }

    fn order(&self, status: &str) -> Value {
        json!({
            "status": status,
            "authorizations": [format!("{}/authorization", self.base)],
            "finalize": format!("{}/finalize", self.base),
            "certificate": format!("{}/certificate", self.base),
        })
    }

    /// Asks the server under its name for the proof (RFC 8737 §3): a certificate that holds the digest of token and key.
    fn is_proven(&self) -> Result<bool> {
        let target =
            self.target.lock().expect("nobody panics under it").context("nobody said where the name is")?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anything))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
        let mut connection = ClientConnection::new(Arc::new(config), ServerName::try_from(NAME)?)?;
        let mut socket = TcpStream::connect(target)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        ensure!(connection.alpn_protocol() == Some(b"acme-tls/1"), "another protocol");
        let shown = connection.peer_certificates().and_then(<[_]>::first).context("no certificate")?;
        let digest =
            Sha256::digest(format!("token.{}", self.thumbprint.lock().expect("nobody panics under it")));
        Ok(shown.windows(digest.len()).any(|part| part == &digest[..]))
    }
}

/// Looks at certificates without judging them.
#[derive(Debug)]
struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, tokio_rustls::rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &tokio_rustls::rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, tokio_rustls::rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &tokio_rustls::rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, tokio_rustls::rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<tokio_rustls::rustls::SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
