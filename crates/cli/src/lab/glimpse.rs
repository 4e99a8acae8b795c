//! A lab at a moment, as data: for `stats --json` and for the dashboard.

use anyhow::Result;
use levada_lab::{Lab, Priority, Stats};
use levada_link::LinkConfig;
use serde::{Deserialize, Serialize};

/// A lab at a moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Glimpse {
    /// Its links, in the order of the directions in `stats`.
    pub links: Vec<Shown>,
    /// What scheduling its engine got.
    pub priority: Priority,
    /// What has gone over them, and how punctual the engine is.
    #[serde(flatten)]
    pub stats: Stats,
}

/// A link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// The interfaces that it joins.
    pub ends: [String; 2],
    /// What it is from the first to the second: `rate=10mbit delay=10ms`.
    pub down: String,
    /// And back.
    pub up: String,
}

impl Glimpse {
    /// Looks at a lab.
    ///
    /// # Errors
    /// That its engine has ended.
    pub fn of(lab: &Lab) -> Result<Glimpse> {
        let shown = |link: &levada_lab::Link| -> Result<Shown> {
            let [down, up] = lab.link(&link.name)?;
            let ends = link.ends.each_ref().map(|end| end.name.clone());
            Ok(Shown { name: link.name.clone(), ends, down: down.to_string(), up: up.to_string() })
        };
        let links = lab.topology().links().iter().map(shown).collect::<Result<_>>()?;
        Ok(Glimpse { links, priority: lab.priority(), stats: lab.stats()? })
    }
}

impl Shown {
    /// What it is both ways; a perfect wire for what only the lab itself can read, as a trace's name.
    pub fn configs(&self) -> [LinkConfig; 2] {
        [&self.down, &self.up].map(|words| words.parse().unwrap_or_default())
    }
}
