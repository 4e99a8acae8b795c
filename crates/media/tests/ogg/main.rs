//! Ogg against its own contract and against real programs: what we cut, open and rewrite, ffmpeg plays without
//! a word.
#![allow(clippy::unwrap_used)]

mod clips;
mod cut;
mod demux;
mod hostile;
mod joins;
mod looped;
mod player;
mod rewrite;
