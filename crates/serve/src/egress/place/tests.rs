//! A listener's stream without sockets: whatever is done to it, what it gets is whole.

use super::*;
use crate::{
    Rendition, RenditionId,
    egress::{
        reel::Keep,
        tests::{
            deframed::deframe,
            numbered::{Numbered, SET, Script, check_story},
        },
    },
};
use levada_channel::Start;
use levada_media::{Page, Tags};
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// A place, the reel it is on, and what its client has got.
struct Player {
    place: Place,
    got: Vec<u8>,
    config: Config,
}

impl Player {
    fn on(reel: &Reel, from: Start, framing: Framing) -> Player {
        Player::with(reel, from, framing, Bytes::new())
    }

    fn with(reel: &Reel, from: Start, framing: Framing, intro: Bytes) -> Player {
        let config = Config { lag: Duration::from_secs(2), lag_bytes: 100_000, ..Config::default() };
        let mut place = Place::new(framing, Bytes::from_static(HEAD), intro);
        place.begin(reel.join(from), reel, None, &config);
        Player { place, got: Vec::new(), config }
    }

    /// The socket takes at most `room` bytes, a few at a time; what comes of it.
    fn write(&mut self, reel: &Reel, mut room: usize) -> Option<Then> {
        loop {
            self.place.feed(reel, &self.config);
            let mut slices = [IoSlice::new(&[]); 3];
            let plan = self.place.plan(reel, &mut slices);
            if plan.bytes == 0 {
                return self.place.rest();
            }
            let written = plan.bytes.min(room);
            let bytes: Vec<u8> = slices[..plan.slices].iter().flat_map(|slice| slice.to_vec()).collect();
            assert_eq!(bytes.len(), plan.bytes);
            self.got.extend_from_slice(&bytes[..written]);
            self.place.wrote(written, &plan, reel);
            room -= written;
            if room == 0 {
                return None;
            }
        }
    }

    fn write_all(&mut self, reel: &Reel) -> Option<Then> {
        self.write(reel, usize::MAX)
    }

    /// The body so far; the head is checked and gone.
    fn body(&self) -> &[u8] {
        self.got.strip_prefix(HEAD).expect("the head comes first")
    }

    /// Kind and number of each page so far, when they are all whole.
    fn pages(&self) -> Vec<(char, u32)> {
        let (pages, rest) = Numbered::read_all(self.body());
        assert!(rest.is_empty(), "{} bytes of a page", rest.len());
        check_story(&pages);
        pages.iter().map(|page| (page.kind as char, page.number)).collect()
    }
}

fn reel() -> Reel {
    Reel::new(Keep { time: Duration::from_secs(60), bytes: 1 << 24 }, Instant::now())
}

fn push(reel: &mut Reel, pages: impl IntoIterator<Item = Page>) {
    pages.into_iter().for_each(|page| reel.push(&page, Instant::now()));
}

/// A reel with a header set and three entries of two pages each.
fn three_entries() -> (Reel, Script) {
    let (mut reel, mut script) = (reel(), Script::of(b'a'));
    push(&mut reel, script.headers());
    for _ in 0..3 {
        push(&mut reel, [script.entry(900), script.plain(300)]);
    }
    (reel, script)
}

#[test]
fn a_newcomer_gets_head_and_header_set_and_goes_on_at_the_newest_entry() {
    let (mut reel, mut script) = three_entries();
    let mut player = Player::on(&reel, Start::Entry, Framing::Raw);
    assert!(player.write_all(&reel).is_none());
    push(&mut reel, [script.plain(10)]);
    player.write_all(&reel);
    assert_eq!(player.pages(), [('H', 0), ('H', 1), ('E', 4), ('P', 5), ('P', 6)]);
}

#[test]
fn the_intro_comes_between_the_head_and_the_stream() {
    let (reel, _) = three_entries();
    let intro = Script::of(b'i').entry(5_000).bytes;
    let mut player = Player::with(&reel, Start::Entry, Framing::Raw, intro);
    player.write_all(&reel);
    assert_eq!(player.pages(), [('E', 0), ('H', 0), ('H', 1), ('E', 4), ('P', 5)]);
}

#[test]
fn who_comes_before_the_first_entry_gets_the_head_at_once_and_the_stream_later() {
    let mut reel = reel();
    let mut player = Player::on(&reel, Start::Entry, Framing::Raw);
    assert!(player.write_all(&reel).is_none());
    assert!(player.body().is_empty() && player.place.is_hungry());
    let mut script = Script::of(b'a');
    push(&mut reel, [script.plain(10), script.plain(10)]);
    push(&mut reel, script.headers());
    push(&mut reel, [script.entry(10), script.entry(10)]);
    player.write_all(&reel);
    assert_eq!(player.pages(), [('H', 0), ('H', 1), ('E', 2), ('E', 3)]);
}

