//! FLAC's STREAMINFO, its mapping into Ogg, and how long a frame lasts (RFC 9639 §8.2, §9.1, §10.1).

use super::array;

/// The first packet of FLAC in Ogg (RFC 9639 §10.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Header packets that follow the first; `None` where the encoder did not say.
    pub headers: Option<u16>,
    /// What the stream is.
    pub info: StreamInfo,
}

impl Mapping {
    /// Reads the first packet of a FLAC stream in Ogg; `None` where it is not one.
    pub fn parse(packet: &[u8]) -> Option<Mapping> {
        let fields = packet.strip_prefix(b"\x7fFLAC\x01")?;
        let headers = u16::from_be_bytes(array(fields, 1)?);
        (array(fields, 3)? == *b"fLaC").then_some(())?;
        Some(Mapping {
            headers: Some(headers).filter(|n| *n > 0),
            info: StreamInfo::parse(fields.get(11..)?)?,
        })
    }
}

/// The STREAMINFO block without its block header (RFC 9639 §8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// Samples per second, at least one.
    pub rate: u32,
    /// Channels, 1 to 8.
    pub channels: u8,
    /// Bits per sample, 1 to 32.
    pub bits: u8,
    /// Largest block in samples.
    pub block: u16,
}

impl StreamInfo {
    /// Length of the block in bytes.
    pub const SIZE: usize = 34;

    /// Reads the block; `None` where it is too short or says no rate.
    pub fn parse(block: &[u8]) -> Option<StreamInfo> {
        let block = block.get(..StreamInfo::SIZE)?;
        let packed = u32::from_be_bytes(array(block, 10)?);
        let info = StreamInfo {
            rate: packed >> 12,
            channels: (packed >> 9 & 0x07) as u8 + 1,
            bits: (packed >> 4 & 0x1f) as u8 + 1,
            block: u16::from_be_bytes(array(block, 2)?),
        };
        (info.rate > 0).then_some(info)
    }
}

/// Where STREAMINFO stands in the first packet of FLAC in Ogg.
pub const STREAMINFO_AT: usize = 17;

/// The STREAMINFO block inside the first packet of FLAC in Ogg.
pub fn stream_info(packet: &[u8]) -> Option<&[u8]> {
    packet.get(STREAMINFO_AT..STREAMINFO_AT + StreamInfo::SIZE)
}

/// The first packet again, for a stream that begins anew somewhere inside: `headers` header packets follow,
/// and neither the number of samples nor their MD5 is known.
pub fn begin_anew(packet: &[u8], headers: u16) -> Option<Vec<u8>> {
    stream_info(packet)?;
    let mut again = packet.to_vec();
    again.get_mut(7..9)?.copy_from_slice(&headers.to_be_bytes());
    *again.get_mut(STREAMINFO_AT + 13)? &= 0xf0;
    again.get_mut(STREAMINFO_AT + 14..STREAMINFO_AT + StreamInfo::SIZE)?.fill(0);
    Some(again)
}

/// Whether `packet` is a metadata block and not a frame, which begins with fourteen ones.
pub fn is_header(packet: &[u8]) -> bool {
    packet.first().is_some_and(|byte| *byte != 0xff)
}

/// Samples in a frame; `None` where its header is cut off or reserved.
pub fn samples(frame: &[u8]) -> Option<u32> {
    let [sync, flags, sizes]: [u8; 3] = array(frame, 0)?;
    if sync != 0xff || flags & 0xfe != 0xf8 {
        return None;
    }
    // the size of an uncommon block stands after the frame's number, which is coded like UTF-8
    let number = (*frame.get(4)?).leading_ones().max(1) as usize;
    match sizes >> 4 {
        0 => None,
        1 => Some(192),
        code @ 2..6 => Some(576 << (code - 2)),
        6 => Some(u32::from(*frame.get(4 + number)?) + 1),
        7 => Some(u32::from(u16::from_be_bytes(array(frame, 4 + number)?)) + 1),
        code => Some(256 << (code - 8)),
    }
}

/// The comment block inside a VORBIS_COMMENT metadata block.
pub fn comments(packet: &[u8]) -> Option<&[u8]> {
    packet.first().filter(|kind| *kind & 0x7f == VORBIS_COMMENT).and(packet.get(4..))
}

/// A VORBIS_COMMENT metadata block around `block`, the last of its stream.
pub fn comment_header(block: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = (block.len().min(0xff_ffff) as u32).to_be_bytes();
    [&[0x80 | VORBIS_COMMENT], length.as_slice(), block].concat()
}

const VORBIS_COMMENT: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_sizes_follow_the_table_of_rfc_9639() {
        let frame = |code: u8| samples(&[0xff, 0xf8, code << 4, 0, 0x00, 0x01, 0x02]);
        assert_eq!([1, 2, 5, 8, 12, 15].map(frame), [192, 576, 4608, 256, 4096, 32768].map(Some));
        assert_eq!((frame(0), frame(6), frame(7)), (None, Some(2), Some(0x103)));
        assert_eq!(
            samples(&[0xff, 0xf9, 0x70, 0, 0xc2, 0x80, 0x00, 0x05]),
            Some(6),
            "after a two-byte number"
        );
        assert_eq!((samples(&[0xff]), samples(&[0xff, 0xf8, 0x70, 0, 0xff])), (None, None));
    }
}
