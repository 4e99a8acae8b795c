//! The `levada` command.
#![forbid(unsafe_code)]

mod args;
mod bench;
mod config;
mod demo;
mod exit;
mod output;
mod pull;
mod push;
mod run;
mod serve;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    exit::report(args::Levada::parse().run())
}
