//! Makes zlib streams quickly: single bytes and runs of one byte, under Huffman codes made for the stream (RFC 1950, 1951).
//!
//! That is all there is to find in planes of quantized coefficients: signs and sizes hardly ever come twice in the same order,
//! so a search for longer matches costs most of zlib's time and brings less than the right lengths of codes do.

use super::code::{self, Code};

/// Makes streams, and holds what it needs for it. Nothing is allocated but what the stream itself takes.
#[derive(Clone, Debug)]
pub struct Runs {
    pieces: Vec<Piece>,
    symbols: Code<SYMBOLS>,
    lengths: Code<19>,
    /// Lengths of all codes as they are told: a symbol of the third code in the low byte, its extra bits above.
    told: Vec<u16>,
    /// Each byte's bits, and how many they are from [`WIDTH`] on.
    written: Box<[u32; 256]>,
}

/// Bytes as they are, and then a run of the last one.
#[derive(Clone, Copy, Debug)]
struct Piece {
    bytes: usize,
    /// 3 to 258.
    run: usize,
}

impl Runs {
    pub fn new() -> Runs {
        Runs {
            pieces: Vec::new(),
            symbols: Code::new(),
            lengths: Code::new(),
            told: Vec::with_capacity(SYMBOLS + 2),
            written: Box::new([0; 256]),
        }
    }

    /// Appends `bytes` to `out`, compressed.
    pub fn deflate(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.reserve(bytes.len() + bytes.len() / 1_000 + 64);
        out.extend_from_slice(&[0x78, 0xda]);
        self.parse(bytes);
        let dynamic = self.prepare();
        if dynamic < 8 * bytes.len() + 40 * (1 + bytes.len() / STORED) {
            self.write(bytes, dynamic, out);
        } else {
            store(bytes, out);
        }
        out.extend_from_slice(&adler(bytes).to_be_bytes());
    }

    /// Finds runs that cost less as runs than byte by byte. Short ones are not looked for where bytes cost little. Only every
    /// few bytes it is asked whether some are the same, since what the next sign is no processor foresees.
    fn parse(&mut self, bytes: &[u8]) {
        let counts = count(bytes);
        // in eighths of a bit
        let log = |x: u32| 8 * x.max(1).ilog2() + (x << 3 >> x.max(1).ilog2() & 7);
        let whole = log(bytes.len() as u32);
        let costs = counts.map(|count| (whole - log(count)).max(8));
        // any run of as many and of a stride holds so many beside each other
        let (same, stride) =
            if costs.iter().min().is_some_and(|least| *least >= 14) { (4, 3) } else { (6, 4) };
        let mask = u64::MAX >> (64 - 8 * (same - 1));
        self.symbols.counts.fill(0);
        self.symbols.counts[..256].copy_from_slice(&counts);
        self.symbols.counts[END] = 1;
        self.pieces.clear();
        let (mut at, mut from) = (0, 0);
        while let Some(next) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let word = u64::from_le_bytes(*next);
            if (word ^ word >> 8) & mask != 0 {
                at += stride;
                continue;
            }
            let byte = next[0];
            let begun = bytes[from..at].iter().rev().take_while(|before| **before == byte).count();
            let end = at + same + leading(&bytes[at + same..], byte);
            let (first, cost) = (at - begun, costs[usize::from(byte)]);
            at = end;
            let mut run = end - first - 1;
            while run >= 3 && run as u32 * cost > RUN_COST {
                let length = if run > 258 { run.min(258) - if run < 261 { 3 } else { 0 } } else { run };
                let begin = end - run;
                self.pieces.push(Piece { bytes: begin - from, run: length });
                from = begin + length;
                self.symbols.counts[usize::from(byte)] -= length as u32;
                self.symbols.counts[usize::from(LENGTHS[length - 3].symbol)] += 1;
                run -= length;
            }
        }
    }

    /// Makes the codes: how many bits it all takes.
    fn prepare(&mut self) -> usize {
        self.symbols.make(LONGEST);
        let used = self.symbols.lengths.iter().rposition(|length| *length > 0).map_or(257, |last| last + 1);
        // one distance, of one bit
        self.told.clear();
        self.lengths.counts.fill(0);
        tell(&self.symbols.lengths[..used.max(257)], &mut self.told);
        tell(&[1], &mut self.told);
        self.told.iter().for_each(|told| self.lengths.counts[usize::from(*told & 0xff)] += 1);
        self.lengths.make(7);
        let mut bits = 17 + 3 * 19;
        for told in &self.told {
            bits += usize::from(self.lengths.lengths[usize::from(*told & 0xff)]) + 7;
        }
        let symbols = self.symbols.counts.iter().zip(&self.symbols.lengths).enumerate();
        for (symbol, (count, length)) in symbols {
            let extra = if symbol > END { 6 } else { 0 };
            bits += *count as usize * (usize::from(*length) + extra);
        }
        bits
    }

    fn write(&mut self, bytes: &[u8], bits: usize, out: &mut Vec<u8>) {
        let began = out.len();
        out.resize(began + bits.div_ceil(8) + 16, 0);
        let mut bits = Bits { out: &mut out[began..], at: 0, held: 0, count: 0 };
        bits.put(1 | 2 << 1, 3); // the last block, of codes made for it
        let used = self.symbols.lengths.iter().rposition(|length| *length > 0).map_or(257, |last| last + 1);
        let ordered = code::ORDER.map(|symbol| self.lengths.lengths[symbol]);
        let last = ordered.iter().rposition(|length| *length > 0).map_or(4, |last| (last + 1).max(4));
        bits.put((used.max(257) - 257) as u64 | ((last - 4) as u64) << 10, 14);
        ordered[..last].iter().for_each(|length| bits.put(u64::from(*length), 3));
        for told in &self.told {
            let symbol = usize::from(told & 0xff);
            bits.put(u64::from(self.lengths.codes[symbol]), self.lengths.lengths[symbol].into());
            bits.put(u64::from(told >> 8), [0, 2, 3, 7][symbol.saturating_sub(15)]);
        }
        let Code { codes, lengths, .. } = &self.symbols;
        for ((written, code), length) in self.written.iter_mut().zip(codes).zip(lengths) {
            *written = u32::from(*code) | u32::from(*length) << WIDTH;
        }
        let mut rest = bytes;
        for piece in &self.pieces {
            bits.bytes(&self.written, &rest[..piece.bytes]);
            rest = &rest[piece.bytes + piece.run..];
            let length = LENGTHS[piece.run - 3];
            let symbol = usize::from(length.symbol);
            let width = u32::from(lengths[symbol]);
            // the distance's only bit is 0
            let code = u64::from(codes[symbol]) | u64::from(length.more) << width;
            bits.put(code, width + u32::from(length.bits) + 1);
        }
        bits.bytes(&self.written, rest);
        bits.put(codes[END].into(), lengths[END].into());
        let length = bits.at + bits.count.div_ceil(8) as usize;
        out.truncate(began + length);
    }
}