#[test]
fn live_begins_at_the_next_entry() {
    let (mut reel, mut script) = three_entries();
    let mut player = Player::on(&reel, Start::Live, Framing::Raw);
    player.write_all(&reel);
    push(&mut reel, [script.plain(10), script.entry(10)]);
    player.write_all(&reel);
    assert_eq!(player.pages(), [('H', 0), ('H', 1), ('E', 7)]);
}

#[test]
fn a_new_header_set_in_mid_stream_reaches_those_who_are_there_and_those_who_come() {
    let (mut reel, mut script) = three_entries();
    let mut old = Player::on(&reel, Start::Entry, Framing::Raw);
    push(&mut reel, script.headers());
    push(&mut reel, [script.entry(50)]);
    let mut new = Player::on(&reel, Start::Entry, Framing::Raw);
    old.write_all(&reel);
    new.write_all(&reel);
    assert_eq!(old.pages(), [('H', 0), ('H', 1), ('E', 4), ('P', 5), ('H', 0), ('H', 1), ('E', 6)]);
    assert_eq!(new.pages(), [('H', 0), ('H', 1), ('E', 6)]);
    assert_eq!(Numbered::read(new.body()).unwrap().0.set, 2);
}

#[test]
fn who_skips_finishes_the_page_and_goes_on_at_the_newest_entry() {
    let (mut reel, mut script) = three_entries();
    let mut player = Player::on(&reel, Start::Entry, Framing::Raw);
    player.write(&reel, HEAD.len() + 2 * 62 + 5);
    push(&mut reel, [script.entry(20), script.plain(20), script.entry(20), script.plain(20)]);
    assert!(player.place.skip(&reel, 0, &player.config));
    player.write_all(&reel);
    assert_eq!(player.pages(), [('H', 0), ('H', 1), ('E', 4), ('E', 8), ('P', 9)]);
}

#[test]
fn who_stands_behind_the_newest_entry_has_nowhere_to_skip_to() {
    let (reel, _) = three_entries();
    let mut player = Player::on(&reel, Start::Entry, Framing::Raw);
    player.write(&reel, HEAD.len() + 2 * 62 + 5);
    assert!(!player.place.skip(&reel, 0, &player.config));
    assert!(player.place.skip(&reel, reel.end(), &player.config), "but it must leave if its page goes");
    assert!(player.place.is_hungry());
    player.write_all(&reel);
    assert_eq!(player.pages(), [('H', 0), ('H', 1), ('E', 4)]);
}

#[test]
fn a_header_set_that_was_not_begun_is_replaced() {
    let (mut reel, mut script) = three_entries();
    let mut player = Player::on(&reel, Start::Entry, Framing::Raw);
    for _ in 0..5 {
        push(&mut reel, script.headers());
        push(&mut reel, [script.entry(20)]);
        assert!(player.place.skip(&reel, 0, &player.config));
    }
    player.write_all(&reel);
    assert_eq!(player.pages(), [('H', 0), ('H', 1), ('E', 10)]);
    assert_eq!(Numbered::read(player.body()).unwrap().0.set, 6);
}

#[test]
fn lag_is_measured_from_where_the_burst_ended() {
    let (mut reel, mut script) = three_entries();
    let mut player = Player::on(&reel, Start::Entry, Framing::Raw);
    push(&mut reel, (0..20).map(|_| script.plain(1)));
    assert!(!player.place.is_late(&reel), "two seconds are allowed");
    push(&mut reel, [script.plain(1)]);
    assert!(player.place.is_late(&reel));
    player.write_all(&reel);
    assert!(!player.place.is_late(&reel));
    push(&mut reel, [script.plain(110_000)]);
    assert!(player.place.is_late(&reel), "too many bytes, though no time");
}

