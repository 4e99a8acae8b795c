//! `levada lab proxy`: a bad link between two programs, on any system and without any privilege.

use crate::exit::{self, Exit};
use crate::output::Console;
use anyhow::{Context, Result};
use clap::Args;
use levada_lab::proxy;
use levada_link::Profile;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A bad link between two programs.
#[derive(Debug, Args)]
pub struct Proxy {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Whom to pass on to
    #[arg(long, value_name = "HOST:PORT")]
    to: String,
    /// The link: "rate=2mbit delay=80ms loss=1%", a preset such as "lte", or tc's words. Its "up" leads to --to
    #[arg(long)]
    link: String,
    /// Relay TCP connections instead of datagrams; what the link would lose stalls them
    #[arg(long)]
    tcp: bool,
    /// What all chance follows from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long
    #[arg(long = "for", value_parser = humantime::parse_duration, value_name = "TIME")]
    time: Option<Duration>,
}

impl Proxy {
    /// Passes on until somebody stops it.
    ///
    /// # Errors
    /// That the link cannot be so, or that the address is taken.
    pub fn run(self, console: Console) -> Result<()> {
        let profile: Profile =
            self.link.parse().map_err(|why| Exit(exit::USAGE, format!("--link: {why}")))?;
        let to = self.to.to_socket_addrs().ok().and_then(|mut all| all.next());
        let to = to.with_context(|| format!("{} is no address", self.to))?;
        let (kind, started) = match self.tcp {
            true => ("TCP, relayed: losses are stalls", proxy::tcp(self.listen, to, &profile, self.seed)),
            false => ("UDP", proxy::udp(self.listen, to, &profile, self.seed)),
        };
        let (address, passed) = started?;
        console.say(format!("passing on from {address} to {to} ({kind})"));
        crate::run::block_on(async {
            tokio::select! {
                () = crate::run::stopped() => {}
                () = crate::run::after(self.time) => {}
            }
            Ok(())
        })?;
        let count =
            |of: &[std::sync::atomic::AtomicU64; 2]| [0, 1].map(|side| of[side].load(Ordering::Relaxed));
        let (came, went) = (count(&passed.came), count(&passed.went));
        console.say(format!(
            "there: {} came, {} went on; back: {} came, {} went on",
            came[0], went[0], came[1], went[1]
        ));
        Ok(())
    }
}
