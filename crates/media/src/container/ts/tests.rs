use super::*;
use crate::{
    Cut, Demux as _, Item, Role,
    container::sketch::{pages, roles},
    splice::Rounds,
};

/// A packet of `pid` whose payload is filled up by an adaptation field with `flags`.
fn packet(pid: u16, start: bool, counter: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let head = [0x47, (pid >> 8) as u8 | if start { 0x40 } else { 0 }, pid as u8];
    let room = 184 - payload.len();
    let field = match room {
        0 => vec![],
        1 => vec![0],
        _ => [&[room as u8 - 1, flags][..], &vec![0xff; room - 2]].concat(),
    };
    let control = if room == 0 { 0x10 } else { 0x30 };
    [&head[..], &[control | counter & 15], &field, payload].concat()
}

fn section(pid: u16, counter: u8, table: u8, body: &[u8]) -> Vec<u8> {
    let size = body.len() as u8 + 4;
    let section = [&[0, table, 0xb0, size], body, &[0; 4]].concat();
    let mut payload = section;
    payload.resize(184, 0xff);
    packet(pid, true, counter, 0, &payload)
}

fn pat() -> Vec<u8> {
    section(0, 0, 0, &[0, 1, 0xc1, 0, 0, 0, 1, 0xf0, 0])
}

/// H.264 on 0x100, MPEG audio on 0x101.
fn pmt(version: u8) -> Vec<u8> {
    let streams = [0x1b, 0xe1, 0, 0xf0, 0, 0x03, 0xe1, 1, 0xf0, 0];
    section(0x1000, 0, 2, &[&[0, 1, 0xc1 | version << 1, 0, 0, 0xe1, 0, 0xf0, 0], &streams[..]].concat())
}

fn pes(stream: u8, size: u16, at: u64, data: &[u8]) -> Vec<u8> {
    let [high, low] = size.to_be_bytes();
    let mut bytes = vec![0, 0, 1, stream, high, low, 0x80, 0x80, 5, 0x21, 0, 1, 0, 1];
    super::pes::put_stamp(&mut bytes[9..14], at);
    bytes.extend_from_slice(data);
    bytes
}

const KEY: &[u8] = &[0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x67, 1, 2, 3];
const INTER: &[u8] = &[0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x41, 1, 2, 3];

fn picture(counter: u8, at: u64, data: &[u8]) -> Vec<u8> {
    packet(0x100, true, counter, 0, &pes(0xe0, 0, at, data))
}

fn sound(counter: u8, at: u64) -> Vec<u8> {
    packet(0x101, true, counter, 0, &pes(0xc0, 13, at, &[0xff; 5]))
}

#[test]
fn tables_are_header_and_repeated_ones_are_not() {
    let mut cutter = Cutter::new();
    let stream =
        [pat(), pmt(0), picture(0, 0, KEY), sound(0, 0), pat(), pmt(0), picture(1, 3600, INTER)].concat();
    assert_eq!(roles(&pages(&mut cutter, &stream)), "HE...");
    assert_eq!(roles(&pages(&mut cutter, &[pat(), pmt(1)].concat())), "H");
    assert_eq!(cutter.header_set(), None);
}

#[test]
fn a_map_that_changes_alone_renews_both_tables() {
    let mut cutter = Cutter::new();
    pages(&mut cutter, &[pat(), pmt(0), picture(0, 0, KEY)].concat());
    assert_eq!(roles(&pages(&mut cutter, &pmt(1))), "H");
    assert_eq!(cutter.header_set().as_deref(), Some(&[pat(), pmt(1)].concat()[..]));
    assert_eq!(roles(&pages(&mut cutter, &picture(1, 3600, KEY))), "E");
    assert_eq!(cutter.header_set(), None);
}

#[test]
fn the_last_packet_of_a_picture_sends_the_page() {
    let whole = pes(0xe0, 0, 0, &[KEY, &[7; 300]].concat());
    let first = packet(0x100, true, 0, 0x40, &whole[..184]);
    let last = packet(0x100, false, 1, 0, &whole[184..]);
    let mut cutter = Cutter::new();
    pages(&mut cutter, &[pat(), pmt(0), picture(0, 0, KEY)].concat());
    assert_eq!(roles(&pages(&mut cutter, &first)), "");
    assert_eq!(roles(&pages(&mut cutter, &last[..187])), "");
    assert_eq!(pages(&mut cutter, &last[187..])[0].bytes.len(), 376);
}

#[test]
fn time_goes_on_where_33_bits_wrap() {
    let stream = [pat(), pmt(0), picture(0, (1 << 33) - 90, KEY), picture(1, 90, INTER)].concat();
    let times: Vec<_> = pages(&mut Cutter::new(), &stream).iter().filter_map(|page| page.at).collect();
    assert_eq!((times[times.len() - 1] - times[times.len() - 2]).as_millis(), 2);
}

