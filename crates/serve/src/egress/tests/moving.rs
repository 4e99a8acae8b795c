//! How listeners move from rendition to rendition, and from source to source.

use super::{super::*, stage::*};

#[test]
fn a_shift_has_no_partial_page_no_gap_and_the_new_header_set() {
    let stage = Stage::new();
    let (old, new) = (rendition(1), rendition(2));
    let (mut live, mut fallback) = (Source::of(&old, b'a'), Source::of(&new, b'b'));
    live.headers();
    live.entries(1, 3_000);
    fallback.headers();
    fallback.entries(3, 500);
    let mut clients: Vec<_> = (0..50).map(|_| stage.join(&old)).collect();
    live.plain(20, 3_000);
    stage.egress.shift(RenditionId(1), &new, Whom::All);
    wait_for(|| stage.egress.stats().renditions[&RenditionId(1)].listeners == 0);
    fallback.plain(2, 500);
    stage.egress.end(RenditionId(2), End::StreamEnded, Whom::All);
    for client in &mut clients {
        let pages = client.rest();
        assert_eq!(pages[..3], [('H', 0), ('H', 1), ('E', 0)]);
        assert_eq!(pages[3..23], (1..21).map(|number| ('P', number)).collect::<Vec<_>>());
        assert_eq!(pages[23..], [('H', 0), ('H', 1), ('E', 2), ('P', 3), ('P', 4)]);
    }
}

#[test]
fn only_those_who_are_meant_move() {
    let stage = Stage::new();
    let (old, new) = (rendition(1), rendition(2));
    let (mut a, mut b) = (Source::of(&old, b'a'), Source::of(&new, b'b'));
    [&mut a, &mut b].into_iter().for_each(|source| source.entries(1, 10));
    let mut stays = stage.join(&old);
    let mut one = stage.join(&old);
    let mut guest = stage.join_with(&old, |joining| {
        joining.session = Arc::new(session(SessionId(1_000), "/elsewhere"));
    });
    [&mut stays, &mut one, &mut guest].into_iter().for_each(|client| drop(client.pages(1)));
    stage.egress.shift(RenditionId(1), &new, Whom::Home("/elsewhere".parse().unwrap()));
    stage.egress.shift(RenditionId(1), &new, Whom::One(one.session.id));
    assert_eq!(one.page().unwrap().stream, b'b');
    assert_eq!(guest.page().unwrap().stream, b'b');
    a.entries(1, 10);
    assert_eq!(stays.page().unwrap().stream, b'a');
}

#[test]
fn to_and_fro_ends_where_it_was_last_sent() {
    let stage = Stage::new();
    let (old, new) = (rendition(1), rendition(2));
    let (mut a, mut b) = (Source::of(&old, b'a'), Source::of(&new, b'b'));
    a.entries(1, 10);
    let mut client = stage.join(&old);
    client.pages(1);
    stage.egress.shift(RenditionId(1), &new, Whom::All);
    stage.egress.shift(RenditionId(2), &old, Whom::All);
    stage.egress.shift(RenditionId(1), &old, Whom::All);
    stage.egress.shift(RenditionId(1), &new, Whom::All);
    b.entries(1, 10);
    a.entries(1, 10);
    client.until(|page| page.stream == b'b');
    assert_eq!(stage.ends(), 0);
}

#[test]
fn a_full_socket_finishes_its_page_before_it_moves() {
    let stage = Stage::new();
    let (old, new) = (rendition(1), rendition(2));
    let (mut a, mut b) = (Source::of(&old, b'a'), Source::of(&new, b'b'));
    a.entries(1, 10);
    let mut client = stage.join(&old);
    a.plain(1, 6_000_000);
    wait_for(|| stage.egress.stats().reactors[0].blocked > 0);
    stage.egress.shift(RenditionId(1), &new, Whom::All);
    b.headers();
    b.entries(2, 10);
    assert_eq!(client.pages(5), [('E', 0), ('P', 1), ('H', 0), ('H', 1), ('E', 1)]);
}

#[test]
fn when_a_source_ends_and_another_begins_listeners_go_on_with_its_headers() {
    let stage = Stage::new();
    let rendition = rendition(1);
    let mut first = Source::of(&rendition, b'a');
    first.headers();
    first.entries(2, 500);
    let (mut client, mut low) =
        (stage.join(&rendition), stage.join_with(&rendition, |joining| joining.pace = Pace::Low));
    assert_eq!(client.pages(3), [('H', 0), ('H', 1), ('E', 1)]);
    assert_eq!(low.pages(3), [('H', 0), ('H', 1), ('E', 1)]);
    first.plain(2, 500);
    drop(first);
    let mut second = Source::of(&rendition, b'b');
    second.headers();
    second.entries(2, 500);
    let expected = [('P', 2), ('P', 3), ('H', 0), ('H', 1), ('E', 0), ('E', 1)];
    assert_eq!(client.pages(6), expected);
    assert_eq!(low.pages(6), expected);
}

#[test]
fn a_source_that_takes_over_is_followed_while_the_old_one_lingers() {
    let stage = Stage::new();
    let rendition = rendition(1);
    let mut first = Source::of(&rendition, b'a');
    first.entries(1, 500);
    let mut client = stage.join_with(&rendition, |joining| joining.pace = Pace::Low);
    client.pages(1);
    let mut second = Source::of(&rendition, b'b');
    second.entries(1, 500);
    assert_eq!(client.page().unwrap().stream, b'b');
    first.entries(1, 500);
    second.entries(1, 500);
    assert_eq!(client.page().unwrap().stream, b'b', "nobody listens to the old one any more");
}
