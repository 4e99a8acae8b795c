//! The devices of a call.

use crate::output::Console;
use anyhow::{Context, Result};
use levada_device::{Sink, Source};
use levada_talk::Sound;
use std::io;

/// A source and a sink.
pub struct Desk {
    source: Source,
    sink: Sink,
    /// Blocks of silence that may follow the source's end.
    tail: u64,
    /// Frames of a block, where samples are to be shown.
    shows: Option<usize>,
    broken: Option<io::Error>,
    /// The last blocks.
    pub captured: Vec<i16>,
    pub played: Vec<i16>,
}

impl Desk {
    pub fn new(source: Source, sink: Sink, tail: u64, shows: Option<usize>) -> Desk {
        Desk { source, sink, tail, shows, broken: None, captured: Vec::new(), played: Vec::new() }
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
        self.source.waiting()
    }

    fn capture(&mut self, block: &mut [i16]) -> bool {
        if !self.source.read(block) {
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
