//! `levada lab` on systems without Linux's namespaces: what needs none of them, and a word about the rest.

use crate::exit::{self, Exit};
use crate::output::Console;
use clap::Subcommand;
use std::ffi::OsString;

#[path = "plot.rs"]
mod plot;
#[path = "proxy.rs"]
mod proxy;
#[path = "replay.rs"]
mod replay;

/// What one may do with links here.
#[derive(Debug, Subcommand)]
pub enum Lab {
    /// Draw what happened to a stream between two captures: levada lab plot server.pcap client.pcap
    Plot(plot::Plot),
    /// Send a capture over an emulated link, in virtual time: levada lab replay in.pcap --link 'rate=2mbit' -o out.pcap
    Replay(replay::Replay),
    /// Put a bad link between two programs
    Proxy(proxy::Proxy),
    /// Everything else
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

impl Lab {
    /// Does what was typed.
    ///
    /// # Errors
    /// What went wrong, or that it needs Linux.
    pub fn run(self, console: Console) -> anyhow::Result<()> {
        match self {
            Lab::Plot(plot) => plot.run(console),
            Lab::Replay(replay) => replay.run(console),
            Lab::Proxy(proxy) => proxy.run(console),
            Lab::Other(words) => {
                let word = words.first().map_or(String::new(), |word| format!(" {}", word.display()));
                let said = format!("`levada lab{word}` needs Linux; `levada lab proxy` runs anywhere");
                Err(Exit(exit::USAGE, said).into())
            }
        }
    }
}