#[test]
fn a_shift_ends_at_a_page_and_begins_at_the_newest_entry_of_the_other() {
    let ((mut old, mut script), (new, _)) = (three_entries(), three_entries());
    let mut player = Player::on(&old, Start::Entry, Framing::Raw);
    player.write(&old, HEAD.len() + 2 * 62 + 5);
    player.place.aim(Then::Hop(Rendition::new(RenditionId(2))), &old);
    push(&mut old, [script.entry(10)]);
    assert!(matches!(player.write_all(&old), Some(Then::Hop(to)) if to.id == RenditionId(2)));
    let had = player.place.header(&old);
    player.place.leave_reel();
    player.place.begin(new.join(Start::Entry), &new, had, &player.config);
    player.write_all(&new);
    let same_set = [('H', 0), ('H', 1), ('E', 4), ('P', 5), ('E', 4), ('P', 5)];
    let (pages, rest) = Numbered::read_all(player.body());
    assert!(rest.is_empty());
    assert_eq!(pages.iter().map(|page| (page.kind as char, page.number)).collect::<Vec<_>>(), same_set);
}

#[test]
fn an_end_lets_out_what_is_there_and_nothing_more() {
    let (mut reel, mut script) = three_entries();
    let mut player = Player::on(&reel, Start::Entry, Framing::Raw);
    player.place.aim(Then::Close(End::StreamEnded), &reel);
    push(&mut reel, [script.entry(10)]);
    player.place.aim(Then::Hop(Rendition::new(RenditionId(2))), &reel);
    assert!(matches!(player.write_all(&reel), Some(Then::Close(End::StreamEnded))), "a shift is too late");
    assert_eq!(player.pages(), [('H', 0), ('H', 1), ('E', 4), ('P', 5)]);
}

#[test]
fn whose_time_is_up_gets_the_page_it_is_in() {
    let (reel, _) = three_entries();
    let mut player = Player::on(&reel, Start::Entry, Framing::Raw);
    player.write(&reel, HEAD.len() + 2 * 62 + 5);
    player.place.close(&reel, End::Expired);
    assert!(matches!(player.write_all(&reel), Some(Then::Close(End::Expired))));
    assert_eq!(player.pages(), [('H', 0), ('H', 1), ('E', 4)]);
}

#[test]
fn the_first_block_carries_the_title_and_the_next_only_news() {
    let mut reel = reel();
    let mut script = Script::of(b'a');
    push(&mut reel, [Page::tags(Tags::titled("one")), script.entry(88), script.entry(88), script.entry(88)]);
    let mut player =
        Player::on(&reel, Start::Burst { time: SECOND, bytes: 1 << 20 }, Framing::Icy { metaint: 100 });
    push(&mut reel, [Page::tags(Tags::titled("two")), script.entry(88)]);
    player.write_all(&reel);
    let one = b"\x02StreamTitle='one';\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let body = player.body();
    assert_eq!(&body[100..133], one);
    assert_eq!(body[233], 0);
    assert_eq!(&body[334..352], b"\x02StreamTitle='two'");
}

#[test]
fn without_a_title_blocks_are_empty() {
    let mut reel = reel();
    push(&mut reel, [Script::of(b'a').entry(88)]);
    let mut player = Player::on(&reel, Start::Entry, Framing::Icy { metaint: 0 });
    player.write_all(&reel);
    assert_eq!(player.body().len(), 200, "a metaint of zero is taken as one");
    assert!(player.body().iter().skip(1).step_by(2).all(|length| *length == 0));
}

#[test]
fn a_title_that_is_forgotten_in_mid_block_is_filled_up() {
    let mut reel = reel();
    let mut script = Script::of(b'a');
    push(&mut reel, [Page::tags(Tags::titled("here")), script.entry(88)]);
    let mut player = Player::on(&reel, Start::Entry, Framing::Icy { metaint: 100 });
    player.write(&reel, HEAD.len() + 110);
    push(&mut reel, (0..200).map(|n| Page::tags(Tags::titled(n.to_string()))));
    push(&mut reel, [script.entry(38)]);
    player.write_all(&reel);
    assert_eq!(&player.body()[100..110], b"\x02StreamTit");
    assert_eq!(player.body()[110..133], [0; 23]);
    assert_eq!(Numbered::read(&player.body()[133..]).unwrap().0.number, 1);
}

/// What may happen to a listener.
#[derive(Clone, Copy, Debug)]
enum Step {
    Write(usize),
    Headers,
    Entry(usize),
    Plain(usize),
    Title(u8),
    Skip,
    Evict,
    Shift,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1usize..3_000).prop_map(Step::Write),
        1 => Just(Step::Headers),
        3 => (0usize..2_000).prop_map(Step::Entry),
        6 => (0usize..2_000).prop_map(Step::Plain),
        2 => (0u8..5).prop_map(Step::Title),
        1 => Just(Step::Skip),
        1 => Just(Step::Evict),
        1 => Just(Step::Shift),
    ]
}

/// Two reels with a stream each, and a listener that is sent to and fro.
struct World {
    reels: [Reel; 2],
    scripts: [Script; 2],
    here: usize,
    player: Player,
}

