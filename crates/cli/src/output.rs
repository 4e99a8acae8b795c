//! What a person sees: messages and a progress line on stderr, data on stdout.

use serde::Serialize;
use std::{
    io::{IsTerminal, Write, stderr, stdout},
    time::Duration,
};

/// Where a command speaks. Messages go to stderr, so that stdout carries data only.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    quiet: bool,
    json: bool,
    /// Whether somebody watches stderr.
    terminal: bool,
}

impl Console {
    /// A console that says only errors when `quiet`, and data as JSON when `json`.
    pub fn new(quiet: bool, json: bool) -> Console {
        Console { quiet, json, terminal: stderr().is_terminal() }
    }

    /// Whether data is wanted as JSON.
    pub fn json(self) -> bool {
        self.json
    }

    /// Whether a line can be rewritten: somebody watches, and wants to.
    pub fn is_live(self) -> bool {
        self.terminal && !self.quiet && !self.json
    }

    /// Whether to colour: `NO_COLOR` and dumb terminals say no.
    pub fn wants_color(terminal: bool) -> bool {
        let said = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        terminal && said("NO_COLOR").is_none() && said("TERM").is_none_or(|term| term != "dumb")
    }

    /// Says something to a person.
    pub fn say(self, text: impl AsRef<str>) {
        if !self.quiet && !self.json {
            let clear = if self.terminal { CLEAR } else { "" };
            eprintln!("{clear}{}", text.as_ref());
        }
    }

    /// Rewrites the progress line; nothing where nobody watches.
    pub fn progress(self, line: &str) {
        if self.is_live() {
            let mut out = stderr().lock();
            let _watched = write!(out, "{CLEAR}{}", cut(line, width()));
            let _watched = out.flush();
        }
    }

    /// Rewrites some lines instead of one; nothing where nobody watches.
    pub fn panel(self, lines: &[String]) {
        if self.is_live() {
            let width = width();
            let lines: Vec<String> = lines.iter().map(|line| cut(line, width)).collect();
            let up = lines.len().saturating_sub(1);
            let back = if up > 0 { format!("\x1b[{up}A\r") } else { String::new() };
            let mut out = stderr().lock();
            let _watched = write!(out, "{CLEAR}{}{back}", lines.join("\r\n"));
            let _watched = out.flush();
        }
    }

    /// Takes the progress lines away.
    pub fn clear(self) {
        self.progress("");
    }

    /// Writes statistics as one line of JSON: to stdout, or to stderr where stdout carries media.
    pub fn statistics(self, statistics: &impl Serialize, media_on_stdout: bool) {
        if !self.json {
            return;
        }
        let line = serde_json::to_string(statistics).unwrap_or_default();
        let _closed = match media_on_stdout {
            true => writeln!(stderr(), "{line}"),
            false => writeln!(stdout(), "{line}"),
        };
    }
}

/// `1.5 MB`: bytes as a person reads them.
pub fn bytes(count: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.into_iter().find(|(size, _)| count >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", count as f64 / size as f64),
        None => format!("{count} B"),
    }
}

/// `1:02:03`, or `2:03` below an hour.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// The bit rate of `bytes` in `time`, in kbit/s; 0 for no time.
pub fn kbit_per_s(bytes: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { (bytes as f64 * 8.0 / time.as_secs_f64()).round() / 1_000.0 }
}

fn cut(line: &str, width: usize) -> String {
    line.chars().take(width.saturating_sub(1)).collect()
}

fn width() -> usize {
    terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0))
}

/// To the beginning of the line, and nothing from there to the screen's end.
const CLEAR: &str = "\r\x1b[J";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!([bytes(999), bytes(1_500), bytes(2_000_000_000)], ["999 B", "1.5 kB", "2.0 GB"]);
        let clocks = [59, 61, 3_723].map(|seconds| clock(Duration::from_secs(seconds)));
        assert_eq!(clocks, ["0:59", "1:01", "1:02:03"]);
        assert_eq!(kbit_per_s(16_000, Duration::from_secs(1)), 128.0);
    }
}
