use super::*;
use crate::{Codec, Cut, Demux as _, Frame, Item, Page, Role, Tags, container::sketch};

fn element(id: u32, body: &[u8]) -> Vec<u8> {
    let id: Vec<u8> = id.to_be_bytes().into_iter().skip_while(|&byte| byte == 0).collect();
    [&id, &(0x1000_0000 | body.len() as u32).to_be_bytes()[..], body].concat()
}

fn open(id: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &[0xff]].concat()
}

fn track(number: u8, kind: u8, codec: &[u8]) -> Vec<u8> {
    let parts = [element(0xd7, &[number]), element(0x83, &[kind]), element(0x86, codec)];
    element(0xae, &parts.concat())
}

/// VP8 pictures on track 1, Opus on track 2.
fn header() -> Vec<u8> {
    let tracks = [track(1, 1, b"V_VP8"), track(2, 2, b"A_OPUS")].concat();
    [element(0x1a45_dfa3, &[0x42, 0x86, 0x81, 1]), open(0x1853_8067), element(0x1654_ae6b, &tracks)].concat()
}

fn cluster(at: u8) -> Vec<u8> {
    [open(0x1f43_b675), element(0xe7, &[at])].concat()
}

fn picture(at: u8, key: bool) -> Vec<u8> {
    let frame = [if key { 0x10 } else { 0x11 }, 0, 0, 0x9d, 0x01, 0x2a, 0, 0];
    element(0xa3, &[&[0x81, 0, at, if key { 0x80 } else { 0 }], &frame[..]].concat())
}

fn sound(at: u16) -> Vec<u8> {
    let [high, low] = at.to_be_bytes();
    element(0xa3, &[0x82, high, low, 0x80, 0xfc])
}

fn pages(bytes: &[u8]) -> Vec<Page> {
    let mut cutter = Cutter::new();
    let mut pages = sketch::pages(&mut cutter, bytes);
    cutter.finish();
    pages.extend(sketch::pages(&mut cutter, &[]));
    pages
}

fn roles(bytes: &[u8]) -> String {
    sketch::roles(&pages(bytes))
}

#[test]
fn a_cluster_is_an_entry_if_its_first_picture_is_a_key_frame() {
    let good = [cluster(0), sound(0), picture(1, true), picture(40, false)].concat();
    let bad = [cluster(0), sound(0), picture(1, false), picture(40, true)].concat();
    assert_eq!(roles(&[header(), good, bad].concat()), "HHHE...");
}

#[test]
fn a_key_flag_that_the_picture_denies_is_not_believed() {
    let mut lie = picture(1, false);
    lie[8] = 0x80;
    assert_eq!(roles(&[header(), cluster(0), lie].concat()), "HHH.");
}

#[test]
fn every_cluster_is_an_entry_where_there_is_only_sound() {
    let tracks = element(0x1654_ae6b, &track(2, 2, b"A_OPUS"));
    let header = [element(0x1a45_dfa3, &[0x42, 0x86, 0x81, 1]), open(0x1853_8067), tracks].concat();
    assert_eq!(roles(&[header, cluster(0), sound(0), sound(20), cluster(40), sound(0)].concat()), "HHHE.E");
}

#[test]
fn sound_waits_for_a_late_picture_only_so_long() {
    let mut cutter = Cutter::new();
    cutter.push(&[header(), cluster(0), sound(0), sound(250)].concat());
    assert_eq!(std::iter::from_fn(|| cutter.poll()).count(), 3);
    cutter.push(&sound(251));
    assert_eq!(cutter.poll().map(|page| page.role), Some(Role::Plain));
    cutter.push(&picture(255, true));
    assert_eq!(cutter.poll().map(|page| page.role), Some(Role::Plain));
}

#[test]
fn a_block_goes_out_with_its_last_byte() {
    let mut cutter = Cutter::new();
    cutter.push(&[header(), cluster(0), picture(0, true)].concat());
    assert_eq!(std::iter::from_fn(|| cutter.poll()).count(), 4);
    let block = picture(40, false);
    cutter.push(&block[..block.len() - 1]);
    assert_eq!(cutter.poll(), None);
    cutter.push(&block[block.len() - 1..]);
    assert!(cutter.poll().is_some());
}

#[test]
fn a_new_header_begins_a_new_set() {
    let one = [header(), cluster(0), picture(0, true)].concat();
    assert_eq!(roles(&[one.clone(), one].concat()), "HHHEHHHE");
}

