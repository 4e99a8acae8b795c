//! Teams of real programs: Lab 4 of the P2PSP course as one test.

mod kit;

use anyhow::{Result, ensure};
use kit::{Program, Serve, eventually, http, icecast::Icecast, levada, programs};
use std::net::{TcpListener, UdpSocket};

/// A port that is free for both.
fn free_port() -> Result<u16> {
    loop {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
}

struct Team {
    splitter: Program,
    port: u16,
    wire: &'static str,
}

impl Team {
    fn of(source: &str, wire: &'static str) -> Result<Team> {
        let port = free_port()?;
        let mut splitter =
            Program::start(levada().args(["swarm", "splitter", "--listen", "127.0.0.1"]).args([
                "--wire",
                wire,
                "--source",
                source,
                "--port",
                &port.to_string(),
            ]))?;
        splitter.wait_for("splitting")?;
        Ok(Team { splitter, port, wire })
    }

    /// A peer, and where its players go.
    fn join(&self, kind: &str, more: &[&str]) -> Result<(Program, String)> {
        let splitter = format!("127.0.0.1:{}", self.port);
        let mut peer = Program::start(
            levada()
                .args(["swarm", kind, "--wire", self.wire, "--splitter", &splitter, "--player-port", "0"])
                .args(more),
        )?;
        let players = peer.wait_for("playing on ")?;
        eventually(&format!("the {kind} to play"), || {
            let status = http::get(&format!("{players}status-json.xsl"))?.text();
            Ok(status.contains("/stream\"").then_some(()))
        })?;
        Ok((peer, players))
    }
}

/// Lab 4: a source by ffmpeg, a parent and a relay, a splitter that listens to the relay, a monitor and three peers; their
/// players decode without an error, and one of them feeds a real icecast2 as a source.
#[test]
fn lab_4_goes_from_ffmpeg_to_every_player_and_into_another_icecast() -> Result<()> {
    let parent = Serve::start(&[])?;
    let relay = Serve::start(&["--relay", &parent.url("/BBB.ogv")])?;
    let _source = programs::ffmpeg_source(&parent, "testcard.ogv", "/BBB.ogv", &[])?;
    relay.wait_live("/BBB.ogv")?;
    let other = Icecast::start("")?;

    let team = Team::of(&relay.url("/BBB.ogv"), "a")?;
    let (_monitor, at_monitor) = team.join("monitor", &[])?;
    let (_first, at_first) = team.join("peer", &["--source-to", &other.source("/P2P.ogv")])?;
    let (mut second, at_second) = team.join("peer", &[])?;
    let (_third, at_third) = team.join("peer", &[])?;
    for players in [&at_monitor, &at_first, &at_second, &at_third] {
        programs::ffmpeg_plays(players, "3")?;
    }
    let desk = programs::Desk::new()?;
    let heard = Program::start(
        desk.vlc()
            .args([
                "--run-time",
                "4",
                "--sout",
                "#transcode{vcodec=none,acodec=s16l}:std{access=file,mux=wav,dst=/dev/null}",
            ])
            .arg(&at_third)
            .arg("vlc://quit"),
    )?
    .wait()?;
    ensure!(heard.0, "VLC: {}", heard.1);
    other.wait_live("/P2P.ogv")?;
    programs::ffmpeg_plays(&other.url("/P2P.ogv"), "2")?;

    second.signal("TERM")?;
    let (well, said) = second.wait()?;
    ensure!(well && said.contains("played"), "{said}");
    eventually("the splitter to let the peer go", || {
        Ok(team.splitter.said().contains(" left").then_some(()))
    })?;
    programs::ffmpeg_plays(&at_third, "2")
}
