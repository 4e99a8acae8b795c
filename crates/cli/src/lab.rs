//! `levada lab`: small networks on this machine, with links that can be made as bad as one likes.

use crate::output::Console;
use clap::{Args, Subcommand};
use levada_lab::house;

mod dashboard;
mod doctor;
mod enter;
mod glimpse;
mod plot;
mod proxy;
mod replay;
mod run;
mod speak;
mod tutorial;
mod up;
mod words;

/// What one may do with labs.
#[derive(Debug, Subcommand)]
pub enum Lab {
    /// Build a lab and work in it: server – s1 – s2 – client, with the link between the switches as bottleneck
    Up(up::Up),
    /// Show the links of a lab that is up, with sliders and live plots
    Dashboard(dashboard::Dashboard),
    /// Run a program on a host of a lab that is up
    Exec(enter::Exec),
    /// Open a shell on a host of a lab that is up
    Shell(enter::Shell),
    /// Run a scenario: a lab, programs in it, changes of its links, and what is expected
    Run(run::Run),
    /// Compare the metrics of two runs
    Diff(run::Diff),
    /// Draw what happened to a stream between two captures: levada lab plot server.pcap client.pcap
    Plot(plot::Plot),
    /// Send a capture over an emulated link, in virtual time: levada lab replay in.pcap --link 'rate=2mbit' -o out.pcap
    Replay(replay::Replay),
    /// Explain and run the experiments of examples/labs; `list` lists them
    Tutorial(tutorial::Tutorial),
    /// Say what this machine can do, and how to mend what it cannot
    Doctor(doctor::Doctor),
    /// Put a bad link between two programs, on any system and without any privilege
    Proxy(proxy::Proxy),
    #[command(flatten)]
    Word(Asked),
}

/// What is asked of a lab that is up, by its words.
#[derive(Debug, Subcommand)]
pub enum Asked {
    /// Show links, or change one: levada lab link core rate=2mbit delay=80ms
    Link(Words),
    /// Shape a link in tc's own words: levada lab tc qdisc add dev s1-eth2 root netem delay 100ms
    Tc(Words),
    /// Send echoes from one host to another
    Ping(Words),
    /// Measure how much goes from one host to another, by a large ping and by a real transfer
    Throughput(Words),
    /// Show packets at an interface as they pass: levada lab capture -i s2-eth1 'port 1935'
    Capture(Words),
    /// Show what the links have carried, and how punctual the engine is
    Stats(Words),
    /// Show what was changed so far, as a scenario schedules it
    Changes(Words),
    /// End it
    Down(Words),
}

/// Words for a lab that is up.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Words {
    /// What it is to do (`--help` explains)
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Which lab.
#[derive(Clone, Debug, Args)]
pub struct Which {
    /// The lab's name
    #[arg(long, default_value = "lab", env = "LEVADA_LAB", value_name = "NAME")]
    name: String,
}

impl Which {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Lab {
    /// Does what was typed.
    ///
    /// # Errors
    /// That there is no such lab, or what it answers.
    pub fn run(self, console: Console) -> anyhow::Result<()> {
        match self {
            Lab::Up(up) if house::is_inside() => up.run(console),
            Lab::Up(_) => speak::ended(house::front()?),
            Lab::Run(run) if house::is_inside() => run.run(console),
            Lab::Run(run) if run.check()? => speak::ended(house::front()?),
            Lab::Run(run) => run.waiting(),
            Lab::Diff(diff) => diff.run(),
            Lab::Tutorial(tutorial) if tutorial.lists() => tutorial.list(),
            Lab::Tutorial(tutorial) if house::is_inside() => tutorial.run(console),
            Lab::Tutorial(_) => speak::ended(house::front()?),
            Lab::Doctor(doctor) if house::is_inside() => doctor.inside(),
            Lab::Doctor(doctor) => doctor.run(),
            Lab::Proxy(proxy) => proxy.run(console),
            Lab::Dashboard(dashboard) => dashboard.run(),
            Lab::Exec(exec) => exec.run(),
            Lab::Shell(shell) => shell.run(),
            Lab::Plot(plot) => plot.run(console),
            Lab::Replay(replay) => replay.run(console),
            Lab::Word(asked) => asked.run(),
        }
    }
}

impl Asked {
    fn run(self) -> anyhow::Result<()> {
        let (word, mut words) = match self {
            Asked::Link(words) => ("link", words.words),
            Asked::Tc(words) => ("tc", words.words),
            Asked::Ping(words) => ("ping", words.words),
            Asked::Throughput(words) => ("throughput", words.words),
            Asked::Capture(words) => ("capture", words.words),
            Asked::Stats(words) => ("stats", words.words),
            Asked::Changes(words) => ("changes", words.words),
            Asked::Down(words) => ("down", words.words),
        };
        let name = speak::name_of_lab(&mut words);
        words.insert(0, word.into());
        // What makes no sense need not be asked for, and help needs no lab.
        if let Err(why) = words::Line::read(&words) {
            why.exit();
        }
        speak::ask(&name, &words)
    }
}
