//! Writes XML the way libxml2 does, which is what Icecast's tools have been reading.

use std::fmt::Write;

/// A document being written.
#[derive(Clone, Debug)]
pub struct Xml(String);

impl Xml {
    /// Begins a document.
    pub fn new() -> Xml {
        Xml("<?xml version=\"1.0\"?>\n".to_owned())
    }

    /// Opens an element.
    pub fn open(mut self, name: &str) -> Xml {
        write!(self.0, "<{name}>").expect("a string takes what is written");
        self
    }

    /// Opens an element with one attribute.
    pub fn open_with(mut self, name: &str, attribute: &str, value: &str) -> Xml {
        let value = escape(value);
        write!(self.0, "<{name} {attribute}=\"{value}\">").expect("a string takes what is written");
        self
    }

    /// Closes an element.
    pub fn close(mut self, name: &str) -> Xml {
        write!(self.0, "</{name}>").expect("a string takes what is written");
        self
    }

    /// An element with a text inside.
    pub fn leaf(self, name: &str, text: impl AsRef<str>) -> Xml {
        let mut xml = self.open(name);
        xml.0.push_str(&write_escaped(text.as_ref(), false));
        xml.close(name)
    }

    /// Adds one element or more for each of `items`.
    pub fn each<T>(self, items: impl IntoIterator<Item = T>, add: impl FnMut(Xml, T) -> Xml) -> Xml {
        items.into_iter().fold(self, add)
    }

    /// The document.
    pub fn end(self) -> String {
        self.0 + "\n"
    }
}

impl Default for Xml {
    fn default() -> Xml {
        Xml::new()
    }
}

/// Text that is safe inside an element or a quoted attribute, in HTML too. What XML 1.0 forbids is left out, and
/// what is not ASCII becomes a reference, since the document names no encoding.
pub fn escape(text: &str) -> String {
    write_escaped(text, true)
}

fn write_escaped(text: &str, quotes: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if quotes => out.push_str("&quot;"),
            '\'' if quotes => out.push_str("&#39;"),
            '\t' | '\n' | ' '..='~' => out.push(c),
            '\u{80}'..'\u{fffe}' | '\u{10000}'.. => {
                write!(out, "&#x{:X};", u32::from(c)).expect("a string takes what is written");
            }
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_its_element() {
        let doc = Xml::new().open("a").leaf("b", "</b>&\"'\u{0}\u{1b}é\r").close("a").end();
        assert_eq!(doc, "<?xml version=\"1.0\"?>\n<a><b>&lt;/b&gt;&amp;\"'&#xE9;</b></a>\n");
        let doc = Xml::new().open_with("a", "m", "\"><x").close("a").end();
        assert_eq!(doc, "<?xml version=\"1.0\"?>\n<a m=\"&quot;&gt;&lt;x\"></a>\n");
    }
}
