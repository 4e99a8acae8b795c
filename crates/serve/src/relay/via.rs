//! The servers that a stream has passed, so that none gets it from itself.

use std::fmt;

/// Names of servers in the order that the stream passed them, as the `Levada-Via` field carries them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Via(Vec<String>);

impl Via {
    /// The names in a field's value; what can be no name is left out.
    pub fn read(value: &str) -> Via {
        let sound = |name: &&str| {
            (1..=LONGEST).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        Via(value.split(',').map(str::trim).filter(sound).take(MOST + 1).map(str::to_owned).collect())
    }

    /// The same with one more server at its end.
    pub fn with(mut self, id: &str) -> Via {
        self.0.push(id.to_owned());
        self
    }

    /// All servers of both.
    pub fn and(mut self, other: &Via) -> Via {
        for id in &other.0 {
            if !self.has(id) {
                self.0.push(id.clone());
            }
        }
        self
    }

    /// The names, the origin's first.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Whether `id` is among them.
    pub fn has(&self, id: &str) -> bool {
        self.0.iter().any(|known| known == id)
    }

    /// Whether there are more than sixteen, which no sensible tree has.
    pub fn is_too_long(&self) -> bool {
        self.0.len() > MOST
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

const MOST: usize = 16;
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_went() {
        let via = Via::read("a1, b-2").with("c3");
        assert_eq!(via.to_string(), "a1, b-2, c3");
        assert!(via.has("b-2") && !via.has("b"));
        assert_eq!(Via::read(&via.to_string()), via);
        assert_eq!(via.clone().and(&Via::read("x, a1")).to_string(), "a1, b-2, c3, x");
    }

    #[test]
    fn nonsense_is_left_out_and_length_is_bounded() {
        assert_eq!(Via::read(" ,, a b,\u{1b}[0m,ok"), Via::read("ok"));
        assert!(Via::read(&"a,".repeat(10_000)).is_too_long());
        assert!(!Via::read(&"a,".repeat(16)).is_too_long());
    }
}
