//! The native call, from what was typed to the devices and the socket.

use super::{Talk, desk::Desk, drive, keyring, screen::Screen, video::Video};
use crate::output::Console;
use crate::{exit, run};
use anyhow::{Context, Result, anyhow};
use levada_codec::packet::Codec;
use levada_device::{Form, Sink, Source};
use levada_link::room::{DisplayName, RoomName};
use levada_talk::Place;
use levada_talk::native::{Config, NativeCall, Rendition, Told, late};
use levada_talk::room;
use levada_talk::secure::{self, Event, Reason, Secret};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Options of the native call.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "The native call")]
pub struct Options {
    /// How sound is coded: native, lossless, wavelet, opus or pcm
    #[arg(long, value_name = "CODEC", default_value = "native")]
    codec: Codec,
    /// Frames a block: 120, 240, 480, 960 or 1024; fewer are heard sooner and cost more
    #[arg(long, value_name = "FRAMES", default_value_t = 240)]
    block: u16,
    /// Bits a second of sound, as 96k; without it, as many as come through
    #[arg(long, value_name = "RATE", value_parser = bits)]
    bitrate: Option<u32>,
    /// Older frames that each datagram repeats; without it, as many as losses and jitter ask for
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(..=8))]
    copies: Option<u8>,
    /// Hear it soon, though a frame in thirty may come too late
    #[arg(long, conflicts_with_all = ["safe", "safety"])]
    quick: bool,
    /// Let hardly a frame come too late, though it is heard later
    #[arg(long, conflicts_with = "safety")]
    safe: bool,
    /// Anything from 0 (quick) to 10 (safe)
    #[arg(long, value_name = "0..10", default_value_t = 5.0)]
    safety: f64,
    /// Words that both ends know: whoever does not know them is not let in, and hears nothing
    #[arg(long, value_name = "WORDS", env = "LEVADA_PASSPHRASE", hide_env_values = true)]
    passphrase: Option<String>,
    /// The file with the key that others know this end by; made where there is none. Without it, a new key each time
    #[arg(long, value_name = "FILE")]
    identity: Option<std::path::PathBuf>,
    /// The file with keys that are let in, a line each (the key, then any name); nobody else is
    #[arg(long, value_name = "FILE")]
    known_peers: Option<std::path::PathBuf>,
    /// Cancel echo, suppress noise and keep voices at one loudness, 16 to 26 ms later: on or off; without it, where both ends of this machine
    /// are sound cards
    #[arg(long, value_name = "on|off")]
    echo: Option<Switch>,
    /// What is sent is music: nothing is done to it
    #[arg(long)]
    music: bool,
    /// Send silence at first
    #[arg(long)]
    muted: bool,
    /// Call nobody: hear yourself, a second later, through all that a call does
    #[arg(long, conflicts_with = "measure")]
    pub echo_test: bool,
    /// Call nobody: play clicks, and print how long they take from mouth to ear
    #[arg(long)]
    pub measure: bool,
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    On,
    Off,
}

impl Options {
    /// How sound is coded; Opus at the rate that it knows.
    pub fn rendition(&self, asked: u32) -> Result<Rendition> {
        let rate = if self.codec == Codec::Opus || asked == 48_000 { 48_000 } else { 44_100 };
        let rendition = Rendition { codec: self.codec, frames: self.block, rate };
        let unfit =
            || exit::Exit(exit::USAGE, format!("{} has no blocks of {} frames", self.codec, self.block));
        rendition.code().ok_or_else(unfit)?;
        let whole = matches!(self.codec, Codec::Pcm) && self.block > 290;
        if whole {
            return Err(exit::Exit(
                exit::USAGE,
                "samples as they are fit into datagrams of --block 240 or 120".into(),
            )
            .into());
        }
        Ok(rendition)
    }

    /// A call's configuration.
    pub fn config(&self, rendition: Rendition, secure: secure::Config) -> Config {
        let most = match rendition.codec {
            Codec::Native | Codec::Opus | Codec::Wavelet => 400_000,
            Codec::Lossless | Codec::Pcm => 2_400_000,
        };
        Config {
            rendition,
            bitrate: self.bitrate,
            most: self.bitrate.map_or(most, |bits| bits.saturating_mul(4).max(most)),
            copies: self.copies,
            late: late(self.safety_shown()),
            ..Config::new(secure)
        }
    }

    /// How one takes part in a room: as in a call, but that everything is at 48,000 frames a second.
    pub fn in_room(&self, server: SocketAddr, room: RoomName, name: DisplayName) -> Result<room::Config> {
        let rendition = Rendition { rate: room::RATE, ..self.rendition(room::RATE)? };
        let most = match rendition.codec {
            Codec::Native | Codec::Opus | Codec::Wavelet => 96_000,
            Codec::Lossless | Codec::Pcm => 2_400_000,
        };
        let known = self.known_peers.as_deref().map(keyring::known).transpose()?;
        let identity = keyring::identity(self.identity.as_deref())?;
        let psk = self.passphrase.as_deref().map_or_else(room::Psk::none, |said| room::Psk::of(said, &room));
        let (bitrate, late) = (self.bitrate.unwrap_or(most), late(self.safety_shown()));
        Ok(room::Config {
            server,
            room,
            name,
            identity,
            psk,
            known,
            rendition,
            bitrate,
            late,
            place: Place::default(),
        })
    }

    /// Whether silence is sent at first.
    pub fn is_muted(&self) -> bool {
        self.muted
    }

    /// What is done about a loudspeaker that a microphone hears.
    pub fn place(&self, source: &Source, sink: &Sink) -> Place {
        let cards = source.is_card() && sink.is_card();
        Place { echo: self.echo.map_or(cards && !self.music, |echo| echo == Switch::On), feedback: cards }
    }

