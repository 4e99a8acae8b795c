//! Presses the beginning of a stream together, so that who joins sees a picture at once and is live all the same.

use super::{Kind, Tag, Unwrap, packets};
use super::{fourcc::FourCc, packet::What};
use bytes::Bytes;

/// `tags` (a header set, then a group of pictures from its key picture to what is newest) with the times of what has
/// passed pressed together right before the newest; `None` where there is nothing to press.
///
/// An ordinary player plays what it gets at the pace of its times, so one that begins with a whole group stays as far
/// behind as the key picture was old. Here the past takes a millisecond a picture, 100 ms at most: the player
/// decodes it at once and goes on with what is live. Composition times are pressed with the same measure, so pictures
/// stay in their order. Sound of the past cannot be heard faster and is left out; what is younger than the pressed
/// pictures stays at its own time, so both are in step from the first moment on.
pub fn catch_up(tags: &[Tag]) -> Option<Vec<Tag>> {
    let media = tags.iter().position(|tag| !is_header(tag))?;
    let (headers, group) = tags.split_at(media);
    let first = group.iter().position(Tag::is_key_picture)?;
    let mut clock = Unwrap::default();
    let times: Vec<i64> = group.iter().map(|tag| clock.unwrap(tag.timestamp).0).collect();
    let newest = times.iter().copied().max()?;
    let press = Press::of(group, &times, times[first], newest)?;
    let begin = press.at(times[first]);
    let mut placed: Vec<(i64, Tag)> =
        group.iter().zip(&times).filter_map(|(tag, at)| press.place(tag, *at, begin)).collect();
    placed.sort_by_key(|(at, _)| *at);
    let time = |tag: &Tag| if tag.kind == Kind::Script { tag.timestamp } else { begin as u32 };
    let headers = headers.iter().map(|tag| Tag { timestamp: time(tag), ..tag.clone() });
    Some(headers.chain(placed.into_iter().map(|(_, tag)| tag)).collect())
}

/// How times are pressed: those before `newest` come nearer to it by `step`, those after it stay.
struct Press {
    newest: i64,
    step: i64,
}

impl Press {
    fn of(group: &[Tag], times: &[i64], first: i64, newest: i64) -> Option<Press> {
        let span = newest - first;
        if span <= WORTH {
            return None;
        }
        let pictures = group.iter().zip(times).filter(|(tag, _)| tag.kind == Kind::Video);
        let pictures: Vec<i64> = pictures.map(|(_, at)| *at).collect();
        let gaps = pictures.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 0);
        // times that differ stay different, unless that takes too long
        let step = gaps.min().unwrap_or(1).max((span + LONGEST - 1) / LONGEST);
        (step > 1).then_some(Press { newest, step })
    }

    /// Where a moment comes to lie; later ones never come before earlier ones.
    fn at(&self, time: i64) -> i64 {
        match self.newest - time {
            ago @ 1.. => self.newest - (ago + self.step - 1) / self.step,
            _ => time,
        }
    }

    fn place(&self, tag: &Tag, time: i64, begin: i64) -> Option<(i64, Tag)> {
        let at = match tag.kind {
            Kind::Audio if !tag.is_setup() && time < begin => return None,
            Kind::Audio => time.max(begin),
            Kind::Video | Kind::Script => self.at(time),
        };
        let payload = self.recompose(tag, time, at).unwrap_or_else(|| tag.payload.clone());
        // the counter of tags wraps at 2^32 by design
        Some((at, Tag { timestamp: at as u32, payload, ..*tag }))
    }

    /// The payload with a composition time that fits, if it has one.
    fn recompose(&self, tag: &Tag, time: i64, at: i64) -> Option<Bytes> {
        let composition = packets(tag).filter_map(Result::ok).find_map(|packet| match packet.what {
            What::Frame { composition, .. } if composition != 0 => Some(composition),
            _ => None,
        })?;
        let offset = composition_at(&tag.payload)?;
        let pressed = self.at(time + i64::from(composition)) - at;
        let mut payload = tag.payload.to_vec();
        payload.get_mut(offset..offset + 3)?.copy_from_slice(&(pressed as i32).to_be_bytes()[1..]);
        Some(payload.into())
    }
}

/// Where the 24 bits of a picture's composition time are: behind the old header, or the letters of the enhanced one.
/// Pictures of several tracks in one tag keep theirs.
fn composition_at(payload: &[u8]) -> Option<usize> {
    match payload {
        [first, 1, ..] if first & ENHANCED == 0 => Some(2),
        [first, a, b, c, d, ..] if first & ENHANCED != 0 && first & 15 == CODED_FRAMES => {
            FourCc([*a, *b, *c, *d]).has_composition_time().then_some(5)
        }
        _ => None,
    }
}

fn is_header(tag: &Tag) -> bool {
    tag.kind == Kind::Script || tag.is_setup()
}