impl World {
    fn take(&mut self, step: Step) {
        let World { reels, scripts, here, player } = self;
        let (reel, script) = (&mut reels[*here], &mut scripts[*here]);
        match step {
            Step::Write(room) => self.write(room),
            Step::Headers => push(reel, script.headers()),
            Step::Entry(size) => push(reel, [script.entry(size)]),
            Step::Plain(size) => push(reel, [script.plain(size)]),
            Step::Title(title) => push(reel, [Page::tags(Tags::titled(title.to_string()))]),
            Step::Skip => drop(player.place.skip(reel, 0, &player.config)),
            Step::Evict => self.evict(),
            Step::Shift => player.place.aim(Then::Hop(Rendition::new(RenditionId(1 - *here as u64))), reel),
        }
    }

    fn write(&mut self, room: usize) {
        let Some(Then::Hop(to)) = self.player.write(&self.reels[self.here], room) else { return };
        let had = self.player.place.header(&self.reels[self.here]);
        self.here = to.id.0 as usize;
        let reel = &self.reels[self.here];
        self.player.place.leave_reel();
        self.player.place.begin(reel.join(Start::Entry), reel, had, &self.player.config);
    }

    fn evict(&mut self) {
        let World { reels, here, player, .. } = self;
        let reel = &mut reels[*here];
        let due = reel.page_end(reel.end().saturating_sub(3_000));
        if player.place.needs().is_some_and(|offset| offset < due) {
            player.place.skip(reel, due, &player.config);
        }
        reel.evict(due);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn whatever_happens_pages_are_whole_and_follow_their_header_set(
        steps in prop::collection::vec(step(), 1..120),
        metaint in prop_oneof![Just(None), (1usize..4_000).prop_map(Some)],
    ) {
        let reels = [reel(), reel()];
        let framing = metaint.map_or(Framing::Raw, |metaint| Framing::Icy { metaint });
        let player = Player::on(&reels[0], Start::Entry, framing);
        let scripts = [Script::of(b'a'), Script { set: 100, ..Script::of(b'b') }];
        let mut world = World { reels, scripts, here: 0, player };
        push(&mut world.reels[1], world.scripts[1].headers());
        steps.iter().for_each(|step| world.take(*step));
        (0..4).for_each(|_| world.write(usize::MAX));
        let body = world.player.body();
        let plain = metaint.map_or(body.to_vec(), |metaint| deframe(body, metaint).body);
        let (pages, rest) = Numbered::read_all(&plain);
        prop_assert!(rest.is_empty(), "{} bytes of a page are left", rest.len());
        check_story(&pages);
    }

    #[test]
    fn titles_are_told_at_the_first_block_after_they_began(
        steps in prop::collection::vec(step(), 1..120),
        metaint in 1usize..4_000,
    ) {
        let mut reel = reel();
        let mut script = Script::of(b'a');
        push(&mut reel, [script.entry(1)]);
        let mut player = Player::on(&reel, Start::Entry, Framing::Icy { metaint });
        let mut changes = Vec::new();
        for step in steps {
            match step {
                Step::Write(room) => drop(player.write(&reel, room)),
                Step::Plain(size) => push(&mut reel, [script.plain(size)]),
                // a title that comes where the listener stands before a block may come too late for that block
                Step::Title(title) if deframe(player.got.get(HEAD.len()..).unwrap_or_default(), metaint).body.len() < reel.end() as usize => {
                    let title = format!("{title} {}", changes.len());
                    changes.push((reel.end() as usize, title.clone()));
                    push(&mut reel, [Page::tags(Tags::titled(title))]);
                }
                _ => {}
            }
        }
        player.write_all(&reel);
        let deframed = deframe(player.body(), metaint);
        let mut told = None;
        let mut expected = Vec::new();
        for block in 1..=deframed.body.len() / metaint {
            let here = block * metaint;
            let now = changes.iter().rev().find(|(at, _)| *at <= here).map(|(_, title)| title);
            if now.is_some() && now != told {
                told = now;
                expected.push((here, told.unwrap().clone()));
            }
        }
        let last = deframed.body.len() / metaint * metaint;
        let whole = |titles: Vec<(usize, String)>| titles.into_iter().filter(|(at, _)| *at < last).collect::<Vec<_>>();
        prop_assert_eq!(whole(deframed.titles), whole(expected));
    }
}

const HEAD: &[u8] = b"HTTP/1.0 200 OK\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);
const _: () = assert!(SET == 2, "the sizes above count two header pages of 62 bytes");
