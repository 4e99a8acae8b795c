//! New serials for logical streams that we write.

/// Draws serials from a seed (splitmix64), so that two filters of different seeds rarely meet.
#[derive(Clone, Debug)]
pub(super) struct Serials(u64);

impl Serials {
    pub(super) fn new(seed: u64) -> Serials {
        Serials(seed)
    }

    /// A serial for which `taken` is false.
    pub(super) fn draw(&mut self, taken: impl Fn(u32) -> bool) -> u32 {
        loop {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            let serial = (mixed ^ mixed >> 31) as u32;
            if !taken(serial) {
                return serial;
            }
        }
    }
}
