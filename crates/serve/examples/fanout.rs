//! Egress alone: a synthetic source in the process, and a front that answers every GET. For measuring what a listener
//! costs; see bench/README.md.
//!
//! `cargo run --release -p levada-serve --example fanout -- --port 8200 --kbps 128 --pace adaptive`
//!
//! The records carry an index and CLOCK_MONOTONIC, so that a load tester on the same machine can check that nothing is
//! missing and how old it is. `--by task` serves the same bytes by a tokio task per listener instead, to compare with.

use bytes::Bytes;
use levada_channel::{Publisher, Start, Subscriber, Taken};
use levada_media::{Page, Role, Tags};
use levada_serve::{
    Meter, Piece, Rendition, RenditionId, Session, SessionId,
    egress::{Config, Egress, Framing, Joining, Pace, Transport},
};
use std::{
    collections::HashMap,
    io::IoSlice,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

fn main() -> anyhow::Result<()> {
    let options = Options::read()?;
    let rendition = Rendition::new(RenditionId(1));
    let publisher = rendition.open();
    let source = Records { kbps: options.kbps, ts: options.kbps > 320.0 };
    let tick = options.tick;
    thread::spawn(move || publish(publisher, source, tick));
    let egress = Egress::start(options.egress.clone(), Arc::new(|_, _| {}))?;
    let door = Arc::new(Door { egress, rendition, options, next: AtomicU64::new(1) });
    tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build()?.block_on(accept(door))
}

struct Options {
    port: u16,
    kbps: f64,
    pace: Pace,
    egress: Config,
    tasks: bool,
    tick: Duration,
}

impl Options {
    fn read() -> anyhow::Result<Options> {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let said: HashMap<&str, &str> = words
            .chunks(2)
            .map(|pair| (pair[0].trim_start_matches("--"), pair.get(1).map_or("", |s| s)))
            .collect();
        let get = |key: &str, default: &'static str| said.get(key).map_or(default, |value| value).to_owned();
        let pace = match get("pace", "adaptive").as_str() {
            "low" => Pace::Low,
            "adaptive" => Pace::Adaptive,
            millis => Pace::Every(Duration::from_millis(millis.parse()?)),
        };
        Ok(Options {
            port: get("port", "8200").parse()?,
            kbps: get("kbps", "128").parse()?,
            pace,
            egress: Config {
                reactors: get("reactors", "0").parse()?,
                unsent: get("unsent", "131072").parse()?,
                send_buffer: get("buffer", "262144").parse()?,
                ..Config::default()
            },
            tasks: get("by", "reactor") == "task",
            tick: Duration::from_millis(get("tick", "24").parse()?),
        })
    }
}

/// What the source sends: silent MP3 frames, or packets of a transport stream.
struct Records {
    kbps: f64,
    ts: bool,
}

impl Records {
    fn size(&self) -> usize {
        if self.ts { 188 } else { 3 * self.kbps as usize }
    }

    fn put(&self, out: &mut Vec<u8>, index: u64, nanos: u64) {
        let begin = out.len();
        out.resize(begin + self.size(), 0x55);
        let record = &mut out[begin..];
        let at = if self.ts {
            record[..4].copy_from_slice(&[0x47, 0x01, 0x00, 0x10 | (index & 15) as u8]);
            4
        } else {
            let rate = RATES.iter().position(|rate| *rate == self.kbps as u32).unwrap_or(9) as u8;
            record[..36].fill(0);
            record[..4].copy_from_slice(&[0xff, 0xfb, rate << 4 | 0x04, 0x04]);
            36
        };
        record[at..at + 8].copy_from_slice(b"\x01ICEBNCH");
        record[at + 8..at + 16].copy_from_slice(&index.to_le_bytes());
        record[at + 16..at + 24].copy_from_slice(&nanos.to_le_bytes());
    }
}

/// Sends at a constant rate, with a title every five seconds.
fn publish(mut publisher: Publisher<Piece>, records: Records, tick: Duration) {
    let began = Instant::now();
    let rate = records.kbps * 125.0;
    let (mut sent, mut titles) = (0u64, 0u64);
    for turn in 1.. {
        thread::sleep((began + tick * turn).saturating_duration_since(Instant::now()));
        let want = (began.elapsed().as_secs_f64() * rate / records.size() as f64) as u64;
        let now = monotonic();
        while sent < want {
            let count = if records.ts { 7.min(want - sent) } else { 1 };
            let mut bytes = Vec::new();
            (0..count).for_each(|n| records.put(&mut bytes, sent + n, now));
            sent += count;
            let at = Duration::from_secs_f64(sent as f64 * records.size() as f64 / rate);
            publisher.send(Piece(Page::new(bytes.into(), Role::Entry).at(at)));
        }
        if began.elapsed().as_secs() / 5 > titles {
            titles += 1;
            publisher.send(Piece(Page::tags(Tags::titled(format!("bench - {titles}")))));
        }
    }
}

fn monotonic() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

struct Door {
    egress: Egress,
    rendition: Arc<Rendition>,
    options: Options,
    next: AtomicU64,
}

async fn accept(door: Arc<Door>) -> anyhow::Result<()> {
    let address = SocketAddr::from(([127, 0, 0, 1], door.options.port));
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener: TcpListener = socket.listen(4096)?;
    println!("http://{address}/ (pid {})", std::process::id());
    loop {
        if let Ok((stream, peer)) = listener.accept().await {
            tokio::spawn(door.clone().greet(stream, peer));
        }
    }
}

impl Door {
    async fn greet(self: Arc<Self>, mut stream: TcpStream, peer: SocketAddr) {
        let mut request = Vec::new();
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read_buf(&mut request).await {
                Ok(read) if read > 0 && request.len() < 8_192 => {}
                _ => return,
            }
        }
        let icy = request.to_ascii_lowercase().windows(15).any(|field| field == b"icy-metadata: 1");
        let mut head = "HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\nConnection: Close\r\n".to_owned();
        if icy && !self.options.tasks {
            head += "icy-metaint:16000\r\n";
        }
        head += "\r\n";
        if self.options.tasks {
            let subscriber = self.rendition.channel().expect("a source is there").subscribe(BURST);
            let period = match self.options.pace {
                Pace::Every(period) => Some(period),
                Pace::Low => None,
                Pace::Adaptive => Some(Duration::from_secs(1)),
            };
            return task(stream, head.into(), subscriber, period).await;
        }
        let Ok(stream) = stream.into_std() else { return };
        self.egress.join(Joining {
            transport: Transport::Plain(stream),
            head: head.into(),
            framing: if icy { Framing::Icy { metaint: 16_000 } } else { Framing::Raw },
            pace: self.options.pace,
            burst: BURST,
            catch_up: None,
            rendition: self.rendition.clone(),
            session: Arc::new(session(SessionId(self.next.fetch_add(1, Relaxed)), peer)),
            intro: None,
            farewell: None,
            expires: None,
        });
    }
}

