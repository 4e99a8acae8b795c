//! Traffic control in tc's own words: what it reads, what it prints, what it refuses and how.
//!
//! [`Devices`] answers `qdisc add|change|replace|del|show dev … root|parent 1:1 handle 10: netem …|tbf …` as tc does for
//! the interfaces of one namespace, and says through which links a packet goes on each. Words, units, roundings, error
//! texts and exit statuses are those of iproute2 6.1 on Linux 6.18, measured; of netem's times a bare number counts
//! nanoseconds as since iproute2 6.7. Two things differ on purpose: a negative rate is refused where tc takes it for
//! 18 exabit/s, and a correlation of duplicates alone is not forgotten.

use crate::config::{ConfigError, LinkConfig};
use crate::distribution::Table;
use std::sync::Arc;

mod command;
mod netem;
mod qdiscs;
mod shown;
mod tbf;
mod words;

pub use command::{Command, Handle, Parent, Place, Verb};
pub use qdiscs::{Devices, Qdisc, Reply};
use words::Words;

/// tc's refusal: what it prints to the error output, and the status it ends with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    status: u8,
    message: String,
}

impl Refusal {
    pub(crate) fn new(status: u8, message: impl Into<String>) -> Refusal {
        Refusal { status, message: message.into() }
    }

    /// The exit status: 1 where tc refused, 2 where the kernel did, 255 for a command that is none.
    pub fn status(&self) -> u8 {
        self.status
    }

    /// What tc prints, without the last line's end.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// Where tables come from that are not computed (`distribution NAME`): asked first, by name.
pub type Tables<'a> = dyn Fn(&str) -> Option<Arc<Table>> + 'a;

/// The kinds of qdisc that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The network emulator.
    Netem,
    /// The token bucket filter.
    Tbf,
}

impl Kind {
    fn named(name: &str) -> Option<Kind> {
        match name {
            "netem" => Some(Kind::Netem),
            "tbf" => Some(Kind::Tbf),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Netem => "netem",
            Kind::Tbf => "tbf",
        }
    }

    fn parse(self, words: Words<'_>, tables: &Tables<'_>) -> Result<LinkConfig, Refusal> {
        match self {
            Kind::Netem => netem::parse(words, tables),
            Kind::Tbf => tbf::parse(words),
        }
    }

    fn show(self, config: &LinkConfig) -> String {
        match self {
            Kind::Netem => netem::show(config),
            Kind::Tbf => tbf::show(config).unwrap_or_default(),
        }
    }
}

impl LinkConfig {
    /// Reads `netem …` or `tbf …`, with tables from `tables`.
    pub fn from_tc(words: &str, tables: &Tables<'_>) -> Result<LinkConfig, ConfigError> {
        let words: Vec<&str> = words.split_whitespace().collect();
        let (name, options) = words.split_first().ok_or(ConfigError::Impossible("there are no words"))?;
        let unknown = || {
            Refusal::new(2, format!("Error: Specified qdisc kind is unknown: {name:?}, not netem or tbf."))
        };
        let kind = Kind::named(name).ok_or_else(unknown)?;
        Ok(kind.parse(Words::new(options), tables)?)
    }

    /// The same in tc's words, each qdisc's after the one above it; `None` where tc has no words for something.
    pub fn to_tc(&self) -> Option<Vec<String>> {
        let Some(_) = self.bucket else {
            return (self.is_netem() && self.order.is_none()).then(|| vec![netem::write(self)]);
        };
        let rest = LinkConfig { bucket: None, queue: crate::Room::default(), ..self.clone() };
        let fits = rest.is_netem() && self.order.is_none() && rest.rate.is_none();
        let above = (!rest.is_perfect()).then(|| netem::write(&rest));
        let bucket = tbf::write(self).filter(|_| fits)?;
        Some(above.into_iter().chain([bucket]).collect())
    }
}
