//! An XML file as elements that know which of them were understood.

use quick_xml::{Reader, XmlVersion, escape::resolve_predefined_entity, events::BytesStart, events::Event};
use std::cell::Cell;

/// An element: what is not asked for is told at the end as not understood.
#[derive(Debug, Default)]
pub struct Element {
    /// Its name.
    pub name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
    understood: Cell<bool>,
}

/// Why a text is no XML, and where.
#[derive(Debug, thiserror::Error)]
#[error("{1}")]
pub struct BadXml(pub usize, String);

impl Element {
    /// The element that is the whole document.
    ///
    /// # Errors
    /// When the text is no XML.
    pub fn parse(text: &str) -> Result<Element, BadXml> {
        let mut reader = Reader::from_str(text);
        let mut open = vec![Element::default()];
        loop {
            let event =
                reader.read_event().map_err(|why| BadXml(at(reader.error_position()), why.to_string()))?;
            let here = at(reader.buffer_position());
            let bad = |why: &dyn std::fmt::Display| BadXml(here, why.to_string());
            let deep = open.len();
            let Some(last) = open.last_mut() else { break };
            match event {
                Event::Start(_) if deep > DEEPEST => return Err(bad(&"nested too deeply")),
                Event::Start(tag) => open.push(element(&tag).map_err(|why| bad(&why))?),
                Event::Empty(tag) => last.children.push(element(&tag).map_err(|why| bad(&why))?),
                Event::Text(text) => last.text.push_str(&text),
                Event::CData(text) => last.text.push_str(&text),
                Event::GeneralRef(name) => match name.resolve_char_ref().map_err(|why| bad(&why))? {
                    Some(character) => last.text.push(character),
                    None => last.text.push_str(resolve_predefined_entity(&name).unwrap_or_default()),
                },
                Event::End(_) => {
                    let done = open.pop().unwrap_or_default();
                    let Some(outer) = open.last_mut() else { break };
                    outer.children.push(done);
                }
                Event::Eof if deep > 1 => return Err(bad(&"the file ends in the middle")),
                Event::Eof => break,
                _ => {}
            }
        }
        let root = open.pop().and_then(|mut document| document.children.pop());
        root.ok_or_else(|| BadXml(0, "there is no element".into()))
    }

    /// Its text without space around; `None` when there is none.
    pub fn text(&self) -> Option<&str> {
        Some(self.text.trim()).filter(|text| !text.is_empty())
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All children called `name`, understood from now on.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.understood.set(true);
        self.children
            .iter()
            .filter(move |child| child.name == name)
            .inspect(|child| child.understood.set(true))
    }

    /// The first child called `name`.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.understood.set(true);
        let found = self.children.iter().find(|child| child.name == name);
        found.inspect(|child| child.understood.set(true))
    }

    /// The text of the first child called `name`.
    pub fn say(&self, name: &str) -> Option<&str> {
        self.child(name).and_then(Element::text)
    }

    /// The number that a child says.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.say(name).and_then(|text| text.parse().ok())
    }

    /// Whether a child says yes.
    pub fn yes(&self, name: &str) -> Option<bool> {
        self.say(name).map(|text| matches!(text, "1" | "true" | "yes" | "on"))
    }

    /// The elements inside that nobody asked for, with their way from here.
    pub fn not_understood(&self) -> Vec<(String, &Element)> {
        let mut found = Vec::new();
        self.collect("", &mut found);
        found
    }

    fn collect<'a>(&'a self, way: &str, found: &mut Vec<(String, &'a Element)>) {
        for child in &self.children {
            let way = format!("{way}<{}>", child.name);
            match child.understood.get() {
                true => child.collect(&way, found),
                false => found.push((way, child)),
            }
        }
    }
}

fn element(tag: &BytesStart<'_>) -> Result<Element, quick_xml::Error> {
    let name = tag.name().as_ref().to_owned();
    let mut attributes = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0)?.into_owned();
        attributes.push((attribute.key.as_ref().to_owned(), value));
    }
    Ok(Element { name, attributes, ..Element::default() })
}

fn at(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// Icecast's own files are five deep.
const DEEPEST: usize = 32;
