//! `levada bench`: load for any Icecast-like server, and what it costs that server.

mod icy;
mod limit;
mod listen;
mod mark;
mod play;
mod process;
mod publish;
mod record;
mod samples;
mod source;
mod swarm;

pub use limit::Limit;
pub use listen::Listen;
pub use play::Play;
pub use publish::Publish;
pub use source::Source;
pub use swarm::Swarm;

use anyhow::{Context, Result, bail};
use record::Shape;
use std::net::{SocketAddr, ToSocketAddrs};
use url::Url;

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub enum Bench {
    /// Many listeners on one mount: connects, first byte, every byte in sequence, delay, the server's cost
    Listen(Listen),
    /// One source that tells on whoever damages its stream
    Source(Source),
    /// Many players of a stream with pictures, over RTMP or HTTP-FLV: joins, delay, every frame, the server's cost
    Play(Play),
    /// One publisher of H.264 and AAC whose every picture carries a number and the time
    Publish(Publish),
    /// A bare writer of the same bytes to as many sockets: the least that a server can cost
    Limit(Limit),
    /// A native team of real sockets in this process: how many peers a core carries
    Swarm(Swarm),
}

impl Bench {
    /// Measures, and says what was seen as one line of JSON on stdout.
    ///
    /// # Errors
    /// When the server cannot be reached or what was seen is broken.
    pub fn run(self) -> Result<()> {
        match self {
            Bench::Listen(listen) => listen.run(),
            Bench::Source(source) => source.run(),
            Bench::Play(play) => play.run(),
            Bench::Publish(publish) => publish.run(),
            Bench::Limit(limit) => limit.run(),
            Bench::Swarm(swarm) => swarm.run(),
        }
    }
}

/// What the stream looks like.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Kind {
    /// Silent MPEG audio frames; --kbps must be one of the layer's bit rates.
    Mp3,
    /// Transport stream packets, any bit rate.
    Ts,
}

impl Kind {
    fn shape(self, kbps: u32) -> Result<Shape> {
        match self {
            Kind::Mp3 => Shape::mp3(kbps).with_context(|| format!("MPEG layer III has no {kbps} kbit/s")),
            Kind::Ts => Ok(Shape::ts()),
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Kind::Mp3 => "audio/mpeg",
            Kind::Ts => "video/mp2t",
        }
    }
}

/// Where an `http://` address leads.
fn resolve(url: &Url) -> Result<SocketAddr> {
    if !matches!(url.scheme(), "http" | "icecast") {
        bail!("the load tester speaks plain http only, not {}", url.scheme());
    }
    let host = url.host_str().context("the address names no host")?;
    let port = url.port_or_known_default().unwrap_or(8000);
    (host, port).to_socket_addrs()?.next().with_context(|| format!("{host} has no address"))
}

/// The path with its query, as it goes into a request.
fn target(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}
