//! How a command speaks to a lab that is up.

use crate::exit::{self, Exit};
use anyhow::Result;
use levada_lab::house::{self, Say};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks a lab to do what words say, and shows what it says.
///
/// # Errors
/// That there is no such lab, or that it could not.
pub fn ask(name: &str, words: &[String]) -> Result<()> {
    let status = house::ask(name, words, |say| {
        let _nobody_reads = match say {
            Say::Out(text) => io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()),
            Say::Err(text) => io::stderr().write_all(text.as_bytes()),
            Say::Status(_) => Ok(()),
        };
    });
    ended(status.map_err(|why| nobody(name, why))?)
}

/// The way into a host of a lab.
///
/// # Errors
/// That there is no such lab, or no such host.
pub fn doors(name: &str, host: &str) -> Result<levada_lab::netns::Doors> {
    let doors = house::doors(name, host).map_err(|why| nobody(name, why))?;
    doors.map_err(|why| Exit(exit::USAGE, why).into())
}

/// A shell's exit status as an outcome.
///
/// # Errors
/// Every status but 0; whoever ended so has said why.
pub fn ended(status: u8) -> Result<()> {
    if status == 0 { Ok(()) } else { Err(Exit(status, String::new()).into()) }
}

/// Takes `--name NAME` out of words for a lab.
pub fn name_of_lab(words: &mut Vec<String>) -> String {
    let said = words.iter().position(|word| word == "--name").filter(|at| at + 1 < words.len());
    match said {
        Some(at) => {
            words.remove(at);
            words.remove(at)
        }
        None => std::env::var("LEVADA_LAB").unwrap_or_else(|_| "lab".into()),
    }
}

/// Why a lab did not answer, in words.
pub fn nobody(name: &str, why: io::Error) -> anyhow::Error {
    let missing = matches!(why.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound);
    let said = match missing {
        true => format!("no lab {name:?} is up; `levada lab up` makes one"),
        false => format!("cannot speak to the lab {name:?}"),
    };
    anyhow::Error::from(why).context(said)
}

/// Shows packets as they pass.
#[derive(Debug, clap::Args)]
pub struct Capture {
    /// At which interface
    #[arg(short, long)]
    interface: String,
    /// Which packets, in tcpdump's words
    #[arg(trailing_var_arg = true)]
    filter: Vec<String>,
    /// Stop after so many
    #[arg(short, long)]
    count: Option<u64>,
}

impl Capture {
    /// Shows them, until `stop` is set or nobody listens.
    pub fn run(
        self,
        lab: &levada_lab::Lab,
        tell: &mut dyn super::words::Tell,
        stop: &AtomicBool,
    ) -> Result<()> {
        let (mut shown, most) = (0, self.count.unwrap_or(u64::MAX));
        let show = |line: &str| {
            shown += u64::from(!line.contains("==="));
            tell.out(line) && shown < most
        };
        Ok(lab.show_packets(
            &self.interface,
            &self.filter.join(" "),
            || !stop.load(Ordering::Relaxed),
            show,
        )?)
    }
}
