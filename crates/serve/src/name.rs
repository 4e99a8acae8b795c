//! The name of a mount, parsed once at the door.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, sync::Arc};

/// A mount's path on the server: begins with `/`, 2 to 128 characters of `A-Za-z0-9._~/+@:,-` and `_`, no empty, `.` or
/// `..` parts, no dot at the end. Cheap to clone.
///
/// ```
/// use levada_serve::MountName;
/// assert!("/live/radio.ogg".parse::<MountName>().is_ok());
/// assert!("/../etc/passwd".parse::<MountName>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MountName(Arc<str>);

impl MountName {
    /// Whether it is a place inside the server that nobody can ask for: what begins with `/~fallback/`.
    pub fn is_internal(&self) -> bool {
        self.0.starts_with(INTERNAL)
    }

    /// The name with its leading slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MountName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<MountName, BadName> {
        let Some(path) = text.strip_prefix('/') else { return Err(BadName::Slash) };
        if !(1..LONGEST).contains(&path.len()) {
            return Err(BadName::Length);
        }
        if let Some(odd) = text.chars().find(|c| !c.is_ascii_alphanumeric() && !"._~/+@:,-_".contains(*c)) {
            return Err(BadName::Character(odd));
        }
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) || path.ends_with('.') {
            return Err(BadName::Part);
        }
        Ok(MountName(text.into()))
    }
}

impl TryFrom<String> for MountName {
    type Error = BadName;

    fn try_from(text: String) -> Result<MountName, BadName> {
        text.parse()
    }
}

impl From<MountName> for String {
    fn from(name: MountName) -> String {
        name.as_str().to_owned()
    }
}

impl fmt::Display for MountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no mount name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadName {
    /// No slash at the front.
    #[error("a mount name begins with a slash")]
    Slash,
    /// Empty or too long.
    #[error("a mount name has 2 to {LONGEST} characters")]
    Length,
    /// A character outside the grammar.
    #[error("a mount name cannot contain {0:?}")]
    Character(char),
    /// An empty, `.` or `..` part, or a dot at the end.
    #[error("a mount name has no empty, . or .. parts and no dot at its end")]
    Part,
}

const LONGEST: usize = 128;
/// Where fallback files play.
pub(crate) const INTERNAL: &str = "/~fallback/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_are_taken_whole() {
        for name in ["/a", "/BBB.ogv", "/live/cam-1_x.flv", "/dj/~me/+x", "/stream"] {
            assert_eq!(name.parse::<MountName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_that_could_leave_the_tree_are_refused() {
        for name in
            ["", "a", "/", "//a", "/a//b", "/a/../b", "/.", "/a/", "/a.", "/a b", "/a\n", "/a\\b", "/a%2e"]
        {
            assert!(name.parse::<MountName>().is_err(), "{name:?}");
        }
    }
}
