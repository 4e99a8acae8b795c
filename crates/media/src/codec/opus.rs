//! OpusHead, OpusTags and how long a packet lasts (RFC 7845, RFC 6716 §3).

use super::array;

/// The identification header (RFC 7845 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Channels, at least one.
    pub channels: u8,
    /// Samples at 48 kHz that a decoder throws away at the beginning.
    pub pre_skip: u16,
    /// Sample rate of what was encoded, for information; zero where unknown.
    pub input_rate: u32,
}

impl Head {
    /// Reads the first packet of an Opus stream; `None` where it is not one of a version we know.
    pub fn parse(packet: &[u8]) -> Option<Head> {
        let fields = packet.strip_prefix(b"OpusHead")?;
        let [version, channels]: [u8; 2] = array(fields, 0)?;
        let pre_skip = u16::from_le_bytes(array(fields, 2)?);
        let input_rate = u32::from_le_bytes(array(fields, 4)?);
        fields.get(10)?;
        (version < 16 && channels > 0).then_some(Head { channels, pre_skip, input_rate })
    }
}

/// Samples at 48 kHz that a packet lasts, by its first two bytes; `None` for an empty or overlong packet.
///
/// ```
/// assert_eq!(levada_media::codec::opus::samples(&[0xfc, 0xff, 0xfe]), Some(960));
/// ```
pub fn samples(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let frame = match toc >> 3 {
        config @ 0..12 => [480, 960, 1920, 2880][usize::from(config % 4)],
        config @ 12..16 => [480, 960][usize::from(config % 2)],
        config => [120, 240, 480, 960][usize::from(config % 4)],
    };
    let frames = match toc & 0x03 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3f),
    };
    Some(frame * frames).filter(|samples| (1..=LONGEST).contains(samples))
}

/// The first packet again, for a stream that begins anew somewhere inside, with another pre-skip.
pub fn begin_anew(head: &[u8], pre_skip: u16) -> Option<Vec<u8>> {
    Head::parse(head)?;
    let mut again = head.to_vec();
    again.get_mut(10..12)?.copy_from_slice(&pre_skip.to_le_bytes());
    Some(again)
}

/// The comment block inside a comment header.
pub fn comments(packet: &[u8]) -> Option<&[u8]> {
    packet.strip_prefix(TAGS)
}

/// A comment header around `block`.
pub fn comment_header(block: &[u8]) -> Vec<u8> {
    [TAGS, block].concat()
}

/// Samples that a decoder which begins in the middle of a stream needs until it is right (RFC 7845 §4.2).
pub const CONVERGENCE: u32 = 3840;
const TAGS: &[u8] = b"OpusTags";
/// 120 ms (RFC 6716 §3.2.5).
const LONGEST: u32 = 5760;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_lengths_follow_the_table_of_rfc_6716() {
        let one = |config: u8| samples(&[config << 3]);
        assert_eq!([0, 1, 2, 3, 11].map(one), [480, 960, 1920, 2880, 2880].map(Some));
        assert_eq!([12, 13, 16, 17, 18, 31].map(one), [480, 960, 120, 240, 480, 960].map(Some));
        assert_eq!(samples(&[0x01]), Some(960), "two frames");
        assert_eq!(samples(&[0x03, 0x02]), Some(960), "a count");
        assert_eq!(samples(&[0x1b, 0x3f]), None, "more than 120 ms");
        assert_eq!((samples(&[]), samples(&[0x03]), samples(&[0x03, 0])), (None, None, None));
    }
}
