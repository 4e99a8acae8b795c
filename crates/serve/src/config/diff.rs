//! What changed between two configurations, for the log.

use super::{Config, without_password};
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

/// One value that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key, such as `limits.listeners`.
    pub key: String,
    /// What it was; `None` when it was not set. Secrets show as `***`.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "unset".into());
        write!(f, "{}: {} → {}", self.key, shown(&self.before), shown(&self.after))
    }
}

impl Config {
    /// What is different in `after`.
    pub fn changes(&self, after: &Config) -> Vec<Change> {
        let (old, new) = (leaves(self), leaves(after));
        let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
        let mut changes: Vec<Change> = keys
            .filter(|key| old.get(*key) != new.get(*key))
            .map(|key| Change {
                key: key.clone(),
                before: old.get(key).map(Leaf::shown),
                after: new.get(key).map(Leaf::shown),
            })
            .collect();
        changes.sort_by(|one, other| one.key.cmp(&other.key));
        changes
    }
}

/// A value at the end of a key. Secrets are compared, never shown.
#[derive(PartialEq)]
enum Leaf {
    Open(Value),
    Secret(String),
}

impl Leaf {
    fn shown(&self) -> String {
        match self {
            Leaf::Open(value) => without_passwords(value).to_string(),
            Leaf::Secret(_) => "***".into(),
        }
    }
}

fn leaves(config: &Config) -> BTreeMap<String, Leaf> {
    let mut found = BTreeMap::new();
    collect("", &serde_json::to_value(config).unwrap_or_default(), &mut found);
    for (key, secret) in config.secrets() {
        found.insert(key, Leaf::Secret(secret.expose().to_owned()));
    }
    found
}

fn without_passwords(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(without_password(text)),
        Value::Array(list) => Value::Array(list.iter().map(without_passwords).collect()),
        other => other.clone(),
    }
}

fn collect(key: &str, value: &Value, found: &mut BTreeMap<String, Leaf>) {
    let join = |step: &str| if key.is_empty() { step.to_owned() } else { format!("{key}.{step}") };
    match value {
        Value::Null => {}
        Value::Object(table) => table.iter().for_each(|(step, inner)| collect(&join(step), inner, found)),
        Value::Array(list) if list.iter().any(Value::is_object) => {
            list.iter().enumerate().for_each(|(at, inner)| collect(&join(&at.to_string()), inner, found));
        }
        leaf => drop(found.insert(key.to_owned(), Leaf::Open(leaf.clone()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_no_password() {
        let config = |password| -> Config {
            toml::from_str(&format!("[[relay]]\nfrom = ['http://relay:{password}@host/a']\n")).unwrap()
        };
        let told = config("one").changes(&config("two"));
        let shown = Some("[\"http://relay:***@host/a\"]".to_owned());
        assert_eq!((told.len(), &told[0].before, &told[0].after), (1, &shown, &shown));
    }

    #[test]
    fn changes_are_told_by_key_and_secrets_only_that_they_changed() {
        let before: Config = toml::from_str(
            "[limits]\nlisteners = 5\n[auth]\nsource_password = 'one'\n[[mount]]\nname = '/a'\nsigning_key = 'k'\n",
        )
        .unwrap();
        let after: Config = toml::from_str(
            "[limits]\nlisteners = 9\n[auth]\nsource_password = 'two'\n[[mount]]\nname = '/a'\nlinger = '5s'\n",
        )
        .unwrap();
        let told: Vec<String> = before.changes(&after).iter().map(Change::to_string).collect();
        assert_eq!(
            told,
            [
                "auth.source_password: *** → ***",
                "limits.listeners: 5 → 9",
                "mount.0.linger: unset → \"5s\"",
                "mount.0.signing_key: *** → unset",
            ]
        );
        assert_eq!(after.changes(&after), []);
    }
}
