//! Puts pictures together of their pieces, and says which are missing.

use super::piece::{ALL, Coded, Form, Piece};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Pieces in, whole pictures out in their order: none of them is given out that one before it is missing for.
///
/// A piece that is missing is asked for again; when that takes too long, one is asked for that stands alone, and until it is there nothing is
/// given out. Holds 64 pictures and two megabytes; beyond that all are dropped, and a picture that stands alone is asked for.
#[derive(Debug, Default)]
pub struct Receiving {
    pictures: BTreeMap<i64, Partial>,
    bytes: usize,
    newest: Option<i64>,
    /// The one that is given out next; none until one that stands alone is there.
    next: Option<i64>,
    counts: Counts,
}

/// What became of their pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Whole, and given out.
    pub pictures: u64,
    /// Of these, such as stand alone.
    pub keys: u64,
    /// Bytes of datagrams' bodies that came.
    pub bytes: u64,
    /// Pieces that were asked for again.
    pub asked: u64,
    /// Pictures that were never whole, or of no use without one before.
    pub lost: u64,
    /// Times at which only a picture that stands alone could help.
    pub breaks: u64,
}

#[derive(Debug)]
struct Partial {
    /// What it is, as soon as a piece came.
    known: Option<(u32, bool, Form)>,
    pieces: Vec<Option<Bytes>>,
    came: usize,
    /// When it was first known of.
    began: f64,
    /// When its missing pieces were asked for, and how often.
    asked: (f64, u8),
}

impl Partial {
    fn new(began: f64) -> Partial {
        Partial { known: None, pieces: Vec::new(), came: 0, began, asked: (f64::NEG_INFINITY, 0) }
    }

    fn is_whole(&self) -> bool {
        self.came > 0 && self.came == self.pieces.len()
    }

    fn is_key(&self) -> bool {
        self.known.is_some_and(|(_, key, _)| key)
    }
}

