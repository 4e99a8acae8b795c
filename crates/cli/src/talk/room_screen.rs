//! What a person sees of a room, and programs read.

use super::screen::meter;
use crate::output::Console;
use levada_talk::native::Counts;
use levada_talk::native::late;
use levada_talk::room::{Member, Person, Reason, Stats, Told, Voice};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A line that is rewritten while somebody watches, lines for who comes and goes; a line of JSON a second where programs do.
pub struct RoomScreen {
    console: Console,
    on_stderr: bool,
    safety: f64,
    began: Instant,
    told: Option<Instant>,
    before: Stats,
    stats: Stats,
    voices: Vec<Voice>,
    /// Smoothed, in kbit/s: sent and received.
    rates: [f64; 2],
}

impl RoomScreen {
    pub fn new(console: Console, on_stderr: bool, safety: f64) -> RoomScreen {
        RoomScreen {
            console,
            on_stderr,
            safety,
            began: Instant::now(),
            told: None,
            before: Stats::default(),
            stats: Stats::default(),
            voices: Vec::new(),
            rates: [0.0; 2],
        }
    }

    /// Something happened.
    pub fn told(&mut self, told: &Told, member: &Member) {
        let who = |Person { number, name }: &Person| format!("{name} ({number})");
        let one = |event: &str, Person { number, name }: &Person| json!({ "event": event, "number": number, "name": name.as_str() });
        match told {
            Told::In { number, others, again } => {
                let room = &member.config().room;
                let again = if *again { "again " } else { "" };
                let line = match others {
                    0 => format!("{again}in room {room} as number {number}, alone so far"),
                    1 => format!("{again}in room {room} as number {number}, with one other"),
                    _ => format!("{again}in room {room} as number {number}, with {others} others"),
                };
                self.event(
                    &line,
                    &json!({ "event": "in", "room": room.as_str(), "number": number, "others": others }),
                );
            }
            Told::Refused(why) => self.event("", &json!({ "event": "refused", "why": why.to_string() })),
            Told::Silent => {
                self.event("the server is silent; it is asked on", &json!({ "event": "silent" }));
            }
            Told::Came(participant) => {
                let person = Person { number: participant.number, name: participant.name.clone() };
                let how = match (participant.is_browser(), participant.is_open()) {
                    (_, true) => ", by a browser that cannot seal",
                    (true, false) => ", by a browser",
                    (false, false) => "",
                };
                let mut event = one("came", &person);
                event["browser"] = participant.is_browser().into();
                event["open"] = participant.is_open().into();
                self.event(&format!("{} is here{how}", who(&person)), &event);
            }
            Told::Met(person, key, words) => {
                let line = format!(
                    "{}, whose key is {key}: both of you see these words, or somebody listens in: {words}",
                    who(person)
                );
                let mut event = one("met", person);
                (event["key"], event["words"]) = (key.to_string().into(), words.to_string().into());
                self.event(&line, &event);
            }
            Told::Apart(person, reason) => {
                let why = match reason {
                    Reason::Secret => "does not know the same passphrase",
                    Reason::Unknown => "is not among the known peers",
                    Reason::Stranger => "does not know this end's key",
                };
                let mut event = one("apart", person);
                event["why"] = why.into();
                self.event(&format!("{} {why}: you do not hear each other", who(person)), &event);
            }
            Told::Left(person) => self.event(&format!("{} has left", who(person)), &one("left", person)),
            Told::Mode(mode) => {
                let sealed = member.is_sealed();
                let line = match (mode.open, sealed) {
                    (true, false) => {
                        "NOT END TO END: somebody here cannot seal, so the server can listen in from now on"
                    }
                    (true, true) => {
                        "somebody here cannot seal; with your passphrase nothing is said to it, nor heard of it"
                    }
                    (false, _) => "only those who are here can listen: everything is sealed end to end",
                };
                let event = json!({ "event": "mode", "opus": mode.opus, "sealed": sealed });
                self.event(line, &event);
            }
            Told::Howling { hertz } => {
                let line = format!("the microphone hears its own sound at {hertz:.0} Hz; it is turned down");
                self.event(&line, &json!({ "event": "howling", "hertz": hertz }));
            }
        }
    }

