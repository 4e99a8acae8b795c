//! Title blocks, as a client takes them out and as the server puts them in.

use crate::{Pieces, text};
use levada_media::Tags;
use levada_serve::client::icy::{Part, Strip};

/// The same stream and titles come out however the body is cut, and nothing comes out that did not go in.
pub fn strip(bytes: &[u8]) {
    let Some((metaint, bytes)) = bytes.split_first() else { return };
    let metaint = [0, 1, 16, 255, 8_192, usize::MAX][usize::from(metaint % 6)];
    let pieces = Pieces::of(bytes);
    let whole = feed(metaint, [pieces.rest()]);
    assert_eq!(feed(metaint, pieces.clone()), whole);
    assert!(whole.0.len() <= pieces.rest().len());
    if metaint == 0 || metaint == usize::MAX {
        assert_eq!(whole.0, pieces.rest());
    }
}

fn feed<'a>(metaint: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Vec<Tags>) {
    let (mut strip, mut stream, mut titles) = (Strip::new(metaint), Vec::new(), Vec::new());
    for piece in pieces {
        strip.feed(piece, |part| match part {
            Part::Stream(bytes) => stream.extend_from_slice(bytes),
            Part::Title(tags) => titles.push(tags),
        });
    }
    (stream, titles)
}

/// Whatever a title is, its block is one block, and a client reads one title in it.
pub fn block(bytes: &[u8]) {
    let (artist, rest) = bytes.split_at(bytes.len().min(usize::from(bytes.first().copied().unwrap_or(0))));
    let (title, url) = rest.split_at(rest.len() / 2);
    let tags = Tags { artist: text(artist), title: text(title), url: text(url), ..Tags::default() };
    let block = levada_serve::egress::title_block(&tags);
    assert_eq!(block.len(), 1 + 16 * usize::from(block[0]));
    let body = [b"abcd", &block[..], b"efgh"].concat();
    let (stream, titles) = feed(4, [&body[..]]);
    assert_eq!(stream, b"abcdefgh");
    let [read] = &titles[..] else { panic!("{titles:?} of {tags:?}") };
    for value in [&read.title, &read.url] {
        assert!(!value.contains(char::is_control) && !value.contains("';"), "{value:?}");
    }
    let plain = |text: &str| !text.contains(char::is_control) && !text.contains('\'') && text.len() < 1_500;
    if plain(&tags.line()) && plain(&tags.url) {
        assert_eq!((&read.title, &read.url), (&tags.line(), &tags.url));
    }
}
