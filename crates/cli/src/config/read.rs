//! Turns what was said into a typed configuration; a value without a type takes the one that is asked for.

use super::{
    Origin,
    complaint::unknown_key,
    node::{Node, Value},
};
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor, value::StrDeserializer};
use std::{collections::btree_map, fmt, slice};

/// Why it does not fit, and the way to it.
#[derive(Clone, Debug)]
pub struct Wrong {
    /// Keys and places from the inside out.
    way: Vec<String>,
    about_key: bool,
    /// What is wrong.
    pub text: String,
}

impl Wrong {
    /// The way from the outside in.
    pub fn path(&self) -> Vec<&str> {
        self.way.iter().rev().map(String::as_str).collect()
    }

    /// Whether the key is wrong, rather than its value.
    pub fn is_about_key(&self) -> bool {
        self.about_key
    }

    fn new(text: String) -> Wrong {
        Wrong { way: Vec::new(), about_key: false, text }
    }

    fn at(mut self, step: impl Into<String>) -> Wrong {
        self.way.push(step.into());
        self
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(text: T) -> Wrong {
        Wrong::new(text.to_string())
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Wrong {
        Wrong { about_key: true, ..Wrong::new(unknown_key(field, known)) }
    }

    fn invalid_type(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Wrong {
        Wrong::new(format!("{} is not {}", said(unexpected), wanted(expected)))
    }

    fn invalid_value(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Wrong {
        Wrong::new(format!("{} is not {}", said(unexpected), wanted(expected)))
    }
}

/// Reads a `T` out of what was said.
///
/// # Errors
/// The first thing that does not fit.
pub fn read<T: de::DeserializeOwned>(node: &Node) -> Result<T, Wrong> {
    T::deserialize(node)
}

fn said(unexpected: de::Unexpected<'_>) -> String {
    match unexpected {
        de::Unexpected::Str(text) => format!("{text:?}"),
        de::Unexpected::Signed(number) => number.to_string(),
        de::Unexpected::Unsigned(number) => number.to_string(),
        de::Unexpected::Bool(yes) => yes.to_string(),
        de::Unexpected::Map => "a table".into(),
        de::Unexpected::Seq => "a list".into(),
        other => other.to_string(),
    }
}

/// Rust's names of types mean nothing to who writes a configuration.
fn wanted(expected: &dyn de::Expected) -> String {
    match expected.to_string().as_str() {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of at least 0".into(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        "a duration" => "a duration such as \"10s\" or \"1m 30s\"".into(),
        "a sequence" => "a list".into(),
        other if other.starts_with("struct") => "a table".into(),
        other => other.into(),
    }
}

macro_rules! read_as {
    ($way:ident: $($name:ident)*) => {
        $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            self.$way(visitor)
        })*
    };
}

/// Nothing is borrowed from the node: what is parsed on the way does not live long enough.
impl<'de> de::Deserializer<'de> for &Node {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.value {
            Value::Loose(text) | Value::Text(text) => visitor.visit_str(text),
            Value::Whole(number) => visitor.visit_i64(*number),
            Value::Real(number) => visitor.visit_f64(*number),
            Value::Bool(yes) => visitor.visit_bool(*yes),
            Value::List(list) => visitor.visit_seq(Items { rest: list.iter(), at: 0 }),
            Value::Table(table) => visitor.visit_map(Entries { rest: table.iter(), value: None }),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.loose().map(str::to_ascii_lowercase).as_deref() {
            Some("true" | "yes" | "on" | "1") => visitor.visit_bool(true),
            Some("false" | "no" | "off" | "0") => visitor.visit_bool(false),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.loose().and_then(|text| text.replace('_', "").parse().ok()) {
            Some(number) => visitor.visit_i64(number),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.loose().and_then(|text| text.parse().ok()) {
            Some(number) => visitor.visit_f64(number),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if self.loose() == Some("") { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    /// A single text is a list of one; a text without a type may be TOML's list or a list with commas.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let Some(text) = self.loose() else {
            let one = slice::from_ref(self).iter();
            let alone = matches!(self.value, Value::Text(_));
            return if alone {
                visitor.visit_seq(Items { rest: one, at: 0 })
            } else {
                self.deserialize_any(visitor)
            };
        };
        if text.starts_with('[')
            && let Some(list) = Node::parse_value(text, &self.origin)
        {
            return list.deserialize_any(visitor);
        }
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let list: Vec<_> = parts.map(|part| Node::said(part, self.origin.clone())).collect();
        visitor.visit_seq(Items { rest: list.iter(), at: 0 })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let table = self.loose().filter(|text| text.starts_with('{'));
        match table.and_then(|text| Node::parse_value(text, &self.origin)) {
            Some(table) => table.deserialize_any(visitor),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        if let Value::List(_) = self.value {
            return Err(de::Error::invalid_type(de::Unexpected::Seq, &visitor));
        }
        self.deserialize_map(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match &self.value {
            Value::Loose(text) | Value::Text(text) => {
                let word: StrDeserializer<'_, Wrong> = text.as_str().into_deserializer();
                visitor.visit_enum(word)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    read_as! { deserialize_i64: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 }
    read_as! { deserialize_f64: deserialize_f32 }
    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any i128 u128
    }
}

impl Node {
    fn loose(&self) -> Option<&str> {
        match &self.value {
            Value::Loose(text) => Some(text.trim()),
            _ => None,
        }
    }
}

/// A list being read.
struct Items<'a> {
    rest: slice::Iter<'a, Node>,
    at: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        let Some(node) = self.rest.next() else { return Ok(None) };
        self.at += 1;
        seed.deserialize(node).map(Some).map_err(|wrong| wrong.at((self.at - 1).to_string()))
    }
}

/// A table being read.
struct Entries<'a> {
    rest: btree_map::Iter<'a, String, (Origin, Node)>,
    value: Option<(&'a str, &'a Node)>,
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let Some((key, (_, node))) = self.rest.next() else { return Ok(None) };
        self.value = Some((key, node));
        let name: StrDeserializer<'_, Wrong> = key.as_str().into_deserializer();
        seed.deserialize(name).map(Some).map_err(|wrong| wrong.at(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let (key, node) = self.value.take().expect("a key comes before its value");
        seed.deserialize(node).map_err(|wrong| wrong.at(key))
    }
}
