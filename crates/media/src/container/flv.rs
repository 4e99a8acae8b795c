//! Flash video: its tags, which RTMP carries as messages.

pub mod tag;
