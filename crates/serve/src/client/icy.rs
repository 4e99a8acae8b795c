//! Takes the title blocks out of a SHOUTcast or Icecast body.

use levada_media::Tags;

/// Splits a body with `icy-metaint` into the stream and its titles, fed with any split of the bytes.
#[derive(Clone, Debug)]
pub struct Strip {
    metaint: usize,
    place: Place,
    block: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// This many bytes of the stream to come.
    Stream(usize),
    /// The length byte comes.
    Length,
    /// This many bytes of the block to come.
    Block(usize),
}

/// What a body consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Bytes of the stream.
    Stream(&'a [u8]),
    /// What is playing from here on.
    Title(Tags),
}

impl Strip {
    /// For a body whose head said `icy-metaint: metaint`; 0 is a body without blocks.
    pub fn new(metaint: usize) -> Strip {
        let first = if metaint == 0 { usize::MAX } else { metaint };
        Strip { metaint, place: Place::Stream(first), block: Vec::new() }
    }

    /// Hands the parts of `bytes` to `sink` in their order.
    pub fn feed(&mut self, mut bytes: &[u8], mut sink: impl FnMut(Part<'_>)) {
        while let Some(&byte) = bytes.first() {
            let used = match self.place {
                Place::Stream(left) => {
                    let used = left.min(bytes.len());
                    sink(Part::Stream(&bytes[..used]));
                    self.place = match left - used {
                        0 => Place::Length,
                        left => Place::Stream(if self.metaint == 0 { usize::MAX } else { left }),
                    };
                    used
                }
                Place::Length => {
                    self.place = Place::Block(usize::from(byte) * 16);
                    1
                }
                Place::Block(left) => {
                    let used = left.min(bytes.len());
                    self.block.extend_from_slice(&bytes[..used]);
                    self.place = Place::Block(left - used);
                    used
                }
            };
            bytes = &bytes[used..];
            if matches!(self.place, Place::Block(0)) {
                self.place = Place::Stream(self.metaint);
                if let Some(tags) = tags(&std::mem::take(&mut self.block)) {
                    sink(Part::Title(tags));
                }
            }
        }
    }
}

/// What a block says; `None` for an empty one.
fn tags(block: &[u8]) -> Option<Tags> {
    let end = block.iter().rposition(|byte| *byte != 0)? + 1;
    let text = text(&block[..end]);
    let tags = Tags { title: value(&text, "StreamTitle"), url: value(&text, "StreamUrl"), ..Tags::default() };
    text.contains("StreamTitle").then_some(tags)
}

/// The value behind `name='`, up to `';` (which nothing escapes) or the end.
fn value(text: &str, name: &str) -> String {
    let Some((_, rest)) = text.split_once(&format!("{name}='")) else { return String::new() };
    let end = rest.find("';").or_else(|| rest.rfind('\'')).unwrap_or(rest.len());
    rest[..end].to_owned()
}

/// UTF-8, or Latin-1 as old servers send it.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(metaint: usize, body: &[u8], at: usize) -> (Vec<u8>, Vec<String>) {
        let mut strip = Strip::new(metaint);
        let (mut stream, mut titles) = (Vec::new(), Vec::new());
        for bytes in [&body[..at], &body[at..]] {
            strip.feed(bytes, |part| match part {
                Part::Stream(bytes) => stream.extend_from_slice(bytes),
                Part::Title(tags) => titles.push(tags.title),
            });
        }
        (stream, titles)
    }

    #[test]
    fn titles_come_out_at_any_split() {
        let body = b"abcd\x02StreamTitle='Art\xEDst - It's T';\0\0efgh\0ijkl\x01StreamTitle='';\0m";
        for at in 0..body.len() {
            let (stream, titles) = split(4, body, at);
            assert_eq!(stream, b"abcdefghijklm", "{at}");
            assert_eq!(titles, ["Artíst - It's T", ""], "{at}");
        }
    }

    #[test]
    fn a_body_without_blocks_passes() {
        assert_eq!(split(0, b"abc\xff\x00def", 3).0, b"abc\xff\x00def");
    }

    #[test]
    fn an_address_is_read_behind_the_title() {
        let tags = tags(b"StreamTitle='a';StreamUrl='http://b/';\0").unwrap();
        assert_eq!((tags.title.as_str(), tags.url.as_str()), ("a", "http://b/"));
        assert_eq!(super::tags(b"\0\0"), None);
    }
}
