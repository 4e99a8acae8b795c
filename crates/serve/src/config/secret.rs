//! A password in the configuration that never shows itself.

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// A password as typed, or an argon2 hash of one (`$argon2…`). Debugging and printing show `***`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the one place that compares it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is a hash in PHC string format rather than the password itself.
    pub fn is_hash(&self) -> bool {
        self.0.starts_with("$argon2")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Secret {
        Secret(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

/// The text without the password that an address in it carries: `http://relay:***@host/`.
pub fn without_password(text: &str) -> String {
    match text.parse::<url::Url>() {
        Ok(mut url) if url.password().is_some() => match url.set_password(Some(MASK)) {
            Ok(()) => url.into(),
            Err(()) => MASK.into(),
        },
        _ => text.to_owned(),
    }
}

/// What a secret shows of itself.
pub(super) const MASK: &str = "***";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_no_password() {
        for (text, shown) in [
            ("http://relay:hush@host:8000/a", "http://relay:***@host:8000/a"),
            ("http://host/?a=b", "http://host/?a=b"),
            ("10s", "10s"),
        ] {
            assert_eq!(without_password(text), shown);
        }
    }
}
