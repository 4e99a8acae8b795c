//! Teams of real programs: Lab 4 of the P2PSP course as one test.

mod kit;

use anyhow::{Result, ensure};
use kit::{
    Program, Serve, eventually, http,
    icecast::Icecast,
    levada, programs,
    team::{Team, free_port, plays},
};
use std::time::{Duration, Instant};

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
    programs::vlc_plays(&desk, &at_third)?;
    programs::vlc_plays(&desk, &at_monitor)?;
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

/// How long it takes a newcomer from its door for players to the first page behind the header set, where a player may
/// begin. The reference takes 1.1 to 2.2 seconds.
fn first_picture(team: &Team) -> Result<Duration> {
    let splitter = format!("127.0.0.1:{}", team.port);
    let mut peer = Program::start(levada().args([
        "swarm",
        "peer",
        "--wire",
        "native",
        "--splitter",
        &splitter,
        "--player-port",
        "0",
    ]))?;
    let players = peer.wait_for("playing on ")?;
    let began = Instant::now();
    let mut player = http::Listener::open(&players, "")?;
    player.until("a picture", |body| {
        let mut cutter = levada_media::Format::Ogg.cutter();
        cutter.push(body);
        std::iter::from_fn(|| cutter.poll()).any(|page| page.role == levada_media::Role::Entry)
    })?;
    Ok(began.elapsed())
}

#[test]
fn a_native_team_plays_from_the_first_byte_whoever_dies() -> Result<()> {
    let server = Serve::start(&[])?;
    let mut source = programs::ffmpeg_source(&server, "testcard.ogv", "/BBB.ogv", &[])?;
    let mut team = Team::of(&server.url("/BBB.ogv"), "native")?;
    let (first, at_first) = team.join("monitor", &[])?;
    let (_second, at_second) = team.join("peer", &[])?;
    let (_third, at_third) = team.join("peer", &[])?;
    // Somebody who does not read holds nobody up.
    let _slow = http::Listener::open(&at_second, "")?;
    for players in [&at_first, &at_second, &at_third] {
        programs::ffmpeg_plays(players, "2")?;
    }
    let quickest = (0..3).map(|_| first_picture(&team)).collect::<Result<Vec<_>>>()?.into_iter().min();
    ensure!(quickest < Some(Duration::from_millis(800)), "a newcomer's first picture took {quickest:?}");

    first.signal("KILL")?;
    programs::ffmpeg_plays(&at_second, "2")?;
    programs::ffmpeg_plays(&at_third, "2")?;
    eventually("the splitter to notice", || Ok(team.splitter.said().contains("is dead").then_some(())))?;

    team.splitter.signal("KILL")?;
    team.splitter.wait()?;
    team = Team::at(team.port, &server.url("/BBB.ogv"), "native", &[])?;
    eventually("both to be back", || {
        Ok((team.splitter.said().matches(" joined").count() >= 2).then_some(()))
    })?;
    source.signal("KILL")?;
    source.wait()?;
    let _again = programs::ffmpeg_source(&server, "testcard.ogv", "/BBB.ogv", &[])?;
    // Who comes in between hears the end of one stream and the beginning of the next, which ffmpeg cannot.
    for players in [&at_second, &at_third] {
        eventually("the new stream", || Ok(programs::ffmpeg_plays(players, "2").ok()))?;
    }
    Ok(())
}

#[test]
fn a_team_on_wire_b_plays_and_lets_go() -> Result<()> {
    let server = Serve::start(&[])?;
    let _source = programs::ffmpeg_source(&server, "testcard.ogv", "/BBB.ogv", &[])?;
    let team = Team::of(&server.url("/BBB.ogv"), "b")?;
    let (_monitor, at_monitor) = team.join("monitor", &[])?;
    let (mut first, at_first) = team.join("peer", &[])?;
    let (_second, at_second) = team.join("peer", &[])?;
    for players in [&at_monitor, &at_first, &at_second] {
        programs::ffmpeg_plays(players, "2")?;
    }
    first.signal("TERM")?;
    ensure!(first.wait()?.0);
    eventually("the splitter to let it go", || Ok(team.splitter.said().contains(" left").then_some(())))?;
    programs::ffmpeg_plays(&at_second, "2")
}

