//! Holds chunks until it is their turn to be played.

use crate::{Chunk, ChunkNumber};

/// A ring of cells in which chunks wait to be played in order, and from which they are passed on meanwhile.
///
/// A chunk is played once all before it are; one that is missing is declared lost when a chunk half a buffer later has
/// come. Numbers up to twice the buffer's size ahead of what is to be played next are accepted, and none that was
/// played or declared lost already, so that neither a late copy nor a forged number disturbs the order.
#[derive(Clone, Debug)]
pub struct ChunkBuffer {
    size: u64,
    /// Twice the size, by number; what was played stays until its cell is needed.
    cells: Vec<Option<Chunk>>,
    span: Option<Span>,
    pace: Pace,
}

/// From the next chunk to play to the highest number that has come.
#[derive(Clone, Copy, Debug)]
struct Span {
    next: ChunkNumber,
    highest: ChunkNumber,
    /// Whether half a buffer has come, once.
    filled: bool,
}

/// When a chunk is played that is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// As soon as all before it are: what comes late is hidden by the player's own buffer.
    #[default]
    Eager,
    /// When a chunk half a buffer later has come, as in the reference implementations.
    Half,
}

/// What became of a chunk put into the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It had not come before.
    New,
    /// It is there already, or was and is played.
    Duplicate,
    /// It was declared lost, or its cell is needed by now.
    Late,
    /// Its number is further ahead than the buffer goes.
    Early,
}

/// What is played next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Played {
    /// A chunk.
    Chunk(Chunk),
    /// Nothing, in the place of a chunk that did not come in time.
    Lost(ChunkNumber),
}

impl ChunkBuffer {
    /// An empty buffer of `size` chunks, at least two and at most 65,535.
    pub fn new(size: u16, pace: Pace) -> ChunkBuffer {
        let size = u64::from(size.max(2));
        ChunkBuffer { size, cells: vec![None; 2 * size as usize], span: None, pace }
    }

    /// Puts a chunk into its cell. The first one that comes is the first to be played.
    pub fn put(&mut self, chunk: Chunk) -> Put {
        let number = chunk.number;
        let first = Span { next: number, highest: number, filled: false };
        let span = self.span.get_or_insert(first);
        if number.ahead_of(span.next) >= 2 * self.size {
            return Put::Early;
        }
        let at = (number.0 % (2 * self.size)) as usize;
        let cell = &mut self.cells[at];
        if cell.as_ref().is_some_and(|held| held.number == number) {
            return Put::Duplicate;
        }
        if number < span.next {
            return Put::Late;
        }
        span.highest = span.highest.max(number);
        *cell = Some(chunk);
        Put::New
    }

    /// What is played next, if it is time: to be asked until there is nothing more.
    pub fn play(&mut self) -> Option<Played> {
        let half = self.size / 2;
        let span = self.span.as_mut()?;
        if span.next > span.highest {
            return None;
        }
        let waited = span.highest.ahead_of(span.next) >= half;
        span.filled |= waited;
        let number = span.next;
        let found = self.cells[(number.0 % (2 * self.size)) as usize].as_ref();
        let held = found.filter(|chunk| chunk.number == number).cloned();
        match held {
            Some(chunk) if waited || self.pace == Pace::Eager => {
                span.next = number.next();
                Some(Played::Chunk(chunk))
            }
            None if waited => {
                span.next = number.next();
                Some(Played::Lost(number))
            }
            _ => None,
        }
    }

    /// The chunk that what waits is waiting for, if there is one.
    pub fn hole(&self) -> Option<ChunkNumber> {
        let span = self.span.filter(|span| span.next <= span.highest)?;
        self.get(span.next).is_none().then_some(span.next)
    }

    /// Gives up what is missing in front of the next chunk that is there.
    pub fn skip(&mut self) -> impl Iterator<Item = ChunkNumber> + use<> {
        let from = self.span.map_or(0, |span| span.next.0);
        let mut to = from;
        while self.span.is_some_and(|span| to <= span.highest.0) && self.get(ChunkNumber(to)).is_none() {
            to += 1;
        }
        if let Some(span) = &mut self.span {
            span.next = ChunkNumber(to);
        }
        (from..to).map(ChunkNumber)
    }

