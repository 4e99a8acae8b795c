//! `levada lab up`: a lab with a prompt.

use super::words::{Line, Tell};
use super::{Which, enter};
use crate::exit::{self, Exit};
use crate::output::Console;
use anyhow::{Context, Result};
use clap::Args;
use levada_lab::house::{self, Ask, Say};
use levada_lab::netns::{self, Doors};
use levada_lab::{Lab, Options, Priority, Publish, Topology};
use levada_link::{Compat, LinkConfig, Profile};
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::{thread, time::Instant};

/// A lab with a prompt.
#[derive(Debug, Args)]
pub struct Up {
    #[command(flatten)]
    which: Which,
    /// The rate of the bottleneck
    #[arg(long, default_value = "10mbit")]
    rate: String,
    /// The delay of the bottleneck, each way
    #[arg(long, default_value = "10ms")]
    delay: String,
    /// All of the bottleneck instead: "rate=2mbit delay=80ms loss=1%", a preset such as "lte", or tc's words
    #[arg(long, conflicts_with_all = ["rate", "delay"], value_name = "LINK")]
    core: Option<String>,
    /// So many hosts h1, h2 … around one switch instead
    #[arg(long, value_name = "HOSTS")]
    star: Option<usize>,
    /// A port of a host on the real loopback: 8000:server:80, 5000:server:5000/udp
    #[arg(long, value_name = "[PORT:]HOST:PORT[/udp]")]
    publish: Vec<Publish>,
    /// What all chance follows from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Whose netem: what its words mean, or what the kernel does
    #[arg(long, value_parser = ["physical", "netem"], default_value = "physical")]
    compat: String,
    /// Show the dashboard in place of the prompt; the lab ends with it
    #[arg(long, conflicts_with = "stay")]
    dashboard: bool,
    /// Stay up without a prompt, until a signal or `levada lab down`
    #[arg(long)]
    stay: bool,
}

impl Up {
    fn topology(&self) -> Result<Topology> {
        let wrong = |why: levada_link::ConfigError| Exit(exit::USAGE, why.to_string());
        let core: Profile = match &self.core {
            Some(core) => core.parse().map_err(wrong)?,
            None => {
                let words = format!("rate={} delay={}", self.rate, self.delay);
                Profile::both(words.parse::<LinkConfig>().map_err(wrong)?)
            }
        };
        match self.star {
            Some(hosts) => {
                let access = if self.core.is_some() { core } else { Profile::default() };
                Topology::star(hosts, access).map_err(|why| Exit(exit::USAGE, why.to_string()).into())
            }
            None => Ok(Topology::seminar(core)),
        }
    }

    /// Builds it and does what is asked of it, until it is to end. In process 1.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn run(self, console: Console) -> Result<()> {
        house::tie()?;
        let start = Instant::now();
        let topology = self.topology()?;
        netns::furnish(&topology.names()).context("cannot set the hosts' names")?;
        let listener = house::listen(&self.which.name).map_err(|why| {
            Exit(exit::FAILED, format!("there is a lab {:?} already ({why})", self.which.name))
        })?;
        let compat = if self.compat == "netem" { Compat::Netem } else { Compat::Physical };
        let lab = Arc::new(Lab::build(topology, &Options { seed: self.seed, compat, ..Options::default() })?);
        let built = start.elapsed();
        for publish in &self.publish {
            let outside = lab.publish(publish)?;
            console.say(format!("port {} of {} is {outside} outside", publish.inside, publish.host));
        }
        let hosts = lab.topology().hosts();
        let named = if hosts.len() > 6 { format!("{} hosts", hosts.len()) } else { hosts.join(", ") };
        console.say(format!(
            "lab {:?} is up after {:.1} ms: {named}; the engine runs at {}",
            self.which.name,
            built.as_secs_f64() * 1e3,
            priority(lab.priority()),
        ));
        let (end, ended) = mpsc::channel();
        let name = self.which.name.clone();
        let room = Arc::new(Room { lab, name, stop: AtomicBool::new(false), end });
        serve(listener, room.clone())?;
        signals(room.clone())?;
        if !self.stay {
            let room = room.clone();
            let talk = if self.dashboard { Room::dashboard } else { prompt };
            thread::Builder::new().name("prompt".into()).spawn(move || {
                talk(&room);
                let _ending_already = room.end.send(());
            })?;
        }
        let _all_gone = ended.recv();
        if let Ok(stats) = room.lab.stats() {
            console.say(super::words::fidelity(&room.lab, &stats).trim_end());
        }
        // What runs on hosts ends with this process.
        Ok(())
    }
}

/// What the threads of a lab share.
struct Room {
    lab: Arc<Lab>,
    name: String,
    /// What goes on in the foreground is to stop.
    stop: AtomicBool,
    end: mpsc::Sender<()>,
}

/// Reads lines from a person, or from whatever is on the input.
fn prompt(room: &Room) {
    if !io::stdin().is_terminal() {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if !room.line(&line) {
                return;
            }
        }
        return;
    }
    println!("type help for what one can do here, q to end");
    let Ok(mut editor) = rustyline::DefaultEditor::new() else { return };
    let history = history();
    let _first_time = history.as_ref().and_then(|path| editor.load_history(path).ok());
    loop {
        match editor.readline("lab> ") {
            Ok(line) => {
                let _too_long = editor.add_history_entry(&line);
                if !room.line(&line) {
                    break;
                }
            }
            Err(rustyline::error::ReadlineError::Interrupted) => {}
            Err(_) => break,
        }
    }
    let _nowhere_to_keep_it = history.and_then(|path| editor.save_history(&path).ok());
}

