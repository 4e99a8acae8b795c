//! What is said in a slice, and how probable it is.

use crate::entropy::{Cell, Coder, Mixer};

/// Opinions about a level.
const OPINIONS: usize = 4;
/// Brightness or colour, within or beside another picture.
const KINDS: usize = 4;
const CONTEXTS: usize = 64;
/// Decisions of a level: whether it is more than 0, 1, 2 …
const NODES: usize = 14;

/// Begun anew for every slice.
#[derive(Clone, Debug)]
pub struct Model {
    levels: Vec<Cell>,
    mixers: [Mixer<OPINIONS>; KINDS * 3],
    tails: [Cell; 32],
    coded: [[Cell; 8]; KINDS],
    lasts: [[Cell; 64]; KINDS],
    flags: [Cell; 24],
    modes: [Cell; 16],
    vectors: [[Cell; 40]; 2],
}

/// Cells of [`Model::flag`], with a context below three or so.
#[derive(Clone, Copy)]
pub enum Flag {
    /// As predicted, and nothing more.
    Skipped = 0,
    /// From this picture alone.
    Intra = 3,
    /// Four vectors.
    Split = 6,
    /// No more macroblocks.
    End = 9,
}

impl Model {
    pub fn new() -> Model {
        let even = Cell::known(1 << 15, 1);
        Model {
            levels: fresh(),
            mixers: [Mixer::new(); KINDS * 3],
            tails: [even; 32],
            coded: [[even; 8]; KINDS],
            lasts: [[even; 64]; KINDS],
            flags: std::array::from_fn(|i| if i == Flag::End as usize { Cell::known(600, 20) } else { even }),
            modes: [even; 16],
            vectors: [[even; 40]; 2],
        }
    }

    /// One decision.
    pub fn flag(&mut self, coder: &mut impl Coder, which: Flag, context: usize, value: bool) -> bool {
        self.flags[which as usize + context.min(2)].code(coder, value)
    }

    /// How a block is predicted within its picture: one of four, `context` the one before.
    pub fn mode(&mut self, coder: &mut impl Coder, context: u8, value: u8) -> u8 {
        let cells = &mut self.modes[usize::from(context & 3) * 4..][..4];
        let high = cells[0].code(coder, value & 2 != 0);
        let low = cells[1 + usize::from(high)].code(coder, value & 1 != 0);
        u8::from(high) * 2 + u8::from(low)
    }

    /// A component of how far a vector is from the predicted one.
    pub fn vector(&mut self, coder: &mut impl Coder, which: usize, value: i32) -> i32 {
        let cells = &mut self.vectors[which];
        if !cells[0].code(coder, value != 0) {
            return 0;
        }
        let negative = cells[1].code(coder, value < 0);
        let size = value.unsigned_abs().clamp(1, 1 << 12);
        let mut bits = 0_u32;
        while bits < 12 && cells[2 + bits as usize].code(coder, size.ilog2() > bits) {
            bits += 1;
        }
        let rest = (0..bits).rev().fold(1_u32, |read, place| {
            let bit = size >> place & 1 == 1;
            // the highest of them are not alike
            let bit = if place + 1 == bits {
                cells[20 + bits as usize].code(coder, bit)
            } else {
                coder.code(bit, 1 << 15)
            };
            read << 1 | u32::from(bit)
        });
        if negative { -(rest as i32) } else { rest as i32 }
    }

