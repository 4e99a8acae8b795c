//! `levada demo`: shows what levada does, on this machine, verified byte by byte.

mod clips;
mod ledger;
mod show;
mod table;
mod witness;

use crate::{
    exit::{Exit, FAILED},
    output::Console,
    run, serve,
};
use anyhow::{Context, Result};
use clips::CLIPS;
use levada_serve::{
    Config, Server,
    config::{Auth, Http, RelayConfig, Secret},
};
use show::Show;
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use table::Table;
use tokio::time::{Instant, MissedTickBehavior, interval};
use url::Url;

/// Show what levada does on this machine, verified byte by byte
#[derive(Debug, clap::Args)]
#[command(after_help = ABOUT)]
pub struct Demo {
    /// End after this time, with a summary
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    lasts: Option<Duration>,
    /// Verifying listeners on each mount of each server
    #[arg(short = 'n', long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..))]
    listeners: u8,
}

impl Demo {
    /// Runs the demo until its time is over, somebody stops it, or a byte is lost.
    ///
    /// # Errors
    /// When anything was lost, and why.
    pub async fn run(self, console: Console) -> Result<()> {
        let password = serve::random_name()?;
        let origin = start(Config { auth: with(&password), ..local() }).await?;
        let parent = address(&origin)?;
        let taken = RelayConfig::all_of(parent.clone(), &password);
        let relay = start(Config { relay: vec![taken], ..local() }).await?;
        let child = address(&relay)?;

        let mut shows = Vec::new();
        for clip in CLIPS {
            let show = Show::open(clip, &parent, &child, &password, self.listeners).await;
            shows.push(show.with_context(|| format!("cannot publish {}", clip.mount))?);
        }
        console.say(urls(&parent, &child));
        let began = Instant::now();
        let mut table = Table::new(console, began);
        tokio::select! {
            () = watch(&mut table, &shows, &origin, &relay) => {}
            () = run::after(self.lasts) => {}
            () = run::stopped() => {}
        }
        let troubles: Vec<String> = shows.iter().flat_map(Show::troubles).collect();
        table.summary(&shows, &troubles);
        drop(shows);
        relay.stop().await;
        origin.stop().await;
        match troubles.first() {
            None => Ok(()),
            Some(first) => Err(Exit(FAILED, format!("the demo lost something: {first}")).into()),
        }
    }
}

/// Redraws the table until somebody lost something.
async fn watch(table: &mut Table, shows: &[Show], origin: &Server, relay: &Server) {
    let mut tick = interval(Duration::from_millis(500));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while shows.iter().all(|show| show.failures().is_empty()) {
        tick.tick().await;
        table.draw(shows, origin, relay);
    }
}

async fn start(config: Config) -> Result<Server> {
    Server::start(config, serve::random_name()?).await.context("cannot serve on this machine")
}

/// A server on a free port of this machine.
fn local() -> Config {
    let listen = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
    Config { http: Http { listen, ..Http::default() }, ..Config::default() }
}

fn with(password: &str) -> Auth {
    let secret = || Some(Secret::from(password));
    Auth { source_password: secret(), relay_password: secret(), ..Auth::default() }
}

fn address(server: &Server) -> Result<Url> {
    let address = server.addresses().into_iter().next().context("the server has no address")?;
    Ok(format!("http://{address}/").parse()?)
}

fn urls(parent: &Url, child: &Url) -> String {
    let mut text = format!("origin {parent}\nrelay  {child}\n");
    text += "Open either in a browser, or one of the streams in a player:\n";
    for clip in CLIPS {
        text += &format!("  vlc {}{:<14} {}\n", child, clip.mount.trim_start_matches('/'), clip.kind);
    }
    text
}

const ABOUT: &str = "\
A server starts on a free port of this machine, and the six clips that the command carries in itself are
published to it by source clients, in a loop. A second server relays the first. Listeners on both compare every
byte that they get with what was published. Ctrl-C ends it with a summary.";
