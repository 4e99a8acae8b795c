//! Reads a configuration from all its layers: defaults, a TOML file, the environment, flags.
//!
//! Every value remembers who said it, so that a complaint names its line and `--print-config` its origin.

mod complaint;
mod node;
mod read;
mod show;

pub use complaint::{Complaint, Trouble};
pub use node::{Node, Origin, Value, line_and_column};
pub use show::show;

use levada_serve::config::Finding;
use serde::de::DeserializeOwned;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What a configuration is made of; later layers win.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The TOML file, read anew each time.
    pub file: Option<PathBuf>,
    /// Environment variables; those that begin with `LEVADA__` count.
    pub env: BTreeMap<String, String>,
    /// What flags say.
    pub flags: Vec<Flag>,
}

/// What one flag says.
#[derive(Clone, Debug)]
pub struct Flag {
    name: String,
    path: Vec<Step>,
    value: String,
}

/// A step on the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into a table, or to a place in a list.
    Key(String),
    /// To a new entry of a list.
    New,
    /// To the entry of a list that has this name, made if need be.
    Named(String),
}

/// A configuration, and who said what in it.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// The configuration.
    pub config: T,
    /// All that was said.
    pub said: Node,
}

impl Layers {
    /// Reads all layers.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Loaded<T>, Trouble> {
        let mut said = self.read_file()?;
        let mut wrong = Vec::new();
        for (name, value) in &self.env {
            wrong.extend(set_from_env(&mut said, name, value, &self.env).err());
        }
        for flag in &self.flags {
            wrong.extend(flag.set(&mut said).err());
        }
        let config = typed(&said, &mut wrong);
        match config {
            Some(config) if wrong.is_empty() => Ok(Loaded { config, said }),
            _ => Err(Trouble(wrong)),
        }
    }

    fn read_file(&self) -> Result<Node, Trouble> {
        let Some(path) = &self.file else { return Ok(Node::empty()) };
        let shared: Arc<Path> = path.as_path().into();
        let text = std::fs::read(path).map_err(|why| {
            Complaint::new(Origin::Default, "", format!("{} cannot be read: {why}", path.display()))
        })?;
        let text = String::from_utf8(text).map_err(|why| {
            let valid =
                String::from_utf8_lossy(&why.as_bytes()[..why.utf8_error().valid_up_to()]).into_owned();
            let (line, column) = node::line_and_column(&valid, valid.len());
            Complaint::new(Origin::File(shared.clone(), line, column), "", "this is no UTF-8")
        })?;
        Node::parse(&text, &shared).map_err(Trouble)
    }
}

impl<T> Loaded<T> {
    /// What is wrong with the values, with the place of each; nothing fatal, or it is an error.
    ///
    /// # Errors
    /// When anything is fatal.
    pub fn judge(&self, findings: Vec<Finding>) -> Result<Vec<Complaint>, Trouble> {
        let told = |finding: &Finding| {
            let path: Vec<&str> = finding.key.split('.').collect();
            Complaint::new(self.origin(&path), &finding.key, &finding.text)
        };
        let fatal: Vec<_> = findings.iter().filter(|finding| finding.fatal).map(told).collect();
        if !fatal.is_empty() {
            return Err(Trouble(fatal));
        }
        Ok(findings.iter().map(told).collect())
    }

    /// Who said the value at `path`, or what is nearest to it.
    pub fn origin(&self, path: &[&str]) -> Origin {
        self.said.nearest(path).0.origin.clone()
    }
}

impl Flag {
    /// What flag `name` (as typed, such as `--http`) says of `key`, which is written with dots.
    pub fn new(name: &str, key: &str, value: impl Into<String>) -> Flag {
        let path = key.split('.').map(|step| Step::Key(step.into())).collect();
        Flag { name: name.into(), path, value: value.into() }
    }

    /// What flag `name` says of `key` in an entry of `list`.
    pub fn entry(name: &str, list: &str, entry: Step, key: &str, value: impl Into<String>) -> Flag {
        let path = vec![Step::Key(list.into()), entry, Step::Key(key.into())];
        Flag { name: name.into(), path, value: value.into() }
    }