#[test]
fn newcomers_get_a_segment_without_an_end() {
    let info = element(0x1549_a966, &[0x44, 0x89, 0x84, 0, 0, 0, 0]);
    let rest = [info, element(0x1654_ae6b, &track(1, 1, b"V_VP8")), cluster(0), picture(0, true)].concat();
    let ebml = element(0x1a45_dfa3, &[0x42, 0x86, 0x81, 1]);
    let mut cutter = Cutter::new();
    cutter.push(&[ebml, element(0x1853_8067, &rest)].concat());
    let set = |cutter: &mut Cutter| cutter.poll().and_then(|_| cutter.header_set());
    let last = (0..4).map(|_| set(&mut cutter)).last().flatten().unwrap();
    let segment = &last[12..24];
    assert_eq!(segment, [0x18, 0x53, 0x80, 0x67, 1, 255, 255, 255, 255, 255, 255, 255]);
    assert_eq!(last[24 + 8..][..7], [0xec, 0x85, 0, 0, 0, 0, 0]); // the duration has become padding
}

#[test]
fn absurd_sizes_are_skipped_without_waiting_for_them() {
    let absurd = [&[0xa3, 0x01, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81][..], &[0x55; 300]].concat();
    let (first, second) = ([cluster(0), picture(0, true)].concat(), [cluster(90), picture(0, true)].concat());
    let mut cutter = Cutter::new();
    cutter.push(&[header(), first, absurd, second].concat());
    assert_eq!(std::iter::from_fn(|| cutter.poll()).filter(|page| page.role == Role::Entry).count(), 2);
    assert_eq!(cutter.skipped(), 310);
}

#[test]
fn what_is_behind_a_short_block_says_nothing_of_it() {
    let stream = [header(), cluster(0), vec![0xa3, 0x81, 0x81], element(0xec, &[0xff; 2])].concat();
    let mut cutter = Cutter::new();
    let mut pages: Vec<_> = stream.chunks(1).flat_map(|byte| sketch::pages(&mut cutter, byte)).collect();
    cutter.finish();
    pages.extend(sketch::pages(&mut cutter, &[]));
    assert_eq!(pages, self::pages(&stream));
}

#[test]
fn an_element_of_a_later_standard_is_passed_on() {
    let stream =
        [header(), cluster(0), element(0x4dbb, &[1, 2]), picture(0, true), picture(40, false)].concat();
    assert_eq!(roles(&stream), "HHHE.");
    assert_eq!(pages(&stream).iter().map(|page| page.bytes.len()).sum::<usize>(), stream.len());
}

#[test]
fn titles_come_from_tags_of_the_whole_segment() {
    let simple =
        |name: &[u8], text: &[u8]| element(0x67c8, &[element(0x45a3, name), element(0x4487, text)].concat());
    let of_track =
        element(0x7373, &[element(0x63c0, &element(0x63c5, &[1])), simple(b"TITLE", b"no")].concat());
    let whole = element(0x7373, &[simple(b"TITLE", b"Tide"), simple(b"ARTIST", b"Sea")].concat());
    let pages = pages(&[header(), element(0x1254_c367, &[of_track, whole].concat()), cluster(0)].concat());
    let tags = pages.iter().find_map(|page| page.tags.as_deref()).unwrap();
    assert_eq!(*tags, Tags { artist: "Sea".into(), ..Tags::titled("Tide") });
}

#[test]
fn laced_frames_come_apart_each_at_its_time() {
    let track = [
        element(0xd7, &[2]),
        element(0x83, &[2]),
        element(0x86, b"A_OPUS"),
        element(0x23_e383, &[1, 0x31, 0x2d, 0]),
    ];
    let tracks = element(0x1654_ae6b, &element(0xae, &track.concat())); // 20 ms
    let laced = element(0xa3, &[0x82, 0, 5, 0x84, 1, 7, 7, 8, 8]);
    let mut demux = Demux::new();
    demux.push(
        &[element(0x1a45_dfa3, &[0x42, 0x86, 0x81, 1]), open(0x1853_8067), tracks, cluster(100), laced]
            .concat(),
    );
    let items: Vec<Item> = std::iter::from_fn(|| demux.poll().unwrap()).collect();
    assert!(matches!(&items[0], Item::Tracks(tracks) if tracks[0].codec == Codec::Opus));
    let frame = |item: &Item| match item {
        Item::Frame(Frame { pts, span, data, .. }) => (pts.0, span.0, data.to_vec()),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        items[1..].iter().map(frame).collect::<Vec<_>>(),
        [(105, 20, vec![7, 7]), (125, 20, vec![8, 8])]
    );
}
