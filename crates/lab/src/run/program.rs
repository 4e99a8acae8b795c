//! A program on a host: started, watched until it is ready, and stopped.

use super::Place;
use super::board::{Board, State};
use super::steps::metric;
use crate::lab::Lab;
use crate::scenario::{Ready, Step};
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Runs a program to its end.
///
/// # Errors
/// In words: that it did not become ready, or ended otherwise than it should, with the last that it said.
pub(super) fn run(
    lab: &Lab,
    step: &Step,
    command: &str,
    host: &str,
    board: &Board,
    place: &Place<'_>,
) -> Result<(), String> {
    let name = if step.hosts().len() > 1 { format!("{}@{host}", step.name) } else { step.name.clone() };
    let log = place.folder.join(format!("{name}.log"));
    let start = Instant::now();
    let child = start_it(lab, step, command, host, &log, place).map_err(|why| crate::told(&why))?;
    let mut program = Program { child, group: None, log };
    program.group = Pid::from_raw(program.child.id() as i32);
    let status = program.watch(lab, step, host, board)?;
    board.metric(metric(step, host, "seconds"), start.elapsed().as_secs_f64());
    let code = crate::house::code(status);
    board.metric(metric(step, host, "exit"), code.into());
    for (key, value) in program.figures() {
        board.metric(metric(step, host, &key), value);
    }
    match step.exit {
        Some(expected) if code != expected => {
            Err(format!("ended with status {code}, not {expected}{}", program.said()))
        }
        _ => Ok(()),
    }
}

fn start_it(
    lab: &Lab,
    step: &Step,
    line: &str,
    host: &str,
    log: &Path,
    place: &Place<'_>,
) -> Result<Child, crate::LabError> {
    let failed = crate::LabError::system("cannot write the log");
    let out = File::create(log).map_err(&failed)?;
    let err = out.try_clone().map_err(&failed)?;
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(line).stdin(Stdio::null()).stdout(out).stderr(err);
    command.current_dir(place.folder).env("LAB", &place.base).env("PATH", path()).envs(&step.env);
    // A group of its own, so that all of it can be stopped and a terminal's Ctrl-C is not for it.
    command.process_group(0);
    lab.spawn(host, &mut command)
}

/// Where programs are found: this one first, whatever its name is.
fn path() -> OsString {
    let own = std::env::current_exe().ok().and_then(|exe| exe.parent().map(PathBuf::from));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = own.into_iter().chain(std::env::split_paths(&path));
    std::env::join_paths(all).unwrap_or(path)
}

struct Program {
    child: Child,
    group: Option<Pid>,
    log: PathBuf,
}

impl Program {
    /// Waits until it has ended: by itself, or because it is time.
    fn watch(&mut self, lab: &Lab, step: &Step, host: &str, board: &Board) -> Result<ExitStatus, String> {
        let late = Instant::now() + step.ready_within;
        let mut ready = false;
        loop {
            let ended = self.child.try_wait().map_err(|why| why.to_string())?;
            if !ready {
                ready = match (&step.ready, ended) {
                    (Ready::Exit, status) => status.is_some(),
                    (other, _) => self.is_ready(lab, host, other),
                };
                if ready {
                    board.set(&step.name, host, State::Ready);
                }
            }
            if let Some(status) = ended {
                let what = if ready { "ended by itself" } else { "ended before it was ready" };
                let wanted = step.exit.is_some() && (ready || status.code() != Some(0));
                return match wanted || board.is_stopping(step.stop.order) {
                    true => Ok(status),
                    false => Err(format!("{what} ({status}){}", self.said())),
                };
            }
            if !ready && step.ready != Ready::Exit && Instant::now() > late {
                let what = format!("was not ready ({}) after {:?}", step.ready, step.ready_within);
                self.kill();
                return Err(format!("{what}{}", self.said()));
            }
            if board.is_stopping(step.stop.order) {
                let unfinished = step.exit.is_some() && !board.has_failed();
                let status = self.stop(step).map_err(|why| why.to_string())?;
                return match unfinished {
                    true => Err(format!("had not ended by itself{}", self.said())),
                    false => Ok(status),
                };
            }
            board.wait(Duration::from_millis(20));
        }
    }

    fn is_ready(&self, lab: &Lab, host: &str, ready: &Ready) -> bool {
        match ready {
            Ready::Started => true,
            Ready::Tcp(port) => has_port(lab, host, &["tcp", "tcp6"], *port, "0A"),
            Ready::Udp(port) => has_port(lab, host, &["udp", "udp6"], *port, "07"),
            Ready::Log(text) => self.text().contains(text.as_str()),
            Ready::File(name) => self.log.with_file_name(name).exists(),
            Ready::Exit => false,
        }
    }

    /// Asks it to end, and makes it.
    fn stop(&mut self, step: &Step) -> io::Result<ExitStatus> {
        let signal = match step.stop.signal.as_str() {
            "INT" => Signal::INT,
            "HUP" => Signal::HUP,
            "KILL" => Signal::KILL,
            _ => Signal::TERM,
        };
        self.signal(signal);
        let deadline = Instant::now() + step.stop.grace;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                self.signal(Signal::KILL);
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.kill();
        self.child.wait()
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            let _gone_already = kill_process_group(group, signal);
        }
    }

    fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _gone_already = self.child.wait();
    }

    /// The last that it said, at most 64 KiB.
    fn text(&self) -> String {
        let mut bytes = Vec::new();
        let _nothing_yet = File::open(&self.log).and_then(|mut file| {
            let length = file.seek(SeekFrom::End(0))?;
            file.seek(SeekFrom::Start(length.saturating_sub(1 << 16)))?;
            file.take(1 << 16).read_to_end(&mut bytes)
        });
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines of it, to be shown.
    fn said(&self) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(20)..];
        if last.is_empty() {
            return "; it said nothing".into();
        }
        format!("; it said:\n    {}", last.join("\n    "))
    }

    /// Numbers in the last line of JSON that it printed, by their keys; and of `KEY=NUMBER` words in its last line.
    fn figures(&self) -> Vec<(String, f64)> {
        let text = self.text();
        let json = text.lines().rev().find_map(|line| {
            serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(line.trim()).ok()
        });
        let mut figures = Vec::new();
        for (key, value) in json.into_iter().flatten() {
            figures.extend(value.as_f64().map(|value| (key, value)));
        }
        let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        for (key, value) in last.split_whitespace().filter_map(|word| word.split_once('=')) {
            figures.extend(value.parse().ok().map(|value| (key.to_owned(), value)));
        }
        figures.truncate(100);
        figures
    }
}

/// Whether a socket of a host has a port, in a state.
fn has_port(lab: &Lab, host: &str, kinds: &[&str], port: u16, state: &str) -> bool {
    let Ok(net) = lab.host(host) else { return false };
    let read = || {
        kinds.iter().any(|kind| {
            let text = std::fs::read_to_string(format!("/proc/thread-self/net/{kind}")).unwrap_or_default();
            text.lines().skip(1).any(|line| {
                let mut words = line.split_whitespace().skip(1);
                let local = words.next().and_then(|word| word.rsplit_once(':'));
                let found = local.and_then(|(_, number)| u16::from_str_radix(number, 16).ok());
                found == Some(port) && words.nth(1) == Some(state)
            })
        })
    };
    net.within(read).unwrap_or(false)
}
