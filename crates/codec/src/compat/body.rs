//! The layouts of a datagram's body: bytes in some order, compressed or not, and their lengths before them.

use super::{Refused, deflate::Deflater, inflate::Inflater};

/// How integers lie in a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// No header at all: interleaved 16 bits.
    Bare,
    /// A number, then interleaved 16 bits.
    Numbered,
    /// A number, then all of it compressed as interleaved 16 bits.
    Raw,
    /// The same, one channel after the other.
    Serial,
    /// One compressed stream a channel; the first one's length after the number.
    SerialReset,
    /// So many byte planes from the most significant one on, each a stream of its own; the lengths of all but the last after
    /// the number.
    Planes {
        /// 2, 3 or 4.
        count: u8,
        /// Whether a plane's bytes are interleaved, rather than one channel after the other.
        interlaced: bool,
    },
}

impl Body {
    /// How many compressed streams there are.
    fn streams(self, channels: usize) -> usize {
        match self {
            Body::Bare | Body::Numbered => 0,
            Body::Raw | Body::Serial => 1,
            Body::SerialReset => channels,
            Body::Planes { count, .. } => usize::from(count),
        }
    }

    /// The number that a datagram carries, if its layout has one.
    pub fn number(self, datagram: &[u8]) -> Option<u16> {
        let (number, _) = datagram.split_first_chunk()?;
        (self != Body::Bare).then_some(u16::from_be_bytes(*number))
    }

    /// What a value of so many bytes is cut to.
    fn bytes(self) -> usize {
        match self {
            Body::Planes { count, .. } => usize::from(count),
            _ => 2,
        }
    }
}

/// Writes and reads one [`Body`].
#[derive(Debug)]
pub struct Press {
    body: Body,
    channels: usize,
    frames: usize,
    deflater: Deflater,
    inflater: Inflater,
    plane: Vec<u8>,
    /// The plane before: signs often are the same in two.
    before: Vec<u8>,
}

impl Press {
    /// For blocks of `frames` frames of `channels` channels.
    pub fn new(body: Body, frames: usize, channels: usize, deflater: Deflater) -> Press {
        let plane = vec![0; frames * channels * 2];
        Press { body, channels, frames, deflater, inflater: Inflater::new(), before: plane.clone(), plane }
    }

    /// Appends a datagram with interleaved `values` to `out`.
    pub fn write(&mut self, number: u16, values: &[i32], out: &mut Vec<u8>) {
        if self.body != Body::Bare {
            out.extend_from_slice(&number.to_be_bytes());
        }
        let streams = self.body.streams(self.channels);
        if streams == 0 {
            return out.extend(values.iter().flat_map(|value| (*value as i16).to_le_bytes()));
        }
        let lengths = out.len();
        out.resize(lengths + 2 * (streams - 1), 0);
        let mut last = out.len();
        for stream in 0..streams {
            let began = out.len();
            std::mem::swap(&mut self.plane, &mut self.before);
            self.lay(stream, values);
            if stream > 0 && self.plane == self.before {
                out.extend_from_within(last..began);
            } else {
                self.deflater.deflate(&self.plane, out);
            }
            last = began;
            if stream + 1 < streams {
                let length = (out.len() - began).min(usize::from(u16::MAX)) as u16;
                out[lengths + 2 * stream..][..2].copy_from_slice(&length.to_be_bytes());
            }
        }
    }