    /// A key was pressed.
    pub fn key(&mut self, key: u8, member: &mut Member) {
        match key {
            b'm' | b'M' => member.mute(!member.is_muted()),
            b'+' | b'>' | b'.' => self.safety = (self.safety + 0.5).min(10.0),
            b'-' | b'<' | b',' => self.safety = (self.safety - 0.5).max(0.0),
            _ => return,
        }
        member.set_late(late(self.safety));
    }

    /// Some time is over.
    pub fn show(&mut self, member: &Member, elapsed: Duration) {
        (self.stats, self.voices) = (member.stats(), member.voices());
        let seconds = elapsed.as_secs_f64();
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 * 8.0 / 1_000.0 / seconds;
        let now = [
            rate(self.stats.sent_bytes, self.before.sent_bytes),
            rate(self.stats.received_bytes, self.before.received_bytes),
        ];
        self.rates.iter_mut().zip(now).for_each(|(rate, now)| *rate += (now - *rate) * 0.3);
        self.before = self.stats;
        if self.console.is_live() && member.number().is_some() {
            self.line(member);
        }
        if self.console.json() && self.told.is_none_or(|told| told.elapsed() >= Duration::from_millis(990)) {
            self.told = Some(Instant::now());
            self.statistics(member);
        }
    }

    /// It is over.
    pub fn end(&mut self) {
        self.console.clear();
        let seconds = self.began.elapsed().as_secs_f64();
        self.console.say(format!(
            "{seconds:.1} s; sent {:.0} kbit/s, received {:.0}",
            self.stats.sent_bytes as f64 / 125.0 / seconds,
            self.stats.received_bytes as f64 / 125.0 / seconds,
        ));
    }

    fn line(&self, member: &Member) {
        let others: String = self
            .voices
            .iter()
            .map(|voice| format!("  {} {}", meter(voice.level), voice.person.name))
            .collect();
        self.console.progress(&format!(
            "{} you{}{others}  {:.0}↑ {:.0}↓ kbit/s  {}  m - + q",
            meter(self.stats.levels[0]),
            if member.is_muted() { " (muted)" } else { "" },
            self.rates[0],
            self.rates[1],
            if member.is_sealed() { "sealed" } else { "NOT END TO END" },
        ));
    }

    fn statistics(&self, member: &Member) {
        let participants: Vec<Value> = self
            .voices
            .iter()
            .map(|voice| {
                let frames = voice.frames;
                json!({
                    "number": voice.person.number, "name": voice.person.name.as_str(),
                    "words": voice.words.map(|words| words.to_string()), "level": voice.level,
                    "heard": frames.heard, "missing": frames.missing, "late": frames.late,
                    "buffered": voice.buffered, "refused": voice.refused, "key": voice.generation,
                })
            })
            .collect();
        let sum =
            |count: fn(&Counts) -> u64| self.voices.iter().map(|voice| count(&voice.frames)).sum::<u64>();
        let [heard, missing, late] = [sum(|c| c.heard), sum(|c| c.missing), sum(|c| c.late)];
        let stats = &self.stats;
        let line = json!({
            "seconds": self.began.elapsed().as_secs_f64(), "room": member.config().room.as_str(), "number": member.number(),
            "muted": member.is_muted(), "sealed": member.is_sealed(), "opus": member.mode().opus, "safety": self.safety,
            "sent": stats.sent, "sent_kbps": self.rates[0], "received": stats.received, "received_kbps": self.rates[1],
            "may_say_kbps": stats.rate / 1e3, "refused": stats.refused, "round_trip": stats.rtt, "capture": stats.capture, "levels": stats.levels,
            "heard": heard, "missing": missing, "late": late, "participants": participants,
        });
        self.console.statistics(&line, self.on_stderr);
    }

    fn event(&self, line: &str, event: &Value) {
        if !line.is_empty() {
            self.console.say(line);
        }
        self.console.statistics(event, self.on_stderr);
    }
}
