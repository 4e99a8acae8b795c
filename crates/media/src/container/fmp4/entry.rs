//! How a track is described to decoders: its sample entry (ISO 14496-12 8.5.2, 14496-15, RFC 7845's "Opus in ISOBMFF").

use super::boxes::{put, put_full};
use crate::{
    Codec, Kind, Timebase, TrackInfo,
    codec::{aac, h264, h265, mpa, opus},
};
use bytes::{BufMut, BytesMut};

/// What an initialization says of one track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    /// Ticks per second of its times.
    pub(super) timescale: u32,
    /// Pixels; zero for sound.
    pub(super) size: (u16, u16),
    /// The sample entry box.
    pub(super) bytes: Vec<u8>,
}

impl Entry {
    /// The entry of `track`, whose first frame is `data`; `None` where it cannot be carried or has not said enough.
    pub(super) fn new(track: &TrackInfo, data: &[u8]) -> Option<Entry> {
        let setup = &track.setup[..];
        match track.codec {
            Codec::H264 => Some(video(b"avc1", b"avcC", setup, h264::size(setup)?)),
            Codec::H265 => Some(video(b"hvc1", b"hvcC", setup, h265::size(setup)?)),
            Codec::Aac => {
                let config = aac::Config::parse(setup)?;
                let channels = if config.channels == 7 { 8 } else { config.channels };
                Some(sound(b"mp4a", config.rate, channels, |out| put_esds(out, AAC, setup)))
            }
            Codec::Mp3 => {
                let header = mpa::Header::parse(data)?;
                let object = if header.version == mpa::Version::Mpeg1 { MPEG1_AUDIO } else { MPEG2_AUDIO };
                Some(sound(b"mp4a", header.rate, header.channels, |out| put_esds(out, object, &[])))
            }
            Codec::Opus => {
                let head = opus::Head::parse(setup)?;
                Some(sound(b"Opus", OPUS_RATE, head.channels, |out| put_dops(out, head, setup)))
            }
            _ => None,
        }
    }

    /// The length of its ticks.
    pub(super) fn timebase(&self) -> Timebase {
        Timebase::hz(self.timescale)
    }
}

/// How many ticks a frame of sound lasts, where it says so.
pub(super) fn span(track: &TrackInfo, data: &[u8]) -> Option<u32> {
    match track.codec {
        Codec::Aac => Some(aac::FRAME),
        Codec::Mp3 => mpa::Header::parse(data).map(|header| header.samples()),
        Codec::Opus => opus::samples(data),
        _ => None,
    }
}

fn video(name: &[u8; 4], config: &[u8; 4], setup: &[u8], size: (u16, u16)) -> Entry {
    let mut out = BytesMut::new();
    put(&mut out, name, |out| {
        out.put_slice(&[0, 0, 0, 0, 0, 0, 0, 1]); // reserved, data reference
        out.put_bytes(0, 16);
        out.put_u16(size.0);
        out.put_u16(size.1);
        out.put_u32(DPI);
        out.put_u32(DPI);
        out.put_u32(0);
        out.put_u16(1); // frame in a sample
        out.put_bytes(0, 32); // compressor's name
        out.put_u16(24); // bits of colour
        out.put_i16(-1);
        put(out, config, |out| out.put_slice(setup));
    });
    Entry { kind: Kind::Video, timescale: VIDEO_TICKS, size, bytes: out.to_vec() }
}

fn sound(name: &[u8; 4], rate: u32, channels: u8, config: impl FnOnce(&mut BytesMut)) -> Entry {
    let mut out = BytesMut::new();
    put(&mut out, name, |out| {
        out.put_slice(&[0, 0, 0, 0, 0, 0, 0, 1]);
        out.put_bytes(0, 8);
        out.put_u16(u16::from(channels));
        out.put_u16(16);
        out.put_u32(0);
        out.put_u32(u32::from(u16::try_from(rate).unwrap_or(0)) << 16);
        config(out);
    });
    Entry { kind: Kind::Audio, timescale: rate.max(1), size: (0, 0), bytes: out.to_vec() }
}

/// An elementary stream descriptor (ISO 14496-1 7.2.6.5) of sound.
fn put_esds(out: &mut BytesMut, object: u8, setup: &[u8]) {
    // an AudioSpecificConfig has a few bytes; a longer one has nothing more that a decoder needs
    let setup = &setup[..setup.len().min(64)];
    let own = if setup.is_empty() { 0 } else { 2 + setup.len() };
    let size = |bytes: usize| u8::try_from(bytes).unwrap_or(u8::MAX);
    put_full(out, b"esds", 0, 0, |out| {
        out.put_slice(&[3, size(3 + 2 + 13 + own + 3), 0, 0, 0]);
        out.put_slice(&[4, size(13 + own), object, 0x15, 0, 0, 0]);
        out.put_u64(0); // bit rates: not known
        if own > 0 {
            out.put_slice(&[5, size(setup.len())]);
            out.put_slice(setup);
        }
        out.put_slice(&[6, 1, 2]);
    });
}

fn put_dops(out: &mut BytesMut, head: opus::Head, setup: &[u8]) {
    put(out, b"dOps", |out| {
        out.put_slice(&[0, head.channels]);
        out.put_u16(head.pre_skip);
        out.put_u32(head.input_rate);
        let gain = setup.get(16..18).map_or([0, 0], |gain| [gain[1], gain[0]]);
        out.put_slice(&gain);
        match setup.get(18) {
            Some(&family) if family > 0 => out.put_slice(&setup[18..]),
            _ => out.put_u8(0),
        }
    });
}

/// Milliseconds and the ticks of transport streams are whole numbers of these.
const VIDEO_TICKS: u32 = 90_000;
const OPUS_RATE: u32 = 48_000;
/// 72 dots per inch, 16.16.
const DPI: u32 = 0x0048_0000;
/// Object types (ISO 14496-1 table 5).
const AAC: u8 = 0x40;
const MPEG2_AUDIO: u8 = 0x69;
const MPEG1_AUDIO: u8 = 0x6b;
