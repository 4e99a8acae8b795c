//! TLS and plain on one port, with real clients, while the certificate changes.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Program, Serve, clip, eventually, http, levada, push};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A certificate of `localhost` and 127.0.0.1 with its key, in one file.
fn certificate(path: &Path) -> Result<()> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    // Written beside and moved, as those who renew certificates do.
    let draft = path.with_extension("draft");
    fs::write(&draft, made.cert.pem() + &made.key_pair.serialize_pem())?;
    Ok(fs::rename(draft, path)?)
}

struct Secure {
    server: Serve,
    pem: PathBuf,
    _folder: tempfile::TempDir,
}

impl Secure {
    fn start() -> Result<Secure> {
        let folder = tempfile::tempdir()?;
        let pem = folder.path().join("both.pem");
        certificate(&pem)?;
        let server = Serve::with(|command| {
            command.arg("--cert").arg(&pem);
        })?;
        Ok(Secure { server, pem, _folder: folder })
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.server.address)
    }

    /// What curl says with this very certificate as the only one trusted.
    fn curl(&self, arguments: &[&str]) -> Result<(bool, String)> {
        let mut command = Command::new("curl");
        command.args(["-sS", "-m", "20", "--cacert"]).arg(&self.pem).args(arguments);
        let out = command.output().context("curl is missing; run `make test`")?;
        let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        Ok((out.status.success(), said))
    }
}

#[test]
fn plain_and_tls_share_the_port() -> Result<()> {
    let secure = Secure::start()?;
    let url = secure.url("/status-json.xsl");
    let (good, said) = secure.curl(&["-v", &url])?;
    ensure!(good && said.contains("icestats"), "{said}");
    ensure!(said.contains("ALPN") && !said.contains("h2\n"), "{said}");
    let plain = http::get(&secure.server.url("/status-json.xsl"))?;
    ensure!(plain.status == 200 && plain.text().contains("icestats"));
    for version in ["--tlsv1.2", "--tlsv1.3"] {
        let (good, said) = secure.curl(&[version, "--tls-max", &version[6..], &url])?;
        ensure!(good, "{version}: {said}");
    }
    let (good, said) = secure.curl(&["--http2", &url])?;
    ensure!(good, "a client that would rather speak HTTP/2: {said}");
    Ok(())
}

#[test]
fn a_source_comes_by_tls() -> Result<()> {
    let secure = Secure::start()?;
    let to = format!("icecast://source:hush@{}/tls.mp3", secure.server.address);
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-re", "-stream_loop", "-1", "-i"]).arg(clip("chords.mp3"));
    ffmpeg.args(["-c", "copy", "-f", "mp3", "-content_type", "audio/mpeg", "-tls", "1", &to]);
    let _source = Program::start(&mut ffmpeg)?;
    secure.server.wait_live("/tls.mp3")?;
    let mut own = levada();
    own.args(["push", "--loop"]).arg(clip("chords.mp3"));
    own.arg(format!("https://source:hush@localhost:{}/own.mp3", port(&secure)))
        .env("SSL_CERT_FILE", &secure.pem);
    let _own = Program::start(&mut own)?;
    secure.server.wait_live("/own.mp3")?;
    http::listen(&secure.server.url("/tls.mp3"), "", 20_000)?;
    Ok(())
}

#[test]
fn players_play_over_tls() -> Result<()> {
    let secure = Secure::start()?;
    for clip in ["chords.mp3", "testcard.ogv"] {
        let _source = push(&secure.server, clip, &format!("/{clip}"))?;
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-t", "2", "-i", &secure.url(&format!("/{clip}")), "-f", "null", "-"]);
        let out = ffmpeg.output().context("ffmpeg is missing; run `make test`")?;
        let said = String::from_utf8_lossy(&out.stderr);
        ensure!(out.status.success() && said.is_empty(), "{clip}: {said}");
    }
    Ok(())
}

#[test]
fn a_new_certificate_is_taken_while_listeners_stay() -> Result<()> {
    let secure = Secure::start()?;
    let _source = push(&secure.server, "chords.mp3", "/a.mp3")?;
    let out = secure.pem.with_extension("heard");
    let mut listening = Command::new("curl");
    listening.args(["-sS", "--cacert"]).arg(&secure.pem).arg("-o").arg(&out).arg(secure.url("/a.mp3"));
    let mut listener = Program::start(&mut listening)?;
    let heard = || fs::metadata(&out).map(|about| about.len()).unwrap_or_default();
    eventually("the listener to hear", || Ok((heard() > 20_000).then_some(())))?;

    let old = fs::read(&secure.pem)?;
    certificate(&secure.pem)?;
    // Only the new certificate is trusted, so an answer shows that it is in use.
    eventually("the new certificate", || Ok(secure.curl(&[&secure.url("/")])?.0.then_some(())))?;
    let before = heard();
    eventually("the listener to hear more", || Ok((heard() > before + 20_000).then_some(())))?;
    ensure!(listener.runs(), "the listener was dropped: {}", listener.said());

    let good = fs::read(&secure.pem)?;
    fs::write(&secure.pem, &old[..old.len() / 2])?;
    eventually("the damage to be noticed", || {
        Ok(secure.server.program.said().contains("the old one stays in use").then_some(()))
    })?;
    fs::write(&secure.pem, good)?;
    let (still, said) = secure.curl(&[&secure.url("/")])?;
    ensure!(still, "a damaged file must not take TLS away: {said}");
    secure.server.program.signal("HUP")?;
    let before = heard();
    eventually("the listener to hear more after a reload", || Ok((heard() > before + 20_000).then_some(())))?;
    ensure!(listener.runs(), "{}", listener.said());
    Ok(())
}

#[test]
fn what_is_no_tls_is_closed_and_harms_nobody() -> Result<()> {
    use std::io::{Read, Write};
    let secure = Secure::start()?;
    for garbage in [&b"\x16"[..], b"\x16\x03\x01\x00\x05hello", b"\x16\xff\xff\xff\xff\xff\xff"] {
        let mut socket = std::net::TcpStream::connect(&secure.server.address)?;
        socket.write_all(garbage)?;
        socket.shutdown(std::net::Shutdown::Write)?;
        let mut rest = Vec::new();
        let _alert = socket.read_to_end(&mut rest);
        ensure!(rest.len() < 64, "{garbage:?} was answered with {} bytes", rest.len());
    }
    ensure!(secure.curl(&[&secure.url("/")])?.0);
    let plain = Serve::start(&[])?;
    let (good, _) = secure.curl(&[&format!("https://{}/", plain.address)])?;
    ensure!(!good, "TLS without a certificate");
    ensure!(http::get(&plain.url("/"))?.status == 200);
    Ok(())
}

fn port(secure: &Secure) -> &str {
    secure.server.address.rsplit(':').next().unwrap_or_default()
}
