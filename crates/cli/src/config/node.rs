//! A configuration as it was said: values with the place where each was said.

use super::Complaint;
use std::{collections::BTreeMap, fmt, path::Path, sync::Arc};
use toml::{Spanned, de::DeTable, de::DeValue};

/// A value, and who said it.
#[derive(Clone, Debug)]
pub struct Node {
    /// What was said.
    pub value: Value,
    /// Who said it.
    pub origin: Origin,
}

/// What was said.
#[derive(Clone, Debug)]
pub enum Value {
    /// A text whose type nobody knows yet: environment variables and flags have no types.
    Loose(String),
    /// A string of TOML.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// Another number.
    Real(f64),
    /// Yes or no.
    Bool(bool),
    /// Several values.
    List(Vec<Node>),
    /// Values by key, with the place of the key.
    Table(BTreeMap<String, (Origin, Node)>),
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A file, with line and column counted from 1.
    File(Arc<Path>, usize, usize),
    /// An environment variable.
    Env(String),
    /// A flag of the command line.
    Flag(String),
    /// A file that the server keeps for itself.
    State(Arc<Path>),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path, line, column) => write!(f, "{}:{line}:{column}", path.display()),
            Origin::Env(name) => write!(f, "environment {name}"),
            Origin::Flag(name) => write!(f, "flag {name}"),
            Origin::State(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Node {
    /// Nothing said.
    pub fn empty() -> Node {
        Node { value: Value::Table(BTreeMap::new()), origin: Origin::Default }
    }

    /// A text of unknown type.
    pub fn said(text: impl Into<String>, origin: Origin) -> Node {
        Node { value: Value::Loose(text.into()), origin }
    }

    /// Reads TOML.
    ///
    /// # Errors
    /// Every error of syntax, with line and column.
    pub fn parse(text: &str, path: &Arc<Path>) -> Result<Node, Vec<Complaint>> {
        let place = |span: std::ops::Range<usize>| {
            let (line, column) = line_and_column(text, span.start);
            Origin::File(path.clone(), line, column)
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let told = errors.iter().map(|error| {
                Complaint::new(place(error.span().unwrap_or_default()), "", error.message().to_owned())
            });
            return Err(told.collect());
        }
        Ok(from_table(table, &place))
    }

    /// Reads one TOML value, all of which `origin` said.
    pub fn parse_value(text: &str, origin: &Origin) -> Option<Node> {
        Some(from_value(DeValue::parse(text).ok()?, &|_| origin.clone()))
    }

    /// Lays `over` over this: tables are joined, everything else is replaced.
    pub fn overlay(&mut self, over: Node) {
        match (&mut self.value, over.value) {
            (Value::Table(under), Value::Table(over)) => {
                for (key, (origin, node)) in over {
                    match under.get_mut(&key) {
                        Some((_, below)) => below.overlay(node),
                        None => drop(under.insert(key, (origin, node))),
                    }
                }
            }
            (value, over_value) => (*value, self.origin) = (over_value, over.origin),
        }
    }

    /// Puts `node` at `path`; a number is a place in a list, and the place behind the last appends.
    ///
    /// # Errors
    /// When a list has no such place.
    pub fn set(&mut self, path: &[&str], node: Node) -> Result<(), &'static str> {
        let Some((first, rest)) = path.split_first() else {
            self.overlay(node);
            return Ok(());
        };
        if let Ok(at) = first.parse::<usize>() {
            return self.list_mut().and_then(|list| {
                if at == list.len() {
                    list.push(Node::empty());
                }
                list.get_mut(at).ok_or("the list has no such place")?.set(rest, node)
            });
        }
        let origin = node.origin.clone();
        let table = self.table_mut();
        let (_, inner) = table.entry((*first).to_owned()).or_insert_with(|| (origin, Node::empty()));
        inner.set(rest, node)
    }

    /// The node at `path`, or the last one on the way to it.
    pub fn nearest(&self, path: &[&str]) -> (&Node, Option<&Origin>) {
        let mut here = (self, None);
        for step in path {
            let next = match &here.0.value {
                Value::Table(table) => table.get(*step).map(|(key, node)| (node, Some(key))),
                Value::List(list) => {
                    step.parse().ok().and_then(|at: usize| list.get(at)).map(|node| (node, None))
                }
                _ => None,
            };
            let Some(next) = next else { break };
            here = next;
        }
        here
    }

    /// The node at `path`, if anybody said it.
    pub fn find(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, step| match &node.value {
            Value::Table(table) => table.get(*step).map(|(_, node)| node),
            Value::List(list) => step.parse().ok().and_then(|at: usize| list.get(at)),
            _ => None,
        })
    }

    /// Takes away what is at `path`.
    pub fn remove(&mut self, path: &[&str]) -> bool {
        let Some((last, way)) = path.split_last() else { return false };
        let holder = way.iter().try_fold(self, |node, step| match &mut node.value {
            Value::Table(table) => table.get_mut(*step).map(|(_, node)| node),
            Value::List(list) => step.parse().ok().and_then(|at: usize| list.get_mut(at)),
            _ => None,
        });
        match holder.map(|node| &mut node.value) {
            Some(Value::Table(table)) => table.remove(*last).is_some(),
            _ => false,
        }
    }

    /// The list here; what is no list becomes an empty one.
    fn list_mut(&mut self) -> Result<&mut Vec<Node>, &'static str> {
        if let Value::Table(table) = &self.value
            && table.is_empty()
        {
            self.value = Value::List(Vec::new());
        }
        match &mut self.value {
            Value::List(list) => Ok(list),
            _ => Err("this is no list"),
        }
    }

    fn table_mut(&mut self) -> &mut BTreeMap<String, (Origin, Node)> {
        if !matches!(self.value, Value::Table(_)) {
            self.value = Value::Table(BTreeMap::new());
        }
        match &mut self.value {
            Value::Table(table) => table,
            _ => unreachable!("it was made a table above"),
        }
    }
}

fn from_table(table: Spanned<DeTable<'_>>, place: &dyn Fn(std::ops::Range<usize>) -> Origin) -> Node {
    let origin = place(table.span());
    let entries = table.into_inner().into_iter().map(|(key, value)| {
        let at = place(key.span());
        (key.into_inner().into_owned(), (at, from_value(value, place)))
    });
    Node { value: Value::Table(entries.collect()), origin }
}

fn from_value(value: Spanned<DeValue<'_>>, place: &dyn Fn(std::ops::Range<usize>) -> Origin) -> Node {
    let span = value.span();
    let origin = place(span.clone());
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Boolean(yes) => Value::Bool(yes),
        DeValue::Integer(number) => whole(number.as_str(), number.radix()),
        DeValue::Float(number) => number
            .as_str()
            .replace('_', "")
            .parse()
            .map_or_else(|_| Value::Loose(number.as_str().to_owned()), Value::Real),
        DeValue::Datetime(when) => Value::Text(when.to_string()),
        DeValue::Array(list) => Value::List(list.into_iter().map(|one| from_value(one, place)).collect()),
        DeValue::Table(table) => return from_table(Spanned::new(span, table), place),
    };
    Node { value, origin }
}

/// A number too large for us stays as it was written, to be complained about where its type is known.
fn whole(digits: &str, radix: u32) -> Value {
    i64::from_str_radix(digits, radix).map_or_else(|_| Value::Loose(digits.to_owned()), Value::Whole)
}

/// Line and column, counted from 1, of a place in `text`.
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}
