//! Opens zlib streams (RFC 1950, 1951) into a block whose size is known: no window, no state, nothing beyond the block.

use super::code::{DISTANCES, LENGTHS, ORDER};
use super::{Refused, runs::adler};

/// Opens streams, and holds the tables for it.
#[derive(Clone, Debug)]
pub struct Inflater {
    symbols: Table,
    distances: Table,
}

impl Inflater {
    pub fn new() -> Inflater {
        Inflater { symbols: Table::new(true), distances: Table::new(false) }
    }

    /// Opens a stream that fills `out` exactly. What holds more is a bomb and is left where it says so.
    pub fn inflate(&mut self, compressed: &[u8], out: &mut [u8]) -> Result<(), Refused> {
        let Some(([method, flags], rest)) = compressed.split_first_chunk::<2>() else {
            return Err(Refused::Size);
        };
        // a window of up to 32 kB, no dictionary, and a check
        let known = method & 15 == 8 && method >> 4 <= 7 && flags & 32 == 0;
        if !known || u16::from_be_bytes([*method, *flags]) % 31 != 0 {
            return Err(Refused::Deflate);
        }
        let (mut bits, mut at) = (Bits { all: rest, rest, held: 0, count: 0, lent: 0 }, 0);
        loop {
            bits.fill();
            let last = bits.take(1) == 1;
            match bits.take(2) {
                0 => at = stored(&mut bits, out, at)?,
                1 => {
                    self.fixed()?;
                    at = self.block(&mut bits, out, at)?;
                }
                2 => {
                    self.told(&mut bits)?;
                    at = self.block(&mut bits, out, at)?;
                }
                _ => return Err(Refused::Deflate),
            }
            if last {
                break;
            }
        }
        bits.drop_to_byte();
        bits.fill();
        let sum = (bits.take(32) as u32).swap_bytes();
        match at == out.len() && bits.is_whole() {
            false => Err(Refused::Size),
            true if sum != adler(out) => Err(Refused::Deflate),
            true => Ok(()),
        }
    }

    /// A block under the two codes.
    fn block(&self, bits: &mut Bits<'_>, out: &mut [u8], mut at: usize) -> Result<usize, Refused> {
        loop {
            at += self.symbols.bytes(bits, &mut out[at..]);
            bits.fill();
            let mut symbol = self.symbols.read(bits)?;
            // two of the longest codes leave enough for a length with its bits
            for _ in 0..2 {
                if symbol >= 256 {
                    break;
                }
                *out.get_mut(at).ok_or(Refused::Size)? = symbol as u8;
                at += 1;
                symbol = self.symbols.read(bits)?;
            }
            match usize::from(symbol) {
                byte @ 0..256 => {
                    *out.get_mut(at).ok_or(Refused::Size)? = byte as u8;
                    at += 1;
                }
                256 => return if bits.is_whole() { Ok(at) } else { Err(Refused::Size) },
                length => {
                    bits.fill();
                    let (base, more) = *LENGTHS.get(length - 257).ok_or(Refused::Deflate)?;
                    let length = usize::from(base) + bits.take(more) as usize;
                    let symbol = self.distances.read(bits)?;
                    let (base, more) = *DISTANCES.get(usize::from(symbol)).ok_or(Refused::Deflate)?;
                    let distance = usize::from(base) + bits.take(more) as usize;
                    at = repeat(out, at, distance, length)?;
                }
            }
        }
    }

    fn fixed(&mut self) -> Result<(), Refused> {
        let length = |symbol: usize| match symbol {
            0..144 | 280.. => 8,
            144..256 => 9,
            256..280 => 7,
        };
        self.symbols.make(&std::array::from_fn::<u8, 288, _>(length))?;
        self.distances.make(&[5; 30])
    }

    /// Reads the two codes.
    fn told(&mut self, bits: &mut Bits<'_>) -> Result<(), Refused> {
        let (symbols, distances) = (257 + bits.take(5) as usize, 1 + bits.take(5) as usize);
        let told = 4 + bits.take(4) as usize;
        let mut lengths = [0_u8; 320];
        for symbol in &ORDER[..told] {
            bits.fill();
            lengths[*symbol] = bits.take(3) as u8;
        }
        self.distances.make(&lengths[..19])?;
        let mut at = 0;
        lengths.fill(0);
        while at < symbols + distances {
            bits.fill();
            let symbol = self.distances.read(bits)? as u8;
            let (length, times) = match symbol {
                0..16 => (symbol, 1),
                16 if at > 0 => (lengths[at - 1], 3 + bits.take(2)),
                16 => return Err(Refused::Deflate),
                17 => (0, 3 + bits.take(3)),
                _ => (0, 11 + bits.take(7)),
            };
            let to = lengths[..symbols + distances].get_mut(at..at + times as usize);
            to.ok_or(Refused::Deflate)?.fill(length);
            at += times as usize;
        }
        if !bits.is_whole() {
            return Err(Refused::Size);
        }
        self.symbols.make(&lengths[..symbols])?;
        self.distances.make(&lengths[symbols..symbols + distances])
    }
}

