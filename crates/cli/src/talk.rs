//! `levada talk`: a call, from what was typed to the devices and the socket.

mod desk;
mod feedback;
pub mod keyring;
mod meter;
mod mirror;
mod native;
mod room;
mod room_screen;
mod screen;
mod seminar;
mod spectrum;
mod video;

use crate::{exit, output::Console, run};
use anyhow::{Context, Result, bail};
use clap::Args;
use desk::Desk;
use feedback::Feedback;
use levada_codec::compat::{self, Effort, Layer, Wavelet};
use levada_device::{Form, Sink, Source};
use levada_link::drive::Driver;
use levada_talk::{Call, Paced, compat::CompatCall};
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub use seminar::spelling;

/// What one may type after `levada talk`; the seminar's spelling is understood as well.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Talk {
    /// Who is called: HOST or HOST:PORT (port 4444). Without one, wait to be called
    #[arg(value_name = "HOST[:PORT]")]
    host: Option<String>,
    /// The port to be called at
    #[arg(long, alias = "listening-port", value_name = "PORT", default_value_t = 4444)]
    listen: u16,
    /// A sound card (a number or a part of its name), a file, `tone`, `tone:HERTZ`, `null`, or `-` for raw samples
    #[arg(
        long,
        alias = "input-device",
        short = 'f',
        alias = "filename",
        value_name = "DEVICE|FILE",
        default_value = "default"
    )]
    input: String,
    /// A sound card, a FILE.wav, `null`, or `-` for raw samples
    #[arg(long, alias = "output-device", value_name = "DEVICE|FILE.wav", default_value = "default")]
    output: String,
    /// End after this time
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    time: Option<Duration>,
    /// Talk with all who are in a room of a server (`levada serve --rooms`): NAME@SERVER or NAME@SERVER:PORT (port 4445)
    #[arg(long, value_name = "NAME@SERVER[:PORT]", conflicts_with_all = ["host", "compat", "echo_test", "measure"])]
    room: Option<room::Address>,
    /// How you are called in the room; without it, as your user is
    #[arg(long, value_name = "NAME", requires = "room")]
    name: Option<String>,
    /// Speak as one of the seminar's programs: minimal, buffer, DEFLATE_byteplanes3, temporal_overlapped_DWT_coding …
    #[arg(long, value_name = "LAYER")]
    compat: Option<Layer>,
    #[command(flatten)]
    native: native::Options,
    #[command(flatten)]
    video: video::Options,
    #[command(flatten)]
    seminar: Seminar,
}

/// The seminar's options.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "As in the seminar")]
struct Seminar {
    /// Frames a second
    #[arg(short = 's', long, value_name = "RATE", default_value_t = 44_100.0)]
    frames_per_second: f64,
    /// Frames a block
    #[arg(short = 'c', long, value_name = "FRAMES", default_value_t = 1024)]
    frames_per_chunk: usize,
    /// Channels
    #[arg(long, value_name = "CHANNELS", default_value_t = 2)]
    number_of_channels: usize,
    /// Who is called, if not said before
    #[arg(short = 'a', long, value_name = "ADDRESS", default_value = "localhost")]
    destination_address: String,
    /// The port that is called, if not said before
    #[arg(long, value_name = "PORT", default_value_t = 4444)]
    destination_port: u16,
    /// Milliseconds to buffer
    #[arg(short = 'b', long, value_name = "MS", default_value_t = 150, allow_hyphen_values = true)]
    buffering_time: i64,
    /// The least quantization step (the seminar's -q)
    #[arg(long, value_name = "STEP", default_value_t = 128)]
    minimal_quantization_step_size: u32,
    /// How often the step is looked at, in seconds
    #[arg(short = 'r', long, value_name = "SECONDS", default_value_t = 1.0)]
    rate_control_period: f64,
    /// The wavelet: db1 to db10
    #[arg(short = 'w', long, value_name = "NAME", default_value = "db5")]
    wavelet_name: Wavelet,
    /// Levels of the wavelet transform
    #[arg(short = 'l', long, value_name = "LEVELS", default_value_t = 6)]
    levels: u32,
    /// Seconds to read from the input (the seminar's --for)
    #[arg(short = 't', long, value_name = "SECONDS")]
    reading_time: Option<f64>,
    /// Look harder for short packets, for thirty times the work: 5 to 9 % in the wavelet layers
    #[arg(long)]
    thorough: bool,
    /// Show bandwidth and CPU, once a second
    #[arg(long)]
    show_stats: bool,
    /// Show samples of each block
    #[arg(long)]
    show_samples: bool,
    /// Show spectra, once a second
    #[arg(long)]
    show_spectrum: bool,
    /// Show the sound cards and end
    #[arg(long)]
    list_devices: bool,
    #[command(flatten)]
    video: video::RawOptions,
}

