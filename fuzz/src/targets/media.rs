//! Every container, cut, opened, joined end to end, and closed again.

use crate::Pieces;
use bytes::Bytes;
use levada_media::{
    Cut, Demux, Error, Format, Item, Mux, Page, Splice,
    container::{flv, fmp4, ts},
};
use std::iter::from_fn;

/// Ogg's pages.
pub fn cut_ogg(bytes: &[u8]) {
    cut(Format::Ogg, bytes);
}
/// WebM's elements.
pub fn cut_webm(bytes: &[u8]) {
    cut(Format::WebM, bytes);
}
/// MPEG audio's frames.
pub fn cut_mpa(bytes: &[u8]) {
    cut(Format::Mp3, bytes);
}
/// ADTS frames.
pub fn cut_adts(bytes: &[u8]) {
    cut(Format::Adts, bytes);
}
/// Transport packets.
pub fn cut_ts(bytes: &[u8]) {
    cut(Format::MpegTs, bytes);
}
/// FLV's tags.
pub fn cut_flv(bytes: &[u8]) {
    cut(Format::Flv, bytes);
}
/// Ogg's packets.
pub fn demux_ogg(bytes: &[u8]) {
    demux(Format::Ogg, bytes);
}
/// WebM's blocks.
pub fn demux_webm(bytes: &[u8]) {
    demux(Format::WebM, bytes);
}
/// MPEG audio's frames, with their time.
pub fn demux_mpa(bytes: &[u8]) {
    demux(Format::Mp3, bytes);
}
/// AAC out of ADTS.
pub fn demux_adts(bytes: &[u8]) {
    demux(Format::Adts, bytes);
}
/// Access units out of transport packets.
pub fn demux_ts(bytes: &[u8]) {
    demux(Format::MpegTs, bytes);
}
/// Frames out of FLV's tags.
pub fn demux_flv(bytes: &[u8]) {
    demux(Format::Flv, bytes);
}

/// Frames out of fragments: the same however the bytes come, each with data that were sent, and no more than a fragment
/// may have.
pub fn demux_fmp4(bytes: &[u8]) {
    let pieces = Pieces::of(bytes);
    let input = pieces.rest();
    let all = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let (mut demux, mut items) = (fmp4::Demux::new(), Vec::new());
        for piece in pieces {
            demux.push(piece);
            items.extend(from_fn(|| demux.poll().ok().flatten()));
        }
        items
    };
    let items = all(&mut [input].into_iter());
    let mut pieces = pieces;
    assert_eq!(items, all(&mut pieces), "whole and in pieces");
    assert!(items.len() <= (input.len() / 16 + 1) * fmp4::MOST_FRAMES);
    let fits = |item: &Item| !matches!(item, Item::Frame(frame) if frame.data.len() > input.len());
    assert!(items.iter().all(fits), "data from nowhere");
}

/// The same pages however the bytes come; joined they are the input, in order, less what was counted as skipped.
fn cut(format: Format, bytes: &[u8]) {
    let pieces = Pieces::of(bytes);
    let input = pieces.rest();
    let (pages, skipped) = cut_all(format, [input]);
    let (again, skipped_again) = cut_all(format, pieces);
    if let Some(at) = pages.iter().zip(&again).position(|(page, again)| page != again) {
        panic!("page {at} is {:x?} whole and {:x?} in pieces", pages[at], again[at]);
    }
    assert_eq!((again.len(), skipped_again), (pages.len(), skipped), "in pieces and whole");
    let joined: u64 = pages.iter().map(|page| page.bytes.len() as u64).sum();
    assert_eq!(joined + skipped, input.len() as u64, "every byte is in a page or counted");
    let mut rest = input.iter();
    for page in &pages {
        assert!(page.bytes.iter().all(|byte| rest.any(|other| other == byte)), "a page that was not sent");
        assert!(
            page.set.as_ref().is_none_or(|set| set.len() <= 2 * input.len() + 1_024),
            "a set from nowhere"
        );
    }
}

fn cut_all<'a>(format: Format, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Page>, u64) {
    let mut cutter: Box<dyn Cut> = format.cutter();
    let mut pages = Vec::new();
    for piece in pieces {
        cutter.push(piece);
        pages.extend(from_fn(|| cutter.poll()));
    }
    cutter.finish();
    pages.extend(from_fn(|| cutter.poll()));
    let _ = (cutter.tracks().len(), cutter.header_set());
    (pages, cutter.skipped())
}

/// The same items however the bytes come, and not many more than there are bytes.
fn demux(format: Format, bytes: &[u8]) {
    let pieces = Pieces::of(bytes);
    let input = pieces.rest();
    let (items, end) = demux_all(format, [input]);
    let (again, end_again) = demux_all(format, pieces);
    if let Some(at) = items.iter().zip(&again).position(|(item, again)| item != again) {
        panic!("item {at} is {:x?} whole and {:x?} in pieces", items[at], again[at]);
    }
    assert_eq!((again.len(), end_again), (items.len(), end), "in pieces and whole");
    assert!(items.len() <= 2 * input.len() + 64, "{} items of {} bytes", items.len(), input.len());
}