/// How many of the first bytes are `byte`.
fn leading(bytes: &[u8], byte: u8) -> usize {
    let same = u64::from(byte) * 0x0101_0101_0101_0101;
    let (eights, _) = bytes.as_chunks::<8>();
    for (number, eight) in eights.iter().enumerate() {
        let other = u64::from_le_bytes(*eight) ^ same;
        if other != 0 {
            return 8 * number + other.trailing_zeros() as usize / 8;
        }
    }
    let whole = 8 * eights.len();
    whole + bytes[whole..].iter().take_while(|next| **next == byte).count()
}

/// How often each byte comes: in four tables, since a processor waits for a count that it has just written.
fn count(bytes: &[u8]) -> [u32; 256] {
    let mut counts = [[0_u32; 256]; 4];
    let (fours, rest) = bytes.as_chunks::<4>();
    for four in fours {
        for (counts, byte) in counts.iter_mut().zip(four) {
            counts[usize::from(*byte)] += 1;
        }
    }
    rest.iter().for_each(|byte| counts[0][usize::from(*byte)] += 1);
    std::array::from_fn(|byte| counts.iter().map(|counts| counts[byte]).sum())
}

/// Where the number of a byte's bits begins.
const WIDTH: u32 = 16;
/// The longest code of a byte: four of them, and seven bits, are held at once.
const LONGEST: u8 = 14;
/// The end of a block.
const END: usize = 256;
/// Single bytes, the end, and lengths of runs.
const SYMBOLS: usize = 286;
/// About what a run's length and distance take, in eighths of a bit.
const RUN_COST: u32 = 8 * 8;
/// The longest stored block.
const STORED: usize = 65_535;

/// Blocks of bytes as they are.
fn store(bytes: &[u8], out: &mut Vec<u8>) {
    let count = bytes.len().div_ceil(STORED).max(1);
    for (number, block) in bytes.chunks(STORED).enumerate() {
        out.push(u8::from(number + 1 == count));
        out.extend_from_slice(&(block.len() as u16).to_le_bytes());
        out.extend_from_slice(&(!(block.len() as u16)).to_le_bytes());
        out.extend_from_slice(block);
    }
    if bytes.is_empty() {
        out.extend_from_slice(&[1, 0, 0, 0xff, 0xff]);
    }
}

/// The lengths of a code as RFC 1951, 3.2.7 tells them: repetitions together.
fn tell(lengths: &[u8], told: &mut Vec<u16>) {
    let mut rest = lengths;
    while let Some(&length) = rest.first() {
        let mut run = rest.iter().position(|next| *next != length).unwrap_or(rest.len());
        rest = &rest[run..];
        if length > 0 {
            told.push(length.into());
            run -= 1;
        }
        let (symbol, least, most) = if length > 0 { (16, 3, 6) } else { (18, 11, 138) };
        while run >= least {
            let here = run.min(most);
            told.push(symbol | ((here - least) as u16) << 8);
            run -= here;
        }
        if length == 0 && run >= 3 {
            told.push(17 | ((run - 3) as u16) << 8);
            run = 0;
        }
        told.extend(std::iter::repeat_n(u16::from(length), run));
    }
}

