//! Icecast's protocol: sources in, listeners out, and the manners of its many clients.

mod listener;
mod shape;
mod source;

pub use listener::listener;
pub use source::{options, shoutcast, source};