impl Receiving {
    /// What became of pictures.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether only a picture that stands alone can help.
    pub fn is_lost(&self) -> bool {
        self.next.is_none()
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is held is of no use: a picture that stands alone is needed.
    pub fn give_up(&mut self) {
        self.counts.lost += self.pictures.len() as u64;
        self.counts.breaks += u64::from(self.next.is_some());
        self.pictures.clear();
        (self.bytes, self.next) = (0, None);
    }

    /// The other end begins anew.
    pub fn restart(&mut self) {
        self.give_up();
        self.newest = None;
    }

    /// Takes a piece of a picture of that time.
    pub fn put(&mut self, now: f64, time: u32, piece: Piece<'_>) {
        self.counts.bytes += (Piece::HEAD + piece.slice.len()) as u64;
        let near = self.newest.unwrap_or(i64::from(piece.number));
        let number = near + i64::from(piece.number.wrapping_sub(near as u16) as i16);
        if self.next.is_some_and(|next| number < next) || number < near - HELD {
            return; // late, or another copy
        }
        if number > near + GAP || self.next.is_some_and(|next| number >= next + HELD) {
            self.give_up(); // so much does not come again
        }
        let of_a_key = piece.key || self.pictures.range(..=number).any(|(_, picture)| picture.is_key());
        if let (Some(newest), true) = (self.newest, self.next.is_some()) {
            // those between were all lost on the way, or come later
            (newest + 1..number).for_each(|between| {
                self.pictures.entry(between).or_insert_with(|| Partial::new(now));
            });
        }
        self.newest = Some(near.max(number));
        if self.next.is_none() && !of_a_key {
            self.counts.lost += u64::from(piece.index == 0);
            return;
        }
        let picture = self.pictures.entry(number).or_insert_with(|| Partial::new(now));
        let pieces = usize::from(piece.last) + 1;
        match picture.known {
            None => {
                picture.known = Some((time, piece.key, piece.form));
                picture.pieces = vec![None; pieces];
            }
            Some(known) if known != (time, piece.key, piece.form) || picture.pieces.len() != pieces => return,
            Some(_) => {}
        }
        let place = &mut picture.pieces[usize::from(piece.index)];
        if place.is_none() {
            *place = Some(Bytes::copy_from_slice(piece.slice));
            picture.came += 1;
            self.bytes += piece.slice.len();
        }
        if self.bytes > BYTES || self.pictures.len() > HELD as usize {
            self.give_up();
        }
    }

    /// The next picture, if all of it is there; `patience` is how long it is waited for.
    pub fn take(&mut self, now: f64, patience: f64) -> Option<Coded> {
        let ready = self.next.and_then(|next| self.pictures.get(&next)).is_some_and(Partial::is_whole);
        if !ready {
            // one that stands alone is better than to wait for what is missing
            let is_one = |picture: &Partial| picture.is_key() && picture.is_whole();
            let key = self.pictures.iter().rev().find(|(_, picture)| is_one(picture));
            let Some(number) = key.map(|(number, _)| *number) else {
                self.lose_patience(now, patience);
                return None;
            };
            let kept = self.pictures.split_off(&number);
            let dropped = std::mem::replace(&mut self.pictures, kept);
            self.counts.lost += dropped.len() as u64;
            self.bytes -= dropped.values().map(bytes).sum::<usize>();
            self.next = Some(number);
        }
        let next = self.next?;
        let picture = self.pictures.remove(&next)?;
        self.bytes -= bytes(&picture);
        self.next = Some(next + 1);
        let (time, key, form) = picture.known?;
        (self.counts.pictures, self.counts.keys) =
            (self.counts.pictures + 1, self.counts.keys + u64::from(key));
        Some(Coded { time, form, key, slices: picture.pieces.into_iter().flatten().collect() })
    }

    fn lose_patience(&mut self, now: f64, patience: f64) {
        let waits = self.next.and_then(|next| self.pictures.get(&next));
        let key_waits = self.pictures.values().next().filter(|_| self.next.is_none());
        if waits.or(key_waits).is_some_and(|picture| now - picture.began > patience) {
            self.give_up();
        }
    }

    /// Pieces to ask for: those that should have come before others that did, not again before `pause` is over.
    pub fn missing(&mut self, now: f64, pause: f64) -> Vec<(u16, u8)> {
        let Some(newest) = self.newest else { return Vec::new() };
        let mut all = Vec::new();
        for (number, picture) in &mut self.pictures {
            let (asked, times) = picture.asked;
            let early = now - picture.began < REORDERED;
            if picture.is_whole() || times >= TIMES || now - asked < pause || early || all.len() >= AT_ONCE {
                continue;
            }
            let before = all.len();
            if picture.came == 0 {
                all.push((*number as u16, ALL));
            } else {
                let newest_piece = picture.pieces.iter().rposition(Option::is_some).unwrap_or(0);
                let until = if *number < newest { picture.pieces.len() } else { newest_piece };
                let gaps = (0..until).filter(|index| picture.pieces[*index].is_none());
                all.extend(gaps.map(|index| (*number as u16, index as u8)));
            }
            if all.len() > before {
                picture.asked = (now, times + 1);
            }
        }
        all.truncate(AT_ONCE);
        self.counts.asked += all.len() as u64;
        all
    }
}

fn bytes(picture: &Partial) -> usize {
    picture.pieces.iter().flatten().map(Bytes::len).sum()
}

/// Pictures that are held, at most.
const HELD: i64 = 64;
const BYTES: usize = 2 << 20;
/// Pictures in a row that may be asked for again, at most.
const GAP: i64 = 8;
/// Seconds that pieces may overtake each other by.
const REORDERED: f64 = 0.006;
/// How often a piece is asked for.
const TIMES: u8 = 4;
/// Entries of one question.
const AT_ONCE: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Form = Form { width: 64, height: 48, rate: 30 };

    fn put(receiving: &mut Receiving, now: f64, number: u16, (index, last): (u8, u8), key: bool) {
        let time = u32::from(number) * 1_470;
        receiving.put(now, time, Piece { number, index, last, key, form: FORM, slice: &[index; 10] });
    }