#[test]
fn packets_are_found_again_after_garbage() {
    let mut cutter = Cutter::new();
    let good = [pat(), pmt(0), picture(0, 0, KEY), sound(0, 0)].concat();
    let more = [picture(1, 3600, KEY), sound(1, 3600), sound(2, 7200)].concat();
    assert_eq!(pages(&mut cutter, &[good, vec![0; 51], vec![0x47; 100], more].concat()).len(), 6);
    assert_eq!(cutter.skipped(), 151);
}

#[test]
fn a_lost_packet_costs_its_pes_packet_and_no_more() {
    let frame = [&[0xff, 0xfd, 0x14, 0xc0][..], &[1; 92]].concat(); // layer II, 32 kbit/s, 48 kHz: 96 bytes
    let two = pes(0xc0, 200, 0, &[&frame[..], &frame].concat());
    let whole = |counter| {
        [packet(0x101, true, counter, 0, &two[..184]), packet(0x101, false, counter + 1, 0, &two[184..])]
    };
    let [first, _] = whole(0);
    let [again, last] = whole(2);
    let mut demux = Demux::new();
    demux.push(&[pat(), pmt(0), first, again, last, picture(0, 0, INTER)].concat());
    demux.finish();
    let frames =
        std::iter::from_fn(|| demux.poll().unwrap()).filter(|item| matches!(item, Item::Frame(_))).count();
    assert_eq!(frames, 2);
}

#[test]
fn a_loop_shifts_times_and_lets_counters_go_on() {
    let round =
        [pat(), pmt(0), picture(5, 1000, KEY), picture(6, 4600, INTER), picture(7, 8200, INTER)].concat();
    let mut splice = Splice::new();
    let mut bytes = Vec::new();
    for _ in 0..2 {
        splice.push(&round);
        bytes.extend(std::iter::from_fn(|| splice.poll()).flat_map(|page| page.bytes.to_vec()));
        splice.rewind();
    }
    bytes.extend(std::iter::from_fn(|| splice.poll()).flat_map(|page| page.bytes.to_vec()));
    let of_pictures = |packet: &&[u8]| packet[2] == 0 && packet[1] & 1 != 0;
    let pictures: Vec<_> = bytes.chunks(188).filter(of_pictures).collect();
    assert_eq!(pictures.iter().map(|packet| packet[3] & 15).collect::<Vec<_>>(), [5, 6, 7, 8, 9, 10]);
    let times: Vec<_> = pictures
        .iter()
        .map(|packet| super::packet::Packet::parse(packet.to_vec().into()).unwrap())
        .filter_map(|packet| super::pes::Pes::parse(packet.payload())?.pts)
        .collect();
    assert_eq!(times, [1000, 4600, 8200, 11_800, 15_400, 19_000]);
    assert_eq!(splice.round().map(|round| round.as_millis()), Some(120));
}

#[test]
fn a_stream_without_tables_can_be_begun_anywhere() {
    let mut cutter = Cutter::new();
    let stream: Vec<u8> =
        (0..1200).flat_map(|n| packet(0x100, false, n as u8 & 15, 0, &[0x55; 184])).collect();
    cutter.push(&stream);
    let pages: Vec<_> = std::iter::from_fn(|| cutter.poll()).collect();
    assert!(pages.iter().filter(|page| page.role == Role::Entry).count() > 10);
    assert_ne!(pages[0].role, Role::Entry);
}

/// Everything in a clip of H.264 with two pictures of reordering and AAC.
fn clip() -> Vec<Item> {
    let mut demux = crate::container::flv::Demux::new();
    demux.push(include_bytes!("../../../../../media/testcard-1080.flv"));
    demux.finish();
    std::iter::from_fn(|| demux.poll().unwrap()).collect()
}

fn muxed(mux: &mut Mux, items: &[Item]) -> Vec<crate::Page> {
    use crate::Mux as _;
    let mut pages = Vec::new();
    for item in items {
        mux.push(item).unwrap();
        pages.extend(std::iter::from_fn(|| mux.poll()));
    }
    mux.finish();
    pages.extend(std::iter::from_fn(|| mux.poll()));
    pages
}

fn bytes(pages: &[crate::Page]) -> Vec<u8> {
    pages.iter().flat_map(|page| page.bytes.to_vec()).collect()
}

fn frames(items: impl IntoIterator<Item = Item>) -> Vec<crate::Frame> {
    let frame = |item| if let Item::Frame(frame) = item { Some(frame) } else { None };
    items.into_iter().filter_map(frame).collect()
}

fn frames_of(items: &[Item], codec: crate::Codec) -> Vec<crate::Frame> {
    let tracks =
        items.iter().filter_map(|item| if let Item::Tracks(tracks) = item { Some(tracks) } else { None });
    let track = tracks.flat_map(|tracks| tracks.iter()).find(|track| track.codec == codec).unwrap().id;
    frames(items.to_vec()).into_iter().filter(|frame| frame.track == track).collect()
}