/// A block of bytes as they are.
fn stored(bits: &mut Bits<'_>, out: &mut [u8], at: usize) -> Result<usize, Refused> {
    bits.drop_to_byte();
    bits.fill();
    let (length, check) = (bits.take(16) as u16, bits.take(16) as u16);
    if !bits.is_whole() {
        return Err(Refused::Size);
    }
    if length != !check {
        return Err(Refused::Deflate);
    }
    let bytes = bits.bytes(length.into()).ok_or(Refused::Size)?;
    out.get_mut(at..at + bytes.len()).ok_or(Refused::Size)?.copy_from_slice(bytes);
    Ok(at + bytes.len())
}

/// Copies what was before.
fn repeat(out: &mut [u8], at: usize, distance: usize, length: usize) -> Result<usize, Refused> {
    let from = at.checked_sub(distance).ok_or(Refused::Deflate)?;
    let end = at + length;
    let filled = out.get_mut(from..end).ok_or(Refused::Size)?;
    match distance {
        1 => {
            let byte = filled[0];
            filled.fill(byte);
        }
        _ if distance >= length => filled.copy_within(..length, distance),
        _ => (distance..filled.len()).for_each(|i| filled[i] = filled[i - distance]),
    }
    Ok(end)
}

/// Bits of bytes, the lowest first; behind the end zeros, which are counted.
struct Bits<'a> {
    all: &'a [u8],
    rest: &'a [u8],
    held: u64,
    count: u32,
    /// Bits behind the end that are held or were read.
    lent: u32,
}

impl<'a> Bits<'a> {
    /// Holds 56 bits or more.
    #[inline]
    fn fill(&mut self) {
        if let Some(next) = self.rest.first_chunk::<8>() {
            self.held |= u64::from_le_bytes(*next) << self.count;
            self.rest = &self.rest[(63 - self.count as usize) / 8..];
            self.count |= 56;
            return;
        }
        while self.count <= 56 {
            match self.rest.split_first() {
                Some((byte, rest)) => {
                    self.held |= u64::from(*byte) << self.count;
                    self.rest = rest;
                }
                None => self.lent += 8,
            }
            self.count += 8;
        }
    }

    #[inline]
    fn take(&mut self, count: u8) -> u64 {
        let taken = self.held & ((1 << count) - 1);
        self.held >>= count;
        self.count -= u32::from(count);
        taken
    }

    /// Passes as many as the lowest six bits of an entry say.
    #[inline]
    fn drop(&mut self, entry: u64) {
        self.held >>= entry & 63;
        self.count = self.count.wrapping_sub(entry as u32 & 63);
    }

    fn drop_to_byte(&mut self) {
        self.take((self.count % 8) as u8);
    }

    /// Whole bytes, after [`Bits::drop_to_byte`].
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        // what is held was taken from just before the rest
        let held = (self.count.checked_sub(self.lent)? / 8) as usize;
        let all = self.all.get(self.all.len() - self.rest.len() - held..)?;
        let (bytes, rest) = all.split_at_checked(count)?;
        (self.rest, self.held, self.count, self.lent) = (rest, 0, 0, 0);
        Some(bytes)
    }

    /// Whether nothing behind the end was read.
    fn is_whole(&self) -> bool {
        self.lent <= self.count
    }
}

/// A code to read by: all of up to ten bits at once, longer ones by their lengths.
#[derive(Clone, Debug)]
struct Table {
    /// Of the next ten bits: the symbol above, its length in the lowest six; nothing where it is longer or there is none.
    fast: Box<[u16; 1 << FAST]>,
    /// Of the next eight bits, where single bytes are short: up to four of them, how many there are, and how long they are
    /// together in the lowest six.
    several: Option<Box<[u64; 1 << SEVERAL]>>,
    /// Whether it is of use.
    has_several: bool,
    /// Symbols by their codes.
    sorted: [u16; 288],
    /// Which of the next bits are looked up.
    mask: usize,
    /// Of each length: the first code, how many there are, and where they begin in `sorted`.
    lengths: [(u16, u16, u16); 16],
}

