//! Writes XML the way libxml2 does, which is what Icecast's tools have been reading.

use std::fmt::Write;

/// A document being written. An element that was opened and closed with nothing between is written as one tag.
#[derive(Clone, Debug)]
pub struct Xml {
    text: String,
    opened: bool,
}

impl Xml {
    /// Begins a document.
    pub fn new() -> Xml {
        Xml { text: "<?xml version=\"1.0\"?>\n".to_owned(), opened: false }
    }

    /// Opens an element.
    pub fn open(mut self, name: &str) -> Xml {
        write!(self.text, "<{name}>").expect("a string takes what is written");
        self.opened = true;
        self
    }

    /// Opens an element with one attribute.
    pub fn open_with(mut self, name: &str, attribute: &str, value: &str) -> Xml {
        let value = escape(value);
        write!(self.text, "<{name} {attribute}=\"{value}\">").expect("a string takes what is written");
        self.opened = true;
        self
    }

    /// Closes the element that was opened last.
    pub fn close(mut self, name: &str) -> Xml {
        if self.opened {
            self.text.pop();
            self.text.push_str("/>");
        } else {
            write!(self.text, "</{name}>").expect("a string takes what is written");
        }
        self.opened = false;
        self
    }

    /// An element with a text inside; two tags even where that is empty.
    pub fn leaf(mut self, name: &str, text: impl AsRef<str>) -> Xml {
        let text = write_escaped(text.as_ref(), false);
        write!(self.text, "<{name}>{text}</{name}>").expect("a string takes what is written");
        self.opened = false;
        self
    }

    /// Adds one element or more for each of `items`.
    pub fn each<T>(self, items: impl IntoIterator<Item = T>, add: impl FnMut(Xml, T) -> Xml) -> Xml {
        items.into_iter().fold(self, add)
    }

    /// The document.
    pub fn end(self) -> String {
        self.text + "\n"
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

    proptest::proptest! {
        #[test]
        fn any_text_stays_inside(text: String) {
            let doc = Xml::new().open_with("a", "b", &text).leaf("c", &text).close("a").end();
            proptest::prop_assert_eq!(doc.matches('<').count(), 5);
            proptest::prop_assert_eq!(doc.matches('>').count(), 5);
            proptest::prop_assert_eq!(doc.matches('"').count() - text.matches('"').count(), 4);
            proptest::prop_assert!(doc.bytes().all(|byte| matches!(byte, b'\t' | b'\n' | b' '..=b'~')));
        }
    }

    #[test]
    fn nothing_gets_out_of_its_element() {
        let doc = Xml::new().open("a").leaf("b", "</b>&\"'\u{0}\u{1b}é\r").close("a").end();
        assert_eq!(doc, "<?xml version=\"1.0\"?>\n<a><b>&lt;/b&gt;&amp;\"'&#xE9;</b></a>\n");
        let doc = Xml::new().open_with("a", "m", "\"><x").close("a").end();
        assert_eq!(doc, "<?xml version=\"1.0\"?>\n<a m=\"&quot;&gt;&lt;x\"/>\n");
    }
}