    fn set(&self, said: &mut Node) -> Result<(), Complaint> {
        let origin = Origin::Flag(self.name.clone());
        let mut way: Vec<String> = Vec::new();
        for step in &self.path {
            let here: Vec<&str> = way.iter().map(String::as_str).collect();
            let place = step.place(said.find(&here));
            if let Step::Named(name) = step {
                let name_at: Vec<&str> = here.iter().copied().chain([place.as_str(), "name"]).collect();
                let named = Node::said(name, origin.clone());
                if said.find(&name_at).is_none() {
                    said.set(&name_at, named)
                        .map_err(|why| Complaint::new(origin.clone(), here.join("."), why))?;
                }
            }
            way.push(place);
        }
        let way: Vec<&str> = way.iter().map(String::as_str).collect();
        said.set(&way, Node::said(&self.value, origin.clone()))
            .map_err(|why| Complaint::new(origin, way.join("."), why))
    }
}

impl Step {
    /// The key or the place in the list that is meant.
    fn place(&self, holder: Option<&Node>) -> String {
        let entries: &[Node] = match holder.map(|node| &node.value) {
            Some(Value::List(list)) => list,
            _ => &[],
        };
        let called = |entry: &Node, name: &str| {
            matches!(entry.find(&["name"]).map(|node| &node.value),
                Some(Value::Text(text) | Value::Loose(text)) if text == name)
        };
        match self {
            Step::Key(key) => key.clone(),
            Step::New => entries.len().to_string(),
            Step::Named(name) => {
                let at = entries.iter().position(|entry| called(entry, name));
                at.unwrap_or(entries.len()).to_string()
            }
        }
    }
}

/// `LEVADA__LIMITS__LISTENERS=500`; secrets may be in a file that `…_FILE` names.
fn set_from_env(
    said: &mut Node,
    name: &str,
    value: &str,
    env: &BTreeMap<String, String>,
) -> Result<(), Complaint> {
    let Some(keys) = name.strip_prefix("LEVADA__").filter(|_| !value.is_empty()) else { return Ok(()) };
    let origin = Origin::Env(name.to_owned());
    let lower = keys.to_ascii_lowercase();
    let mut path: Vec<&str> = lower.split("__").collect();
    let mut value = value.to_owned();
    if let Some(secret) = path.last().and_then(|last| last.strip_suffix("_file")).filter(|key| is_secret(key))
    {
        path.pop();
        path.push(secret);
        let plain = name.strip_suffix("_FILE").unwrap_or(name);
        if env.contains_key(plain) {
            let text = format!("{plain} says this too; keep one of them");
            return Err(Complaint::new(origin, path.join("."), text));
        }
        let read = std::fs::read_to_string(&value);
        let text = read.map_err(|why| {
            Complaint::new(origin.clone(), path.join("."), format!("{value} cannot be read: {why}"))
        })?;
        value = text.trim_end_matches(['\r', '\n']).to_owned();
    }
    said.set(&path, Node::said(value, origin.clone()))
        .map_err(|why| Complaint::new(origin, path.join("."), why))
}

/// Reads a `T`; what does not fit is complained about and taken out, so that the rest is looked at too.
fn typed<T: DeserializeOwned>(said: &Node, wrong: &mut Vec<Complaint>) -> Option<T> {
    let mut rest = said.clone();
    let mut seen: Vec<Vec<String>> = Vec::new();
    for _ in 0..MOST_COMPLAINTS {
        let why = match read::read(&rest) {
            Ok(config) => return Some(config),
            Err(why) => why,
        };
        let path = why.path();
        let (node, key) = said.nearest(&path);
        let at = if why.is_about_key() { key.unwrap_or(&node.origin) } else { &node.origin };
        let owned: Vec<String> = path.iter().map(ToString::to_string).collect();
        // A table that misses what was taken out of it is no second mistake.
        let echo = seen.iter().any(|before| before.starts_with(&owned));
        if !echo {
            wrong.push(Complaint::new(at.clone(), path.join("."), &why.text));
        }
        seen.push(owned);
        if !rest.remove(&path) {
            return None;
        }
    }
    None
}

/// Whether a key holds a secret.
pub fn is_secret(key: &str) -> bool {
    key.ends_with("password")
        || matches!(key, "signing_key" | "play_token" | "swarm_token" | "api_token" | "secret")
}

/// More than this and somebody gave us another program's file.
const MOST_COMPLAINTS: usize = 20;

#[cfg(test)]
mod tests;