const FAST: usize = 10;
const SEVERAL: usize = 8;
/// Where a symbol begins beside its length.
const SYMBOL: u32 = 6;

impl Table {
    /// `bytes`: whether it will read bytes.
    fn new(bytes: bool) -> Table {
        Table {
            fast: Box::new([0; 1 << FAST]),
            several: bytes.then(|| Box::new([0; 1 << SEVERAL])),
            has_several: false,
            sorted: [0; 288],
            mask: 0,
            lengths: [(0, 0, 0); 16],
        }
    }

    fn make(&mut self, lengths: &[u8]) -> Result<(), Refused> {
        let mut counts = [0_u16; 16];
        lengths.iter().for_each(|length| counts[usize::from(*length & 15)] += 1);
        counts[0] = 0;
        let taken: u32 = (1..16).map(|length| u32::from(counts[length]) << (15 - length)).sum();
        if taken > 1 << 15 {
            return Err(Refused::Deflate);
        }
        let (mut next, mut places) = ([0_u16; 16], [0_u16; 16]);
        let (mut before, mut first) = (0, 0_u16);
        for length in 1..16 {
            first = first.wrapping_add(counts[length - 1]) << 1;
            next[length] = first;
            self.lengths[length] = (first, counts[length], before);
            places[length] = before;
            before += counts[length];
        }
        let longest = counts.iter().rposition(|count| *count > 0).unwrap_or(0).min(FAST);
        self.mask = (1 << longest) - 1;
        let fast = &mut self.fast[..1 << longest];
        fast.fill(0);
        let mut room = 0;
        for (symbol, length) in lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
            let length = usize::from(*length & 15);
            self.sorted[usize::from(places[length])] = symbol as u16;
            places[length] += 1;
            let code = usize::from(next[length].reverse_bits() >> (16 - length));
            next[length] += 1;
            if length <= FAST {
                let entry = (symbol << SYMBOL | length) as u16;
                fast[code..].iter_mut().step_by(1 << length).for_each(|place| *place = entry);
            }
            room += if symbol < 256 && length <= 3 { 8 >> length } else { 0 };
        }
        // whether most of the codes' room, in eighths, belongs to bytes of up to three bits
        self.has_several = room >= 5 && self.several.is_some();
        if let (Some(several), true) = (&mut self.several, self.has_several) {
            join(fast, several);
        }
        Ok(())
    }

    /// Reads single bytes of short codes into `out`, several at once, as long as there are some: how many.
    #[inline]
    fn bytes(&self, bits: &mut Bits<'_>, out: &mut [u8]) -> usize {
        let mut read = 0;
        if let (Some(several), true) = (&self.several, self.has_several) {
            // two of up to four each
            while let Some(room) = out.get_mut(read..).and_then(<[u8]>::first_chunk_mut::<8>) {
                bits.fill();
                let first = several[bits.held as usize & ((1 << SEVERAL) - 1)];
                bits.drop(first);
                let second = several[bits.held as usize & ((1 << SEVERAL) - 1)];
                bits.drop(second);
                let count = first >> 8 & 7;
                *room = (first >> 32 | second >> 32 << (8 * count)).to_le_bytes();
                read += (count + (second >> 8 & 7)) as usize;
                if second == 0 {
                    return read;
                }
            }
        }
        for four in out[read..].as_chunks_mut::<4>().0 {
            bits.fill();
            for byte in four {
                let entry = self.fast[bits.held as usize & self.mask];
                // nothing, or no byte
                if entry.wrapping_sub(1) >= (256 << SYMBOL) - 1 {
                    return read;
                }
                bits.drop(entry.into());
                *byte = (entry >> SYMBOL) as u8;
                read += 1;
            }
        }
        read
    }

    #[inline]
    fn read(&self, bits: &mut Bits<'_>) -> Result<u16, Refused> {
        let entry = self.fast[bits.held as usize & self.mask];
        if entry == 0 {
            return self.long(bits);
        }
        bits.drop(entry.into());
        Ok(entry >> SYMBOL)
    }

    #[cold]
    fn long(&self, bits: &mut Bits<'_>) -> Result<u16, Refused> {
        let turned = (bits.held as u16).reverse_bits();
        for length in FAST + 1..16 {
            let (first, count, begin) = self.lengths[length];
            let beyond = (turned >> (16 - length)).wrapping_sub(first);
            if beyond < count {
                bits.take(length as u8);
                return Ok(self.sorted[usize::from(begin + beyond)]);
            }
        }
        Err(if bits.is_whole() { Refused::Deflate } else { Refused::Size })
    }
}

