//! A participant of a room.

use super::join::{Step, Way};
use super::noise::Psk;
use super::other::{Ear, Other};
use super::pair::{Happened, Own, Pair};
use super::report::Report;
use super::seal;
use super::speak::{OPUS, RATE, Speaker};
use super::told::{Stats, Told, Voice};
use crate::native::Rendition;
use crate::secure::{Identity, PublicKey};
use crate::{Call, Near, Place};
use bytes::Bytes;
use levada_link::room::wire::{Heard, Said};
use levada_link::room::{DisplayName, Mode, RoomName, Roster};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How one takes part in a room. Sound is stereo, 48,000 frames a second.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the room is.
    pub server: SocketAddr,
    /// Which it is.
    pub room: RoomName,
    /// How one is called there.
    pub name: DisplayName,
    /// Who one is.
    pub identity: Identity,
    /// What the participants know and the server does not. With a passphrase nothing is ever sent or heard that is not sealed; without one
    /// the server can make a room open by saying that somebody in it cannot seal, which all are told.
    pub psk: Psk,
    /// The keys that are let in, if not everybody's.
    pub known: Option<Vec<PublicKey>>,
    /// How our sound is coded, which also is how long blocks are; at 48,000 frames a second. Where a browser is in the room, Opus.
    pub rendition: Rendition,
    /// Bits a second of sound.
    pub bitrate: u32,
    /// The share of frames that may come too late: less is safer and slower.
    pub late: f64,
    /// What is done about a loudspeaker that the microphone hears.
    pub place: Place,
}

/// A participant of a room. At most 256 datagrams wait to be sent and 128 events to be taken; the oldest leave first.
pub struct Member {
    config: Config,
    own: Own,
    chance: blake3::OutputReader,
    way: Way,
    roster: Option<Roster>,
    /// Whoever was here when we came: who is refused by all of them knows another passphrase.
    first: Option<Vec<(u8, u32)>>,
    others: BTreeMap<u8, Other>,
    speaker: Speaker,
    near: Near,
    /// When the others were told last what came of them.
    reported: Option<Instant>,
    over: bool,
    was_in: bool,
    began: Option<Instant>,
    last: f64,
    opened: Vec<u8>,
    block: Vec<i16>,
    sum: Vec<i32>,
    outgoing: VecDeque<Bytes>,
    events: VecDeque<Told>,
    stats: Stats,
}

impl Member {
    /// None where no codec makes such a rendition. `seed` is to be used once.
    pub fn new(config: Config, seed: [u8; 32]) -> Option<Member> {
        if config.rendition.rate != RATE {
            return None;
        }
        let mut chance = blake3::Hasher::new_keyed(&seed).finalize_xof();
        let nonce = draw(&mut chance);
        let Config { room, name, identity, psk, known, .. } = config.clone();
        Some(Member {
            way: Way::new(room.clone(), name.clone(), nonce),
            own: Own { room, name, identity, psk, known },
            speaker: Speaker::new(config.rendition, config.bitrate)?,
            near: Near::new(config.place, RATE, usize::from(config.rendition.frames)),
            config,
            chance,
            roster: None,
            first: None,
            others: BTreeMap::new(),
            reported: None,
            over: false,
            was_in: false,
            began: None,
            last: 0.0,
            opened: Vec::with_capacity(1_500),
            block: Vec::new(),
            sum: Vec::new(),
            outgoing: VecDeque::new(),
            events: VecDeque::new(),
            stats: Stats::default(),
        })
    }

    /// What it is made with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What happened, until there is nothing more.
    pub fn told(&mut self) -> Option<Told> {
        self.events.pop_front()
    }

    /// What it did so far.
    pub fn stats(&self) -> Stats {
        let Rendition { codec, frames, rate } = self.speaker.rendition();
        let delay = usize::from(frames) + codec.delay(usize::from(frames));
        let rtt = self.way.rtt().map_or(0.0, |rtt| rtt.as_secs_f64());
        let capture = delay as f64 / f64::from(rate) + self.near.delay();
        Stats { rtt, capture, rate: f64::from(self.speaker.bits()), ..self.stats }
    }

    /// The others, in the order of their numbers.
    pub fn voices(&self) -> Vec<Voice> {
        let voice = |(number, other): (&u8, &Other)| Voice {
            person: other.person(*number),
            words: other.words,
            level: other.level,
            frames: other.playout().map(|playout| playout.counts()).unwrap_or_default(),
            buffered: other.playout().map_or(0.0, |playout| playout.delay()),
            refused: other.refused,
            generation: other.openers.latest(),
        };
        self.others.iter().map(voice).collect()
    }

