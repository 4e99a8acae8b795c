//! What a person sees of a native call, and programs read.

use super::native::refusal;
use crate::exit::Exit;
use crate::output::Console;
use levada_talk::native::{NativeCall, Stats, Told, late, opinion};
use levada_talk::secure::{Event, Reason};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Three lines that are rewritten while somebody watches; a line of JSON a second where programs do.
pub struct Screen {
    console: Console,
    on_stderr: bool,
    safety: f64,
    began: Instant,
    told: Option<Instant>,
    turned_away: Option<Instant>,
    before: Stats,
    stats: Stats,
    /// Smoothed, in kbit/s: sent and received.
    rates: [f64; 2],
    peer: Option<SocketAddr>,
    pictures: Value,
}

impl Screen {
    pub fn new(console: Console, on_stderr: bool, safety: f64) -> Screen {
        Screen {
            console,
            on_stderr,
            safety,
            began: Instant::now(),
            told: None,
            turned_away: None,
            before: Stats::default(),
            stats: Stats::default(),
            rates: [0.0; 2],
            peer: None,
            pictures: Value::Null,
        }
    }

    /// What became of pictures.
    pub fn pictures(&mut self, pictures: Value) {
        self.pictures = pictures;
    }

    /// Something happened; what ends the call, where it does.
    pub fn told(&mut self, told: &Told, called: Option<SocketAddr>) -> Option<Exit> {
        match told {
            Told::HungUp => self.event("the other end hung up", &json!({ "event": "hung_up" })),
            Told::Howling { hertz } => self.event(
                &format!(
                    "feedback at {hertz} Hz: the microphone is turned down; a headset or less loudness helps"
                ),
                &json!({ "event": "feedback", "hertz": hertz }),
            ),
            Told::Session(Event::Opened { again: true, peer, .. }) => self.peer = Some(*peer),
            Told::Session(Event::Opened { peer, key, words, .. }) => {
                self.peer = Some(*peer);
                let line = format!(
                    "connected with {peer}, whose key is {key}\nboth ends show the same words, or somebody listens in: {words}"
                );
                let words = words.to_string();
                let event =
                    json!({ "event": "connected", "peer": peer, "key": key.to_string(), "words": words });
                self.event(&line, &event);
            }
            Told::Session(Event::Moved(to)) => {
                self.peer = Some(*to);
                self.event(
                    &format!("the other end is at {to} now"),
                    &json!({ "event": "moved", "peer": to }),
                );
            }
            Told::Session(Event::Refused(reason)) => {
                return called.map(|called| refusal(called, *reason));
            }
            Told::Session(Event::TurnedAway(from, reason)) => {
                if called == Some(*from) && matches!(reason, Reason::Secret | Reason::Call(_)) {
                    return Some(refusal(*from, *reason));
                }
                let lately = self.turned_away.is_some_and(|at| at.elapsed() < Duration::from_secs(5));
                if !lately {
                    self.turned_away = Some(Instant::now());
                    let why = match reason {
                        Reason::Secret => "its passphrase is another".to_owned(),
                        Reason::Busy => "there is a call already".to_owned(),
                        Reason::Unknown => "its key is not among the known".to_owned(),
                        Reason::Version => "it speaks another version".to_owned(),
                        Reason::Call(versions) => versions.to_string(),
                    };
                    let event = json!({ "event": "turned_away", "peer": from, "why": why });
                    self.event(&format!("turned {from} away: {why}"), &event);
                }
            }
        }
        None
    }

    /// A key was pressed.
    pub fn key(&mut self, key: u8, call: &mut NativeCall) {
        match key {
            b'm' | b'M' => call.mute(!call.is_muted()),
            b'+' | b'>' | b'.' => self.safety = (self.safety + 0.5).min(10.0),
            b'-' | b'<' | b',' => self.safety = (self.safety - 0.5).max(0.0),
            _ => return,
        }
        call.set_late(late(self.safety));
    }

    /// Some time is over.
    pub fn show(&mut self, call: &NativeCall, elapsed: Duration) {
        self.stats = call.stats();
        let seconds = elapsed.as_secs_f64();
        let rate = |now: u64, before: u64| (now - before) as f64 * 8.0 / 1_000.0 / seconds;
        let now = [
            rate(self.stats.sent_bytes, self.before.sent_bytes),
            rate(self.stats.received_bytes, self.before.received_bytes),
        ];
        self.rates.iter_mut().zip(now).for_each(|(rate, now)| *rate += (now - *rate) * 0.3);
        self.before = self.stats;
        if self.console.is_live() {
            self.line(call.is_muted());
        }
        if self.console.json() && self.told.is_none_or(|told| told.elapsed() >= Duration::from_millis(990)) {
            self.told = Some(Instant::now());
            self.statistics(call.is_muted());
        }
    }

