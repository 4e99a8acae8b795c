use super::*;
use crate::{
    Cut,
    container::sketch::{pages, roles},
    splice::Rounds,
};

fn tag(kind: u8, at: u32, payload: &[u8]) -> Vec<u8> {
    let [t3, t2, t1, t0] = at.to_be_bytes();
    let size = payload.len() as u32;
    let head = [kind, (size >> 16) as u8, (size >> 8) as u8, size as u8, t2, t1, t0, t3, 0, 0, 0];
    [&head, payload, &(size + 11).to_be_bytes()].concat()
}

fn file() -> Vec<u8> {
    b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec()
}

fn avc(config: u8) -> Vec<u8> {
    tag(9, 0, &[0x17, 0, 0, 0, 0, 1, config])
}

fn aac() -> Vec<u8> {
    tag(8, 0, &[0xaf, 0, 0x12, 0x10])
}

fn picture(at: u32, key: bool) -> Vec<u8> {
    tag(9, at, &[if key { 0x17 } else { 0x27 }, 1, 0, 0, 0, 9, 9])
}

fn sound(at: u32) -> Vec<u8> {
    tag(8, at, &[0xaf, 1, 7, 7])
}

#[test]
fn a_newcomer_begins_at_a_key_picture() {
    let stream =
        [file(), avc(1), aac(), picture(0, true), sound(0), picture(40, false), picture(80, true)].concat();
    assert_eq!(roles(&pages(&mut Cutter::new(), &stream)), "HHHE..E");
}

#[test]
fn sound_alone_can_be_entered_anywhere() {
    let mut stream = [file(), aac(), sound(0), sound(23)].concat();
    stream[4] = 4; // no pictures announced
    assert_eq!(roles(&pages(&mut Cutter::new(), &stream)), "HHEE");
    stream[4] = 5;
    let more = [stream, sound(5000), sound(5024)].concat();
    assert_eq!(roles(&pages(&mut Cutter::new(), &more)), "HH...E");
}

#[test]
fn a_changed_configuration_renews_the_whole_header_set() {
    let mut cutter = Cutter::new();
    assert_eq!(roles(&pages(&mut cutter, &[file(), avc(1), aac(), picture(0, true)].concat())), "HHHE");
    assert_eq!(cutter.header_set(), None);
    assert_eq!(roles(&pages(&mut cutter, &avc(1))), "."); // the same again
    assert_eq!(roles(&pages(&mut cutter, &avc(2))), "H");
    assert_eq!(cutter.header_set().as_deref(), Some(&[file(), avc(2), aac()].concat()[..]));
    assert_eq!(roles(&pages(&mut cutter, &picture(40, true))), "E");
    assert_eq!(cutter.header_set(), None);
}

#[test]
fn a_configuration_that_comes_late_joins_the_set() {
    let mut cutter = Cutter::new();
    pages(&mut cutter, &[file(), aac(), sound(0), avc(1)].concat());
    assert_eq!(cutter.header_set().as_deref(), Some(&[file(), aac(), avc(1)].concat()[..]));
}

#[test]
fn time_goes_on_where_the_counter_wraps() {
    let stream = [file(), aac(), sound(u32::MAX - 10), sound(12)].concat();
    let pages = pages(&mut Cutter::new(), &stream);
    let times: Vec<_> = pages.iter().filter_map(|page| page.at).map(|at| at.as_millis()).collect();
    assert_eq!(times, [u128::from(u32::MAX) - 10, (1 << 32) + 12]);
}

#[test]
fn a_wrong_back_pointer_is_forgiven_between_whole_tags() {
    let mut odd = sound(23);
    let end = odd.len() - 4;
    odd[end..].fill(0);
    let mut cutter = Cutter::new();
    assert_eq!(pages(&mut cutter, &[file(), aac(), odd, sound(46)].concat()).len(), 4);
    assert_eq!(cutter.skipped(), 0);
}

#[test]
fn a_loop_shifts_time_and_keeps_one_header() {
    let round = [file(), aac(), sound(100), sound(123), sound(146)].concat();
    let mut splice = Splice::new();
    let mut stream = Vec::new();
    for _ in 0..2 {
        splice.push(&round);
        stream.extend(std::iter::from_fn(|| splice.poll()));
        splice.rewind();
    }
    let bytes: Vec<u8> = stream.iter().flat_map(|page| page.bytes.to_vec()).collect();
    let (all, shifted) = (&round, [sound(169), sound(192), sound(215)]);
    assert_eq!(bytes[..round.len()][..9], all[..9]);
    assert_eq!(bytes[round.len()..], shifted.concat());
    assert_eq!(splice.round().map(|round| round.as_millis()), Some(69));
}
