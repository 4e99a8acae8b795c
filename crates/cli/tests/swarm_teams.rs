//! Several teams of one channel, with real programs: a tracker, a splitter, and a bridge.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{
    Program, Serve, eventually, http, levada, programs,
    team::{Team, free_port, plays},
};

/// A figure of the last status that a program has told.
fn figure(program: &Program, name: &str) -> Option<f64> {
    let said = program.said();
    let last = said.lines().rev().find(|line| line.contains("\"fed_bytes\""))?;
    let status: serde_json::Value = serde_json::from_str(last).ok()?;
    status.get(name)?.as_f64()
}

/// Waits until something of the stream came.
fn deals(what: &str, team: &Team) -> Result<()> {
    let fed = || figure(&team.splitter, "fed_bytes").filter(|fed| *fed > 0.0);
    eventually(&format!("{what} to deal"), || Ok(fed())).map(drop)
}

#[test]
fn a_bridge_carries_another_team_and_when_it_dies_its_members_go_on() -> Result<()> {
    let server = Serve::start(&[])?;
    let _source = programs::ffmpeg_source(&server, "testcard.ogv", "/BBB.ogv", &[])?;
    let mut tracker =
        Program::start(levada().args(["swarm", "tracker", "--listen", "127.0.0.1", "--port", "0"]))?;
    let at = tracker.wait_for("tracking on udp://")?;
    let channel = ["--tracker", at.as_str(), "--channel", "bbb", "--json"];
    let first = Team::begin(free_port()?, &server.url("/BBB.ogv"), "native", &channel)?;
    deals("the splitter", &first)?;
    let source = format!("p2psp://127.0.0.1:{}", first.port);
    let mut second = Team::begin(free_port()?, &source, "native", &channel)?;
    deals("the bridge", &second)?;
    let knows = || (tracker.said().matches("has a team").count() == 2).then_some(());
    eventually("the tracker to know both", || Ok(knows()))?;

    let mut peers = Vec::new();
    for team in [&first, &second, &first, &second] {
        peers.push(team.join("peer", &[])?);
    }
    for (_, players) in &peers {
        programs::ffmpeg_plays(players, "2")?;
    }
    // The bridge is among the first team's; and it alone asked the server for the stream.
    let have = |team: &Team, peers: f64| (figure(&team.splitter, "peers") == Some(peers)).then_some(());
    eventually("both to say whom they have", || Ok(have(&first, 3.0).and(have(&second, 2.0))))?;
    let status = http::get(&server.url("/status-json.xsl"))?.json()?;
    ensure!(status["icestats"]["source"]["listeners"] == 1, "{status}");
    let (sent, fed) = eventually("a status", || {
        Ok(figure(&first.splitter, "sent_bytes").zip(figure(&first.splitter, "fed_bytes")))
    })?;
    let share = sent / fed;
    println!("the first splitter uploads {share:.2} of the stream for two teams");
    // Heads and what newcomers get count much in a few seconds.
    ensure!(share < 1.6, "the first splitter uploads {share} of the stream");

    // Newcomers come by the tracker to either.
    let found = ["swarm", "peer", "--player-port", "0", "--tracker", at.as_str(), "--channel", "bbb"];
    let mut found = Program::start(levada().args(found))?;
    plays("peer", &found.wait_for("playing on ")?)?;

    second.splitter.signal("KILL")?;
    second.splitter.wait()?;
    let moved = || figure(&first.splitter, "peers").filter(|peers| *peers >= 4.0);
    eventually("its members to be elsewhere", || Ok(moved()))?;
    for (peer, players) in &peers {
        programs::ffmpeg_plays(players, "2").with_context(|| peer.said())?;
    }
    Ok(())
}