fn session(id: SessionId, peer: SocketAddr) -> Session {
    Session {
        id,
        home: "/bench".parse().expect("a mount name"),
        peer: peer.ip(),
        agent: "".into(),
        referer: "".into(),
        request: "".into(),
        user: None,
        since: SystemTime::now(),
        began: Instant::now(),
        sent: 0.into(),
        skips: 0.into(),
        meter: Meter::default(),
        rate: Default::default(),
        lag: 0.into(),
        relay: None,
    }
}

/// The same by a task per listener: it wakes at its turn, or at each page, and writes what has come since.
async fn task(
    mut stream: TcpStream,
    head: Bytes,
    mut subscriber: Subscriber<Piece>,
    period: Option<Duration>,
) {
    let _ = stream.set_nodelay(true);
    let mut pages = vec![head];
    loop {
        while let Taken::Item(piece) = subscriber.try_next() {
            if !piece.0.bytes.is_empty() {
                pages.push(piece.0.bytes);
            }
        }
        if write_all(&mut stream, &mut pages).await.is_err() {
            return;
        }
        match period {
            Some(period) => tokio::time::sleep(period).await,
            None => match subscriber.next().await {
                Some(piece) => pages.push(piece.0.bytes),
                None => return,
            },
        }
    }
}

async fn write_all(stream: &mut TcpStream, pages: &mut Vec<Bytes>) -> std::io::Result<()> {
    for pages in pages.chunks(1024) {
        let mut slices: Vec<IoSlice<'_>> = pages.iter().map(|page| IoSlice::new(page)).collect();
        let mut rest = &mut slices[..];
        while !rest.is_empty() {
            let written = stream.write_vectored(rest).await?;
            IoSlice::advance_slices(&mut rest, written);
        }
    }
    pages.clear();
    Ok(())
}

const BURST: Start = Start::Burst { time: Duration::from_secs(4), bytes: 8 << 20 };
const RATES: [u32; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
