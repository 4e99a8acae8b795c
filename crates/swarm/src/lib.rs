//! One stream to a team of peers: tracker, splitter, peer, monitor.
#![forbid(unsafe_code)]
