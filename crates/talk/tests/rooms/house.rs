//! What behaviours share: a server, participants that each say a tone of their own, and what they hear of whom.

use bytes::Bytes;
use levada_codec::packet::Codec;
use levada_link::room::{self, DisplayName, Hub};
use levada_link::world::{Access, HostId, World};
use levada_link::{Input, Machine, Output};
use levada_talk::native::Rendition;
use levada_talk::room::{Config, Member, Psk, RATE, Told};
use levada_talk::secure::Identity;
use levada_talk::{Paced, Sound};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The tone of each participant, in hertz: none is an overtone of another.
pub const TONES: [f64; 4] = [400.0, 610.0, 930.0, 1_370.0];

/// A microphone of a tone, and a loudspeaker that remembers.
#[derive(Debug, Default)]
pub struct Desk {
    hertz: f64,
    frames: usize,
    loud: f64,
    pub heard: Vec<i16>,
}

impl Desk {
    pub fn loud(hertz: f64, loud: f64) -> Desk {
        Desk { hertz, loud, ..Desk::default() }
    }
}

impl Sound for Desk {
    fn waiting(&self) -> Option<usize> {
        None
    }

    fn capture(&mut self, block: &mut [i16]) -> bool {
        for frame in block.chunks_exact_mut(2) {
            let angle = std::f64::consts::TAU * self.hertz * self.frames as f64 / f64::from(RATE);
            frame.fill((self.loud * angle.sin()) as i16);
            self.frames += 1;
        }
        true
    }

    fn play(&mut self, block: &[i16]) {
        self.heard.extend_from_slice(block);
    }
}

/// A server that remembers all that it sees, and may meddle with what it passes on.
pub struct Server {
    pub hub: Hub,
    pub seen: Vec<(SocketAddr, Bytes)>,
    pub meddle: fn(&[u8]) -> Vec<Bytes>,
    passing: Vec<(SocketAddr, Bytes)>,
}

/// Who is in the world.
pub enum Host {
    Server(Box<Server>),
    Member(Box<Paced<Member, Desk>>),
}

impl Machine for Host {
    type Event = ();

    fn handle(&mut self, now: Instant, input: Input) {
        match self {
            Host::Member(member) => member.handle(now, input),
            Host::Server(server) => {
                if let Input::Datagram { from, bytes } = &input {
                    server.seen.push((*from, bytes.clone()));
                }
                server.hub.handle(now, input);
            }
        }
    }

    fn poll(&mut self, now: Instant) -> Output<()> {
        match self {
            Host::Member(member) => match member.poll(now) {
                Output::Send(what) => Output::Send(what),
                Output::Event(_) => Output::Event(()),
                Output::Wait(until) => Output::Wait(until),
            },
            Host::Server(server) => {
                if let Some((to, bytes)) = server.passing.pop() {
                    return Output::Send(levada_link::Transmit::Datagram { to, bytes });
                }
                match server.hub.poll(now) {
                    Output::Send(levada_link::Transmit::Datagram { to, bytes }) => {
                        server.passing =
                            (server.meddle)(&bytes).into_iter().map(|bytes| (to, bytes)).collect();
                        self.poll(now)
                    }
                    Output::Send(what) => Output::Send(what),
                    Output::Event(_) => Output::Event(()),
                    Output::Wait(until) => Output::Wait(until),
                }
            }
        }
    }
}

/// A world with a server at the first host and participants at the others.
pub struct House {
    pub world: World<Host>,
    pub told: Vec<Vec<Told>>,
}

pub fn server(seed: u8) -> Host {
    let hub = Hub::new(room::Config::default(), [seed; 32]);
    let meddle = |bytes: &[u8]| vec![Bytes::copy_from_slice(bytes)];
    Host::Server(Server { hub, seen: Vec::new(), meddle, passing: Vec::new() }.into())
}

pub fn config(n: u32) -> Config {
    Config {
        server: HostId(0).address(),
        room: "band".parse().unwrap(),
        name: DisplayName::of(["", "Ana", "Ben", "Cleo", "Dora"].get(n as usize).unwrap_or(&"somebody")),
        identity: Identity::new([n as u8; 32]),
        psk: Psk::none(),
        known: None,
        rendition: Rendition { codec: Codec::Native, frames: 480, rate: RATE },
        bitrate: 96_000,
        late: 0.005,
        place: levada_talk::Place::default(),
    }
}

