//! What a channel counts.

/// What went through a channel and what it holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Items sent since it was opened.
    pub items: u64,
    /// Bytes sent since it was opened.
    pub bytes: u64,
    /// Items that the ring holds.
    pub held_items: usize,
    /// Bytes that the ring holds.
    pub held_bytes: usize,
    /// Subscribers now.
    pub subscribers: usize,
    /// How often a subscriber fell out of the ring and was moved to the newest entry.
    pub overtaken: u64,
}