impl Talk {
    /// Makes the call.
    ///
    /// # Errors
    /// What is wrong with an argument, a device or the network.
    pub async fn run(self, console: Console) -> Result<()> {
        if self.seminar.list_devices {
            return desk::list(console);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let call = tokio::task::spawn_blocking(move || self.call(console, &stopping));
        tokio::pin!(call);
        tokio::select! {
            ended = &mut call => return ended?,
            () = run::stopped() => stop.store(true, Relaxed),
        }
        call.await?
    }

    fn call(self, console: Console, stop: &AtomicBool) -> Result<()> {
        let Some(layer) = self.compat else {
            return match () {
                () if self.room.is_some() => room::join(&self, console, stop),
                () if self.native.echo_test => mirror::echo(&self, console, stop),
                () if self.native.measure => mirror::measure(&self, console, stop),
                () => native::call(&self, console, stop),
            };
        };
        let peer = self.peer()?;
        let socket = listen(self.listen, peer)?;
        let config = self.config(layer, peer)?;
        let codec = config.codec;
        let call = CompatCall::new(config).map_err(|why| exit::Exit(exit::USAGE, why.to_string()))?;
        let form = Form { rate: codec.rate, channels: codec.channels, block: codec.frames };
        let time = self.duration()?;
        let tail = if time.is_some() { u64::MAX } else { u64::from(call.config().blocks_to_buffer()) + 3 };
        let source = Source::open(&self.input, form)?;
        let sink = Sink::open(&self.output, form)?;
        let shows = self.seminar.show_samples.then_some(codec.frames);
        let desk = Desk::new(source, sink, tail, shows);
        seminar::opening(console, &self, &call);
        let mut pictures = video::Raw::begin(&self.video, &self.seminar.video, layer, peer, console)?;
        let mut feedback = Feedback::new(console, self.output == "-", &self.seminar);
        let tell = |call: &CompatCall, desk: &Desk, elapsed| feedback.cycle(call.stats(), desk, elapsed);
        let mut position = 0.0;
        let each = |call: &mut CompatCall| {
            position = call.stats().sent as f64 * codec.frames as f64 / f64::from(codec.rate);
            pictures.iter_mut().for_each(|pictures| pictures.turn(position));
            true
        };
        hurry(&self, console);
        let desk = drive(call, desk, socket, time, stop, each, |_| (), tell)?;
        feedback.end();
        pictures.map_or(Ok(()), |pictures| pictures.finish(position))?;
        desk.finish()
    }

    /// How long the call may be.
    fn duration(&self) -> Result<Option<Duration>> {
        Ok(self.time.or(self.seminar.reading_time.map(seconds).transpose()?))
    }

    fn config(&self, layer: Layer, peer: SocketAddr) -> Result<levada_talk::compat::Config> {
        let said = &self.seminar;
        if !(1.0..=1e6).contains(&said.frames_per_second) {
            bail!(exit::Exit(exit::USAGE, "--frames-per-second is to be between 1 and 1,000,000".into()));
        }
        let codec = compat::Config {
            frames: said.frames_per_chunk,
            channels: said.number_of_channels,
            rate: said.frames_per_second.round() as u32,
            wavelet: said.wavelet_name,
            levels: said.levels,
            effort: if said.thorough { Effort::Thorough } else { Effort::Quick },
            ..compat::Config::new(layer)
        };
        Ok(levada_talk::compat::Config {
            buffering: Duration::from_millis(said.buffering_time.max(1).unsigned_abs()),
            q: said.minimal_quantization_step_size,
            control_period: seconds(said.rate_control_period)?,
            ..levada_talk::compat::Config::new(codec, peer)
        })
    }

    /// Who is called.
    fn peer(&self) -> Result<SocketAddr> {
        let said = self.host.as_deref().unwrap_or(&self.seminar.destination_address);
        find(said, self.seminar.destination_port)
    }
}

/// Where that is: a host, or a host and its port.
fn find(said: &str, port: u16) -> Result<SocketAddr> {
    let with_port = said.rsplit_once(':').is_some_and(|(host, port)| {
        port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
    });
    let found: Vec<SocketAddr> = match with_port {
        true => said.to_socket_addrs().map(Iterator::collect),
        false => (said.trim_matches(['[', ']']), port).to_socket_addrs().map(Iterator::collect),
    }
    .with_context(|| format!("{said} is nowhere"))?;
    // the seminar's programs listen on IPv4 alone
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.copied().with_context(|| format!("{said} has no address"))
}

/// Lets this thread, and those that it starts, be punctual, and says how much so where statistics are shown.
fn hurry(talk: &Talk, console: Console) {
    let urgency = levada_device::hurry();
    tracing::debug!(%urgency, "scheduling of sound");
    if talk.seminar.show_stats {
        console.say(format!("scheduling of sound: {urgency}"));
    }
}

/// Drives a call until it ends, its time is over, somebody stops it, or `each`, which is called all the time, says no; then `farewell` may
/// have something to send. `tell` is called once a second, and at the end.
#[allow(clippy::too_many_arguments)] // what a call is between
fn drive<C: Call>(
    call: C,
    desk: Desk,
    socket: UdpSocket,
    time: Option<Duration>,
    stop: &AtomicBool,
    mut each: impl FnMut(&mut C) -> bool,
    farewell: impl FnOnce(&mut C),
    mut tell: impl FnMut(&C, &Desk, Duration),
) -> Result<Desk> {
    let mut driver = Driver::new(Paced::new(call, desk), socket);
    let began = Instant::now();
    let mut told = began;
    let mut ended = None;
    while ended.is_none() && !stop.load(Relaxed) && time.is_none_or(|time| began.elapsed() < time) {
        driver.turn(Duration::from_millis(50), |event| ended = Some(event)).context("the socket failed")?;
        if told.elapsed() >= CYCLE {
            let machine = driver.machine();
            tell(machine.look(), machine.devices(), told.elapsed());
            told = Instant::now();
        }
        if driver.machine().devices().is_broken() || !each(driver.machine().call()) {
            break;
        }
    }
    farewell(driver.machine().call());
    driver.turn(Duration::ZERO, |_| ()).context("the socket failed")?;
    let machine = driver.into_machine();
    tell(machine.look(), machine.devices(), told.elapsed());
    Ok(machine.into_parts().1)
}

fn listen(port: u16, peer: SocketAddr) -> Result<UdpSocket> {
    let socket =
        if peer.is_ipv4() { UdpSocket::bind(("0.0.0.0", port)) } else { UdpSocket::bind(("::", port)) };
    socket.map_err(|why| exit::Exit(exit::NETWORK, format!("cannot be called at port {port}: {why}")).into())
}

fn seconds(seconds: f64) -> Result<Duration> {
    let fits = Duration::try_from_secs_f64(seconds.max(0.0))
        .ok()
        .filter(|time| *time < Duration::from_secs(1 << 32));
    fits.ok_or_else(|| exit::Exit(exit::USAGE, format!("{seconds} is no time")).into())
}

/// How often statistics are shown.
const CYCLE: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples (each with its counterpart on the other machine, ports swapped):
  levada talk peer.example --passphrase 'seven quiet words'
  levada talk 127.0.0.1:4445 --listen 4444 --compat temporal_overlapped_DWT_coding -q 128 --input in.wav --output out.wav --for 8s
  levada talk --room band@server.example --name Ana --passphrase 'seven quiet words'
  levada talk peer.example --compat buffer -b 300 --show-stats";
