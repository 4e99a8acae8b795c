//! The Speex header (The Speex Codec Manual, "Ogg file format").

use super::array;

/// The first packet of a Speex stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Samples per second, at least one.
    pub rate: u32,
    /// Channels, one or two.
    pub channels: u8,
    /// Samples of a packet: its frames times their size.
    pub packet: u32,
    /// Header packets after the comments.
    pub extra_headers: u32,
}

impl Head {
    /// Reads the first packet of a Speex stream; `None` where it is not one.
    pub fn parse(packet: &[u8]) -> Option<Head> {
        packet.strip_prefix(b"Speex   ")?;
        let field = |at| array(packet, at).map(u32::from_le_bytes);
        let [rate, channels, frame, frames] = [field(36)?, field(48)?, field(56)?, field(64)?];
        let channels = u8::try_from(channels).ok().filter(|n| (1..=2).contains(n))?;
        let packet = frame.checked_mul(frames.max(1)).filter(|samples| *samples <= LONGEST)?;
        (rate > 0).then_some(Head { rate, channels, packet, extra_headers: field(68)? })
    }
}

/// Ten seconds at 48 kHz; real packets hold 20 to 200 ms.
const LONGEST: u32 = 480_000;
