//! The `levada` command.
#![forbid(unsafe_code)]

mod args;
mod bench;
mod check;
mod config;
mod demo;
mod exit;
mod import;
#[cfg(target_os = "linux")]
mod lab;
#[cfg(not(target_os = "linux"))]
#[path = "lab/elsewhere.rs"]
mod lab;
mod output;
mod pull;
mod push;
mod run;
mod serve;
mod sign;
mod swarm;
mod talk;
mod times;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    exit::report(args::Levada::parse_from(talk::spelling(std::env::args_os())).run())
}
