//! The programs by name, and what each is made of.

use super::{Config, body::Body, stereo::Stereo};
use std::fmt;
use std::str::FromStr;

/// One of the seminar's programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is the program of its name
pub enum Layer {
    Minimal,
    Buffer,
    DeflateRaw,
    DeflateSerial,
    DeflateSerialReset,
    Byteplanes2,
    Byteplanes2Interlaced,
    Byteplanes3,
    Byteplanes4,
    BrNo,
    BrConservative,
    BrAddLost,
    BrLost,
    Mst16,
    Mst32,
    Dwt,
    OverlappedDwt,
    Wpt,
    OverlappedWpt,
    ToH,
    MinimalVideo,
    MinimalVideoBlocks,
}

/// How a program changes its quantization step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Never.
    No,
    /// Doubled when more than two blocks were lost, a tenth less after each period.
    Conservative,
    /// What was lost is added, less one.
    AddLost,
    /// What was lost, less one.
    Lost,
}

use Layer::*;

/// Every program: its name, and what else one may call it.
const NAMES: [(Layer, &str, &str); 22] = [
    (Minimal, "minimal", "pcm"),
    (Buffer, "buffer", "buffered"),
    (DeflateRaw, "DEFLATE_raw", "raw"),
    (DeflateSerial, "DEFLATE_serial", "serial"),
    (DeflateSerialReset, "DEFLATE_serial_reset", "serial_reset"),
    (Byteplanes2, "DEFLATE_byteplanes2", "byteplanes2"),
    (Byteplanes2Interlaced, "DEFLATE_byteplanes2_interlaced", "byteplanes2_interlaced"),
    (Byteplanes3, "DEFLATE_byteplanes3", "byteplanes3"),
    (Byteplanes4, "DEFLATE_byteplanes4", "byteplanes4"),
    (BrNo, "BR_control_no", "br_no"),
    (BrConservative, "BR_control_conservative", "br_conservative"),
    (BrAddLost, "BR_control_add_lost", "br_add_lost"),
    (BrLost, "BR_control_lost", "br_lost"),
    (Mst16, "stereo_MST_coding_16", "mst_16"),
    (Mst32, "stereo_MST_coding_32", "mst_32"),
    (Dwt, "temporal_no_overlapped_DWT_coding", "dwt"),
    (OverlappedDwt, "temporal_overlapped_DWT_coding", "overlapped_dwt"),
    (Wpt, "temporal_no_overlapped_WPT_coding", "wpt"),
    (OverlappedWpt, "temporal_overlapped_WPT_coding", "overlapped_wpt"),
    (ToH, "ToH_coding", "toh"),
    (MinimalVideo, "minimal_video", "video"),
    (MinimalVideoBlocks, "minimal_video_TFG", "video_blocks"),
];

impl Layer {
    /// All of them, in the seminar's order.
    pub fn all() -> impl Iterator<Item = Layer> {
        NAMES.iter().map(|(layer, ..)| *layer)
    }

    /// The program's name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(layer, ..)| *layer == self).map_or("", |(_, name, _)| name)
    }

    /// How its datagrams are laid out.
    pub fn body(self) -> Body {
        match self {
            Minimal | MinimalVideo | MinimalVideoBlocks => Body::Bare,
            Buffer => Body::Numbered,
            DeflateRaw => Body::Raw,
            DeflateSerial => Body::Serial,
            DeflateSerialReset => Body::SerialReset,
            Byteplanes2 => Body::Planes { count: 2, interlaced: false },
            Byteplanes2Interlaced => Body::Planes { count: 2, interlaced: true },
            Byteplanes4 => Body::Planes { count: 4, interlaced: false },
            _ => Body::Planes { count: 3, interlaced: false },
        }
    }

    /// Whether its blocks are numbered and buffered: all but the minimal ones.
    pub fn is_numbered(self) -> bool {
        self.body() != Body::Bare
    }

    /// Whether it has a quantization step.
    pub fn is_quantized(self) -> bool {
        self.control().is_some()
    }

    /// How its step is controlled; later layers inherit what the Python classes inherit.
    pub fn control(self) -> Option<Control> {
        match self {
            BrNo => Some(Control::No),
            BrAddLost => Some(Control::AddLost),
            BrLost => Some(Control::Lost),
            BrConservative | Mst16 | Mst32 | Dwt | OverlappedDwt | Wpt | OverlappedWpt | ToH => {
                Some(Control::Conservative)
            }
            _ => None,
        }
    }

    /// Whether it transforms in time.
    pub fn is_wavelet(self) -> bool {
        matches!(self, Dwt | OverlappedDwt | Wpt | OverlappedWpt | ToH)
    }

    /// Whether its transform takes a part of each neighbour: what one datagram brings is heard two later.
    pub fn is_overlapped(self) -> bool {
        matches!(self, OverlappedDwt | OverlappedWpt | ToH)
    }

    /// Whether its bands are of equal width.
    pub(super) fn has_packets(self) -> bool {
        matches!(self, Wpt | OverlappedWpt | ToH)
    }

    pub(super) fn stereo(self) -> Stereo {
        match self {
            Mst16 => Stereo::Halves,
            Mst32 => Stereo::Whole,
            _ if self.is_wavelet() => Stereo::Whole,
            _ => Stereo::Plain,
        }
    }

    /// Whether it has pictures.
    pub fn has_video(self) -> bool {
        matches!(self, MinimalVideo | MinimalVideoBlocks)
    }

    /// Whether the program has a variant for one channel.
    pub fn has_mono(self) -> bool {
        !(self.is_quantized() || self == Byteplanes3)
    }

    /// The longest datagram that a block may need.
    pub(super) fn largest(self, config: &Config) -> usize {
        let bytes = match self.body() {
            Body::Planes { count, .. } => usize::from(count),
            _ => 2,
        };
        let plain = config.values() * bytes;
        8 + plain + plain / 1_000 + 64
    }
}

impl FromStr for Layer {
    type Err = String;

    fn from_str(text: &str) -> Result<Layer, String> {
        let plain = |text: &str| text.trim_end_matches(".py").replace('-', "_").to_ascii_lowercase();
        let wanted = plain(text);
        let found = NAMES.iter().find(|(_, name, short)| plain(name) == wanted || *short == wanted);
        found.map(|(layer, ..)| *layer).ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|(_, name, _)| *name).collect();
            format!("no layer is called {text}; there are {}", names.join(", "))
        })
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_answer_to_the_programs_names_and_short_ones() {
        for layer in Layer::all() {
            assert_eq!(layer.name().parse(), Ok(layer));
            assert_eq!(format!("{layer}.py").parse(), Ok(layer));
        }
        assert_eq!("overlapped-dwt".parse(), Ok(OverlappedDwt));
        assert!("overlapped".parse::<Layer>().is_err());
    }
}
