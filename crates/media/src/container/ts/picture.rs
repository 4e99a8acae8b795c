//! Access units of H.264 and H.265: from start codes to lengths, and the parameter sets that they bring.

use crate::codec::{h264, h265, nal};
use bytes::Bytes;

/// What differs between the two.
struct Coding {
    kind: fn(&[u8]) -> u8,
    is_key: fn(u8) -> bool,
    delimiter: u8,
    /// The types of the parameter sets, and the configuration that is made of them.
    sets: [u8; 3],
    config: fn(&[Vec<Bytes>; 3]) -> Option<Bytes>,
}

/// Remembers the parameter sets in force.
pub(super) struct Pictures {
    coding: Coding,
    sets: [Vec<Bytes>; 3],
    config: Option<Bytes>,
}

impl Pictures {
    pub(super) fn h264() -> Pictures {
        Pictures::new(Coding {
            kind: h264::kind,
            is_key: |kind| kind == h264::IDR,
            delimiter: h264::AUD,
            sets: [NONE, h264::SPS, h264::PPS],
            config: |[_, sps, pps]| h264::config(sps, pps),
        })
    }

    pub(super) fn h265() -> Pictures {
        Pictures::new(Coding {
            kind: h265::kind,
            is_key: h265::is_irap,
            delimiter: h265::AUD,
            sets: [h265::VPS, h265::SPS, h265::PPS],
            config: |[vps, sps, pps]| h265::config(vps, sps, pps),
        })
    }

    fn new(coding: Coding) -> Pictures {
        Pictures { coding, sets: Default::default(), config: None }
    }

    /// The decoder's configuration, once it has come.
    pub(super) fn config(&self) -> Option<Bytes> {
        self.config.clone()
    }

    /// Whether a decoder may begin with this access unit, and the unit with lengths, without delimiters.
    pub(super) fn open(&mut self, stream: &[u8]) -> (bool, Bytes) {
        let kind = self.coding.kind;
        let units: Vec<&[u8]> =
            nal::units(stream).filter(|unit| kind(unit) != self.coding.delimiter).collect();
        self.learn(&units);
        let key = units.iter().any(|unit| (self.coding.is_key)(kind(unit)));
        (key, nal::with_lengths(units))
    }

    fn learn(&mut self, units: &[&[u8]]) {
        let of = |wanted: u8| {
            let units = units.iter().filter(|unit| (self.coding.kind)(unit) == wanted);
            units.take(MOST).map(|unit| Bytes::copy_from_slice(unit)).collect::<Vec<_>>()
        };
        let sets = self.coding.sets.map(of);
        // a unit that brings only some of them changes nothing: the sets of a picture come together
        if sets[1].is_empty() || sets == self.sets {
            return;
        }
        if let Some(config) = (self.coding.config)(&sets) {
            (self.sets, self.config) = (sets, Some(config));
        }
    }
}

/// No unit has this type.
const NONE: u8 = 0xff;
/// Parameter sets of one kind; encoders use one or two.
const MOST: usize = 16;
