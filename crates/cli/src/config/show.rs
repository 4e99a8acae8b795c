//! Shows a configuration as TOML, with the origin of each value.

use super::{Loaded, Origin};
use levada_serve::config::without_password;
use serde::Serialize;
use std::fmt::Write;
use toml::Value;

/// The configuration as TOML; behind each value, who said it. Secrets are masked by their own `Serialize`.
///
/// # Errors
/// When a value cannot be written as TOML.
pub fn show<T: Serialize>(loaded: &Loaded<T>) -> Result<String, toml::ser::Error> {
    let mut text = String::new();
    let value = Value::try_from(&loaded.config)?;
    table(&mut text, &value, &mut Vec::new(), &|path| {
        let said = loaded.said.find(path);
        said.map_or(Origin::Default, |node| node.origin.clone())
    });
    Ok(text)
}

type OriginOf<'a> = dyn Fn(&[&str]) -> Origin + 'a;

/// Plain values first, then the tables inside, as TOML wants it.
fn table(text: &mut String, value: &Value, path: &mut Vec<String>, origin: &OriginOf<'_>) {
    let Some(entries) = value.as_table() else { return };
    for (key, value) in entries.iter().filter(|(_, value)| !has_tables(value)) {
        path.push(key.clone());
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        let value = without_passwords(value);
        writeln!(text, "{key} = {value}  # {}", origin(&steps)).expect("a string takes what is written");
        path.pop();
    }
    for (key, value) in entries.iter().filter(|(_, value)| has_tables(value)) {
        path.push(key.clone());
        let several = value.as_array().map(Vec::as_slice);
        for (at, one) in several.unwrap_or(std::slice::from_ref(value)).iter().enumerate() {
            let name = named(path);
            let heading = if several.is_some() { format!("[[{name}]]") } else { format!("[{name}]") };
            let gap = if text.is_empty() { "" } else { "\n" };
            writeln!(text, "{gap}{heading}").expect("a string takes what is written");
            if several.is_some() {
                path.push(at.to_string());
            }
            table(text, one, path, origin);
            if several.is_some() {
                path.pop();
            }
        }
        path.pop();
    }
}

fn without_passwords(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(without_password(text)),
        Value::Array(list) => Value::Array(list.iter().map(without_passwords).collect()),
        other => other.clone(),
    }
}

fn has_tables(value: &Value) -> bool {
    value.is_table() || value.as_array().is_some_and(|list| list.first().is_some_and(Value::is_table))
}

/// The heading's name: places in lists are not part of it.
fn named(path: &[String]) -> String {
    let keys = path.iter().filter(|step| step.parse::<usize>().is_err());
    keys.map(String::as_str).collect::<Vec<_>>().join(".")
}
