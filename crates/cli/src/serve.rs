//! `levada serve`: a server for live streams.

use crate::{
    config::{Flag, Layers},
    exit::{Exit, USAGE},
    output::Console,
    run,
};
use anyhow::{Context, Result};
use levada_serve::{Config, MountName, Server, config::MountConfig};
use std::{net::SocketAddr, path::PathBuf};

/// Serve live streams to as many listeners as this machine carries
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Serve {
    /// Address to serve on; may be said more than once
    #[arg(long, value_name = "ADDRESS")]
    http: Vec<SocketAddr>,
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "LEVADA_CONFIG")]
    config: Option<PathBuf>,
    /// A mount played from a file in a loop: `BBB.ogv=clip.ogv`
    #[arg(long, value_name = "MOUNT=FILE")]
    mount: Vec<FileMount>,
}

#[derive(Clone, Debug)]
struct FileMount {
    name: MountName,
    file: PathBuf,
}

impl Serve {
    /// Serves until somebody wants it to stop.
    ///
    /// # Errors
    /// When the configuration is wrong or an address cannot be had.
    pub async fn run(self, console: Console) -> Result<()> {
        let config = self.configuration()?;
        let server = Server::start(config, random_name()?).await.context("cannot serve")?;
        for address in server.addresses() {
            console.say(format!("serving on http://{address}/"));
        }
        run::stopped().await;
        console.say("stopping");
        server.stop().await;
        Ok(())
    }

    fn configuration(&self) -> Result<Config> {
        let listen: Vec<_> = self.http.iter().map(ToString::to_string).collect();
        let flags = match listen.is_empty() {
            true => Vec::new(),
            false => vec![Flag::new("--http", "http.listen", format!("{listen:?}"))],
        };
        let layers = Layers { file: self.config.clone(), env: std::env::vars().collect(), flags };
        let mut config = layers.read::<Config>()?.config;
        config.mount.extend(self.mount.iter().map(|mount| MountConfig {
            name: mount.name.to_string(),
            file: Some(mount.file.clone()),
            ..MountConfig::default()
        }));
        Ok(config)
    }
}

impl std::str::FromStr for FileMount {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<FileMount> {
        let (name, file) = text.split_once('=').ok_or_else(|| Exit(USAGE, "say MOUNT=FILE".into()))?;
        let name = format!("/{}", name.trim_start_matches('/')).parse()?;
        Ok(FileMount { name, file: file.into() })
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
  levada serve --config radio.toml
  levada serve --mount BBB.ogv=clip.ogv      # then listen to http://127.0.0.1:8000/BBB.ogv";
