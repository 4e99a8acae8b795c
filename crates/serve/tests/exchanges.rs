//! Every captured exchange of a real client, replayed byte for byte (see `exchanges/README.md`).

use anyhow::{Context, Result, bail, ensure};
use levada_serve::{Config, Server};
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

#[tokio::test(flavor = "multi_thread")]
async fn every_captured_exchange_is_answered_as_its_client_expects() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exchanges");
    let mut scripts: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    scripts.retain(|path| path.extension().is_some_and(|ext| ext == "txt"));
    ensure!(scripts.len() >= 15, "exchanges are missing");
    for script in scripts {
        let text = fs::read_to_string(&script)?;
        replay(&text).await.with_context(|| format!("{}", script.display()))?;
    }
    Ok(())
}

/// One script against a fresh server whose mount `/taken` is fed.
async fn replay(text: &str) -> Result<()> {
    let mut config = Config::default();
    config.http.listen = vec!["127.0.0.1:0".parse()?];
    config.http.shoutcast_mount = "/m".parse()?;
    config.auth.source_password = Some("hush".into());
    let server = Server::start(config, "test".into()).await?;
    let address = server.addresses()[0];
    let text = text.to_owned();
    let played = tokio::task::spawn_blocking(move || {
        let _feeder = Feeder::start(address)?;
        Play { address, socket: TcpStream::connect(address)?, ahead: Vec::new() }.run(&text)
    });
    let result = played.await?;
    server.stop().await;
    result
}

struct Play {
    address: SocketAddr,
    socket: TcpStream,
    ahead: Vec<u8>,
}

impl Play {
    fn run(mut self, text: &str) -> Result<()> {
        self.socket.set_read_timeout(Some(PATIENCE))?;
        let mut head: Option<Vec<String>> = None;
        let mut ask = String::new();
        for line in text.lines() {
            if let Some(sent) = line.strip_prefix("C") {
                ask += sent.strip_prefix(": ").unwrap_or_default();
                ask += "\r\n";
                continue;
            }
            self.socket.write_all(std::mem::take(&mut ask).as_bytes())?;
            match line.split_at(line.len().min(2)) {
                ("S", _) => head = None,
                ("S:", want) => {
                    let want = want.trim_start();
                    let lines = self.head(&mut head, want)?;
                    ensure!(lines.iter().any(|line| fits(want, line)), "no {want:?} in {lines:#?}");
                }
                ("S!", odd) => {
                    let lines = self.head(&mut head, odd)?;
                    let odd = odd.trim_start().to_lowercase();
                    ensure!(
                        !lines.iter().any(|line| line.to_lowercase().starts_with(&odd)),
                        "{odd} in {lines:#?}"
                    );
                }
                ("= ", "new") => {
                    self.socket = TcpStream::connect(self.address)?;
                    self.socket.set_read_timeout(Some(PATIENCE))?;
                    self.ahead.clear();
                }
                ("= ", "closed") => self.closed()?,
                ("= ", "audio") => self.audio()?,
                ("= ", "live") => self.live(false)?,
                ("= ", "live chunked") => self.live(true)?,
                _ => bail!("what does {line:?} mean?"),
            }
        }
        Ok(())
    }