    /// What keeps the call to its two ends.
    pub fn secure(&self, peer: Option<SocketAddr>) -> Result<secure::Config> {
        let known = self.known_peers.as_deref().map(keyring::known).transpose()?;
        let identity = keyring::identity(self.identity.as_deref())?;
        let secret = self.passphrase.as_deref().map_or_else(Secret::none, Secret::of);
        Ok(secure::Config { peer, secret, identity, known, hello: [0; 4] })
    }
}

/// Makes the call.
pub fn call(talk: &Talk, console: Console, stop: &AtomicBool) -> Result<()> {
    let options = &talk.native;
    let peer = talk.host.is_some().then(|| talk.peer()).transpose()?;
    let rendition = options.rendition(talk.seminar.frames_per_second.round() as u32)?;
    let mut config = options.config(rendition, options.secure(peer)?);
    let key = config.secure.identity.public();
    let socket = match peer {
        Some(peer) => super::listen(talk.listen, peer)?,
        None => super::listen(talk.listen, SocketAddr::from(([0, 0, 0, 0], 0)))?,
    };
    let form = form(rendition);
    let (source, sink) = (Source::open(&talk.input, form)?, Sink::open(&talk.output, form)?);
    config.place = options.place(&source, &sink);
    config.pictures = talk.video.bitrate();
    let mut call = NativeCall::new(config, keyring::chance()?).context("no such rendition")?;
    call.mute(options.muted);
    let time = talk.duration()?;
    let tail =
        if time.is_some() { u64::MAX } else { u64::from(rendition.rate) / u64::from(rendition.frames) };
    let desk = Desk::new(source, sink, tail, None).reopening([&talk.input, &talk.output], form, console);
    let mut screen = Screen::new(console, talk.output == "-", options.safety_shown());
    match peer {
        Some(peer) => console.say(format!("calling {peer} …")),
        None => console.say(format!("waiting to be called at port {} …", talk.listen)),
    }
    if options.identity.is_some() {
        console.say(format!("this end's key is {key}"));
    }
    let video = Video::begin(&talk.video, console)?;
    super::hurry(talk, console);
    let desk = talk_on(call, desk, socket, (time, peer), stop, &mut screen, video)?;
    screen.end();
    desk.finish()
}

/// Drives the call and shows it.
pub fn talk_on(
    call: NativeCall,
    desk: Desk,
    socket: UdpSocket,
    (time, peer): (Option<Duration>, Option<SocketAddr>),
    stop: &AtomicBool,
    screen: &mut Screen,
    mut video: Video,
) -> Result<Desk> {
    let keys = run::Keys::begin();
    let mut end = None;
    let mut connected = false;
    let mut last = Instant::now();
    let each = |call: &mut NativeCall| {
        while let Some(told) = call.told() {
            connected |= matches!(told, Told::Session(Event::Opened { .. }));
            let ends = screen.told(&told, peer);
            let over = time.is_none() && peer.is_some() && told == Told::HungUp;
            end = end.take().or(ends.map(Err)).or(over.then_some(Ok(())));
        }
        video.turn(call);
        for key in keys.iter().flat_map(run::Keys::pressed) {
            if key.eq_ignore_ascii_case(&b'q') {
                end = Some(Ok(()));
            }
            screen.key(key, call);
        }
        if last.elapsed() >= SHOWN {
            screen.pictures(video.statistics(call));
            screen.show(call, last.elapsed());
            last = Instant::now();
        }
        end.is_none()
    };
    let mut position = 0.0;
    let farewell = |call: &mut NativeCall| {
        position = call.see().position();
        call.hang_up();
    };
    let desk = drive(call, desk, socket, time, stop, each, farewell, |_, _, _| ())?;
    video.finish(position)?;
    match end {
        Some(Err(why)) => Err(why.into()),
        None if !connected && peer.is_some() && time.is_some() => {
            let peer = peer.map(|peer| peer.to_string()).unwrap_or_default();
            Err(exit::Exit(exit::NETWORK, format!("{peer} did not answer")).into())
        }
        _ => Ok(desk),
    }
}

/// What an end is told where the other does not want it: whether that ends the call, and how.
pub fn refusal(peer: SocketAddr, reason: Reason) -> exit::Exit {
    let (code, why) = match reason {
        Reason::Call(versions) => return exit::Exit(exit::NETWORK, format!("{peer}: {versions}")),
        Reason::Secret => (exit::AUTH, "does not know the same passphrase"),
        Reason::Busy => (exit::NETWORK, "is in another call"),
        Reason::Unknown => (exit::AUTH, "is not known here, or does not know this end's key"),
        Reason::Version => (exit::NETWORK, "speaks another version of levada's calls"),
    };
    exit::Exit(code, format!("{peer} {why}"))
}

pub fn form(rendition: Rendition) -> Form {
    Form { rate: rendition.rate, channels: 2, block: usize::from(rendition.frames) }
}

impl Options {
    pub fn safety_shown(&self) -> f64 {
        if self.quick {
            1.0
        } else if self.safe {
            10.0
        } else {
            self.safety.clamp(0.0, 10.0)
        }
    }
}

/// `96k`, `128000`.
pub fn bits(typed: &str) -> Result<u32> {
    let (number, unit) = match typed.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1_000.0),
        None => (typed, 1.0),
    };
    let bits = number.parse::<f64>().ok().map(|number| number * unit);
    let bits = bits.filter(|bits| (6_000.0..=3_000_000.0).contains(bits));
    bits.map(|bits| bits as u32).ok_or_else(|| anyhow!("a rate is between 6k and 3000k"))
}

/// How often the screen is drawn.
const SHOWN: Duration = Duration::from_millis(200);
