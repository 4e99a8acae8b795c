//! Reads scenarios strictly: what is wrong is said with its place, and with what may have been meant.

use super::Scenario;
use levada_link::units::nearest;
use serde::Deserialize;
use std::str::FromStr;
use toml::{Table, Value};

/// What is wrong with a scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// Something in the text.
    #[error("line {line}, column {column}: {what}")]
    Text {
        /// Counted from one.
        line: usize,
        /// In characters, counted from one.
        column: usize,
        /// What is wrong.
        what: String,
    },
    /// Something that fits nowhere in the text.
    #[error("{0}")]
    Whole(String),
}

/// A value given on the command line: `link.core.rate=2mbit`.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// Where: keys with dots between; an element of a list by its name.
    pub path: String,
    /// What.
    pub value: Value,
}

impl FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Override, String> {
        let (path, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not KEY=VALUE"))?;
        let number = value.parse::<i64>().ok().map(Value::Integer);
        Ok(Override { path: path.into(), value: number.unwrap_or_else(|| Value::String(value.into())) })
    }
}

impl FromStr for Scenario {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Scenario, ScenarioError> {
        let scenario: Scenario = toml::from_str(text).map_err(|why| ScenarioError::of(text, &why))?;
        scenario.check()?;
        Ok(scenario)
    }
}

impl ScenarioError {
    fn of(text: &str, why: &toml::de::Error) -> ScenarioError {
        let what = explained(why.message());
        let Some(span) = why.span() else { return ScenarioError::Whole(what) };
        let before = text.get(..span.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        ScenarioError::Text { line, column, what }
    }
}

/// serde's words about a key, with the nearest of those that there are.
fn explained(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match (message.starts_with("unknown field"), quoted.split_first()) {
        (true, Some((key, known))) => {
            let meant = nearest(key, known);
            let known =
                if meant.is_none() { format!("; here are {}", known.join(", ")) } else { String::new() };
            format!("unknown key {key:?}{}{known}", crate::did_you_mean(meant))
        }
        _ => message.trim_end().to_owned(),
    }
}

impl Scenario {
    /// Reads a scenario with values of it replaced.
    ///
    /// # Errors
    /// What is wrong with the text, or with the whole after the replacement.
    pub fn with(text: &str, overrides: &[Override]) -> Result<(Scenario, Table), ScenarioError> {
        // First as it stands, for the places of mistakes.
        let plain: Scenario = text.parse()?;
        let mut table: Table = toml::from_str(text).map_err(|why| ScenarioError::of(text, &why))?;
        if overrides.is_empty() {
            return Ok((plain, table));
        }
        for change in overrides {
            set(&mut table, &change.path, change.value.clone())?;
        }
        let whole = |why: toml::de::Error| ScenarioError::Whole(explained(why.message()));
        let scenario = Scenario::deserialize(Value::Table(table.clone())).map_err(whole)?;
        scenario.check()?;
        Ok((scenario, table))
    }

    /// All combinations of the values of its matrix; one empty one where there is none.
    pub fn combinations(&self) -> Vec<Vec<Override>> {
        let mut all = vec![Vec::new()];
        for (path, values) in &self.matrix {
            let longer = |so_far: &Vec<Override>| {
                let so_far = so_far.clone();
                values.iter().map(move |value| {
                    let mut longer = so_far.clone();
                    longer.push(Override { path: path.clone(), value: value.clone() });
                    longer
                })
            };
            all = all.iter().flat_map(longer).take(MOST_RUNS).collect();
        }
        all
    }

    /// Refuses what no single key shows.
    fn check(&self) -> Result<(), ScenarioError> {
        let whole = |text: String| Err(ScenarioError::Whole(text));
        if self.lab != 1 {
            return whole(format!("lab = {} is not a version that is known; write lab = 1", self.lab));
        }
        if self.name.is_empty() || !self.name.chars().all(|c| c.is_ascii_alphanumeric() || " -_.".contains(c))
        {
            return whole(format!("{:?} cannot name a folder; use letters, digits, blanks and -", self.name));
        }
        let topology = self.topology().map_err(|why| ScenarioError::Whole(why.to_string()))?;
        let mut known: Vec<&str> = Vec::new();
        for step in &self.run {
            let kinds = [step.cmd.is_some(), step.ping.is_some(), step.throughput.is_some()];
            let kinds = kinds.iter().filter(|is| **is).count();
            let changes = !step.link.is_empty() || !step.tc.is_empty();
            if kinds + usize::from(changes) != 1 {
                return whole(format!("{}: one of cmd, ping, throughput and a change (link, tc)", step.name));
            }
            if step.hosts().is_empty() && !changes {
                return whole(format!("{}: on which host?", step.name));
            }
            let hosts: Vec<&str> = topology.hosts().iter().map(String::as_str).collect();
            let targets = step.ping.iter().map(|p| &p.to).chain(step.throughput.iter().map(|t| &t.to));
            let missing = step.hosts().iter().chain(targets).find(|name| !hosts.contains(&name.as_str()));
            if let Some(name) = missing {
                let meant = crate::did_you_mean(nearest(name, &hosts));
                return whole(format!("{}: there is no host {name:?}{meant}", step.name));
            }
            if let Some(name) = step.after.iter().find(|name| !known.contains(&name.as_str())) {
                let meant = crate::did_you_mean(nearest(name, &known));
                return whole(format!("{}: there is no step {name:?} before it{meant}", step.name));
            }
            if known.contains(&step.name.as_str()) {
                return whole(format!("there are two steps {:?}", step.name));
            }
            if !["INT", "TERM", "HUP", "KILL"].contains(&step.stop.signal.as_str()) {
                return whole(format!(
                    "{}: signal {:?} is none of INT, TERM, HUP, KILL",
                    step.name, step.stop.signal
                ));
            }
            known.push(&step.name);
        }
        let links: Vec<&str> = topology.links().iter().map(|link| link.name.as_str()).collect();
        let changed = self.at.iter().flat_map(|at| at.link.keys());
        for name in changed.chain(self.run.iter().flat_map(|step| step.link.keys())) {
            let plain = name.strip_suffix(".down").or(name.strip_suffix(".up")).unwrap_or(name);
            if !links.contains(&plain) {
                let meant = crate::did_you_mean(nearest(plain, &links));
                return whole(format!("there is no link {plain:?}{meant}"));
            }
        }
        if self.run.len() > MOST_STEPS || topology.hosts().len() > MOST_STEPS {
            return whole(format!("at most {MOST_STEPS} steps and hosts"));
        }
        Ok(())
    }
}

/// Puts a value into a table; elements of lists are called by their names.
fn set(table: &mut Table, path: &str, value: Value) -> Result<(), ScenarioError> {
    let missing = || ScenarioError::Whole(format!("there is no {path:?} to set"));
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let Some(rest) = rest else {
        table.insert(first.into(), value);
        return Ok(());
    };
    match table.entry(first).or_insert_with(|| Value::Table(Table::new())) {
        Value::Table(inner) => set(inner, rest, value),
        Value::Array(list) => {
            let (name, rest) = rest.split_once('.').ok_or_else(missing)?;
            let named = |item: &&mut Table| item.get("name").and_then(Value::as_str) == Some(name);
            let item = list.iter_mut().filter_map(Value::as_table_mut).find(named);
            set(item.ok_or_else(missing)?, rest, value)
        }
        _ => Err(missing()),
    }
}

/// The bound of a matrix.
const MOST_RUNS: usize = 1_000;
const MOST_STEPS: usize = 1_000;