    /// Our number, while we are in.
    pub fn number(&self) -> Option<u8> {
        self.roster.as_ref().filter(|_| self.way.is_in()).map(|roster| roster.you)
    }

    /// What the room is like.
    pub fn mode(&self) -> Mode {
        self.roster.as_ref().map(|roster| roster.mode).unwrap_or_default()
    }

    /// Whether the ones who were here when we came all know another passphrase, or none of us.
    pub fn is_unwanted(&self) -> bool {
        let Some(first) = self.first.as_ref().filter(|first| !first.is_empty()) else { return false };
        let refused = |(number, stay): &(u8, u32)| {
            let other = self.others.get(number).filter(|other| other.participant.stay == *stay);
            other.is_some_and(|other| other.pair.is_refused())
        };
        first.iter().all(refused)
    }

    /// Lets silence be sent instead of what is captured.
    pub fn mute(&mut self, muted: bool) {
        self.near.mute(muted);
    }

    /// Whether silence is sent.
    pub fn is_muted(&self) -> bool {
        self.near.is_muted()
    }

    /// Lets another share of frames come too late from now on.
    pub fn set_late(&mut self, late: f64) {
        self.config.late = late;
        self.others.values_mut().for_each(|other| other.set_late(late));
    }

    /// Says good-bye, to be sent.
    pub fn leave(&mut self) {
        let pass = self.way.pass();
        // what says it may be lost
        for _ in 0..if pass == 0 { 0 } else { 3 } {
            self.send(Said::Leave.datagram(pass));
        }
    }

    /// Whether all is sealed that we say and hear.
    pub fn is_sealed(&self) -> bool {
        self.config.psk.is_said() || !self.mode().open
    }

    fn heard(&mut self, now: Instant, message: &[u8]) -> Option<()> {
        let heard = Heard::read(message)?;
        let nonce = draw(&mut self.chance);
        match self.way.heard(now, &heard, nonce) {
            Some(Step::In { anew: true }) => {
                self.others.clear();
                (self.roster, self.first) = (None, None);
            }
            Some(Step::Refused(why)) => {
                self.over = true;
                self.tell(Told::Refused(why));
            }
            Some(Step::Forgotten) => self.tell(Told::Silent),
            Some(Step::In { anew: false }) | None => {}
        }
        if !self.way.is_in() {
            return Some(());
        }
        match heard {
            Heard::Roster(roster) => self.roster(now, roster),
            Heard::Control { from, body } => self.control(now, from, body),
            Heard::Frame { from, frame } => self.frame(now, from, frame),
            _ => Some(()),
        }
    }

    /// Who is here is told anew.
    fn roster(&mut self, now: Instant, roster: Roster) -> Option<()> {
        let known = self.way.know(roster.version);
        self.send(known);
        let is_old = |before: &Roster| (roster.version.wrapping_sub(before.version) as i32) <= 0;
        if self.roster.as_ref().is_some_and(is_old) {
            return Some(());
        }
        let mode = self.mode();
        let anew = self.roster.is_none();
        let here: Vec<_> =
            roster.participants.iter().filter(|one| one.number != roster.you).cloned().collect();
        if anew {
            self.first = Some(here.iter().map(|one| (one.number, one.stay)).collect());
            let again = std::mem::replace(&mut self.was_in, true);
            self.tell(Told::In { number: roster.you, others: here.len(), again });
        }
        let stays = |other: &Other| {
            here.iter()
                .any(|one| (one.number, one.stay) == (other.participant.number, other.participant.stay))
        };
        let left: Vec<u8> = self.others.iter().filter(|(_, other)| !stays(other)).map(|(n, _)| *n).collect();
        let mut changed = !left.is_empty();
        for number in left {
            if let Some(other) = self.others.remove(&number) {
                self.tell(Told::Left(other.person(number)));
            }
        }
        for one in here {
            if self.others.contains_key(&one.number) {
                continue;
            }
            changed = true;
            let chance = self.chance();
            let pair = Pair::new(now, roster.you < one.number, &self.own, chance);
            self.others.insert(one.number, Other::new(one.clone(), pair));
            self.tell(Told::Came(one));
        }
        if roster.mode != mode {
            self.tell(Told::Mode(roster.mode));
        }
        let opus = roster.mode.opus;
        self.speaker.set_open(roster.mode.open && !self.config.psk.is_said());
        self.roster = Some(roster);
        let coded = self.speaker.key().map(|key| key.rendition);
        if changed || coded != Some(self.speaker.wants(opus)) {
            self.renew(now);
        }
        Some(())
    }

