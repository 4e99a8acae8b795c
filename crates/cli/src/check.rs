//! `levada check-config` and `levada config`: configurations before they are served.

use crate::{
    config::{Complaint, Layers, Trouble},
    exit::{CONFIG, Exit},
    import::import,
    output::Console,
    serve,
};
use anyhow::{Context, Result, ensure};
use levada_serve::{Config, auth};
use serde::Serialize;
use std::{
    io::{Read, Write, stdin, stdout},
    path::PathBuf,
};

/// Look whether a configuration file is good; exit status 3 when it is not
#[derive(Debug, clap::Args)]
pub struct Check {
    /// The file (TOML)
    file: PathBuf,
}

/// Make configurations and what goes into them
#[derive(Debug, clap::Subcommand)]
pub enum Make {
    /// Turn icecast.xml into a configuration of ours; what has no counterpart is said in comments
    Import {
        /// The file (XML)
        file: PathBuf,
    },
    /// Turn a password, read from standard input, into a hash that a configuration may hold instead
    Hash,
}

/// What a program reads of a check.
#[derive(Serialize)]
struct Report {
    good: bool,
    complaints: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    place: String,
    key: String,
    text: String,
}

impl Check {
    /// Reads the file alone: neither the environment nor flags have a say.
    ///
    /// # Errors
    /// When anything is wrong.
    pub fn run(self, console: Console) -> Result<()> {
        let layers = Layers { file: Some(self.file.clone()), ..Layers::default() };
        let outcome = serve::read(&layers);
        if console.json() {
            let complaints = match &outcome {
                Ok((_, odd)) => odd,
                Err(trouble) => &trouble.0,
            };
            let report = Report { good: outcome.is_ok(), complaints: complaints.iter().map(line).collect() };
            console.statistics(&report, false);
            return outcome.map(drop).map_err(|_| Exit(CONFIG, "the configuration is wrong".into()).into());
        }
        let (_, odd) = outcome?;
        odd.iter().for_each(|odd| console.say(format!("warning: {odd}")));
        console.say(format!("{} is good", self.file.display()));
        Ok(())
    }
}

impl Make {
    /// Writes what was asked for to standard output.
    ///
    /// # Errors
    /// When the input cannot be read or understood.
    pub fn run(self, console: Console) -> Result<()> {
        match self {
            Make::Import { file } => {
                let bytes =
                    std::fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
                let text = import(&String::from_utf8_lossy(&bytes), &file).map_err(Trouble::from)?;
                stdout().write_all(text.as_bytes())?;
                let config: Config = toml::from_str(&text).context("what was imported needs a look")?;
                for finding in config.findings() {
                    console.say(format!("look at {finding}"));
                }
                Ok(())
            }
            Make::Hash => {
                let mut password = String::new();
                stdin().take(LONGEST).read_to_string(&mut password)?;
                let password = password.trim_end_matches(['\r', '\n']);
                ensure!(!password.is_empty(), "say the password on standard input");
                let mut salt = [0; 16];
                getrandom::fill(&mut salt).context("the system gives no randomness")?;
                Ok(writeln!(stdout(), "{}", auth::hash(password, &salt))?)
            }
        }
    }
}

fn line(complaint: &Complaint) -> Line {
    Line { place: complaint.origin.to_string(), key: complaint.key.clone(), text: complaint.text.clone() }
}

const LONGEST: u64 = 4_096;
