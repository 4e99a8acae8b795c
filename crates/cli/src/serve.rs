//! `levada serve`: a server for live streams.

mod layers;
mod passwords;

pub use layers::read;

use crate::{
    config::{self, Layers, Loaded, Trouble},
    exit::{Exit, USAGE},
    output::Console,
    run,
};
use anyhow::{Context, Result};
use levada_serve::{Config, Door, MountName, Server, Station};
use passwords::{Passwords, default_folder};
use std::{io::Write, net::SocketAddr, path::PathBuf, sync::Arc};
use tokio::signal::unix::{Signal, SignalKind, signal};
use url::Url;

/// Serve live streams to as many listeners as this machine carries
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Serve {
    /// Address to serve on, plain and TLS; may be said more than once
    #[arg(long, value_name = "ADDRESS")]
    http: Vec<SocketAddr>,
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "LEVADA_CONFIG")]
    config: Option<PathBuf>,
    /// A mount played from a file in a loop: `BBB.ogv=clip.ogv`
    #[arg(long, value_name = "MOUNT=FILE")]
    mount: Vec<FileMount>,
    /// Another server to relay: all its mounts, or the one in the address
    #[arg(long, value_name = "URL")]
    relay: Vec<Url>,
    /// Address for SHOUTcast v1 sources; may be said more than once
    #[arg(long, value_name = "ADDRESS")]
    shoutcast: Vec<SocketAddr>,
    /// Address for RTMP encoders and players; may be said more than once
    #[arg(long, value_name = "ADDRESS")]
    rtmp: Vec<SocketAddr>,
    /// Address for WebRTC, one UDP port for all sessions; may be said more than once
    #[arg(long, value_name = "ADDRESS")]
    webrtc: Vec<SocketAddr>,
    /// Address for rooms (`levada talk --room NAME@server`), a UDP port; may be said more than once
    #[arg(long, value_name = "ADDRESS")]
    rooms: Vec<SocketAddr>,
    /// Certificate for TLS (PEM); read again when it changes
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// Its key, when it is in another file
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Where made passwords and certificates are kept
    #[arg(long, value_name = "DIRECTORY")]
    state: Option<PathBuf>,
    /// Any value of the configuration: `limits.listeners=500`
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Setting>,
    /// Show the resulting configuration, and who said what, instead of serving
    #[arg(long)]
    print_config: bool,
}

#[derive(Clone, Debug)]
struct FileMount {
    name: MountName,
    file: PathBuf,
}

#[derive(Clone, Debug)]
struct Setting {
    key: String,
    value: String,
}

impl Serve {
    /// Serves until somebody wants it to stop.
    ///
    /// # Errors
    /// When the configuration is wrong or an address cannot be had.
    pub async fn run(self, console: Console) -> Result<()> {
        let layers = self.layers();
        let mut loaded = load(&layers)?;
        let mut passwords = Passwords::at(state(&loaded.config));
        passwords.fill(&mut loaded)?;
        if self.print_config {
            return print(&loaded);
        }
        // Before anybody can know that we serve: a signal that is not awaited would end us.
        let hangups = signal(SignalKind::hangup()).context("cannot await signals")?;
        let mut config = loaded.config;
        passwords.make(&mut config)?;
        let server = Server::start_with(config.clone(), random_name()?, again(layers, &passwords)).await;
        let server = match server {
            Ok(server) => server,
            Err(why) => {
                passwords.unmake();
                return Err(why).context("cannot serve");
            }
        };
        let secure = config.http.certificate.is_some() || config.http.acme.is_some();
        for (door, address) in server.doors() {
            match door {
                Door::Http => {
                    console.say(format!("serving on http://{address}/"));
                    if secure {
                        console.say(format!("serving on https://{address}/"));
                    }
                }
                Door::Shoutcast => console.say(format!("awaiting SHOUTcast sources on {address}")),
                Door::Rtmp => console.say(format!("serving on rtmp://{address}/")),
            }
        }
        for address in server.station().webrtc.addresses() {
            console.say(format!("serving WebRTC on udp://{address}"));
        }
        for address in server.station().rooms.addresses() {
            console.say(format!("rooms at udp://{address}"));
        }
        passwords.show(&config, server.addresses().first(), console);
        tokio::select! {
            () = run::stopped() => {}
            () = crate::swarm::carry_mounts(server.station().clone(), console) => {}
            () = reload_at(hangups, server.station().clone()) => {}
        }
        console.say("stopping; once more ends at once");
        tokio::select! {
            () = server.stop() => {}
            () = run::stopped() => {}
        }
        Ok(())
    }
}

/// Reads the configuration; what is odd goes to the log.
fn load(layers: &Layers) -> Result<Loaded<Config>, Trouble> {
    let (mut loaded, odd) = read(layers)?;
    odd.iter().for_each(|odd| tracing::warn!(%odd, "configuration"));
    loaded.config.server.state.get_or_insert_with(default_folder);
    Ok(loaded)
}

/// What reads the configuration again: the same layers, the same kept passwords.
fn again(layers: Layers, passwords: &Passwords) -> levada_serve::Load {
    let passwords = passwords.kept();
    Box::new(move || {
        let read = || {
            let mut loaded = load(&layers)?;
            passwords.fill(&mut loaded)?;
            passwords.complete(&loaded)?;
            Ok::<_, Trouble>(loaded.config)
        };
        read().map_err(|trouble| trouble.to_string())
    })
}

async fn reload_at(mut hangups: Signal, station: Arc<Station>) {
    while hangups.recv().await.is_some() {
        let _logged = station.reload().await;
    }
}

fn state(config: &Config) -> &std::path::Path {
    config.server.state.as_deref().unwrap_or(std::path::Path::new("."))
}

fn print(loaded: &Loaded<Config>) -> Result<()> {
    let text = config::show(loaded).context("the configuration cannot be shown")?;
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

impl std::str::FromStr for FileMount {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<FileMount> {
        let (name, file) = text.split_once('=').ok_or_else(|| Exit(USAGE, "say MOUNT=FILE".into()))?;
        let name = format!("/{}", name.trim_start_matches('/')).parse()?;
        Ok(FileMount { name, file: file.into() })
    }
}

impl std::str::FromStr for Setting {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Setting> {
        let (key, value) = text.split_once('=').ok_or_else(|| Exit(USAGE, "say KEY=VALUE".into()))?;
        Ok(Setting { key: key.trim().into(), value: value.into() })
    }
}

/// Sixteen random digits: the name of this run of a server, or a password for it.
///
/// # Errors
/// When the system gives no randomness.
pub fn random_name() -> Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).context("the system gives no randomness")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

const EXAMPLES: &str = "\
Examples:
  LEVADA__AUTH__SOURCE_PASSWORD=password levada serve --http 127.0.0.1:8000
  levada serve --config radio.toml --set limits.listeners=500
  levada serve --config radio.toml --print-config
  levada serve --mount BBB.ogv=clip.ogv      # then listen to http://127.0.0.1:8000/BBB.ogv";
