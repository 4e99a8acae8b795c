//! Writes a media playlist (RFC 8216bis 4.4).

use super::segment::{Segment, Title, Window};
use crate::stamp;
use std::{fmt::Write, time::Duration};

/// The playlist of `window`; with `skip`, of what is not old news (RFC 8216bis 6.2.5.1). What addresses `carry` is put
/// behind each of them.
pub(super) fn write(window: &Window, skip: bool, carry: &str) -> String {
    let carry = &if carry.is_empty() { String::new() } else { format!("?{carry}") };
    let mut out = String::from("#EXTM3U\n#EXT-X-VERSION:9\n");
    let (target, part) = (window.target, window.part_target.as_secs_f64());
    let (until, hold, part_hold) = (target * SKIP_TARGETS, target * 3, part * 3.0);
    let first = window.listed().next().unwrap_or(&window.open);
    let broken = first.breaks_so_far - u64::from(first.breaks);
    line(&mut out, format_args!("#EXT-X-TARGETDURATION:{target}"));
    line(
        &mut out,
        format_args!(
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={until}.0,HOLD-BACK={hold}.0,PART-HOLD-BACK={part_hold:.3}"
        ),
    );
    line(&mut out, format_args!("#EXT-X-PART-INF:PART-TARGET={part:.3}"));
    line(&mut out, format_args!("#EXT-X-MEDIA-SEQUENCE:{}", first.number));
    line(&mut out, format_args!("#EXT-X-DISCONTINUITY-SEQUENCE:{broken}"));
    let skipped = if skip { skippable(window, Duration::from_secs(until)) } else { 0 };
    if skipped > 0 {
        line(&mut out, format_args!("#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}"));
    }
    let mut init = skipped.checked_sub(1).and_then(|last| window.listed().nth(last)).map(|last| last.init);
    for segment in window.listed().skip(skipped) {
        begin(&mut out, segment, &mut init, carry);
        if segment.in_parts && segment.number + WITH_PARTS >= window.open.number {
            parts(&mut out, segment, carry);
        }
        line(&mut out, format_args!("#EXTINF:{:.5},", segment.duration.as_secs_f64()));
        line(&mut out, format_args!("seg-{}.m4s{carry}", segment.number));
    }
    if !window.open.parts.is_empty() {
        begin(&mut out, &window.open, &mut init, carry);
        parts(&mut out, &window.open, carry);
    }
    titles(&mut out, window, first);
    match window.over {
        true => out.push_str("#EXT-X-ENDLIST\n"),
        false => line(
            &mut out,
            format_args!(
                "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-{}.{}.m4s{carry}\"",
                window.open.number,
                window.open.parts.len()
            ),
        ),
    }
    out
}

/// The playlist of those segments that a store has, for who cannot wait for parts; ones that it missed are gaps.
pub(super) fn write_stored(window: &Window, last: u64, stored: impl Fn(u64) -> bool) -> String {
    let mut out = String::from("#EXTM3U\n#EXT-X-VERSION:9\n");
    let Some(first) = window.listed().next() else { return out };
    let broken = first.breaks_so_far - u64::from(first.breaks);
    line(&mut out, format_args!("#EXT-X-TARGETDURATION:{}", window.target));
    line(&mut out, format_args!("#EXT-X-MEDIA-SEQUENCE:{}", first.number));
    line(&mut out, format_args!("#EXT-X-DISCONTINUITY-SEQUENCE:{broken}"));
    let mut init = None;
    for segment in window.listed().take_while(|segment| segment.number <= last) {
        begin(&mut out, segment, &mut init, "");
        if !stored(segment.number) {
            out.push_str("#EXT-X-GAP\n");
        }
        line(&mut out, format_args!("#EXTINF:{:.5},", segment.duration.as_secs_f64()));
        line(&mut out, format_args!("seg-{}.m4s", segment.number));
    }
    titles(&mut out, window, first);
    if window.over && window.open.number == last + 1 {
        out.push_str("#EXT-X-ENDLIST\n");
    }
    out
}

/// What is said before a segment's parts.
fn begin(out: &mut String, segment: &Segment, init: &mut Option<u64>, carry: &str) {
    if segment.breaks {
        out.push_str("#EXT-X-DISCONTINUITY\n");
    }
    if init.replace(segment.init) != Some(segment.init) {
        line(out, format_args!("#EXT-X-MAP:URI=\"init-{}.mp4{carry}\"", segment.init));
    }
    if let Some(begun) = segment.begun {
        line(out, format_args!("#EXT-X-PROGRAM-DATE-TIME:{}", stamp::rfc3339_millis(begun)));
    }
}

fn parts(out: &mut String, segment: &Segment, carry: &str) {
    for (index, part) in segment.parts.iter().enumerate() {
        let independent = if part.independent { ",INDEPENDENT=YES" } else { "" };
        let (duration, number) = (part.duration.as_secs_f64(), segment.number);
        line(
            out,
            format_args!(
                "#EXT-X-PART:DURATION={duration:.5},URI=\"part-{number}.{index}.m4s{carry}\"{independent}"
            ),
        );
    }
}

/// The titles that were heard in the playlist's time: those that begin in it, and the one before.
fn titles(out: &mut String, window: &Window, first: &Segment) {
    let begun = |title: &Title| first.begun.is_none_or(|begun| title.at > begun);
    let before = window.titles.iter().take_while(|title| !begun(title)).count();
    for title in window.titles.iter().skip(before.saturating_sub(1)) {
        let at = stamp::rfc3339_millis(title.at);
        let text: String =
            title.line.chars().map(|c| if c == '"' { '\'' } else { c }).filter(|c| !c.is_control()).collect();
        line(
            out,
            format_args!(
                "#EXT-X-DATERANGE:ID=\"title-{at}\",CLASS=\"levada.title\",START-DATE=\"{at}\",END-ON-NEXT=YES,X-TITLE=\"{text}\""
            ),
        );
    }
}

/// How many segments are further from the end than `until`.
fn skippable(window: &Window, until: Duration) -> usize {
    let mut left: Duration = window.open.duration + window.listed().map(|s| s.duration).sum::<Duration>();
    let old = |segment: &&Segment| {
        left = left.saturating_sub(segment.duration);
        left > until
    };
    window.listed().take_while(old).count()
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a string takes what is written");
    out.push('\n');
}

/// Parts are told of in so many finished segments (RFC 8216bis 4.4.4.9: in the last three target durations).
const WITH_PARTS: u64 = 3;
/// In target durations, at least six (RFC 8216bis 4.4.3.8).
const SKIP_TARGETS: u64 = 6;
