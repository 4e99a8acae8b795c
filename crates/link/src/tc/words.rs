//! The words of a tc command line, taken one by one as tc takes them.

use super::Refusal;
use crate::{Percent, Size};
use std::time::Duration;

/// What is left of a command line.
pub(super) struct Words<'a> {
    rest: &'a [&'a str],
}

impl<'a> Words<'a> {
    pub(super) fn new(rest: &'a [&'a str]) -> Words<'a> {
        Words { rest }
    }

    pub(super) fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// The next word, which must be there.
    pub(super) fn need(&mut self) -> Result<&'a str, Refusal> {
        self.next().ok_or_else(|| Refusal::new(255, "Command line is not complete. Try option \"help\""))
    }

    /// The next word, if it begins with a digit.
    pub(super) fn number(&mut self) -> Option<&'a str> {
        self.next_if(|word| word.starts_with(|c: char| c.is_ascii_digit()))
    }

    /// The next word, if it begins with a digit or a sign and one.
    pub(super) fn signed_number(&mut self) -> Option<&'a str> {
        self.next_if(|word| {
            let digits = word.strip_prefix('-').unwrap_or(word);
            digits.starts_with(|c: char| c.is_ascii_digit())
        })
    }

    /// The next word, if it is `wanted`.
    pub(super) fn next_if(&mut self, wanted: impl Fn(&str) -> bool) -> Option<&'a str> {
        self.rest.first().filter(|word| wanted(word)).and_then(|_| self.next())
    }
}

/// Whether `word` is `whole` or its beginning, which tc takes for it.
pub(super) fn short(word: &str, whole: &str) -> bool {
    !word.is_empty() && whole.starts_with(word)
}

/// Which of `known` tc takes `word` for: the first that begins with it.
pub(super) fn meant<T: Copy>(word: &str, known: &[(&str, T)]) -> Option<T> {
    known.iter().find(|(whole, _)| short(word, whole)).map(|(_, meaning)| *meaning)
}

/// A count, written as a size (`1000`, `1k`) or in base 16 (`0x10`).
pub(super) fn count(word: &str) -> Option<u32> {
    if let Some(hex) = word.strip_prefix("0x") {
        return u32::from_str_radix(hex, 16).ok();
    }
    word.parse::<Size>().ok().and_then(|size| u32::try_from(size.0).ok())
}

/// A time whose bare number counts in nanoseconds, as in netem.
pub(super) fn nanoseconds(word: &str) -> Option<Duration> {
    crate::units::time(word, Duration::from_nanos(1)).ok()
}

pub(super) fn percent(word: &str) -> Option<Percent> {
    word.parse().ok()
}

/// A whole number with a sign, in base ten.
pub(super) fn signed(word: &str) -> Option<i32> {
    word.parse().ok()
}

/// The hexadecimal number at the start of a handle, and what follows it.
pub(super) fn hex(word: &str) -> (Option<u32>, &str) {
    let end = word.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(word.len());
    let (digits, rest) = word.split_at(end);
    (u32::from_str_radix(digits, 16).ok(), rest)
}
