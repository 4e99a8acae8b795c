//! How listeners come and go.

use super::stage::*;
use crate::End;

#[test]
fn a_newcomer_gets_the_header_the_burst_and_then_every_page() {
    let stage = Stage::new();
    let rendition = rendition(1);
    let mut source = Source::of(&rendition, b'a');
    source.header();
    (0..20).for_each(|_| source.entry(500));
    let mut client = stage.join(&rendition);
    assert_eq!(client.pages(2), [found(b'a', b'H', 0), found(b'a', b'E', 20)]);
    (0..30).for_each(|_| source.plain(700));
    let expected: Vec<_> = (21..51).map(|number| found(b'a', b'P', number)).collect();
    assert_eq!(client.pages(30), expected);
}
