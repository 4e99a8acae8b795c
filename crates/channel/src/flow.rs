//! What can flow through a channel.

use std::time::Duration;

/// What an item is for a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Part of the header set. The first header after another role begins a new set, which replaces the old one.
    Header,
    /// A newcomer may begin here, after the header set.
    Entry,
    /// Everything else.
    Plain,
}

/// What can flow through a channel: cheap to clone, with a weight and a role.
pub trait Flow: Clone + Send + Sync + 'static {
    /// Bytes that it occupies, for the channel's bound.
    fn weight(&self) -> usize;
    /// What it is for a newcomer.
    fn role(&self) -> Role;
    /// Media time at its end, for bounds and bursts in time; `None` where it is not known.
    fn at(&self) -> Option<Duration>;
    /// What of it newcomers must still be told after it has passed, as an item without weight: a title. The latest
    /// note is replayed to them after the header set.
    fn note(&self) -> Option<Self> {
        None
    }
    /// A header that stands for the whole set from here on, where the headers gathered so far would not do.
    fn whole_set(&self) -> Option<Self> {
        None
    }
}
