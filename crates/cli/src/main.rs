//! The `levada` command.
#![forbid(unsafe_code)]

fn main() {}
