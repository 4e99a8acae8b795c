//! A network of its own for a test. Made without privileges.

use anyhow::{Context, Result, ensure};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// A network namespace, inside a user namespace; it ends with this.
pub struct Net(Child);

impl Net {
    /// An empty network: `lo`, which multicast uses too.
    pub fn new() -> Result<Net> {
        Net::of("ip link set lo up multicast on && ip route add 224.0.0.0/4 dev lo")
    }

    /// What a script makes of nothing, with mounts of its own.
    pub fn of(script: &str) -> Result<Net> {
        let script = format!("{} && echo ready && exec cat", script.trim_end());
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--net", "--mount", "sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("unshare")?;
        let mut line = String::new();
        BufReader::new(holder.stdout.take().context("piped")?).read_line(&mut line)?;
        let net = Net(holder);
        ensure!(line.trim() == "ready", "no network of a test's own can be made here: {line:?}");
        Ok(net)
    }

    /// The same command, inside.
    pub fn enter(&self, command: &Command) -> Command {
        self.wrap(command, &[])
    }

    /// The same command, inside, as somebody who is not root, for programs that refuse to be.
    pub fn enter_as_nobody(&self, command: &Command) -> Command {
        self.wrap(command, &["unshare", "--user", "--map-user=65534", "--map-group=65534"])
    }

    /// What `before` makes of the same command, inside.
    pub fn wrap(&self, command: &Command, before: &[&str]) -> Command {
        let mut inside = Command::new("nsenter");
        inside
            .args(["--user", "--net", "--mount", "--preserve-credentials", "--target"])
            .arg(self.0.id().to_string());
        inside.arg("--").args(before).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                inside.env(name, value);
            }
        }
        inside
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}
