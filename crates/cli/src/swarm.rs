//! `levada swarm`: a stream that its audience carries on.

mod dealer;
mod heads;
mod host;
mod intake;
mod member;
mod outlet;
mod peer;
mod place;
mod simulate;
mod splitter;
pub mod stay;
pub mod token;
mod told;
mod tracker;
mod view;
pub mod wire;

pub use host::run as carry_mounts;

use crate::{output::Console, run};
use anyhow::Result;
use clap::Subcommand;

/// Distribute one stream to a team of peers that pass it on to each other
#[derive(Debug, Subcommand)]
pub enum Swarm {
    /// Know the teams of each channel, and give newcomers one
    Tracker(tracker::Tracker),
    /// Deal a stream to a team, each chunk to one of its peers
    Splitter(splitter::Splitter),
    /// Join a team: play its stream, and pass it on
    Peer(peer::Peer),
    /// Join a team as one that also reports what is missing
    Monitor(peer::Peer),
    /// Run a team in virtual time
    Simulate(simulate::Simulate),
}

impl Swarm {
    /// Does what was typed.
    ///
    /// # Errors
    /// What went wrong.
    pub fn run(self, console: Console) -> Result<()> {
        match self {
            Swarm::Tracker(tracker) => run::block_on(tracker.run(console)),
            Swarm::Splitter(splitter) => run::block_on(splitter.run(console)),
            Swarm::Peer(peer) => run::block_on(peer.run(console, false)),
            Swarm::Monitor(peer) => run::block_on(peer.run(console, true)),
            Swarm::Simulate(simulate) => simulate.run(console),
        }
    }
}

/// How these programs name themselves to servers.
const AGENT: &str = concat!("levada/", env!("CARGO_PKG_VERSION"));
