//! `netem`: its words read.

mod print;
pub(super) use print::{show, write};

use super::words::{Words, count, meant, nanoseconds, percent, short, signed};
use super::{Refusal, Tables};
use crate::chance::Odds;
use crate::config::{LinkConfig, Reorder};
use crate::loss::{FourStates, Gilbert, Loss};
use crate::queue::Room;
use crate::serial::Overhead;
use crate::slots::{Pause, Slots};
use crate::{Bitrate, Distribution, Percent};
use std::time::Duration;

/// What netem's words can say first, in the order in which tc tries them (a beginning is enough).
#[derive(Clone, Copy)]
enum Term {
    Limit,
    Delay,
    Loss,
    Ecn,
    Reorder,
    Corrupt,
    Gap,
    Duplicate,
    Distribution,
    Rate,
    Slot,
    Seed,
}

const OPTIONS: [(&str, Term); 14] = [
    ("limit", Term::Limit),
    ("latency", Term::Delay),
    ("delay", Term::Delay),
    ("loss", Term::Loss),
    ("drop", Term::Loss),
    ("ecn", Term::Ecn),
    ("reorder", Term::Reorder),
    ("corrupt", Term::Corrupt),
    ("gap", Term::Gap),
    ("duplicate", Term::Duplicate),
    ("distribution", Term::Distribution),
    ("rate", Term::Rate),
    ("slot", Term::Slot),
    ("seed", Term::Seed),
];

/// The words so far.
#[derive(Default)]
struct Said {
    config: LinkConfig,
    gap: u32,
    reorder: Odds,
    loss: bool,
    distribution: bool,
}

/// Reads what follows `netem`.
pub(super) fn parse(mut words: Words<'_>, tables: &Tables<'_>) -> Result<LinkConfig, Refusal> {
    let mut said = Said::default();
    while let Some(word) = words.next() {
        if word == "help" {
            return Err(Refusal::new(1, USAGE));
        }
        let option = meant(word, &OPTIONS).ok_or_else(|| what_is(word))?;
        said.take(option, &mut words, tables)?;
    }
    said.finish()
}

impl Said {
    fn take(&mut self, option: Term, words: &mut Words<'_>, tables: &Tables<'_>) -> Result<(), Refusal> {
        let config = &mut self.config;
        match option {
            Term::Limit => config.queue = Room::Packets(need(words, "limit", count)?),
            Term::Delay => return self.delay(words),
            Term::Loss => return self.loss(words),
            Term::Ecn => config.ecn = true,
            Term::Reorder => self.reorder = odds(words, "reorder")?,
            Term::Corrupt => config.corrupt = odds(words, "corrupt")?,
            Term::Duplicate => config.duplicate = odds(words, "duplicate")?,
            Term::Gap => self.gap = need(words, "gap", count)?,
            Term::Distribution => {
                config.distribution = distribution(words.need()?, tables)?;
                self.distribution = true;
            }
            Term::Rate => {
                config.rate = Some(need(words, "rate", rate)?);
                config.overhead = overhead(words)?;
            }
            Term::Slot => config.slots = Some(slots(words, tables)?),
            Term::Seed => config.seed = Some(need(words, "seed", |word| word.parse().ok())?),
        }
        Ok(())
    }

    fn delay(&mut self, words: &mut Words<'_>) -> Result<(), Refusal> {
        let config = &mut self.config;
        config.delay = need(words, "latency", nanoseconds)?;
        (config.jitter, config.correlation) = (Duration::ZERO, Percent::ZERO);
        if let Some(word) = words.number() {
            config.jitter = read(word, "latency", nanoseconds)?;
            if let Some(word) = words.number() {
                config.correlation = read(word, "latency", percent)?;
            }
        }
        Ok(())
    }

    fn loss(&mut self, words: &mut Words<'_>) -> Result<(), Refusal> {
        if std::mem::replace(&mut self.loss, true) {
            return Err(illegal("duplicate loss argument\n"));
        }
        self.config.loss = match words.need()? {
            "random" => Loss::Random(random(words.need()?, words)?),
            "state" => Loss::State(states(words)?),
            "gemodel" => Loss::Gemodel(gemodel(words)?),
            word if word.starts_with(|c: char| c.is_ascii_digit()) => Loss::Random(random(word, words)?),
            word => return Err(Refusal::new(1, format!("Unknown loss parameter: {word}"))),
        };
        Ok(())
    }

    /// What only shows when all is said.
    fn finish(mut self) -> Result<LinkConfig, Refusal> {
        let reorders = self.reorder.percent != Percent::ZERO;
        let unset = |why| Refusal::new(1, format!("{why}\n{USAGE}"));
        if reorders && self.config.delay.is_zero() {
            return Err(unset("reordering not possible without specifying some delay"));
        }
        if !reorders && self.gap > 0 {
            return Err(unset("gap specified without reorder probability"));
        }
        let scatters = !self.config.delay.is_zero() && !self.config.jitter.is_zero();
        if self.distribution && self.config.distribution != Distribution::Uniform && !scatters {
            return Err(unset("distribution specified but no latency and jitter values"));
        }
        if self.config.ecn && !self.loss {
            return Err(unset("ecn requested without loss model"));
        }
        if matches!(self.config.loss, Loss::Random(Odds { percent: Percent::ZERO, .. })) {
            self.config.loss = Loss::None;
        }
        self.config.reorder = reorders.then_some(Reorder { odds: self.reorder, gap: self.gap.max(1) });
        Ok(self.config)
    }
}

