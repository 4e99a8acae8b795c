//! TOML being written, with the comments that go with it.

use std::fmt::Write;
use toml::Value;

/// A document: what belongs to a table is gathered, and tables without content are left out.
#[derive(Debug, Default)]
pub struct Document {
    tables: Vec<Table>,
}

/// One table and its lines.
#[derive(Debug, Default)]
pub struct Table {
    heading: String,
    lines: String,
}

impl Table {
    /// A table with this heading, such as `[http]` or `[[mount]]`.
    pub fn new(heading: &str) -> Table {
        Table { heading: heading.into(), lines: String::new() }
    }

    /// A value, if there is one.
    pub fn set(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            writeln!(self.lines, "{key} = {}", value.into()).expect("a string takes what is written");
        }
    }

    /// Seconds.
    pub fn seconds(&mut self, key: &str, seconds: Option<u64>) {
        self.set(key, seconds.map(|seconds| format!("{seconds}s")));
    }

    /// A whole number; one that is too large for TOML is left out.
    pub fn number(&mut self, key: &str, number: Option<u64>) {
        self.set(key, number.and_then(|number| i64::try_from(number).ok()));
    }

    /// A comment of its own line.
    pub fn note(&mut self, text: &str) {
        writeln!(self.lines, "# {}", quiet(text)).expect("a string takes what is written");
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

impl Document {
    /// Adds a table.
    pub fn add(&mut self, table: Table) {
        if !table.is_empty() {
            self.tables.push(table);
        }
    }

    /// The text.
    pub fn text(&self) -> String {
        let tables = self.tables.iter().map(|table| format!("{}\n{}", table.heading, table.lines));
        tables.collect::<Vec<_>>().join("\n")
    }
}

/// On one line: what was imported cannot leave its comment.
pub fn quiet(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}
