//! `levada sign`: an address that opens a mount for a while.

use anyhow::{Context, Result};
use levada_serve::{MountName, auth};
use percent_encoding::percent_decode_str;
use std::{
    io::{Write, stdout},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use url::Url;

/// Sign an address, so that it opens a mount for a while
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Sign {
    /// The mount's address
    url: Url,
    /// The mount's `signing_key`; better in LEVADA_SIGNING_KEY, where nobody else sees it
    #[arg(long, env = "LEVADA_SIGNING_KEY", hide_env_values = true)]
    key: String,
    /// How long it is good for
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    time: Duration,
}

impl Sign {
    /// Writes the signed address to standard output.
    ///
    /// # Errors
    /// When the address names no mount.
    pub fn run(mut self) -> Result<()> {
        let path = percent_decode_str(self.url.path()).decode_utf8()?.into_owned();
        let mount: MountName = path.parse().with_context(|| format!("{path} is no mount"))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
        let until = now.saturating_add(self.time).as_secs();
        let signed = auth::sign(self.key.as_bytes(), &mount, until);
        let before = self.url.query().map(|query| format!("{query}&")).unwrap_or_default();
        self.url.set_query(Some(&format!("{before}{signed}")));
        Ok(writeln!(stdout(), "{}", self.url)?)
    }
}

const EXAMPLES: &str = "\
Example:
  LEVADA_SIGNING_KEY=key levada sign http://127.0.0.1:8000/members.mp3 --for 30m";