    /// Forgets all that waits and goes on at `number`, where the stream is by now.
    pub fn restart(&mut self, number: ChunkNumber) {
        self.cells.iter_mut().for_each(|cell| *cell = None);
        self.span = Some(Span { next: number, highest: number, filled: false });
    }

    /// Whether a number is so far behind that no delay explains it.
    pub fn is_long_past(&self, number: ChunkNumber) -> bool {
        self.span.is_some_and(|span| span.next.ahead_of(number) > 2 * self.size)
    }

    /// The chunk of this number, if it is still held.
    pub fn get(&self, number: ChunkNumber) -> Option<&Chunk> {
        let cell = self.cells[(number.0 % (2 * self.size)) as usize].as_ref();
        cell.filter(|chunk| chunk.number == number)
    }

    /// The highest number that has come.
    pub fn highest(&self) -> Option<ChunkNumber> {
        self.span.map(|span| span.highest)
    }

    /// The number that is to be played next.
    pub fn next(&self) -> Option<ChunkNumber> {
        self.span.map(|span| span.next)
    }

    /// Whether half a buffer has come, once.
    pub fn is_filled(&self) -> bool {
        self.span.is_some_and(|span| span.filled)
    }

    /// The numbers that are missing between what is played next and `behind` chunks before the highest.
    pub fn missing(&self, behind: u64) -> impl Iterator<Item = ChunkNumber> + '_ {
        let (from, to) = match self.span {
            Some(span) => (span.next.0, span.highest.0.saturating_sub(behind).max(span.next.0)),
            None => (0, 0),
        };
        (from..to).map(ChunkNumber).filter(|number| self.get(*number).is_none())
    }

    /// How many chunks it holds for playing by the rules' count.
    pub fn size(&self) -> u64 {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn chunk(number: u64) -> Chunk {
        Chunk { number: ChunkNumber(number), data: Bytes::new(), origin: ([10, 0, 0, 1], 1).into() }
    }

    fn played(buffer: &mut ChunkBuffer) -> Vec<i64> {
        std::iter::from_fn(|| buffer.play())
            .map(|played| match played {
                Played::Chunk(chunk) => chunk.number.0 as i64,
                Played::Lost(number) => -(number.0 as i64),
            })
            .collect()
    }

    #[test]
    fn chunks_are_played_in_order_and_a_hole_after_half_a_buffer() {
        let mut buffer = ChunkBuffer::new(8, Pace::Eager);
        for number in [10, 12, 11, 14] {
            assert_eq!(buffer.put(chunk(number)), Put::New);
        }
        assert_eq!(played(&mut buffer), [10, 11, 12]);
        let _ = [15, 16].map(|number| buffer.put(chunk(number)));
        assert_eq!(played(&mut buffer), []);
        buffer.put(chunk(17));
        assert_eq!(played(&mut buffer), [-13, 14, 15, 16, 17]);
        assert_eq!(buffer.put(chunk(13)), Put::Late);
    }

    #[test]
    fn a_hole_is_skipped_at_once_where_that_is_wanted() {
        let mut buffer = ChunkBuffer::new(8, Pace::Eager);
        for number in [10, 13, 14] {
            buffer.put(chunk(number));
        }
        assert_eq!((played(&mut buffer), buffer.hole()), (vec![10], Some(ChunkNumber(11))));
        assert!(buffer.skip().eq([11, 12].map(ChunkNumber)));
        assert_eq!((played(&mut buffer), buffer.hole()), (vec![13, 14], None));
    }

    #[test]
    fn the_reference_pace_keeps_half_a_buffer() {
        let mut buffer = ChunkBuffer::new(8, Pace::Half);
        for number in 10..14 {
            buffer.put(chunk(number));
            assert_eq!(played(&mut buffer), []);
        }
        buffer.put(chunk(14));
        assert_eq!(played(&mut buffer), [10]);
    }
}
