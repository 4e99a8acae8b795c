//! Teams of real programs: a splitter, and what joins it.

use super::{Program, eventually, http, levada};
use anyhow::Result;
use std::net::{TcpListener, UdpSocket};

/// A port that is free for streams and datagrams.
pub fn free_port() -> Result<u16> {
    loop {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
}

/// A splitter and where it is.
pub struct Team {
    pub splitter: Program,
    pub port: u16,
    pub wire: &'static str,
}

impl Team {
    /// Of a source, on a port of its own.
    pub fn of(source: &str, wire: &'static str) -> Result<Team> {
        Team::at(free_port()?, source, wire, &[])
    }

    /// On this port, with further arguments; it deals.
    pub fn at(port: u16, source: &str, wire: &'static str, more: &[&str]) -> Result<Team> {
        let mut team = Team::begin(port, source, wire, more)?;
        team.splitter.wait_for("splitting")?;
        Ok(team)
    }

    /// Likewise, as soon as it is started.
    pub fn begin(port: u16, source: &str, wire: &'static str, more: &[&str]) -> Result<Team> {
        let mut splitter = levada();
        splitter.args(["swarm", "splitter", "--listen", "127.0.0.1", "--wire", wire]);
        splitter.args(["--source", source, "--port", &port.to_string()]).args(more);
        Ok(Team { splitter: Program::start(&mut splitter)?, port, wire })
    }

    /// A peer or monitor as soon as it is started.
    pub fn peer(&self, kind: &str, more: &[&str]) -> Result<Program> {
        let splitter = format!("127.0.0.1:{}", self.port);
        let join = ["swarm", kind, "--wire", self.wire, "--splitter", &splitter, "--player-port", "0"];
        Program::start(levada().args(join).args(more))
    }

    /// A peer or monitor, and where its players go; it plays.
    pub fn join(&self, kind: &str, more: &[&str]) -> Result<(Program, String)> {
        let mut peer = self.peer(kind, more)?;
        let players = peer.wait_for("playing on ")?;
        plays(kind, &players)?;
        Ok((peer, players))
    }
}

/// Waits until a member's mount is fed.
pub fn plays(kind: &str, players: &str) -> Result<()> {
    eventually(&format!("the {kind} to play"), || {
        let status = http::get(&format!("{players}status-json.xsl"))?.text();
        Ok(status.contains("/stream\"").then_some(()))
    })
}