/// Of single symbols those bytes that fit into eight bits together.
fn join(fast: &[u16], several: &mut [u64; 1 << SEVERAL]) {
    // short bytes alone: as they are there; of all others nothing, and more bits than fit
    let mut alone = [(0_u8, 0_u8); 1 << SEVERAL];
    for (bits, alone) in alone.iter_mut().enumerate() {
        let entry = fast[bits & (fast.len() - 1)];
        let fits = entry.wrapping_sub(1) < (256 << SYMBOL) - 1;
        *alone = (if fits { entry as u8 & 63 } else { 63 }, (entry >> SYMBOL) as u8);
    }
    for (bits, joined) in several.iter_mut().enumerate() {
        let (mut width, mut entry, mut place) = (0_u64, 0_u64, 0_u64);
        for _ in 0..4 {
            let (more, byte) = alone[bits >> width];
            if width + u64::from(more) > SEVERAL as u64 {
                break;
            }
            entry |= u64::from(byte) << (32 + 8 * place);
            (width, place) = (width + u64::from(more), place + 1);
        }
        *joined = entry | place << 8 | width;
    }
}

#[cfg(test)]
mod tests {
    use super::super::runs::Runs;
    use super::*;
    use flate2::{Compress, Compression, FlushCompress};

    fn bytes(seed: u32, length: usize, kinds: u32) -> Vec<u8> {
        let mut state = seed;
        let mut bytes: Vec<u8> = Vec::new();
        while bytes.len() < length {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let draw = (state >> 8) % (kinds * kinds);
            // small ones are frequent, and what was before comes again
            match bytes.len().checked_sub(700) {
                Some(from) if draw < 2 => bytes.extend_from_within(from..from + 40 + draw as usize),
                _ => bytes.push(draw.isqrt() as u8),
            }
        }
        bytes.truncate(length);
        bytes
    }

    #[test]
    fn streams_of_every_kind_open() {
        for (case, level) in (0..60).zip([0, 1, 6, 9].into_iter().cycle()) {
            let (kinds, length) = ([1, 2, 12, 250][case % 4], [0, 1, 2_048, 4_096, 70_000][case % 5]);
            let bytes = bytes(case as u32 * 7 + 1, length, kinds);
            let mut packed = Vec::with_capacity(2 * length + 100);
            let mut compress = Compress::new(Compression::new(level), true);
            compress.compress_vec(&bytes, &mut packed, FlushCompress::Finish).unwrap();
            let mut out = vec![1; length];
            assert_eq!(Inflater::new().inflate(&packed, &mut out), Ok(()), "{case}");
            assert!(out == bytes, "{case}");
            packed.clear();
            Runs::new().deflate(&bytes, &mut packed);
            assert_eq!(Inflater::new().inflate(&packed, &mut out), Ok(()), "{case}");
            assert!(out == bytes, "{case}");
        }
        // fixed codes, as zlib makes them of little
        let mut out = [0; 5];
        let fixed = [0x78, 0x9c, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x06, 0x2c, 0x02, 0x15];
        assert_eq!(Inflater::new().inflate(&fixed, &mut out), Ok(()));
        assert_eq!(&out, b"hello");
    }

    /// Whatever is changed, cut or made up: what another hand opens we open to the same, and nothing else.
    #[test]
    fn garbage_is_refused_as_another_hand_refuses_it() {
        let (mut state, mut opened) = (1_u32, 0);
        let mut draw = |most: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % most
        };
        let mut inflater = Inflater::new();
        for case in 0..4_000 {
            let told = bytes(case, 600, [2, 12, 250][case as usize % 3]);
            let mut packed = Vec::with_capacity(2_000);
            let mut compress = Compress::new(Compression::new(case % 10), true);
            compress.compress_vec(&told, &mut packed, FlushCompress::Finish).unwrap();
            match case % 4 {
                0 => packed.truncate(draw(packed.len())),
                1 => packed[2..].iter_mut().for_each(|byte| *byte = draw(256) as u8),
                _ => {
                    let at = draw(packed.len());
                    packed[at] ^= 1 << draw(8);
                }
            }
            let mut out = vec![0; 600];
            let ours = inflater.inflate(&packed, &mut out);
            let theirs = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&packed, 600);
            if let Ok(theirs) = &theirs
                && theirs.len() == 600
            {
                assert!(ours.is_ok() && out == *theirs, "{case}: {ours:?}");
            } else {
                assert!(ours.is_err(), "{case}: {:?}", theirs.map(|theirs| theirs.len()));
            }
            opened += usize::from(ours.is_ok());
        }
        assert!(opened < 400, "{opened}");
    }
}