/// Milliseconds that a pressed group takes at most, and a player is behind because of it.
const LONGEST: i64 = 100;
/// A group that is younger is live already.
const WORTH: i64 = 50;
/// Top bit of an enhanced header's first byte, and the packet type of frames with a composition time.
const ENHANCED: u8 = 0x80;
const CODED_FRAMES: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    const VIDEO_SETUP: &[u8] = &[0x17, 0, 0, 0, 0, 1];
    const AUDIO_SETUP: &[u8] = &[0xaf, 0, 0x12, 0x10];
    const SOUND: &[u8] = &[0xaf, 1, 9];

    fn tag(kind: Kind, timestamp: u32, payload: &[u8]) -> Tag {
        Tag { kind, timestamp, payload: Bytes::copy_from_slice(payload) }
    }

    fn picture(timestamp: u32, key: bool, composition: i32) -> Tag {
        let [_, a, b, c] = composition.to_be_bytes();
        tag(Kind::Video, timestamp, &[if key { 0x17 } else { 0x27 }, 1, a, b, c, 7])
    }

    /// Headers at zero, then `pictures` of 40 ms with sound each 20, from `begin` on.
    fn joined(begin: u32, pictures: u32, composition: impl Fn(u32) -> i32) -> Vec<Tag> {
        let mut tags = vec![tag(Kind::Video, 0, VIDEO_SETUP), tag(Kind::Audio, 0, AUDIO_SETUP)];
        for n in 0..pictures {
            let at = begin.wrapping_add(n * 40);
            tags.push(picture(at, n == 0, composition(n)));
            tags.push(tag(Kind::Audio, at, SOUND));
            tags.push(tag(Kind::Audio, at.wrapping_add(20), SOUND));
        }
        tags
    }

    fn of(tags: &[Tag], kind: Kind) -> Vec<u32> {
        tags.iter().filter(|tag| tag.kind == kind && !tag.is_setup()).map(|tag| tag.timestamp).collect()
    }

    #[test]
    fn the_past_takes_a_millisecond_a_picture_and_its_sound_is_left_out() {
        let pressed = catch_up(&joined(100_000, 50, |_| 0)).unwrap();
        let newest = 100_000 + 49 * 40 + 20;
        let pictures = of(&pressed, Kind::Video);
        assert_eq!(pictures.len(), 50);
        assert!(pictures.windows(2).all(|pair| pair[1] == pair[0] + 1), "{pictures:?}");
        assert!(newest - pictures[0] <= 51);
        let sound = of(&pressed, Kind::Audio);
        assert_eq!(sound, [newest - 40, newest - 20, newest], "those at their own time");
        let times: Vec<u32> = pressed.iter().map(|tag| tag.timestamp).collect();
        assert!(times.is_sorted() && pressed[0].is_setup() && pressed[1].is_setup());
    }

    #[test]
    fn pictures_stay_in_the_order_in_which_they_are_shown() {
        // I P B B: shown 0 2 3 1 intervals after they are decoded
        let order = [80, 200, 40, 40];
        let tags = joined(1_000, 40, |n| order[n as usize % 4]);
        let shown = |tags: &[Tag]| {
            let mut all: Vec<(i64, usize)> =
                (tags.iter().filter(|tag| tag.kind == Kind::Video && !tag.is_setup()))
                    .enumerate()
                    .map(|(number, tag)| {
                        let bytes = &tag.payload[2..5];
                        let composition = i32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) << 8 >> 8;
                        (i64::from(tag.timestamp) + i64::from(composition), number)
                    })
                    .collect();
            all.sort_unstable();
            all.into_iter().map(|(_, number)| number).collect::<Vec<_>>()
        };
        assert_eq!(shown(&catch_up(&tags).unwrap()), shown(&tags));
    }

    #[test]
    fn a_long_group_is_pressed_into_a_tenth_of_a_second() {
        let pressed = catch_up(&joined(0, 250, |_| 0)).unwrap();
        let pictures = of(&pressed, Kind::Video);
        assert!(pictures.is_sorted() && pictures[249] - pictures[0] <= 100, "{pictures:?}");
        assert_eq!(pictures.len(), 250);
    }

    #[test]
    fn the_counter_may_wrap_within_the_group() {
        let pressed = catch_up(&joined(u32::MAX - 900, 50, |_| 0)).unwrap();
        let pictures = of(&pressed, Kind::Video);
        assert!(pictures.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == 1), "{pictures:?}");
    }

    #[test]
    fn what_is_live_already_and_what_has_no_pictures_stays_as_it_is() {
        assert_eq!(catch_up(&joined(0, 1, |_| 0)), None);
        let sound: Vec<Tag> =
            joined(0, 50, |_| 0).into_iter().filter(|tag| tag.kind == Kind::Audio).collect();
        assert_eq!(catch_up(&sound), None);
        assert_eq!(catch_up(&[]), None);
    }
}