#[test]
fn a_tracker_gives_teams_and_another_when_a_splitter_dies() -> Result<()> {
    let server = Serve::start(&[])?;
    let _source = programs::ffmpeg_source(&server, "testcard.ogv", "/BBB.ogv", &[])?;
    let mut tracker =
        Program::start(levada().args(["swarm", "tracker", "--listen", "127.0.0.1", "--port", "0"]))?;
    let at = tracker.wait_for("tracking on udp://")?;
    let more = ["--tracker", at.as_str(), "--channel", "bbb"];
    let mut native = Team::at(free_port()?, &server.url("/BBB.ogv"), "native", &more)?;
    eventually("the first team", || Ok(tracker.said().contains("has a team").then_some(())))?;
    let mut peer = Program::start(levada().args(["swarm", "peer", "--player-port", "0"]).args(more))?;
    let players = peer.wait_for("playing on ")?;
    plays("peer", &players)?;
    programs::ffmpeg_plays(&players, "2")?;

    // Another team, on another wire; then the first splitter dies, and the peer goes there.
    let old = Team::at(free_port()?, &server.url("/BBB.ogv"), "a", &more)?;
    eventually("the second team", || Ok((tracker.said().matches("has a team").count() == 2).then_some(())))?;
    native.splitter.signal("KILL")?;
    native.splitter.wait()?;
    eventually("the peer to be in the other team", || {
        Ok(old.splitter.said().contains(" joined").then_some(()))
    })?;
    eventually("the other stream", || {
        let moved = peer.said().matches("in the team of").count() == 2;
        Ok((moved && programs::ffmpeg_plays(&players, "1").is_ok()).then_some(()))
    })
}

#[test]
fn a_mount_carries_a_team_that_pull_joins_and_the_page_shows() -> Result<()> {
    let mut server = Serve::with(|command| {
        command.args(["--set", "mount=[{name='/BBB.ogv',swarm=true}]"]);
    })?;
    let _source = programs::ffmpeg_source(&server, "testcard.ogv", "/BBB.ogv", &[])?;
    let team = format!("p2psp://{}", server.program.wait_for("a team carries /BBB.ogv: p2psp://")?);
    let desk = programs::Desk::new()?;
    let file = desk.path("pulled.ogv");
    let mut pull = Program::start(levada().args(["--json", "pull", &team, "--for", "6s", "-o"]).arg(&file))?;
    eventually("the page to show the peer", || {
        let page = http::get(&server.url("/assets/team/BBB.ogv"))?.text();
        Ok((page.contains("peer 1") && page.contains("<svg")).then_some(()))
    })?;
    ensure!(http::get(&server.url("/"))?.text().contains("data-team=\"/BBB.ogv\""));
    let (well, said) = pull.wait()?;
    ensure!(well && said.contains("\"wire\":\"native\"") && said.contains("\"lost\":0"), "{said}");
    let wrong = kit::decode(&file)?;
    ensure!(wrong.is_empty(), "{wrong}");
    Ok(())
}

#[test]
fn an_encrypted_team_plays_and_lets_nobody_in_who_does_not_encrypt() -> Result<()> {
    let server = Serve::start(&[])?;
    let _source = programs::ffmpeg_source(&server, "testcard.ogv", "/BBB.ogv", &[])?;
    let team = Team::at(free_port()?, &server.url("/BBB.ogv"), "native", &["--transport", "quic"])?;
    let (first, at_first) = team.join("peer", &["--transport", "quic"])?;
    let (_second, at_second) = team.join("peer", &[])?;
    let (_third, at_third) = team.join("peer", &[])?;
    for players in [&at_first, &at_second, &at_third] {
        programs::ffmpeg_plays(players, "2")?;
    }
    let splitter = format!("127.0.0.1:{}", team.port);
    let join = ["swarm", "peer", "--wire", "native", "--player-port", "0", "--splitter", &splitter];
    let mut bare = Program::start(levada().args(join).args(["--transport", "plain"]))?;
    bare.wait_for("the splitter does not let us in")?;
    first.signal("KILL")?;
    for players in [&at_second, &at_third] {
        programs::ffmpeg_plays(players, "2")?;
    }
    Ok(())
}