pub fn member(n: u32, config: Config) -> Host {
    let hertz = TONES[(n as usize - 1) % TONES.len()];
    let member = Member::new(config, [100 + n as u8; 32]).unwrap();
    Host::Member(Paced::new(member, Desk::loud(hertz, 6_000.0)).into())
}

impl House {
    /// With so many participants, from 1 on, on links like this.
    pub fn of(members: u32, link: &str, configs: impl Fn(u32) -> Config) -> House {
        let mut house = House { world: World::new(Instant::now(), 5), told: vec![Vec::new()] };
        house.world.add(server(1), &Access::default()).unwrap();
        (1..=members).for_each(|n| house.enter(n, link, configs(n)));
        house
    }

    pub fn enter(&mut self, n: u32, link: &str, config: Config) {
        let access = if link.is_empty() { Access::default() } else { Access::both(&link.parse().unwrap()) };
        let host = self.world.add(member(n, config), &access).unwrap();
        assert_eq!(host, HostId(n));
        self.told.push(Vec::new());
    }

    /// Lets time go on until then.
    pub fn run(&mut self, seconds: f64) {
        self.world.run(Duration::from_secs_f64(seconds), |_, _, ()| {});
        for n in 1..self.told.len() as u32 {
            if let Some(Host::Member(member)) = self.world.machine_mut(HostId(n)) {
                let told: Vec<Told> = std::iter::from_fn(|| member.call().told()).collect();
                self.told[n as usize].extend(told);
            }
        }
    }

    pub fn member(&self, n: u32) -> &Member {
        self.paced(n).look()
    }

    pub fn member_mut(&mut self, n: u32) -> &mut Member {
        match self.world.machine_mut(HostId(n)) {
            Some(Host::Member(member)) => member.call(),
            _ => panic!("{n} is no participant"),
        }
    }

    pub fn server(&mut self) -> &mut Server {
        match self.world.machine_mut(HostId(0)) {
            Some(Host::Server(server)) => server,
            _ => panic!("there is no server"),
        }
    }

    fn paced(&self, n: u32) -> &Paced<Member, Desk> {
        match self.world.machine(HostId(n)) {
            Some(Host::Member(member)) => member,
            _ => panic!("{n} is no participant"),
        }
    }

    /// How loud `n` hears the tone of `whom` in the last half of a second, in decibels below full scale.
    pub fn hears(&self, n: u32, whom: u32) -> f64 {
        let heard = &self.paced(n).devices().heard;
        loudness(
            &heard[heard.len().saturating_sub(RATE as usize)..],
            TONES[(whom as usize - 1) % TONES.len()],
        )
    }

    /// The last half of a second that `n` heard.
    pub fn lately(&self, n: u32) -> &[i16] {
        let heard = &self.paced(n).devices().heard;
        &heard[heard.len().saturating_sub(RATE as usize)..]
    }

    /// Everybody hears everybody else of these, and nobody itself.
    pub fn all_hear(&self, who: &[u32]) {
        for n in who {
            for whom in who {
                let level = self.hears(*n, *whom);
                assert!(
                    (n == whom) == (level < -60.0) && (n == whom || level > -25.0),
                    "{n} hears {whom} at {level}"
                );
            }
        }
    }
}

/// How loud a tone is in stereo sound, in decibels below full scale (Goertzel).
pub fn loudness(heard: &[i16], hertz: f64) -> f64 {
    let left: Vec<f64> = heard.chunks_exact(2).map(|frame| f64::from(frame[0]) / 32_768.0).collect();
    let coefficient = 2.0 * (std::f64::consts::TAU * hertz / f64::from(RATE)).cos();
    let (mut one, mut two) = (0.0, 0.0);
    let count = left.len() as f64;
    for (n, x) in left.iter().enumerate() {
        // a window, or one tone leaks into another's place
        let window = 1.0 - (std::f64::consts::TAU * n as f64 / count).cos();
        (one, two) = (x * window + coefficient * one - two, one);
    }
    let power = one * one + two * two - coefficient * one * two;
    10.0 * (power / (count * count / 4.0)).max(1e-12).log10()
}