fn random(word: &str, words: &mut Words<'_>) -> Result<Odds, Refusal> {
    let percent_ = read(word, "loss percent", percent)?;
    let correlation = words.number().map(|word| read(word, "loss correlation", percent)).transpose()?;
    Ok(Odds { percent: percent_, correlation: correlation.unwrap_or_default() })
}

fn states(words: &mut Words<'_>) -> Result<FourStates, Refusal> {
    let mut states = FourStates::from_p13(need(words, "loss p13", percent)?);
    let later = [
        ("loss p31", &mut states.p31),
        ("loss p32", &mut states.p32),
        ("loss p23", &mut states.p23),
        ("loss p14", &mut states.p14),
    ];
    fill(words, later)?;
    Ok(states)
}

fn gemodel(words: &mut Words<'_>) -> Result<Gilbert, Refusal> {
    let mut model = Gilbert::from_p(need(words, "loss gemodel p", percent)?);
    let later = [
        ("loss gemodel r", &mut model.r),
        ("loss gemodel h", &mut model.bad),
        ("loss gemodel k", &mut model.good),
    ];
    fill(words, later)?;
    Ok(model)
}

/// Takes as many of the shares as are given.
fn fill<const N: usize>(words: &mut Words<'_>, shares: [(&str, &mut Percent); N]) -> Result<(), Refusal> {
    for (name, share) in shares {
        let Some(word) = words.number() else { break };
        *share = read(word, name, percent)?;
    }
    Ok(())
}

fn odds(words: &mut Words<'_>, name: &str) -> Result<Odds, Refusal> {
    let share = need(words, name, percent)?;
    let correlation = words.number().map(|word| read(word, name, percent)).transpose()?;
    Ok(Odds { percent: share, correlation: correlation.unwrap_or_default() })
}

fn overhead(words: &mut Words<'_>) -> Result<Overhead, Refusal> {
    let mut overhead = Overhead::default();
    let Some(word) = words.signed_number() else { return Ok(overhead) };
    overhead.packet = read(word, "rate", signed)?;
    let Some(word) = words.number() else { return Ok(overhead) };
    overhead.cell = read(word, "rate", count)?;
    let Some(word) = words.signed_number() else { return Ok(overhead) };
    overhead.per_cell = read(word, "rate", signed)?;
    Ok(overhead)
}

fn slots(words: &mut Words<'_>, tables: &Tables<'_>) -> Result<Slots, Refusal> {
    let word = words.need()?;
    let pause = if word == "distribution" {
        let distribution = distribution(words.need()?, tables)?;
        let delay = need(words, "slot delay", nanoseconds)?;
        Pause::Scattered { delay, jitter: need(words, "slot jitter", nanoseconds)?, distribution }
    } else if word.starts_with(|c: char| c.is_ascii_digit()) {
        let least = read(word, "slot min_delay", nanoseconds)?;
        let most = words.number().map(|word| read(word, "slot max_delay", nanoseconds)).transpose()?;
        Pause::Between(least, most.unwrap_or(least))
    } else {
        return Err(Refusal::new(1, format!("Unknown slot parameter: {word}")));
    };
    if matches!(pause, Pause::Between(least, most) if least > most) {
        return Err(illegal("slot max_delay"));
    }
    let mut slots = Slots { pause, packets: 0, bytes: 0 };
    while let Some(word) = words.next_if(|word| short(word, "packets") || short(word, "bytes")) {
        let packets = short(word, "packets");
        let name = if packets { "slot packets" } else { "slot bytes" };
        let n = words.next().and_then(count).ok_or_else(|| illegal(name))?;
        *(if packets { &mut slots.packets } else { &mut slots.bytes }) = n;
    }
    Ok(slots)
}

fn distribution(name: &str, tables: &Tables<'_>) -> Result<Distribution, Refusal> {
    let found = tables(name).map(Distribution::Table).or_else(|| Distribution::named(name));
    found.ok_or_else(|| {
        let known = "uniform, normal, pareto and paretonormal need no file";
        Refusal::new(
            1,
            format!("No distribution data for {name} ({name}.dist: No such file or directory)\n{known}"),
        )
    })
}

/// A rate in whole bytes per second, as tc keeps it.
fn rate(word: &str) -> Option<Bitrate> {
    word.parse::<Bitrate>().ok().map(|rate| Bitrate(rate.bytes() * 8))
}

fn need<T>(words: &mut Words<'_>, name: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Refusal> {
    read(words.need()?, name, parse)
}

fn read<T>(word: &str, name: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Refusal> {
    parse(word).ok_or_else(|| illegal(name))
}

fn illegal(name: &str) -> Refusal {
    Refusal::new(1, format!("Illegal \"{name}\""))
}

fn what_is(word: &str) -> Refusal {
    let known: Vec<&str> = OPTIONS.iter().map(|(whole, _)| *whole).collect();
    let meant =
        crate::units::nearest(word, &known).map_or(String::new(), |near| format!(" Did you mean {near:?}?"));
    Refusal::new(1, format!("What is \"{word}\"?{meant}\n{USAGE}"))
}

const USAGE: &str = "\
netem takes, in any order: limit PACKETS, delay TIME [JITTER [TIE]], distribution NAME, loss PERCENT [TIE],
loss state P13 [P31 [P32 [P23 [P14]]]], loss gemodel P [R [1-H [1-K]]], ecn, duplicate PERCENT [TIE],
corrupt PERCENT [TIE], reorder PERCENT [TIE], gap N, rate RATE [PER-PACKET [CELL [PER-CELL]]],
slot MIN [MAX] [packets N] [bytes N], slot distribution NAME DELAY JITTER [packets N] [bytes N], seed N";