fn history() -> Option<std::path::PathBuf> {
    let home = std::env::var_os("XDG_STATE_HOME").map(std::path::PathBuf::from);
    let home =
        home.or_else(|| Some(std::path::PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    let folder = home.join("levada");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("lab-history"))
}

impl Room {
    /// Does a line; whether to go on.
    fn line(&self, line: &str) -> bool {
        let words = match split(line) {
            Ok(words) => words,
            Err(why) => {
                eprintln!("{why}");
                return true;
            }
        };
        self.stop.store(false, Ordering::Relaxed);
        let Some(first) = words.first() else { return true };
        if first.starts_with('#') {
            return true;
        }
        if self.lab.host(first).is_ok() {
            self.program(first, &words[1..]);
            return true;
        }
        match Line::read(&words) {
            Ok(line) if line.is_end() => return false,
            Ok(line) if line.is_dashboard() => self.dashboard(),
            Ok(line) => drop(line.run(&self.lab, &mut Terminal, &self.stop)),
            Err(why) => drop(why.print()),
        }
        true
    }

    /// Shows the dashboard in the terminal of the prompt.
    fn dashboard(&self) {
        if let Err(why) = super::dashboard::show(&self.name) {
            eprintln!("{why:#}");
        }
    }

    /// Runs a program on a host in the terminal of the prompt.
    fn program(&self, host: &str, words: &[String]) {
        let shell = [enter::shell()];
        let words = if words.is_empty() { &shell } else { words };
        let mut command = std::process::Command::new(&words[0]);
        command.args(&words[1..]).env("PS1", format!("{host}$ "));
        match self.lab.spawn(host, &mut command).map(|mut child| child.wait()) {
            Ok(Ok(status)) if status.success() => {}
            Ok(Ok(status)) => eprintln!("{}: {status}", words[0]),
            Ok(Err(why)) => eprintln!("{}: {why}", words[0]),
            Err(why) => eprintln!("{}: {:#}", words[0], anyhow::Error::from(why)),
        }
    }

    /// Does what one who has come asks for.
    fn answer(&self, stream: &UnixStream) -> io::Result<()> {
        match house::hear(stream)? {
            Some(Ask::Enter(host)) => match self.lab.host(&host) {
                Ok(net) => house::hand_over(stream, &Doors::to(net)?),
                Err(why) => house::say(stream, &Say::Err(why.to_string())),
            },
            Some(Ask::Words(words)) => {
                let status = match Line::read(&words) {
                    Ok(line) if line.is_end() => {
                        house::say(stream, &Say::Status(0))?;
                        let _ending_already = self.end.send(());
                        return Ok(());
                    }
                    Ok(line) => line.run(&self.lab, &mut Remote(stream), &AtomicBool::new(false)),
                    Err(why) => {
                        house::say(stream, &Say::Err(why.to_string()))?;
                        exit::USAGE
                    }
                };
                house::say(stream, &Say::Status(status))
            }
            None => house::say(stream, &Say::Err("this is not your lab\n".into())),
        }
    }
}

/// Answers those who come.
fn serve(listener: UnixListener, room: Arc<Room>) -> io::Result<()> {
    let accept = move || {
        for stream in listener.incoming().flatten() {
            let room = room.clone();
            let _dropped_when_there_are_no_threads =
                thread::Builder::new().spawn(move || room.answer(&stream));
        }
    };
    thread::Builder::new().name("answers".into()).spawn(accept).map(drop)
}

/// Ctrl-C stops what goes on; where nothing can, and at other signals, the lab ends.
fn signals(room: Arc<Room>) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let body = move || {
        runtime.block_on(async {
            let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = (
                signal(SignalKind::interrupt()),
                signal(SignalKind::terminate()),
                signal(SignalKind::hangup()),
            ) else {
                return;
            };
            loop {
                let ends = tokio::select! {
                    _ = interrupt.recv() => !io::stdin().is_terminal(),
                    _ = terminate.recv() => true,
                    _ = hangup.recv() => true,
                };
                room.stop.store(true, Ordering::Relaxed);
                if ends {
                    let _ending_already = room.end.send(());
                }
            }
        });
    };
    thread::Builder::new().name("signals".into()).spawn(body).map(drop)
}

struct Terminal;

impl Tell for Terminal {
    fn out(&mut self, text: &str) -> bool {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
    }

    fn err(&mut self, text: &str) {
        let _nobody_reads = io::stderr().write_all(text.as_bytes());
    }
}

struct Remote<'a>(&'a UnixStream);

impl Tell for Remote<'_> {
    fn out(&mut self, text: &str) -> bool {
        text.is_empty() || house::say(self.0, &Say::Out(text.into())).is_ok()
    }

    fn err(&mut self, text: &str) {
        if !text.is_empty() {
            let _gone = house::say(self.0, &Say::Err(text.into()));
        }
    }
}

/// What scheduling the engine got, in words.
pub fn priority(priority: Priority) -> String {
    match priority {
        Priority::Fifo(number) => format!("real-time priority {number}"),
        Priority::Nice(number) => format!("normal priority, nice {number}: real time was refused"),
        Priority::Normal => "normal priority: real time was refused (`ulimit -r` is 0)".into(),
    }
}

/// The words of a line, with quotes as in a shell.
///
/// # Errors
/// That a quote does not end.
pub fn split(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if quote.is_some() { Err("a quote does not end") } else { Ok(words) }
}