    /// Reads a datagram's interleaved values; `values` keeps what it had where the datagram is refused in its header, and is
    /// not to be used where it is refused at all.
    pub fn read(&mut self, datagram: &[u8], values: &mut [i32]) -> Result<(), Refused> {
        let streams = self.body.streams(self.channels);
        let header = if self.body == Body::Bare { 0 } else { 2 * streams.max(1) };
        let (header, mut rest) = datagram.split_at_checked(header).ok_or(Refused::Length)?;
        if streams == 0 {
            if rest.len() != 2 * values.len() {
                return Err(Refused::Length);
            }
            for (value, bytes) in values.iter_mut().zip(rest.chunks_exact(2)) {
                *value = i32::from(i16::from_le_bytes([bytes[0], bytes[1]]));
            }
            return Ok(());
        }
        let mut last: &[u8] = &[];
        for stream in 0..streams {
            let length = match header.get(2 * stream + 2..2 * stream + 4) {
                Some(length) => usize::from(u16::from_be_bytes([length[0], length[1]])),
                None => rest.len(),
            };
            let (compressed, after) = rest.split_at_checked(length).ok_or(Refused::Length)?;
            rest = after;
            if stream == 0 || compressed != last {
                self.plane.resize(self.stream_length(), 0);
                self.inflater.inflate(compressed, &mut self.plane)?;
            }
            last = compressed;
            self.take(stream, values);
        }
        Ok(())
    }

    /// How many bytes each stream holds.
    fn stream_length(&self) -> usize {
        let values = self.frames * self.channels;
        match self.body {
            Body::SerialReset => 2 * self.frames,
            Body::Planes { .. } => values,
            _ => 2 * values,
        }
    }

    /// The bytes of a stream.
    fn lay(&mut self, stream: usize, values: &[i32]) {
        let (channels, body) = (self.channels, self.body);
        let word = |value: &i32| (*value as i16).to_le_bytes();
        let channel = |c: usize| values.iter().skip(c).step_by(channels);
        self.plane.clear();
        match body {
            Body::Bare | Body::Numbered => {}
            Body::Raw => self.plane.extend(values.iter().flat_map(word)),
            Body::Serial => self.plane.extend((0..channels).flat_map(channel).flat_map(word)),
            Body::SerialReset => self.plane.extend(channel(stream).flat_map(word)),
            Body::Planes { interlaced, .. } => {
                let shift = 8 * (body.bytes() - 1 - stream);
                let byte = |value: &i32| (*value >> shift) as u8;
                match interlaced {
                    false if channels == 2 => {
                        self.plane.resize(values.len(), 0);
                        let (lefts, rights) = self.plane.split_at_mut(values.len() / 2);
                        let pairs = values.as_chunks::<2>().0.iter();
                        for ((pair, left), right) in pairs.zip(lefts).zip(rights) {
                            (*left, *right) = (byte(&pair[0]), byte(&pair[1]));
                        }
                    }
                    true => self.plane.extend(values.iter().map(byte)),
                    false => self.plane.extend((0..channels).flat_map(channel).map(byte)),
                }
            }
        }
    }

    /// What a stream's bytes say about the values.
    fn take(&self, stream: usize, values: &mut [i32]) {
        let (channels, frames, plane) = (self.channels, self.frames, &self.plane);
        let word = |i: usize| i32::from(i16::from_le_bytes([plane[2 * i], plane[2 * i + 1]]));
        let place = |i: usize| (i % frames) * channels + i / frames;
        match self.body {
            Body::Bare | Body::Numbered => {}
            Body::Raw => values.iter_mut().enumerate().for_each(|(i, value)| *value = word(i)),
            Body::Serial => (0..channels * frames).for_each(|i| values[place(i)] = word(i)),
            Body::SerialReset => (0..frames).for_each(|i| values[i * channels + stream] = word(i)),
            Body::Planes { interlaced: false, .. } if channels == 2 => {
                let (lefts, rights) = plane.split_at(frames);
                let pairs = values.as_chunks_mut::<2>().0.iter_mut().zip(lefts).zip(rights);
                match stream {
                    0 => pairs.for_each(|((pair, left), right)| {
                        *pair = [*left, *right].map(|byte| i32::from(byte as i8));
                    }),
                    _ => pairs.for_each(|((pair, left), right)| {
                        *pair = [pair[0] << 8 | i32::from(*left), pair[1] << 8 | i32::from(*right)];
                    }),
                }
            }
            Body::Planes { interlaced, .. } => {
                for (i, byte) in plane.iter().enumerate() {
                    let value = &mut values[if interlaced { i } else { place(i) }];
                    *value = match stream {
                        0 => i32::from(*byte as i8),
                        _ => *value << 8 | i32::from(*byte),
                    };
                }
            }
        }
    }
}
