//! Each key of the nicer spelling: how its value is read and written.
#![allow(clippy::unit_arg)] // in a table, an assignment that may fail reads best on one line

use super::Library;
use super::values::{self, Value};
use crate::Bitrate;
use crate::config::{Compat, ConfigError, LinkConfig, Order, Reorder};
use crate::loss::Loss;
use crate::outage::Outages;

type Set = fn(&mut LinkConfig, &str, Library<'_>) -> Result<(), ConfigError>;
type Get = fn(&LinkConfig) -> String;

/// In the order in which they are written.
pub(super) const KEYS: [(&str, Set, Get); 18] = [
    ("rate", set_rate, get_rate),
    (
        "overhead",
        |c, v, _| Ok(c.overhead = Value("overhead", v).overhead()?),
        |c| values::overhead(c.overhead),
    ),
    ("bucket", |c, v, _| Ok(c.bucket = Value("bucket", v).optional(Value::bucket)?), get_bucket),
    ("trace", set_trace, |c| c.trace.as_ref().map_or(NONE.into(), |trace| trace.name().into())),
    ("queue", |c, v, _| Ok(c.queue = Value("queue", v).room()?), |c| values::room(c.queue)),
    ("aqm", |c, v, _| Ok(c.discipline = Value("aqm", v).discipline()?), |c| values::discipline(c.discipline)),
    ("delay", set_delay, get_delay),
    ("distribution", set_distribution, |c| c.distribution.name().into()),
    ("order", set_order, get_order),
    ("loss", set_loss, |c| values::loss(&c.loss)),
    (
        "ecn",
        |c, v, _| Ok(c.ecn = Value("ecn", v).one_of(&[("yes", true), ("no", false)], "yes or no")?),
        get_ecn,
    ),
    ("duplicate", |c, v, _| Ok(c.duplicate = Value("duplicate", v).odds()?), |c| values::odds(c.duplicate)),
    ("corrupt", |c, v, _| Ok(c.corrupt = Value("corrupt", v).odds()?), |c| values::odds(c.corrupt)),
    ("reorder", set_reorder, get_reorder),
    ("slot", set_slot, |c| c.slots.as_ref().map_or(NONE.into(), values::slots)),
    ("outage", set_outage, |c| values::outages(&c.outages)),
    ("compat", set_compat, get_compat),
    ("seed", set_seed, |c| c.seed.map_or(NONE.into(), |seed| seed.to_string())),
];

fn set_rate(config: &mut LinkConfig, value: &str, _: Library<'_>) -> Result<(), ConfigError> {
    config.rate = Value("rate", value).optional(|value| value.unit::<Bitrate>())?;
    Ok(())
}

fn get_rate(config: &LinkConfig) -> String {
    config.rate.map_or(NONE.into(), |rate| rate.to_string())
}

fn get_bucket(config: &LinkConfig) -> String {
    config.bucket.as_ref().map_or(NONE.into(), values::bucket)
}

fn set_trace(config: &mut LinkConfig, value: &str, library: Library<'_>) -> Result<(), ConfigError> {
    let missing = || ConfigError::Missing { what: "trace", name: value.into() };
    config.trace = if value == NONE { None } else { Some((library.trace)(value).ok_or_else(missing)?) };
    Ok(())
}

fn set_delay(config: &mut LinkConfig, value: &str, library: Library<'_>) -> Result<(), ConfigError> {
    if value.contains(char::is_whitespace) {
        let said = tc_words("delay", value, library)?;
        (config.delay, config.jitter, config.correlation) = (said.delay, said.jitter, said.correlation);
        config.distribution = said.distribution;
        return Ok(());
    }
    (config.delay, config.jitter, config.correlation) = Value("delay", value).scattered()?;
    Ok(())
}

fn get_delay(config: &LinkConfig) -> String {
    values::scattered(config.delay, config.jitter, config.correlation)
}

fn set_distribution(config: &mut LinkConfig, value: &str, library: Library<'_>) -> Result<(), ConfigError> {
    config.distribution = values::distribution(value, library)?;
    Ok(())
}

fn set_order(config: &mut LinkConfig, value: &str, _: Library<'_>) -> Result<(), ConfigError> {
    let known = [("keep", Some(Order::Keep)), ("free", Some(Order::Free)), ("auto", None)];
    config.order = Value("order", value).one_of(&known, "keep, free or auto")?;
    Ok(())
}

fn get_order(config: &LinkConfig) -> String {
    match config.order {
        Some(Order::Keep) => "keep",
        Some(Order::Free) => "free",
        None => "auto",
    }
    .into()
}

fn set_loss(config: &mut LinkConfig, value: &str, library: Library<'_>) -> Result<(), ConfigError> {
    if value.contains(char::is_whitespace) {
        let said = tc_words("loss", value, library)?;
        (config.loss, config.ecn) = (said.loss, said.ecn);
        return Ok(());
    }
    config.loss = Value("loss", value).loss()?;
    if config.loss == Loss::Random(Default::default()) {
        config.loss = Loss::None;
    }
    Ok(())
}

fn get_ecn(config: &LinkConfig) -> String {
    if config.ecn { "yes".into() } else { "no".into() }
}

fn set_reorder(config: &mut LinkConfig, value: &str, _: Library<'_>) -> Result<(), ConfigError> {
    config.reorder = Value("reorder", value).optional(Value::reorder)?;
    Ok(())
}

fn get_reorder(config: &LinkConfig) -> String {
    match config.reorder {
        None => NONE.into(),
        Some(Reorder { odds, gap: 1 }) => values::odds(odds),
        Some(Reorder { odds, gap }) => format!("{}/{gap}", values::odds(odds)),
    }
}

fn set_slot(config: &mut LinkConfig, value: &str, library: Library<'_>) -> Result<(), ConfigError> {
    config.slots = Value("slot", value).optional(|value| value.slots(library))?;
    Ok(())
}

fn set_outage(config: &mut LinkConfig, value: &str, _: Library<'_>) -> Result<(), ConfigError> {
    config.outages = Value("outage", value).optional(Value::outages)?.unwrap_or(Outages::default());
    Ok(())
}

fn set_compat(config: &mut LinkConfig, value: &str, _: Library<'_>) -> Result<(), ConfigError> {
    let known = [("netem", Compat::Netem), ("physical", Compat::Physical)];
    config.compat = Value("compat", value).one_of(&known, "netem or physical")?;
    Ok(())
}

fn get_compat(config: &LinkConfig) -> String {
    match config.compat {
        Compat::Netem => "netem".into(),
        Compat::Physical => "physical".into(),
    }
}

fn set_seed(config: &mut LinkConfig, value: &str, _: Library<'_>) -> Result<(), ConfigError> {
    config.seed = Value("seed", value).optional(|value| value.parse("a whole number"))?;
    Ok(())
}

/// A value in tc's words (`80ms 20ms 25% distribution normal`), which a table may have.
fn tc_words(key: &str, value: &str, library: Library<'_>) -> Result<LinkConfig, ConfigError> {
    let mut said = LinkConfig::default();
    said.edit(&format!("netem {key} {value}"), library)?;
    Ok(said)
}

/// What is written for what is not there.
pub(super) const NONE: &str = "none";
