use super::*;
use crate::{Cut, Demux as _, Item, Page, Role, codec::mpa, splice::Rounds};

/// MPEG 1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes, with `back` bytes of reservoir.
fn frame(back: u8) -> Vec<u8> {
    let mut frame = vec![0xff, 0xfb, 0x90, 0x00, back >> 1, back << 7];
    frame.resize(417, 0x55);
    frame
}

fn pages(cutter: &mut Cutter<mpa::Header>) -> Vec<Page> {
    std::iter::from_fn(|| cutter.poll()).collect()
}

fn id3(title: &[u8]) -> Vec<u8> {
    let size = title.len() as u8 + 1;
    [b"ID3\x04\0\0\0\0\0".as_slice(), &[size + 10], b"TIT2\0\0\0", &[size], b"\0\0\x03", title].concat()
}

#[test]
fn once_in_sync_a_frame_goes_out_with_its_last_byte() {
    let mut cutter = Cutter::new();
    cutter.push(&[frame(0), frame(0)].concat());
    assert_eq!(pages(&mut cutter).len(), 2);
    cutter.push(&frame(0)[..416]);
    assert_eq!(pages(&mut cutter).len(), 0);
    cutter.push(&frame(0)[416..]);
    assert_eq!(pages(&mut cutter).len(), 1);
}

#[test]
fn a_header_without_a_second_one_is_not_believed() {
    let mut cutter = Cutter::<mpa::Header>::new();
    cutter.push(&[&frame(0)[..], &[0x55; 500]].concat());
    assert_eq!(pages(&mut cutter).len(), 0);
    assert_eq!(cutter.skipped(), 917);
}

#[test]
fn a_tag_before_the_frames_names_the_first_page() {
    let mut cutter = Cutter::new();
    cutter.push(&[id3(b"Tide"), frame(0), frame(0)].concat());
    let pages = pages(&mut cutter);
    let titles: Vec<_> =
        pages.iter().map(|page| page.tags.as_ref().map(|tags| tags.title.as_str())).collect();
    assert_eq!(titles, [Some("Tide"), None]);
    assert_eq!(cutter.skipped(), 25);
}

#[test]
fn tags_between_frames_do_not_cost_the_sync() {
    let mut cutter = Cutter::new();
    let mut old = b"TAG".to_vec();
    old.resize(128, 0);
    cutter.push(&[frame(0), frame(0), old, id3(b"Next"), frame(0)].concat());
    let pages = pages(&mut cutter);
    assert_eq!(pages.len(), 3);
    assert_eq!(pages[2].tags.as_ref().map(|tags| tags.title.as_str()), Some("Next"));
}

#[test]
fn an_encoders_table_is_skipped() {
    let mut table = frame(0);
    table[36..40].copy_from_slice(b"Info");
    let mut cutter = Cutter::new();
    cutter.push(&[table, frame(0), frame(0)].concat());
    assert_eq!(pages(&mut cutter).len(), 2);
    assert_eq!(cutter.skipped(), 417);
}

#[test]
fn a_newcomer_begins_where_the_reservoir_is_empty_if_that_is_often() {
    let roles = |backs: &[u8]| {
        let mut cutter = Cutter::new();
        backs.iter().for_each(|&back| cutter.push(&frame(back)));
        pages(&mut cutter).into_iter().map(|page| page.role == Role::Entry).collect::<Vec<_>>()
    };
    assert_eq!(roles(&[0, 9, 9, 0, 9]), [true, false, false, true, false]);
    let seldom = roles(&[&[0; 1], &[9; 30][..]].concat());
    assert!(seldom[11..].iter().all(|&entry| entry));
}

#[test]
fn another_rate_is_another_stream_and_loses_nothing() {
    let slow = {
        let mut frame = vec![0xff, 0xfb, 0x98, 0x00]; // 32 kHz: 576 bytes
        frame.resize(576, 0x33);
        frame
    };
    let mut demux = Demux::<mpa::Header>::new();
    demux.push(&[frame(0), frame(0), slow.clone(), slow].concat());
    demux.finish();
    let items: Vec<_> = std::iter::from_fn(|| demux.poll().unwrap()).collect();
    let times: Vec<_> = items
        .iter()
        .filter_map(|item| match item {
            Item::Frame(frame) => Some((frame.dts.0, frame.span.0)),
            _ => None,
        })
        .collect();
    // 2304 samples at 44.1 kHz are 1671 at 32 kHz.
    assert_eq!(times, [(0, 1152), (1152, 1152), (1671, 1152), (2823, 1152)]);
    assert_eq!(items.iter().filter(|item| matches!(item, Item::Tracks(_))).count(), 2);
}

#[test]
fn free_format_frames_are_measured_by_the_next_header() {
    let free = |padded: u8| {
        let mut frame = vec![0xff, 0xfb, padded << 1, 0x00];
        frame.resize(900 + usize::from(padded), 0x55);
        frame
    };
    let mut cutter = Cutter::new();
    cutter.push(&[free(0), free(1), free(0)].concat());
    let sizes: Vec<_> = pages(&mut cutter).iter().map(|page| page.bytes.len()).collect();
    assert_eq!(sizes, [900, 901, 900]);
}

#[test]
fn no_frame_of_free_format_is_empty() {
    // layer I: the padding of the first is as long as a header
    let bytes = [[0xff, 0xff, 0x02, 0], [0xff, 0xff, 0, 0], [0xff, 0xff, 0, 0]].concat();
    let mut cutter = Cutter::<mpa::Header>::new();
    cutter.push(&bytes);
    cutter.finish();
    let pages: Vec<_> = std::iter::from_fn(|| cutter.poll()).take(bytes.len()).collect();
    assert!(pages.iter().all(|page| !page.bytes.is_empty()));
}

#[test]
fn a_loop_drops_tags_and_keeps_time() {
    let mut splice = Splice::<mpa::Header>::new();
    let file = [id3(b"Loop"), frame(0), frame(0), frame(0), vec![0xff; 100]].concat();
    let mut pages = Vec::new();
    for _ in 0..3 {
        splice.push(&file);
        pages.extend(std::iter::from_fn(|| splice.poll()));
        splice.rewind();
    }
    pages.extend(std::iter::from_fn(|| splice.poll()));
    assert_eq!(pages.len(), 9);
    assert!(pages.windows(2).all(|pair| pair[0].at < pair[1].at));
    assert_eq!(splice.round().map(|round| round.as_millis()), Some(78));
}