    /// Nobody who left, and nobody who was not here yet, has the key with which is sealed from now on.
    fn renew(&mut self, now: Instant) {
        let (opus, key) = (self.mode().opus, self.chance());
        let key = self.speaker.renew(now, opus, key);
        self.others.values_mut().for_each(|other| other.pair.offer(now, key));
    }

    /// Another participant says something to us alone.
    fn control(&mut self, now: Instant, from: u8, body: &[u8]) -> Option<()> {
        let chance = self.chance();
        let other = self.others.get_mut(&from)?;
        let mut answers = Vec::new();
        let brought = other.pair.arrive(now, body, &self.own, chance, &mut answers);
        let told = brought.and_then(|brought| {
            if let Some(key) = brought.key {
                other.openers.add(key);
            }
            brought.report.into_iter().for_each(|report| self.speaker.report(now, report));
            brought.happened
        });
        match told {
            Some(Happened::Met { key, name, words }) => {
                other.met(name, words);
                if let Some(key) = self.speaker.key() {
                    other.pair.offer(now, key);
                }
                let person = other.person(from);
                self.tell(Told::Met(person, key, words));
            }
            Some(Happened::Refused(reason)) => {
                let person = other.person(from);
                self.tell(Told::Apart(person, reason));
            }
            None => {}
        }
        answers.into_iter().for_each(|body| self.say(from, &body));
        Some(())
    }

    fn say(&mut self, to: u8, body: &[u8]) {
        let said = Said::Control { to, body }.datagram(self.way.pass());
        self.send(said);
    }

    /// Another participant's sound.
    fn frame(&mut self, now: Instant, from: u8, frame: &[u8]) -> Option<()> {
        let may_be_open = self.mode().open && !self.config.psk.is_said();
        let ear = Ear { rate: RATE, frames: self.config.rendition.frames, late: self.config.late };
        let now = self.since(now);
        let other = self.others.get_mut(&from)?;
        let (generation, counter, sound) = seal::parts(frame)?;
        if generation == 0 {
            if !may_be_open || !other.openers.take_bare(counter) {
                other.refused += 1;
                return None;
            }
            other.put(now, ear, OPUS, counter, Bytes::copy_from_slice(sound));
            return Some(());
        }
        if other.openers.latest().is_none() {
            return Some(()); // it does not know us yet
        }
        let Some(opened) = other.openers.open(now, from, frame, &mut self.opened) else {
            other.refused += 1;
            return None;
        };
        other.put(now, ear, opened.rendition, opened.counter, Bytes::copy_from_slice(&self.opened));
        Some(())
    }

    fn wake(&mut self, now: Instant) {
        let (said, silent) = self.way.wake(now);
        said.into_iter().for_each(|said| self.send(said));
        if silent {
            self.tell(Told::Silent);
        }
        if !self.way.is_in() {
            return;
        }
        let bodies: Vec<_> =
            self.others.iter_mut().filter_map(|(to, other)| Some((*to, other.pair.wake(now)?))).collect();
        bodies.into_iter().for_each(|(to, body)| self.say(to, &body));
        self.report(now);
        self.speaker.wake(now);
        let (coded, wanted) = (self.speaker.key(), self.speaker.wants(self.mode().opus));
        if coded.is_some_and(|key| key.rendition != wanted) {
            self.renew(now);
        }
        if let Some(awaited) = self.speaker.awaited() {
            let mut met = self.others.values().filter(|other| other.pair.is_met());
            let all = met.all(|other| other.pair.has() == Some(awaited));
            self.speaker.advance(now, all);
        }
    }

