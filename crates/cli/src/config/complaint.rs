//! What is wrong with a configuration, said to whoever wrote it.

use super::Origin;
use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Where it was said.
    pub origin: Origin,
    /// The key, such as `http.listen`; empty where there is none.
    pub key: String,
    /// What is wrong.
    pub text: String,
}

impl Complaint {
    /// A complaint about `key`, which `origin` said.
    pub fn new(origin: Origin, key: impl Into<String>, text: impl Into<String>) -> Complaint {
        Complaint { origin, key: key.into(), text: text.into() }
    }
}

/// `levada.toml:3:1: http.listn: unknown key, did you mean "listen"?`
impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.origin != Origin::Default {
            write!(f, "{}: ", self.origin)?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.text)
    }
}

/// Everything that is wrong, a line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct Trouble(pub Vec<Complaint>);

fn lines(complaints: &[Complaint]) -> String {
    complaints.iter().map(Complaint::to_string).collect::<Vec<_>>().join("\n")
}

impl From<Complaint> for Trouble {
    fn from(one: Complaint) -> Trouble {
        Trouble(vec![one])
    }
}

/// What to say of a key that does not exist.
pub fn unknown_key(key: &str, known: &[&str]) -> String {
    let distance = |name: &&&str| strsim::osa_distance(name, key);
    match known.iter().min_by_key(distance) {
        Some(near) if distance(&near) <= 1 + near.len() / 3 => {
            format!("unknown key, did you mean {near:?}?")
        }
        Some(_) => format!("unknown key; known here are {}", known.join(", ")),
        None => "unknown key".into(),
    }
}
