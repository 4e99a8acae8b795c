//! What a room is called, and how a participant is called in it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The name of a room: 1 to 64 of letters, digits, `-`, `_` and `.`; cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomName(Arc<str>);

/// What a participant is called: at most 48 bytes, on one line. Whatever else somebody says is left out.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct DisplayName(Arc<str>);

/// This is no name of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a room is 1 to 64 letters, digits, `-`, `_` and `.`")]
pub struct BadName;

impl RoomName {
    /// Bytes at most.
    pub const LONGEST: usize = 64;

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoomName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<RoomName, BadName> {
        let fits = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
        let good = (1..=RoomName::LONGEST).contains(&text.len()) && text.bytes().all(fits);
        // as a step of an address these would lead elsewhere
        let good = good && text != "." && text != "..";
        if good { Ok(RoomName(text.into())) } else { Err(BadName) }
    }
}

impl DisplayName {
    /// Bytes at most.
    pub const LONGEST: usize = 48;

    /// What is fit to be shown of `said`.
    pub fn of(said: &str) -> DisplayName {
        let mut name = String::new();
        let visible: String = said.chars().filter(|c| !c.is_control() && !is_invisible(*c)).collect();
        for c in visible.trim().chars() {
            if name.len() + c.len_utf8() > DisplayName::LONGEST {
                break;
            }
            name.push(c);
        }
        DisplayName(name.trim_end().into())
    }

    /// The same of bytes that should be UTF-8.
    pub fn of_bytes(said: &[u8]) -> DisplayName {
        DisplayName::of(&String::from_utf8_lossy(&said[..said.len().min(4 * DisplayName::LONGEST)]))
    }

    /// As it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Marks that turn text around or hide it, with which one name could be made to look like another.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_have_plain_names() {
        for good in ["a", "band-practice_2", "x.y", &"r".repeat(64)] {
            assert_eq!(good.parse::<RoomName>().map(|name| name.to_string()).as_deref(), Ok(good));
        }
        for bad in ["", ".", "..", "a b", "a/b", "ä", "a@b", &"r".repeat(65)] {
            assert_eq!(bad.parse::<RoomName>(), Err(BadName), "{bad:?}");
        }
    }

    #[test]
    fn a_display_name_is_one_short_visible_line() {
        assert_eq!(DisplayName::of(" Ana\n\u{202e}María ").as_str(), "AnaMaría");
        assert_eq!(DisplayName::of(&"é".repeat(40)).as_str(), "é".repeat(24));
        assert_eq!(DisplayName::of("\u{1} x").as_str(), "x");
        assert_eq!(DisplayName::of_bytes(b"a\xffb").as_str(), "a\u{fffd}b");
    }
}
