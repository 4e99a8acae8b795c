//! Programs on the hosts of a lab that is up, in the terminal that one has.

use super::{Which, speak};
use crate::exit::{self, Exit};
use anyhow::{Context, Result};
use clap::Args;
use levada_lab::house;
use std::process::Command;

/// A program on a host.
#[derive(Debug, Args)]
pub struct Exec {
    #[command(flatten)]
    which: Which,
    /// The host
    host: String,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// A shell on a host.
#[derive(Debug, Args)]
pub struct Shell {
    #[command(flatten)]
    which: Which,
    /// The host
    host: String,
}

impl Exec {
    /// Runs it, and ends as it does.
    ///
    /// # Errors
    /// That it cannot be run, or that it failed.
    pub fn run(self) -> Result<()> {
        enter(&self.which.name, &self.host, &self.command)
    }
}

impl Shell {
    /// Runs it, and ends as it does.
    ///
    /// # Errors
    /// That it cannot be run, or that it failed.
    pub fn run(self) -> Result<()> {
        enter(&self.which.name, &self.host, &[shell()])
    }
}

/// The shell that one likes.
pub fn shell() -> String {
    std::env::var("SHELL").ok().filter(|shell| !shell.is_empty()).unwrap_or_else(|| "/bin/sh".into())
}

fn enter(name: &str, host: &str, command: &[String]) -> Result<()> {
    let doors = speak::doors(name, host)?;
    doors.enter().context("cannot go into the host")?;
    let (program, arguments) = command.split_first().context("there is no program")?;
    let mut command = Command::new(program);
    command.args(arguments).env("LEVADA_HOST", host).env("PS1", format!("{host}$ "));
    // Ctrl-C is for the program, which is in the same terminal; we wait for its end.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let status = runtime.block_on(async {
        let mut child = tokio::process::Command::from(command).spawn()?;
        let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
        loop {
            tokio::select! {
                status = child.wait() => return status,
                _ = interrupt.recv() => {}
            }
        }
    });
    let status = status.map_err(|why| Exit(exit::FAILED, format!("cannot run {program}: {why}")))?;
    speak::ended(house::code(status))
}
