//! Sessions against captured peers, against each other, and against other people's code.
#![allow(clippy::unwrap_used)]

mod captured;
mod hostile;
mod obs;
mod oracle;

mod pair;
mod patience;
mod support;
mod tags;
