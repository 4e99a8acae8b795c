//! The devices of a call.

use crate::output::Console;
use anyhow::{Context, Result};
use levada_device::{Form, Sink, Source};
use levada_talk::Sound;
use std::io;
use std::time::{Duration, Instant};

/// Sound cards that may come back: microphone and loudspeaker.
struct Again {
    names: [String; 2],
    form: Form,
    console: Console,
    /// When they were last looked for, while they are away.
    away: [Option<Instant>; 2],
}

impl Again {
    /// Whether to look for a card; says so when it goes.
    fn is_back(&mut self, which: usize, gone: bool) -> bool {
        if !gone {
            return false;
        }
        let looked = self.away[which];
        if looked.is_none() {
            self.console.say(format!("{} is gone; it is looked for once a second", self.names[which]));
        }
        let is_time = looked.is_none_or(|looked| looked.elapsed() >= Duration::from_secs(1));
        if is_time {
            self.away[which] = Some(Instant::now());
        }
        looked.is_some() && is_time
    }
}

/// A source and a sink.
pub struct Desk {
    source: Source,
    sink: Sink,
    /// Blocks of silence that may follow the source's end.
    tail: u64,
    /// Frames of a block, where samples are to be shown.
    shows: Option<usize>,
    broken: Option<io::Error>,
    again: Option<Again>,
    /// The last blocks.
    pub captured: Vec<i16>,
    pub played: Vec<i16>,
}

impl Desk {
    pub fn new(source: Source, sink: Sink, tail: u64, shows: Option<usize>) -> Desk {
        Desk {
            source,
            sink,
            tail,
            shows,
            broken: None,
            again: None,
            captured: Vec::new(),
            played: Vec::new(),
        }
    }

    /// The same, whose sound cards are opened again under these names when they were away.
    pub fn reopening(self, names: [&str; 2], form: Form, console: Console) -> Desk {
        let again = Again { names: names.map(str::to_owned), form, console, away: [None; 2] };
        Desk { again: Some(again), ..self }
    }

    /// Notices sound cards that are gone, and looks once a second whether they are back.
    fn look_after(&mut self) {
        let Some(again) = &mut self.again else { return };
        if again.is_back(0, self.source.is_gone())
            && let Ok(source) = Source::open(&again.names[0], again.form)
        {
            again.console.say(format!("{} is back", again.names[0]));
            (self.source, again.away[0]) = (source, None);
        }
        if again.is_back(1, self.sink.is_gone())
            && let Ok(sink) = Sink::open(&again.names[1], again.form)
        {
            again.console.say(format!("{} is back", again.names[1]));
            (self.sink, again.away[1]) = (sink, None);
        }
    }

    /// Whether the sink takes no more.
    pub fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Ends the sink well.
    pub fn finish(self) -> Result<()> {
        if let Some(why) = self.broken {
            return Err(why).context("the output takes no more");
        }
        self.sink.finish().context("the output cannot be ended")
    }

    fn show(&self, name: &str, block: &[i16]) {
        let Some(frames) = self.shows else { return };
        let channels = (block.len() / frames).max(1);
        let places = [0, frames / 2, frames.saturating_sub(2)];
        let frame = |n: usize| {
            format!("{:?}", &block[(n * channels).min(block.len())..((n + 1) * channels).min(block.len())])
        };
        let shown = places.map(|n| format!("{} {}", frame(n), frame(n + 1)));
        println!("{name} = {}", shown.join(" ... "));
    }
}

impl Sound for Desk {
    fn waiting(&self) -> Option<usize> {
        // while a card is away there is the clock of the call
        if self.again.is_some() && self.source.is_gone() { None } else { self.source.waiting() }
    }

    fn capture(&mut self, block: &mut [i16]) -> bool {
        self.look_after();
        if !self.source.read(block) {
            if self.again.is_some() && self.source.is_gone() {
                block.fill(0);
                return true;
            }
            if self.tail == 0 {
                return false;
            }
            self.tail -= 1;
            block.fill(0);
        }
        self.captured.clear();
        self.captured.extend_from_slice(block);
        self.show("I", block);
        true
    }

    fn play(&mut self, block: &[i16]) {
        self.played.clear();
        self.played.extend_from_slice(block);
        self.show("O", block);
        if let Err(why) = self.sink.write(block) {
            self.broken.get_or_insert(why);
        }
    }
}

/// Shows the sound cards.
pub fn list(console: Console) -> Result<()> {
    let cards = levada_device::list()?;
    for card in cards {
        let ways = if card.captures { "in " } else { "out" };
        match console.json() {
            true => println!(
                "{}",
                serde_json::json!({ "index": card.index, "name": card.name, "description": card.description,
                "captures": card.captures, "channels": card.channels, "rate": card.rate })
            ),
            false => println!(
                "{:4} {ways} {} ({} channels, {} Hz)  {}",
                card.index, card.name, card.channels, card.rate, card.description
            ),
        }
    }
    Ok(())
}