    /// The lines of the answer's head that is being looked at, read when first asked for.
    fn head<'a>(&mut self, head: &'a mut Option<Vec<String>>, want: &str) -> Result<&'a [String]> {
        if head.is_none() {
            let end: &[u8] = if want.trim() == "invalid password" { b"\r\n" } else { b"\r\n\r\n" };
            let at = loop {
                if let Some(at) = self.ahead.windows(end.len()).position(|w| w == end) {
                    break at + end.len();
                }
                ensure!(
                    self.more()? > 0,
                    "closed before {want:?}, after {:?}",
                    String::from_utf8_lossy(&self.ahead)
                );
            };
            let text: Vec<u8> = self.ahead.drain(..at).collect();
            let lines: Vec<String> = String::from_utf8(text)?.lines().map(str::to_owned).collect();
            let length = lines
                .iter()
                .find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok())
                .unwrap_or(0);
            while self.ahead.len() < length {
                ensure!(self.more()? > 0, "the body is short");
            }
            self.ahead.drain(..length);
            *head = Some(lines);
        }
        Ok(head.as_deref().unwrap_or_default())
    }

    fn more(&mut self) -> Result<usize> {
        let mut piece = [0; 4096];
        let got = self.socket.read(&mut piece).context("the server stays silent")?;
        self.ahead.extend_from_slice(&piece[..got]);
        Ok(got)
    }

    fn closed(&mut self) -> Result<()> {
        ensure!(
            self.ahead.is_empty() && self.more()? == 0,
            "sends more: {:?}",
            String::from_utf8_lossy(&self.ahead)
        );
        Ok(())
    }

    fn audio(&mut self) -> Result<()> {
        while !self.ahead.windows(FRAME_HEAD.len()).any(|w| w == FRAME_HEAD) {
            ensure!(self.more()? > 0, "closed before a frame came");
        }
        Ok(())
    }

    /// This connection feeds `/m`: what it sends must reach a listener there.
    fn live(&mut self, chunked: bool) -> Result<()> {
        let address = self.address;
        let listener = thread::spawn(move || -> Result<()> {
            let deadline = Instant::now() + PATIENCE;
            loop {
                let mut socket = TcpStream::connect(address)?;
                socket.set_read_timeout(Some(PATIENCE))?;
                socket.write_all(b"GET /m HTTP/1.0\r\n\r\n")?;
                let mut play = Play { address, socket, ahead: Vec::new() };
                if play.head(&mut None, "HTTP")?[0].contains("200") {
                    return play.audio();
                }
                ensure!(Instant::now() < deadline, "the mount never came alive");
                thread::sleep(Duration::from_millis(10));
            }
        });
        while !listener.is_finished() {
            let frame = frame();
            if chunked {
                write!(self.socket, "{:x}\r\n", frame.len())?;
            }
            self.socket.write_all(&frame)?;
            if chunked {
                self.socket.write_all(b"\r\n")?;
            }
            thread::sleep(Duration::from_millis(5));
        }
        listener.join().expect("the listener does not panic")
    }
}

/// Feeds `/taken` until it is dropped.
struct Feeder(std::sync::Arc<std::sync::atomic::AtomicBool>);

impl Feeder {
    fn start(address: SocketAddr) -> Result<Feeder> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.write_all(
            b"SOURCE /taken HTTP/1.0\r\nAuthorization: Basic c291cmNlOmh1c2g=\r\nContent-Type: audio/mpeg\r\n\
              ice-name: N\r\nice-description: D\r\nice-genre: G\r\nice-public: 0\r\nice-bitrate: 128\r\n\r\n",
        )?;
        let mut answer = [0; 512];
        let got = socket.read(&mut answer)?;
        ensure!(answer[..got].starts_with(b"HTTP/1.0 200"), "the feeder is refused");
        let going = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
        let flag = going.clone();
        thread::spawn(move || {
            while flag.load(std::sync::atomic::Ordering::Relaxed) && socket.write_all(&frame()).is_ok() {
                thread::sleep(Duration::from_millis(5));
            }
        });
        Ok(Feeder(going))
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.0.store(false, std::sync::atomic::Ordering::Relaxed);
    }
}

fn fits(want: &str, line: &str) -> bool {
    match want.strip_suffix('*').filter(|_| want.ends_with(": *") || want.ends_with(" 4*")) {
        Some(begin) => line.starts_with(begin),
        None => line == want,
    }
}

/// A silent MPEG-1 layer III frame: 128 kbit/s, 48 kHz, 384 bytes.
fn frame() -> Vec<u8> {
    let mut frame = vec![0; 384];
    frame[..4].copy_from_slice(FRAME_HEAD);
    frame
}

const FRAME_HEAD: &[u8] = &[0xff, 0xfb, 0x94, 0x04];
const PATIENCE: Duration = Duration::from_secs(10);