/// A length's symbol, and what of it follows as bits.
#[derive(Clone, Copy)]
struct Length {
    symbol: u16,
    bits: u8,
    more: u8,
}

/// Of 3 to 258.
static LENGTHS: [Length; 256] = {
    let mut lengths = [Length { symbol: 0, bits: 0, more: 0 }; 256];
    let (mut symbol, mut at) = (0, 0);
    while symbol < 29 {
        let (base, bits) = code::LENGTHS[symbol];
        let mut more = 0;
        while more < 1 << bits && at < 256 && base as usize - 3 + more < 256 {
            at = base as usize - 3 + more;
            lengths[at] = Length { symbol: 257 + symbol as u16, bits, more: more as u8 };
            more += 1;
        }
        symbol += 1;
    }
    lengths
};

/// Bits into bytes, the lowest first, eight bytes ahead of what is complete.
struct Bits<'a> {
    out: &'a mut [u8],
    at: usize,
    held: u64,
    count: u32,
}

impl Bits<'_> {
    /// Up to 56 bits.
    #[inline]
    fn put(&mut self, value: u64, count: u32) {
        self.held |= value << self.count;
        self.count += count;
        if let Some(next) = self.out.get_mut(self.at..self.at + 8) {
            next.copy_from_slice(&self.held.to_le_bytes());
        }
        self.at += (self.count / 8) as usize;
        self.held >>= self.count & !7;
        self.count &= 7;
    }

    /// Bytes by their codes, four at once: each waits only for how long those before it are.
    #[inline]
    fn bytes(&mut self, written: &[u32; 256], bytes: &[u8]) {
        let (fours, rest) = bytes.as_chunks::<4>();
        for four in fours {
            let (mut code, mut width) = (0, 0);
            for byte in four {
                let written = written[usize::from(*byte)];
                code |= u64::from(written & 0xffff) << width;
                width += written >> WIDTH;
            }
            self.put(code, width);
        }
        for byte in rest {
            let written = written[usize::from(*byte)];
            self.put(u64::from(written & 0xffff), written >> WIDTH);
        }
    }
}

/// RFC 1950's sum.
pub fn adler(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1_u32, 0_u32);
    for block in bytes.chunks(4_096) {
        // b grows by a before each sixteen, sixteen times, and by each byte as often as it is counted
        let (sixteens, rest) = block.as_chunks::<16>();
        for sixteen in sixteens {
            let (mut sum, mut weighed) = (0_u32, 0_i32);
            for (byte, weight) in sixteen.iter().zip(WEIGHTS) {
                sum += u32::from(*byte);
                weighed += i32::from(i16::from(*byte)) * i32::from(weight);
            }
            b += 16 * a + weighed as u32;
            a += sum;
        }
        for byte in rest {
            a += u32::from(*byte);
            b += a;
        }
        (a, b) = (a % 65_521, b % 65_521);
    }
    b << 16 | a
}

const WEIGHTS: [i16; 16] = [16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_opens_to_what_it_was_made_of_by_another_hand() {
        let mut state = 1_u32;
        let mut draw = |most: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % most
        };
        let mut runs = Runs::new();
        for case in 0..400 {
            let length = [0, 1, 2, 3, 300, 2_048, 5_000, 70_000][case % 8];
            let kinds = [1, 2, 3, 17, 256][case % 5];
            let mut bytes = Vec::new();
            while bytes.len() < length {
                let byte = draw(kinds) as u8;
                let run = if draw(4) == 0 { draw(600) } else { 1 + draw(3) };
                bytes.extend(std::iter::repeat_n(byte, run as usize));
            }
            bytes.truncate(length);
            let mut out = vec![7];
            runs.deflate(&bytes, &mut out);
            let opened = miniz_oxide::inflate::decompress_to_vec_zlib(&out[1..]).unwrap();
            assert_eq!(opened, bytes, "{case}");
            assert!(out.len() <= length + length / 1_000 + 16, "{case}: {} of {length}", out.len());
        }
    }

    /// Counts that grow like Fibonacci's numbers make the longest codes.
    #[test]
    fn codes_stay_as_short_as_they_must() {
        let (mut bytes, mut here, mut next) = (Vec::new(), 1_usize, 1);
        for byte in 0..23 {
            // in pairs of two bytes, so that they are no runs
            (0..here).for_each(|_| bytes.extend([byte, 200]));
            (here, next) = (next, here + next);
        }
        let mut out = Vec::new();
        Runs::new().deflate(&bytes, &mut out);
        assert_eq!(miniz_oxide::inflate::decompress_to_vec_zlib(&out).unwrap(), bytes);
    }
}