    fn take(receiving: &mut Receiving, now: f64) -> Option<u32> {
        receiving.take(now, 0.3).map(|coded| coded.time / 1_470)
    }

    #[test]
    fn pictures_come_whole_and_in_order_from_one_that_stands_alone_on() {
        let mut receiving = Receiving::default();
        put(&mut receiving, 0.0, 4, (0, 0), false);
        assert!(receiving.is_lost() && take(&mut receiving, 0.0).is_none());
        put(&mut receiving, 0.0, 6, (0, 0), false);
        put(&mut receiving, 0.0, 5, (1, 1), true);
        put(&mut receiving, 0.0, 7, (0, 0), false);
        assert_eq!(take(&mut receiving, 0.0), None);
        put(&mut receiving, 0.0, 5, (0, 1), true);
        // the sixth came before anything was known of the fifth
        assert_eq!((take(&mut receiving, 0.0), take(&mut receiving, 0.0)), (Some(5), None));
        assert_eq!(receiving.missing(0.0, 0.05), []);
        assert_eq!(receiving.missing(0.01, 0.05), []);
        put(&mut receiving, 0.02, 6, (0, 0), false);
        assert_eq!((take(&mut receiving, 0.0), take(&mut receiving, 0.0)), (Some(6), Some(7)));
        assert!(!receiving.is_lost() && receiving.bytes() == 0);
    }

    #[test]
    fn missing_pieces_are_asked_for_a_few_times_and_then_a_whole_picture() {
        let mut receiving = Receiving::default();
        put(&mut receiving, 0.0, 1, (0, 0), true);
        assert_eq!(take(&mut receiving, 0.0), Some(1));
        put(&mut receiving, 0.1, 2, (0, 2), false);
        put(&mut receiving, 0.1, 2, (2, 2), false);
        put(&mut receiving, 0.1, 4, (0, 0), false);
        assert_eq!(receiving.missing(0.101, 0.05), [], "they may just be overtaken");
        assert_eq!(receiving.missing(0.11, 0.05), [(2, 1), (3, ALL)]);
        assert_eq!(receiving.missing(0.12, 0.05), []);
        assert_eq!(receiving.missing(0.17, 0.05), [(2, 1), (3, ALL)]);
        put(&mut receiving, 0.18, 2, (1, 2), false);
        assert_eq!((take(&mut receiving, 0.18), take(&mut receiving, 0.18)), (Some(2), None));
        assert_eq!((take(&mut receiving, 0.45), receiving.is_lost()), (None, true));
        put(&mut receiving, 0.5, 5, (0, 0), false);
        put(&mut receiving, 0.5, 6, (0, 0), true);
        assert_eq!((take(&mut receiving, 0.5), receiving.counts().breaks), (Some(6), 1));
        put(&mut receiving, 0.6, 16, (0, 0), false);
        assert!(receiving.is_lost(), "so many are not asked for");
    }

    #[test]
    fn a_picture_that_stands_alone_is_not_waited_for_in_vain() {
        let mut receiving = Receiving::default();
        put(&mut receiving, 0.0, 1, (0, 1), true);
        put(&mut receiving, 0.1, 2, (0, 0), false);
        assert_eq!(take(&mut receiving, 0.1), None);
        assert_eq!((take(&mut receiving, 0.4), receiving.bytes()), (None, 0));
        put(&mut receiving, 0.5, 3, (0, 0), true);
        assert_eq!(take(&mut receiving, 0.5), Some(3));
        // numbers that are far ahead, and round
        put(&mut receiving, 0.6, 20_000, (0, 0), false);
        assert!(receiving.is_lost());
        put(&mut receiving, 0.6, 40_000, (0, 0), true);
        put(&mut receiving, 0.6, 65_535, (0, 0), true);
        put(&mut receiving, 0.7, 0, (0, 0), false);
        assert_eq!((take(&mut receiving, 0.7), take(&mut receiving, 0.7)), (Some(65_535), Some(0)));
    }
}
