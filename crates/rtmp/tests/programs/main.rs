//! Real programs at a toy server, and our client at a real server. Programs that are not installed are skipped, loudly.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the crate has no sockets and no clock; these tests are the glue around it"
)]

mod child;
mod ffmpeg;
mod nginx;
mod toy;