    /// The levels of a block, row by row; whether it has any. `nearby` of its two neighbours have.
    pub fn block(
        &mut self,
        coder: &mut impl Coder,
        kind: usize,
        nearby: usize,
        levels: &mut [i32; 64],
    ) -> bool {
        let last = ZIGZAG.iter().rposition(|place| levels[usize::from(*place)] != 0);
        if !self.coded[kind][nearby.min(7)].code(coder, last.is_some()) {
            levels.fill(0);
            return false;
        }
        let last = self.last(coder, kind, last.unwrap_or(0));
        for place in &ZIGZAG[last + 1..] {
            levels[usize::from(*place)] = 0;
        }
        let mut sum = 0_u32;
        for i in (0..=last).rev() {
            let place = usize::from(ZIGZAG[i]);
            let (x, y) = (place % 8, place / 8);
            let at = |dx: usize, dy: usize| {
                if x + dx < 8 && y + dy < 8 { levels[place + dx + 8 * dy].unsigned_abs().min(30) } else { 0 }
            };
            let near = at(1, 0) + at(0, 1);
            let all = near + at(1, 1) + at(2, 0) + at(0, 2);
            let contexts = [
                place,
                (near.min(7) * 8 + (all - near).min(7)) as usize,
                (all.min(15) * 4 + (x + y).min(9) as u32 / 3) as usize,
                (sum.min(15) * 4 + (i as u32).min(12) / 4) as usize,
            ];
            let size = self.size(coder, kind, contexts, levels[place].unsigned_abs(), i == last);
            let negative = size > 0 && coder.code(levels[place] < 0, 1 << 15);
            levels[place] = if negative { -(size as i32) } else { size as i32 };
            sum += size.min(30);
        }
        true
    }

    fn last(&mut self, coder: &mut impl Coder, kind: usize, last: usize) -> usize {
        let mut node = 1;
        for place in (0..6).rev() {
            let bit = self.lasts[kind][node].code(coder, last >> place & 1 == 1);
            node = node * 2 + usize::from(bit);
        }
        node - 64
    }

    fn size(
        &mut self,
        coder: &mut impl Coder,
        kind: usize,
        contexts: [usize; OPINIONS],
        size: u32,
        last: bool,
    ) -> u32 {
        let mut found = u32::from(last); // the last one is something
        while found < NODES as u32 {
            let node = found as usize;
            let mut places = [0; OPINIONS];
            for (opinion, (place, context)) in places.iter_mut().zip(contexts).enumerate() {
                *place = ((opinion * KINDS + kind) * CONTEXTS + context.min(CONTEXTS - 1)) * NODES + node;
            }
            if !self.mixers[kind * 3 + node.min(2)].code(coder, &mut self.levels, places, size > found) {
                return found;
            }
            found += 1;
        }
        let value = (size.saturating_sub(NODES as u32)).min(1 << 14) + 1;
        let mut bits = 0_u32;
        while bits < 15 && self.tails[bits as usize].code(coder, value.ilog2() > bits) {
            bits += 1;
        }
        found + (1 << bits | coder.raw(value, bits)) - 1
    }
}

/// Levels become rarer with their size and their place.
fn fresh() -> Vec<Cell> {
    let mut cells = Vec::with_capacity(OPINIONS * KINDS * CONTEXTS * NODES);
    for opinion in 0..OPINIONS {
        for _ in 0..KINDS {
            for context in 0..CONTEXTS as i32 {
                for node in 0..NODES {
                    let more = match (opinion, node) {
                        (0, 0) => 60 - 5 * (context % 8 + context / 8),
                        (1, 0) => 12 + 14 * (context / 8) + 8 * (context % 8),
                        (2, 0) => 12 + 10 * (context / 4),
                        (_, 0) => 35,
                        (1, _) => 12 + 8 * (context / 8),
                        (2, _) => 12 + 5 * (context / 4),
                        _ => 30,
                    };
                    cells.push(Cell::known((more.clamp(3_i32, 85) * 655) as u16, 2));
                }
            }
        }
    }
    cells
}

/// Places by rising frequency.
pub const ZIGZAG: [u8; 64] = {
    let (mut places, mut i, mut diagonal) = ([0; 64], 0, 0);
    while diagonal < 15 {
        let mut along = 0;
        while along <= diagonal {
            let (x, y) =
                if diagonal % 2 == 1 { (diagonal - along, along) } else { (along, diagonal - along) };
            if x < 8 && y < 8 {
                places[i] = (8 * y + x) as u8;
                i += 1;
            }
            along += 1;
        }
        diagonal += 1;
    }
    places
};
