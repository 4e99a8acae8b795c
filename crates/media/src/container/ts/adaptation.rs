//! The adaptation field of a packet: its clock, its flags, its stuffing (the standard's 2.4.3.4).

/// What it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Adaptation {
    /// Bytes with the byte that tells its length; zero where there is none.
    pub(super) len: usize,
    /// A decoder may begin with the PES packet that begins here.
    pub(super) random_access: bool,
    /// A clock reference is in it, at [`PCR`].
    pub(super) pcr: bool,
    /// Bytes that only fill it up. A muxer stuffs the last packet of a PES packet.
    pub(super) stuffed: bool,
}

/// Where in the packet the clock reference is: 33 bits of 90 kHz, then what is finer.
pub(super) const PCR: usize = 6;

impl Adaptation {
    /// Reads the field that `bytes` begin with.
    pub(super) fn parse(bytes: &[u8]) -> Adaptation {
        let Some(&len) = bytes.first() else { return Adaptation::default() };
        let len = usize::from(len) + 1;
        let Some(&flags) = bytes.get(1).filter(|_| len > 1) else {
            return Adaptation { len, stuffed: true, ..Adaptation::default() };
        };
        let pcr = flags & 0x10 != 0 && len >= 8;
        // what is optional beyond the clocks is rare, and not taken for stuffing
        let used = 2 + if pcr { 6 } else { 0 } + if flags & 0x08 != 0 { 6 } else { 0 };
        let plain = flags & 0x07 == 0;
        Adaptation { len, random_access: flags & 0x40 != 0, pcr, stuffed: plain && len > used }
    }
}
