//! What one may type: the verbs, and what goes with every one of them.

use crate::{bench::Bench, check, demo, lab, output::Console, pull, push, run, serve, sign, swarm, talk};
use clap::{Args, Parser, Subcommand};
use std::io::{IsTerminal, stderr};
use tracing_subscriber::{EnvFilter, fmt};

/// Live media over IP, in one command.
#[derive(Debug, Parser)]
#[command(name = "levada", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Levada {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show what levada does: servers, sources, a relay and listeners on this machine, verified byte by byte
    Demo(demo::Demo),
    /// Serve live streams to as many listeners as this machine carries
    Serve(serve::Serve),
    /// Look whether a configuration file is good; exit status 3 when it is not
    CheckConfig(check::Check),
    /// Make configurations and what goes into them
    #[command(subcommand)]
    Config(check::Make),
    /// Sign an address, so that it opens a mount for a while
    Sign(sign::Sign),
    /// Send files as a live stream to a mount of a server
    Push(push::Push),
    /// Receive a stream from a server into a file or a pipe
    Pull(pull::Pull),
    /// Build small networks on this machine, with links as bad as one likes
    #[command(subcommand)]
    Lab(lab::Lab),
    /// Call somebody: sound both ways, with the lowest delay that the network allows
    Talk(Box<talk::Talk>),
    /// Distribute one stream to a team of peers that pass it on to each other
    #[command(subcommand)]
    Swarm(swarm::Swarm),
    /// Measure a server
    #[command(subcommand)]
    Bench(Bench),
}

/// What goes with every verb.
#[derive(Clone, Copy, Debug, Args)]
pub struct Common {
    /// Say more; twice, say everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Speak JSON, for programs
    #[arg(long, global = true)]
    json: bool,
}

impl Levada {
    /// Does what was typed.
    ///
    /// # Errors
    /// What went wrong, for [`crate::exit::code`] to judge.
    pub fn run(self) -> anyhow::Result<()> {
        let console = Console::new(self.common.quiet, self.common.json);
        self.common.log(matches!(self.verb, Verb::Serve(_)));
        match self.verb {
            Verb::Demo(demo) => run::block_on(demo.run(console)),
            Verb::Serve(serve) => run::block_on(serve.run(console)),
            Verb::CheckConfig(check) => check.run(console),
            Verb::Config(make) => make.run(console),
            Verb::Sign(sign) => sign.run(),
            Verb::Push(push) => run::block_on(push.run(console)),
            Verb::Pull(pull) => run::block_on(pull.run(console)),
            Verb::Lab(lab) => lab.run(console),
            Verb::Talk(talk) => run::block_on(talk.run(console)),
            Verb::Swarm(swarm) => swarm.run(console),
            Verb::Bench(bench) => bench.run(),
        }
    }
}

impl Common {
    /// Sends the log to stderr. `LEVADA_LOG` says what is logged, in the words of `tracing`'s filters.
    fn log(self, serves: bool) {
        let level = match (self.quiet, self.verbose) {
            (true, _) => "error",
            (_, 0) if serves => "info",
            (_, 0) => "warn",
            (_, 1) => "debug",
            _ => "trace",
        };
        let filter = EnvFilter::try_from_env("LEVADA_LOG").unwrap_or_else(|_| EnvFilter::new(level));
        // says that it is gone when we are
        let filter = filter.add_directive("pulseaudio=off".parse().unwrap_or_default());
        let lines = fmt().with_env_filter(filter).with_writer(stderr).with_target(false);
        let _only_once = match self.json {
            true => lines.json().try_init(),
            false => lines.with_ansi(Console::wants_color(stderr().is_terminal())).compact().try_init(),
        };
    }
}

const EXAMPLES: &str = "\
Examples:
  levada demo --for 20s
  levada serve --http 127.0.0.1:8000
  levada serve --mount BBB.ogv=clip.ogv
  levada push --loop clip.ogv icecast://source:password@127.0.0.1:8000/clip.ogv
  levada pull http://127.0.0.1:8000/clip.ogv -o - | mpv -

Exit status: 0 done, 1 failed, 2 wrong usage, 3 wrong configuration, 4 network, 5 wrong password, 124 too late.";
