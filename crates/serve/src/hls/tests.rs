use super::{
    playlist,
    segment::{Keep, Window},
};
use bytes::Bytes;
use levada_media::container::fmp4::{Output, Part};
use m3u8_rs::{MediaPlaylist, parse_media_playlist_res};
use std::time::{Duration, SystemTime};

#[test]
fn a_playlist_is_what_another_reader_finds_in_it() {
    let window = filled(6);
    let read = read(&window);
    assert_eq!((read.target_duration, read.media_sequence, read.discontinuity_sequence), (2, 100, 0));
    assert_eq!(read.segments.len(), 6);
    for (number, segment) in (100..).zip(&read.segments) {
        assert_eq!(segment.uri, format!("seg-{number}.m4s"));
        assert_eq!(segment.duration, 2.0);
        assert!(segment.program_date_time.is_some());
    }
    let map = read.segments[0].map.as_ref().unwrap();
    assert_eq!((map.uri.as_str(), window.init(100).is_some()), ("init-100.mp4", true));
    let text = playlist::write(&window, false, "");
    assert!(text.contains("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-106.0.m4s\""), "{text}");
    assert_eq!(text.matches("#EXT-X-PART:").count(), 3 * 4, "{text}");
}

#[test]
fn segments_that_leave_take_their_breaks_with_them() {
    let mut window = filled(2);
    window.push(Output::Break, NOW);
    fill(&mut window, 14);
    let before = read(&window);
    assert_eq!((before.media_sequence, before.discontinuity_sequence), (101, 0));
    assert!(before.segments[1].discontinuity);
    fill(&mut window, 2);
    let after = read(&window);
    assert_eq!((after.media_sequence, after.discontinuity_sequence), (103, 1));
    assert!(!after.segments.iter().any(|segment| segment.discontinuity));
    assert_eq!(after.segments[0].map.as_ref().unwrap().uri, "init-100.mp4");
}

#[test]
fn a_delta_leaves_out_what_is_old() {
    let window = filled(15);
    let (whole, delta) = (playlist::write(&window, false, ""), playlist::write(&window, true, ""));
    assert!(delta.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=8\n"), "{delta}");
    let tail = |text: &str| text[text.find("seg-108.m4s").unwrap()..].to_owned();
    assert_eq!(tail(&whole), tail(&delta));
    assert!(!delta.contains("seg-107.m4s") && !delta.contains("EXT-X-MAP"), "{delta}");
    assert!(!playlist::write(&filled(6), true, "").contains("EXT-X-SKIP"));
}

#[test]
fn memory_is_bounded_and_parts_share_their_segments_bytes() {
    let window = filled(200);
    assert_eq!(window.segments.len(), 20);
    let last = window.segments.back().unwrap();
    assert_eq!(last.bytes.len(), last.parts.iter().map(|part| part.bytes.len()).sum::<usize>());
    assert_eq!(last.parts[1].bytes.as_ptr(), last.bytes[last.parts[0].bytes.len()..].as_ptr());
    assert!(window.segment(100).is_none() && window.segment(299).is_some() && window.segment(300).is_none());
}

#[test]
fn a_long_window_tells_of_all_that_it_holds() {
    let mut window = Window::new(100, Keep { listed: Duration::from_secs(600), ..KEEP });
    window.push(Output::Init(Bytes::from_static(b"init")), NOW);
    fill(&mut window, 400);
    assert_eq!((window.segments.len(), read(&window).segments.len()), (305, 300));
    let mut small = Window::new(100, Keep { listed: Duration::from_secs(600), bytes: 160, ..KEEP });
    small.push(Output::Init(Bytes::from_static(b"init")), NOW);
    fill(&mut small, 400);
    assert_eq!((small.segments.len(), read(&small).segments.len()), (10, 10), "sixteen bytes a segment");
    assert!(small.init(100).is_some());
}

#[test]
fn a_store_lists_what_it_has_and_gaps_for_what_it_missed() {
    let window = filled(6);
    let text = playlist::write_stored(&window, 104, |number| number != 102);
    let read = parse_media_playlist_res(text.as_bytes()).unwrap();
    assert_eq!((read.segments.len(), read.media_sequence, read.end_list), (5, 100, false));
    assert_eq!(text.matches("#EXT-X-GAP\n#EXTINF:2.00000,\nseg-102.m4s").count(), 1, "{text}");
    assert!(!text.contains("PART") && !text.contains("BLOCK"), "a cache cannot wait: {text}");
}

#[test]
fn what_lets_in_is_behind_every_address() {
    let mut window = filled(3);
    window.push(part(), NOW);
    let text = playlist::write(&window, false, "exp=1&sig=x");
    let addresses = text.matches(".m4s").count() + text.matches(".mp4").count();
    assert_eq!(text.matches("?exp=1&sig=x").count(), addresses, "{text}");
}

#[test]
fn a_part_behind_the_last_is_the_next_segments_first() {
    let mut window = filled(2);
    assert!(window.tells_of(101, None) && !window.tells_of(102, None));
    assert!(
        window.tells_of(101, Some(3)) && !window.tells_of(101, Some(4)) && !window.tells_of(102, Some(0))
    );
    assert!(window.comes_next(102, 0) && !window.comes_next(102, 1));
    window.push(part(), NOW);
    assert!(window.tells_of(101, Some(4)) && window.tells_of(102, Some(0)) && !window.tells_of(102, Some(1)));
}

#[test]
fn the_target_is_the_longest_segment_to_the_nearest_second() {
    let mut window = filled(1);
    (0..5).for_each(|_| window.push(part(), NOW));
    window.push(Output::End, NOW);
    assert_eq!(window.target, 3, "2.5 s");
    fill(&mut window, 1);
    assert_eq!(window.target, 3, "it never shrinks");
}

#[test]
fn titles_are_dated_and_quoted() {
    let mut window = filled(3);
    window.title("A \"song\"\nof B".into(), NOW);
    window.title("A \"song\"\nof B".into(), NOW);
    let text = playlist::write(&window, false, "");
    assert_eq!(text.matches("#EXT-X-DATERANGE").count(), 1, "{text}");
    assert!(text.contains("X-TITLE=\"A 'song'of B\""), "{text}");
    parse_media_playlist_res(text.as_bytes()).unwrap();
}

/// A window with so many segments from number 100 on, of four parts each.
fn filled(segments: usize) -> Window {
    let mut window = Window::new(100, KEEP);
    window.push(Output::Init(Bytes::from_static(b"init")), NOW);
    fill(&mut window, segments);
    window
}

fn fill(window: &mut Window, segments: usize) {
    for _ in 0..segments {
        (0..4).for_each(|_| window.push(part(), NOW));
        window.push(Output::End, NOW);
    }
}

fn part() -> Output {
    let (at, duration) = (Duration::ZERO, Duration::from_millis(500));
    Output::Part(Part { bytes: Bytes::from_static(b"part"), at, duration, independent: true })
}

fn read(window: &Window) -> MediaPlaylist {
    let text = playlist::write(window, false, "");
    parse_media_playlist_res(text.as_bytes()).unwrap_or_else(|why| panic!("{why}: {text}"))
}

const NOW: SystemTime = SystemTime::UNIX_EPOCH;
const KEEP: Keep = Keep { listed: Duration::from_secs(30), bytes: 1 << 20, part: Duration::from_millis(500) };
