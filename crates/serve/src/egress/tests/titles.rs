//! Titles between the bytes.

use super::{super::*, deframed::deframe, numbered::Numbered, stage::*};

fn icy(joining: &mut Joining) {
    joining.framing = Framing::Icy { metaint: METAINT };
}

#[test]
fn titles_come_where_they_were_published_and_follow_a_shift() {
    let stage = Stage::new();
    let (old, new) = (rendition(1), rendition(2));
    let (mut a, mut b) = (Source::of(&old, b'a'), Source::of(&new, b'b'));
    a.title("first");
    a.entries(1, 50_000);
    b.title("other");
    b.entries(1, 50_000);
    let mut clients: Vec<_> = (0..20).map(|_| stage.join_with(&old, icy)).collect();
    wait_for(|| stage.egress.stats().renditions[&RenditionId(1)].bytes > 20 * 50_000);
    a.title("second");
    a.plain(1, 50_000);
    stage.egress.shift(RenditionId(1), &new, Whom::All);
    stage.egress.end(RenditionId(2), End::StreamEnded, Whom::All);
    for client in &mut clients {
        let bytes = client.bytes();
        let deframed = deframe(&bytes, METAINT);
        let (pages, rest) = Numbered::read_all(&deframed.body);
        assert_eq!(pages.iter().map(|page| page.stream).collect::<Vec<_>>(), b"aab");
        assert!(rest.is_empty());
        assert_eq!(deframed.blocks, deframed.body.len() / METAINT);
        let told: Vec<_> = deframed.titles.iter().map(|(_, title)| title.as_str()).collect();
        assert_eq!(told, ["first", "second", "other"]);
        let (at_second, at_other) = (deframed.titles[1].0, deframed.titles[2].0);
        assert_eq!((deframed.titles[0].0, at_second, at_other), (16_000, 64_000, 112_000));
    }
}

#[test]
fn a_newcomer_hears_a_title_that_was_published_long_ago() {
    let stage = Stage::new();
    let rendition = rendition(1);
    let mut source = Source::of(&rendition, b'a');
    source.title("still playing");
    source.entries(40, 500_000);
    let mut client = stage.join_with(&rendition, icy);
    stage.egress.end(RenditionId(1), End::StreamEnded, Whom::All);
    let deframed = deframe(&client.bytes(), METAINT);
    assert_eq!(deframed.titles, [(16_000, "still playing".to_owned())]);
}

const METAINT: usize = 16_000;
