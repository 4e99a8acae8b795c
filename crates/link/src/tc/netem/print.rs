//! `netem`: its line in `show`, and its words written.

use super::super::shown;
use crate::chance::Odds;
use crate::config::{LinkConfig, Reorder};
use crate::loss::Loss;
use crate::queue::Room;
use crate::serial::Overhead;
use crate::slots::{Pause, Slots};
use crate::units::show_time;
use crate::{Distribution, Percent};
use std::fmt::Write;

/// tc's line in `show`, from `limit` on.
pub(in crate::tc) fn show(config: &LinkConfig) -> String {
    let mut line = match config.queue {
        Room::Packets(n) => format!("limit {n}"),
        Room::Bytes(_) | Room::Time(_) => "limit 1000".into(),
    };
    let tied = |line: &mut String, share: Percent| {
        if share != Percent::ZERO {
            let _ = write!(line, " {}", shown::percent(share));
        }
    };
    if !config.delay.is_zero() {
        let _ = write!(line, " delay {}", shown::time(config.delay));
        if !config.jitter.is_zero() {
            let _ = write!(line, "  {}", shown::time(config.jitter));
            tied(&mut line, config.correlation);
        }
    }
    match &config.loss {
        Loss::None | Loss::List(_) => {}
        Loss::Random(odds) => {
            let _ = write!(line, " loss {}", shown::percent(odds.percent));
            tied(&mut line, odds.correlation);
        }
        Loss::State(p) => {
            let [a, b, c, d, e] = [p.p13, p.p31, p.p32, p.p23, p.p14].map(shown::percent);
            let _ = write!(line, " loss state p13 {a} p31 {b} p32 {c} p23 {d} p14 {e}");
        }
        Loss::Gemodel(g) => {
            let [p, r, h, k] = [g.p, g.r, g.bad, g.good].map(shown::percent);
            let _ = write!(line, " loss gemodel p {p} r {r} 1-h {h} 1-k {k}");
        }
    }
    let reorder = config.reorder.map_or(Odds::default(), |reorder| reorder.odds);
    for (word, odds) in [("duplicate", config.duplicate), ("reorder", reorder), ("corrupt", config.corrupt)] {
        if odds.percent != Percent::ZERO {
            let _ = write!(line, " {word} {}", shown::percent(odds.percent));
            tied(&mut line, odds.correlation);
        }
    }
    if let Some(rate) = config.rate {
        let _ = write!(line, " rate {}", shown::rate(rate));
        let Overhead { packet, cell, per_cell } = config.overhead;
        let parts = [
            ("packetoverhead", i64::from(packet)),
            ("cellsize", cell.into()),
            ("celloverhead", per_cell.into()),
        ];
        for (word, bytes) in parts.iter().filter(|(_, bytes)| *bytes != 0) {
            let _ = write!(line, " {word} {bytes}");
        }
    }
    if let Some(seed) = config.seed {
        let _ = write!(line, " seed {seed}");
    }
    if let Some(slots) = &config.slots {
        let _ = match &slots.pause {
            Pause::Between(least, most) => {
                write!(line, " slot {} {}", shown::time(*least), shown::time(*most))
            }
            Pause::Scattered { delay, jitter, .. } => {
                write!(line, " slot distribution {} {}", shown::time(*delay), shown::time(*jitter))
            }
        };
        for (word, n) in [("packets", slots.packets), ("bytes", slots.bytes)].iter().filter(|(_, n)| *n != 0)
        {
            let _ = write!(line, " {word} {n}");
        }
    }
    if let Some(reorder) = config.reorder {
        let _ = write!(line, " gap {}", reorder.gap);
    }
    if config.ecn {
        line.push_str(" ecn ");
    }
    line
}

/// The words that [`parse`](super::parse) reads back as the same, exactly; only of what netem has words for.
pub(in crate::tc) fn write(config: &LinkConfig) -> String {
    let mut words = vec!["netem".to_owned()];
    let mut say = |text: String| words.push(text);
    if let Room::Packets(n) = config.queue
        && config.queue != Room::default()
    {
        say(format!("limit {n}"));
    }
    if !config.delay.is_zero() || !config.jitter.is_zero() {
        say(format!("delay {}", show_time(config.delay)));
        if !config.jitter.is_zero() || config.correlation != Percent::ZERO {
            say(show_time(config.jitter));
            say(tie(config.correlation));
        }
    }
    if config.distribution != Distribution::Uniform {
        say(format!("distribution {}", config.distribution.name()));
    }
    match &config.loss {
        Loss::None | Loss::List(_) => {}
        Loss::Random(odds) => say(written("loss", *odds)),
        Loss::State(p) => say(format!("loss state {} {} {} {} {}", p.p13, p.p31, p.p32, p.p23, p.p14)),
        Loss::Gemodel(g) => say(format!("loss gemodel {} {} {} {}", g.p, g.r, g.bad, g.good)),
    }
    if config.ecn {
        say("ecn".into());
    }
    if config.duplicate.percent != Percent::ZERO {
        say(written("duplicate", config.duplicate));
    }
    if config.corrupt.percent != Percent::ZERO {
        say(written("corrupt", config.corrupt));
    }
    if let Some(Reorder { odds, gap }) = config.reorder {
        say(format!("{} gap {gap}", written("reorder", odds)));
    }
    if let Some(rate) = config.rate {
        let Overhead { packet, cell, per_cell } = config.overhead;
        say(format!("rate {rate}"));
        if config.overhead != Overhead::default() {
            say(format!("{packet} {cell} {per_cell}"));
        }
    }
    if let Some(slots) = &config.slots {
        say(slot_words(slots));
    }
    if let Some(seed) = config.seed {
        say(format!("seed {seed}"));
    }
    words.retain(|word| !word.is_empty());
    words.join(" ")
}

fn slot_words(slots: &Slots) -> String {
    let mut words = match &slots.pause {
        Pause::Between(least, most) => format!("slot {} {}", show_time(*least), show_time(*most)),
        Pause::Scattered { delay, jitter, distribution } => {
            format!("slot distribution {} {} {}", distribution.name(), show_time(*delay), show_time(*jitter))
        }
    };
    for (word, n) in [("packets", slots.packets), ("bytes", slots.bytes)].iter().filter(|(_, n)| *n != 0) {
        let _ = write!(words, " {word} {n}");
    }
    words
}

fn written(word: &str, odds: Odds) -> String {
    format!("{word} {} {}", odds.percent, tie(odds.correlation)).trim_end().into()
}

fn tie(share: Percent) -> String {
    if share == Percent::ZERO { String::new() } else { share.to_string() }
}