    /// Tells the others once a second what came of them.
    fn report(&mut self, now: Instant) {
        if self.reported.is_some_and(|at| now.duration_since(at) < REPORT) {
            return;
        }
        self.reported = Some(now);
        let reports: Vec<_> =
            self.others.iter_mut().filter_map(|(of, other)| Some((*of, other.report()?))).collect();
        // where all come over one thin link of ours, chance or rhythm may let it drop those of one alone: all are to say less
        let all: Vec<Report> = reports.iter().map(|(_, report)| *report).collect();
        let share = Report::share(&all);
        let bodies: Vec<_> = reports
            .into_iter()
            .filter_map(|(to, report)| {
                Some((to, self.others.get_mut(&to)?.pair.report(report.at_most(share))?))
            })
            .collect();
        bodies.into_iter().for_each(|(to, body)| self.say(to, &body));
    }

    fn since(&mut self, now: Instant) -> f64 {
        now.duration_since(*self.began.get_or_insert(now)).as_secs_f64()
    }

    fn chance(&mut self) -> [u8; 32] {
        let mut drawn = [0; 32];
        self.chance.fill(&mut drawn);
        drawn
    }

    fn send(&mut self, datagram: Bytes) {
        if self.outgoing.len() == OUTGOING {
            self.outgoing.pop_front();
        }
        self.outgoing.push_back(datagram);
    }

    fn tell(&mut self, told: Told) {
        if self.events.len() == EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(told);
    }

    fn speak(&mut self, captured: &[i16]) {
        let number = self.number();
        let captured = self.near.captured(captured);
        let Some(number) = number else { return };
        let pass = self.way.pass();
        let open = !self.config.psk.is_said() && self.roster.as_ref().is_some_and(|roster| roster.mode.open);
        let heard = self.others.values().any(|other| other.pair.is_met() || open);
        let outgoing = &mut self.outgoing;
        self.speaker.say(number, captured, heard, |frame| {
            if outgoing.len() < OUTGOING {
                outgoing.push_back(Said::Frame(&frame).datagram(pass));
            }
        });
    }
}

impl Call for Member {
    fn samples(&self) -> usize {
        2 * usize::from(self.config.rendition.frames)
    }

    fn begins(&self, n: u64) -> Duration {
        let nanos =
            u128::from(n) * u128::from(self.config.rendition.frames) * 1_000_000_000 / u128::from(RATE);
        Duration::from_nanos(nanos.min(u128::from(u64::MAX)) as u64)
    }

    fn arrive(&mut self, now: Instant, from: SocketAddr, bytes: Bytes) {
        self.since(now);
        if from != self.config.server {
            self.stats.refused += 1;
            return;
        }
        (self.stats.received, self.stats.received_bytes) =
            (self.stats.received + 1, self.stats.received_bytes + bytes.len() as u64);
        if self.heard(now, &bytes).is_none() {
            self.stats.refused += 1;
        }
    }

    fn cycle(&mut self, now: Instant, captured: &[i16], played: &mut [i16]) {
        self.wake(now);
        let now = self.since(now);
        if now - self.last > SLEPT {
            // this machine slept: what is said now is said now
            self.speaker.skip(now - self.last);
        }
        self.last = now;
        self.speak(captured);
        self.block.resize(played.len(), 0);
        self.sum.clear();
        self.sum.resize(played.len(), 0);
        for other in self.others.values_mut() {
            other.mix(now, &mut self.block, &mut self.sum);
        }
        let limits = (i32::from(i16::MIN), i32::from(i16::MAX));
        played
            .iter_mut()
            .zip(&self.sum)
            .for_each(|(out, sum)| *out = (*sum).clamp(limits.0, limits.1) as i16);
        if let Some(hertz) = self.near.played(played) {
            self.tell(Told::Howling { hertz });
        }
        self.stats.levels = [captured, played]
            .map(|block| f32::from(block.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0)) / 32_768.0);
    }

    fn transmit(&mut self, _: Instant) -> Option<(SocketAddr, Bytes)> {
        let bytes = self.outgoing.pop_front()?;
        (self.stats.sent, self.stats.sent_bytes) =
            (self.stats.sent + 1, self.stats.sent_bytes + bytes.len() as u64);
        Some((self.config.server, bytes))
    }

    fn is_over(&self) -> bool {
        self.over
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member")
            .field("room", &self.config.room)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

fn draw(chance: &mut blake3::OutputReader) -> u64 {
    let mut drawn = [0; 8];
    chance.fill(&mut drawn);
    u64::from_be_bytes(drawn).max(1)
}

/// How often it is told what came.
const REPORT: Duration = Duration::from_secs(1);
/// Whoever is not asked for a block so long was asleep.
const SLEPT: f64 = 0.4;
const OUTGOING: usize = 256;
const EVENTS: usize = 128;
