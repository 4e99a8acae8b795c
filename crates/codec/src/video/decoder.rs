//! Draws pictures of slices, which may come from anybody.

use super::block::{Canvas, Macroblock};
use super::model::{Flag, Model};
use super::{Picture, dct};
use crate::entropy::Decoder as Unsaid;

/// Decodes what an [`Encoder`](super::Encoder) of pictures of the same size made.
#[derive(Clone, Debug)]
pub struct Decoder {
    canvas: Canvas,
    picture: Picture,
    fresh: Model,
    number: Option<u16>,
    /// Macroblocks of this picture that were drawn.
    drawn: usize,
    step: i32,
    /// A picture was not whole, and no key picture came since.
    broken: bool,
}

/// What a slice drew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// The rest of its picture is still to come.
    Part,
    /// The last of its picture: it can be shown.
    Whole,
}

/// Why a slice drew nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no slice of this codec, or of a picture that was shown already")]
pub struct Refused;

impl Decoder {
    /// For pictures of a size: even, and up to [`LARGEST`](super::LARGEST).
    pub fn new(width: usize, height: usize) -> Option<Decoder> {
        Some(Decoder {
            canvas: Canvas::new(width, height),
            picture: Picture::new(width, height)?,
            fresh: Model::new(),
            number: None,
            drawn: 0,
            step: 0,
            broken: true,
        })
    }

    /// Draws a slice. One of a later picture ends the one at work.
    ///
    /// # Errors
    /// That it is none, or too late. Nothing is drawn then.
    pub fn decode(&mut self, slice: &[u8]) -> Result<Drawn, Refused> {
        let head = Head::read(slice)
            .filter(|head| usize::from(head.first) < self.canvas.told.len())
            .ok_or(Refused)?;
        if self.number != Some(head.number) {
            let ahead = self.number.map_or(1, |number| head.number.wrapping_sub(number) as i16);
            // one that is far behind is of another beginning
            if (-64..0).contains(&ahead) {
                return Err(Refused);
            }
            self.finish();
            self.broken |= ahead != 1;
            self.canvas.next();
            (self.number, self.drawn) = (Some(head.number), 0);
        }
        if self.canvas.told[usize::from(head.first)].slice != u32::MAX {
            return Err(Refused); // it came already
        }
        if head.key {
            self.broken = false;
        }
        self.step = dct::step(head.code);
        self.draw(head, &slice[HEADER..]);
        if self.drawn < self.canvas.told.len() {
            return Ok(Drawn::Part);
        }
        self.finish();
        Ok(Drawn::Whole)
    }

    /// The picture as far as it was drawn when it was whole, or the next one began.
    pub fn picture(&self) -> &Picture {
        &self.picture
    }

    /// Whether something was lost that only a key picture can mend: the sender is to be asked for one.
    pub fn broken(&self) -> bool {
        self.broken
    }

    fn finish(&mut self) {
        if self.drawn == 0 {
            return;
        }
        self.broken |= self.drawn < self.canvas.told.len();
        self.canvas.smooth(self.step);
        self.canvas.store(&mut self.picture);
        // twice would be too much
        self.drawn = 0;
    }

    fn draw(&mut self, head: Head, coded: &[u8]) {
        let mut coder = Unsaid::new(coded);
        let mut model = self.fresh.clone();
        let mut levels = [[0; 64]; 6];
        for at in usize::from(head.first)..self.canvas.told.len() {
            if self.canvas.told[at].slice != u32::MAX {
                return;
            }
            let mut told = Macroblock { slice: head.first.into(), ..Macroblock::NONE };
            self.canvas.code(&mut coder, &mut model, at, head.key, &mut told, &mut levels);
            for (block, levels) in levels.iter().enumerate() {
                let predicted = self.canvas.predicted(at, block, &told);
                self.canvas.told[at] = told; // its own blocks look at it
                self.canvas.draw(at, block, &predicted, told.coded[block].then_some(levels), self.step);
            }
            self.drawn += 1;
            if model.flag(&mut coder, Flag::End, 0, false) {
                return;
            }
        }
    }
}

/// What is before the coded part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Of the picture.
    pub number: u16,
    /// Which macroblock is the first.
    pub first: u16,
    pub key: bool,
    /// The step's.
    pub code: u8,
}

pub(super) const HEADER: usize = 5;

impl Head {
    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&self.first.to_be_bytes());
        out.push(u8::from(self.key) << 7 | self.code);
    }

    pub fn read(slice: &[u8]) -> Option<Head> {
        let [a, b, c, d, e] = *slice.first_chunk::<HEADER>()?;
        let code = e & 0x7f;
        let head = Head {
            number: u16::from_be_bytes([a, b]),
            first: u16::from_be_bytes([c, d]),
            key: e >> 7 == 1,
            code,
        };
        (code <= dct::LAST).then_some(head)
    }
}