fn opened(bytes: &[u8], piece: usize) -> Vec<Item> {
    let mut demux = Demux::new();
    let mut items = Vec::new();
    for piece in bytes.chunks(piece) {
        demux.push(piece);
        items.extend(std::iter::from_fn(|| demux.poll().unwrap()));
    }
    demux.finish();
    items.extend(std::iter::from_fn(|| demux.poll().unwrap()));
    items
}

#[test]
fn what_was_closed_is_opened_as_the_same_frames() {
    let items = clip();
    let stream = bytes(&muxed(&mut Mux::new(), &items));
    let again = opened(&stream, stream.len());
    for codec in [crate::Codec::H264, crate::Codec::Aac] {
        let (was, is) = (frames_of(&items, codec), frames_of(&again, codec));
        assert_eq!(was.len(), is.len());
        for (was, is) in was.iter().zip(&is) {
            // key pictures carry their parameter sets now
            let data = if was.key { &is.data[is.data.len() - was.data.len()..] } else { &is.data };
            assert_eq!(
                (data, is.key, is.pts.0 - is.dts.0),
                (&was.data[..], was.key, (was.pts.0 - was.dts.0) * 90)
            );
        }
    }
}

#[test]
fn opus_comes_back_as_the_same_packets() {
    use crate::Demux as _;
    let mut demux = crate::container::ogg::Demux::new();
    demux.push(include_bytes!("../../../../../media/speech.opus"));
    demux.finish();
    let items: Vec<Item> = std::iter::from_fn(|| demux.poll().unwrap()).collect();
    let stream = bytes(&muxed(&mut Mux::new(), &items));
    let again = opened(&stream, 188);
    let data = |items: Vec<Item>| frames(items).into_iter().map(|frame| frame.data).collect::<Vec<_>>();
    assert_eq!(frames_of(&again, crate::Codec::Opus).len(), 401);
    assert_eq!(data(again), data(items));
}

#[test]
fn a_stream_that_was_closed_is_read_the_same_at_every_split() {
    let items = clip();
    let stream = bytes(&muxed(&mut Mux::new(), &items[..items.len().min(60)]));
    let whole = opened(&stream, stream.len());
    for piece in 1..400 {
        assert_eq!(opened(&stream, piece), whole, "in pieces of {piece}");
    }
}

#[test]
fn counters_and_clocks_go_on_where_a_source_begins_again() {
    let items = clip();
    let mut mux = Mux::new();
    let mut stream = bytes(&muxed(&mut mux, &items));
    mux.restart();
    stream.extend(bytes(&muxed(&mut mux, &items)));
    let mut counters = std::collections::HashMap::new();
    let (mut clock, mut clocks) = (0, 0);
    for packet in stream.chunks(188) {
        let packet = super::packet::Packet::parse(packet.to_vec().into()).unwrap();
        if !packet.payload().is_empty() {
            let last = counters.insert(packet.pid, packet.counter);
            assert!(last.is_none_or(|last| (last + 1) & 15 == packet.counter), "{packet:?}");
        }
        if packet.adaptation.pcr {
            let base =
                packet.bytes[6..11].iter().fold(0u64, |value, &byte| value << 8 | u64::from(byte)) >> 7;
            assert!(base > clock && (clocks == 0 || base - clock <= 30_000), "{clock} {base}");
            (clock, clocks) = (base, clocks + 1);
        }
    }
    let found = frames(opened(&stream, stream.len()));
    assert_eq!(found.len(), 2 * frames(items).len());
    for track in [0x100, 0x101] {
        let times: Vec<_> =
            found.iter().filter(|frame| frame.track.0 == track).map(|frame| frame.dts.0).collect();
        assert!(times.is_sorted() && times.len() > 50, "{times:?}");
    }
}

#[test]
fn pages_say_where_one_may_begin() {
    let pages = muxed(&mut Mux::new(), &clip());
    assert_eq!(pages[0].role, Role::Header);
    let cut = crate::container::sketch::pages(&mut Cutter::new(), &bytes(&pages));
    let entries = |pages: &[crate::Page]| pages.iter().filter(|page| page.role == Role::Entry).count();
    assert_eq!((entries(&pages), entries(&cut)), (entries(&cut), entries(&pages)));
    assert!(entries(&pages) >= 2 && pages.iter().all(|page| page.bytes.len() % 188 == 0));
}

#[test]
fn what_a_transport_stream_has_no_place_for_is_refused() {
    use crate::{Codec, Mux as _, TrackId, TrackInfo};
    let vorbis = TrackInfo {
        id: TrackId(0),
        codec: Codec::Vorbis,
        timebase: crate::Timebase::hz(48_000),
        setup: Default::default(),
    };
    let refused = Mux::new().push(&Item::Tracks([vorbis].into())).unwrap_err();
    assert_eq!(refused.to_string(), "mpeg-ts cannot carry vorbis");
}