fn demux_all<'a>(
    format: Format,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Item>, Result<(), Error>) {
    let Some(mut demux) = format.demuxer() else { return (Vec::new(), Ok(())) };
    let mut items = Vec::new();
    let mut drain = |demux: &mut Box<dyn Demux>| loop {
        match demux.poll() {
            Ok(Some(item)) => items.push(item),
            Ok(None) => return Ok(()),
            Err(why) => return Err(why),
        }
    };
    let run = || {
        for piece in pieces {
            demux.push(piece);
            drain(&mut demux)?;
        }
        demux.finish();
        drain(&mut demux)
    };
    let end = run();
    (items, end)
}

/// What the first bytes tell is told for ever, and by a name as well.
pub fn probe(bytes: &[u8]) {
    if let Some(format) = Format::probe(bytes) {
        assert_eq!(Format::from_content_type(format.content_type()), format);
    }
    let _ = Format::from_content_type(&crate::text(bytes));
}

/// Two rounds of two files that need not be alike: not much more comes out than went in.
pub fn splice(bytes: &[u8]) {
    let Some((format, bytes)) = bytes.split_first() else { return };
    let Some(mut splice) = Splice::new(FORMATS[usize::from(*format) % FORMATS.len()]) else { return };
    let pieces = Pieces::of(bytes);
    let (first, second) = pieces.rest().split_at(pieces.rest().len() / 2);
    let seed = bytes.first().copied().unwrap_or(0);
    let (mut pages, mut out) = (0, 0);
    for round in [first, pieces.rest(), second, first] {
        for piece in Pieces::new(seed, round) {
            splice.push(piece);
            while let Some(page) = splice.poll() {
                pages += 1;
                out += page.bytes.len();
            }
        }
        splice.rewind();
        let _ = splice.round();
    }
    while let Some(page) = splice.poll() {
        pages += 1;
        out += page.bytes.len();
    }
    let sent = 3 * bytes.len() + 4_096;
    assert!(pages <= 4 * sent && out <= 40 * sent, "{pages} pages of {out} bytes out of {sent}");
}

/// Pressed together or not: no tag is torn, no picture is lost.
pub fn flv_catch_up(bytes: &[u8]) {
    let tags = Bytes::copy_from_slice(bytes);
    let Some(pressed) = flv::catch_up(&tags) else { return };
    let all = flv::split(&pressed);
    assert_eq!(all.iter().map(Bytes::len).sum::<usize>(), pressed.len());
    let pictures = |tags: &[Bytes]| tags.iter().filter(|tag| tag[0] == flv::tag::Kind::Video as u8).count();
    assert_eq!(pictures(&all), pictures(&flv::split(&tags)));
}

/// Items of any source become tags that FLV's own cutter finds whole.
pub fn flv_mux(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let view =
        [flv::tag::View::Old, flv::tag::View::Enhanced, flv::tag::View::Multitrack][usize::from(which % 3)];
    let format = FORMATS[usize::from(which / 3) % FORMATS.len()];
    let mut mux = flv::Mux::new(view);
    let mut cutter = flv::Cutter::new();
    let mut tags = 0;
    cutter.push(&flv::file_header(true, true));
    for item in demux_all(format, [bytes]).0 {
        let _refused = mux.push(&item);
        while let Some(page) = mux.poll() {
            cutter.push(&page.bytes);
            tags += 1;
        }
    }
    cutter.finish();
    let found = from_fn(|| cutter.poll()).count();
    assert_eq!((found, cutter.skipped()), (tags + 1, 0), "the header and every tag");
}

/// Whatever can be opened, closed into a transport stream: whole packets, all of which are read again.
pub fn ts_mux(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let format = FORMATS[usize::from(which % 8) % FORMATS.len()];
    let mut mux = ts::Mux::new();
    let mut cutter = ts::Cutter::new();
    let mut sent = 0;
    let mut take = |mux: &mut ts::Mux| {
        for page in from_fn(|| mux.poll()) {
            assert_eq!(page.bytes.len() % 188, 0, "whole packets");
            sent += page.bytes.len();
            cutter.push(&page.bytes);
        }
    };
    for (n, item) in demux_all(format, [bytes]).0.into_iter().enumerate() {
        let _refused = mux.push(&item);
        if n % 64 == usize::from(which / 8) {
            mux.restart();
        }
        take(&mut mux);
    }
    mux.finish();
    take(&mut mux);
    cutter.finish();
    let found: usize = from_fn(|| cutter.poll()).map(|page| page.bytes.len()).sum();
    assert_eq!((found, cutter.skipped()), (sent, 0), "every packet");
}

const FORMATS: [Format; 6] =
    [Format::Ogg, Format::WebM, Format::Mp3, Format::Adts, Format::MpegTs, Format::Flv];