    /// The call is over.
    pub fn end(&mut self) {
        self.console.clear();
        if self.console.json() {
            self.statistics(false);
        }
        let Stats { frames, .. } = self.stats;
        let seconds = self.began.elapsed().as_secs_f64();
        let made_up = 100.0 * frames.missing as f64 / (frames.heard + frames.missing).max(1) as f64;
        self.console.say(format!(
            "{seconds:.1} s; heard {} frames, {} made up ({made_up:.2} %); sent {:.0} kbit/s, received {:.0}",
            frames.heard,
            frames.missing,
            self.stats.sent_bytes as f64 / 125.0 / seconds,
            self.stats.received_bytes as f64 / 125.0 / seconds,
        ));
    }

    fn line(&self, muted: bool) {
        let Stats { capture, rtt, buffered, playback, unheard, loss, .. } = self.stats;
        let ms = |seconds: f64| (seconds.max(0.0) * 1e3).round();
        if self.peer.is_none() {
            return;
        }
        let slider: String =
            (0..=10).map(|n| if (self.safety.round() as i32) == n { '●' } else { '─' }).collect();
        let state = match () {
            () if muted => "(muted)",
            () if self.stats.soft => "(turned down)",
            () => "",
        };
        let [you, them] = self.stats.levels.map(meter);
        let delay = delay(&self.stats);
        self.console.panel(&[
            format!(
                "you {you} {state:<13} them {them}  MOS {:.1}  lost {:.1} %",
                opinion(delay, unheard),
                100.0 * loss
            ),
            format!(
                "{:.0} ms = {:.0} capture + {:.0} network + {:.0} buffer + {:.0} playback  unheard {:.1} %",
                ms(delay),
                ms(capture),
                ms(rtt / 2.0),
                ms(buffered),
                ms(playback),
                100.0 * unheard,
            ),
            format!(
                "quick {slider} safe  {:.0}↑ {:.0}↓ kbit/s   m mutes  - + slide  q hangs up",
                self.rates[0], self.rates[1],
            ),
        ]);
    }

    fn statistics(&self, muted: bool) {
        let Stats { frames, plan, .. } = self.stats;
        let stats = &self.stats;
        let line = json!({
            "seconds": self.began.elapsed().as_secs_f64(), "peer": self.peer, "muted": muted, "turned_down": stats.soft, "safety": self.safety,
            "delay": { "capture": stats.capture, "network": stats.rtt / 2.0, "buffer": stats.buffered, "playback": stats.playback,
                "all": delay(stats), "target": stats.target },
            "round_trip": stats.rtt, "queue": stats.queue, "loss": stats.loss, "unheard": stats.unheard,
            "mos": opinion(delay(stats), stats.unheard), "skew_ppm": stats.skew,
            "sent": stats.sent, "sent_kbps": self.rates[0], "received": stats.received, "received_kbps": self.rates[1],
            "refused": stats.refused, "may_send_kbps": stats.rate / 1e3, "copies": plan.map(|plan| plan.copies),
            "levels": stats.levels, "heard": frames.heard, "missing": frames.missing, "late": frames.late,
            "stretched": frames.stretched, "shortened": frames.shortened, "resyncs": frames.resyncs, "video": self.pictures,
        });
        self.console.statistics(&line, self.on_stderr);
    }

    fn event(&self, line: &str, event: &serde_json::Value) {
        self.console.say(line);
        self.console.statistics(event, self.on_stderr);
    }
}

/// Seconds from mouth to ear, as far as they are known: half of the way there and back counts as the way there.
fn delay(stats: &Stats) -> f64 {
    stats.capture + stats.rtt / 2.0 + stats.buffered + stats.playback
}

/// Eight eighths of a bar for the 48 dB below full scale.
pub fn meter(level: f32) -> String {
    let db = 20.0 * level.max(1e-4).log10();
    let cells = ((db + 48.0) / 6.0).clamp(0.0, 8.0);
    let full = cells as usize;
    let part = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][((cells - full as f32) * 8.0) as usize & 7];
    let bar: String = std::iter::repeat_n('█', full).chain([part]).take(8).collect();
    format!("{bar:<8}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_with_the_level() {
        assert_eq!(meter(0.0), " ".repeat(8));
        assert_eq!(meter(1.0), "█".repeat(8));
        let half = meter(0.0631); // 24 dB below
        assert!(half.starts_with("███") && !half.contains("█████"), "{half}");
    }
}
