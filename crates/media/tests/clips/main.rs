//! Containers other than Ogg against real clips and real programs: whoever joins decodes without a word.
#![allow(clippy::unwrap_used)]

mod clip;
mod demux;
mod fmp4;
mod garbage;
mod joins;
mod player;
mod splice;
mod split;
