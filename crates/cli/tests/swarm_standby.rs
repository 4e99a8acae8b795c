//! A splitter that stands by for another, with real programs.

mod kit;

use anyhow::{Result, ensure};
use kit::{
    Program, Serve, eventually, http, levada, programs,
    team::{Team, free_port, plays},
};
use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

/// Reads on; the longest time that nothing came from now on, while at least so many bytes do.
fn longest_pause(listener: &mut http::Listener, bytes: usize) -> Result<Duration> {
    let (from, mut last, mut longest) = (listener.body.len(), Instant::now(), Duration::ZERO);
    while listener.body.len() < from + bytes {
        ensure!(listener.more()?, "the player's stream ended");
        longest = longest.max(last.elapsed());
        last = Instant::now();
    }
    Ok(longest)
}

/// The pages of an Ogg stream, each of which must begin where the last one ends and have the next number of its track.
fn pages(mut body: &[u8]) -> Result<usize> {
    let (mut next, mut count) = (BTreeMap::<[u8; 4], u32>::new(), 0);
    while let Some(head) = body.get(..27) {
        ensure!(head.starts_with(b"OggS"), "no page where one should begin, after {count}");
        let Some(laces) = body.get(27..27 + usize::from(head[26])) else { break };
        let length = 27 + laces.len() + laces.iter().map(|lace| usize::from(*lace)).sum::<usize>();
        let Some(rest) = body.get(length..) else { break };
        let [serial, number] = [14, 18].map(|at| [head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let number = u32::from_le_bytes(number);
        // Between the headers and where a player begins there is a gap.
        let expected = next.insert(serial, number + 1);
        let begins = expected.is_none_or(|expected| expected < 4);
        ensure!(begins || expected == Some(number), "{number} where {expected:?} was due");
        (body, count) = (rest, count + 1);
    }
    Ok(count)
}

#[test]
fn a_splitter_that_stands_by_goes_on_when_the_first_is_killed_and_no_player_leaves() -> Result<()> {
    let server = Serve::start(&[])?;
    let _source = programs::ffmpeg_source(&server, "testcard.ogv", "/BBB.ogv", &[])?;
    let (desk, stream) = (programs::Desk::new()?, server.url("/BBB.ogv"));
    let key = desk.path("team.key").display().to_string();
    let mut first = Team::at(free_port()?, &stream, "native", &["--key", &key])?;
    let members = [first.join("peer", &[])?, first.join("peer", &[])?, first.join("peer", &[])?];
    let primary = format!("127.0.0.1:{}", first.port);
    let more = ["--key", key.as_str(), "--standby-of", primary.as_str()];
    let mut second = Team::begin(free_port()?, &stream, "native", &more)?;
    second.splitter.wait_for("standing by for")?;
    eventually("the first to know", || Ok(first.splitter.said().contains(" stands by").then_some(())))?;
    let mut players = Vec::new();
    for (_, at) in &members {
        let mut player = http::Listener::open(at, "")?;
        player.until("a stream", |body| body.len() > 50_000)?;
        players.push(player);
    }
    first.splitter.signal("KILL")?;
    first.splitter.wait()?;
    let watched: Vec<_> = players
        .into_iter()
        .map(|mut player| {
            thread::spawn(move || -> Result<_> {
                let pause = longest_pause(&mut player, 150_000)?;
                Ok((pause, pages(&player.body)?))
            })
        })
        .collect();
    for player in watched {
        let (pause, pages) = player.join().expect("nobody panics there")?;
        println!("a player's longest pause was {pause:?}; {pages} pages, none lost or twice");
        // It is about one second; here others may have the processor.
        ensure!(pause < Duration::from_secs(5), "a player had nothing for {pause:?}");
    }
    ensure!(second.splitter.said().contains("taking over its 3 peers"));
    for (member, _) in &members {
        let said = member.said();
        ensure!(said.contains("goes on") && said.matches("joined the team").count() == 1, "{said}");
    }
    // The heir is a splitter like any other by now.
    let (_late, players) = second.join("peer", &[])?;
    programs::ffmpeg_plays(&players, "2")
}

/// The members of a team as its splitter told them last with `--json`.
fn members_of(team: &Team) -> Result<Vec<serde_json::Value>> {
    let said = team.splitter.said();
    let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let last = whole.lines().rfind(|line| line.starts_with('{'));
    let told: Option<serde_json::Value> = last.map(serde_json::from_str).transpose()?;
    Ok(told.and_then(|told| told["members"].as_array().cloned()).unwrap_or_default())
}

/// A private team that encrypts, with a tracker and a splitter that stands by: of each kind of process one is killed, and
/// all others go on.
#[test]
fn a_private_encrypted_team_goes_on_whichever_of_its_processes_is_killed() -> Result<()> {
    let server = Serve::start(&[])?;
    let mut source = programs::ffmpeg_source(&server, "testcard.ogv", "/BBB.ogv", &[])?;
    let (desk, stream) = (programs::Desk::new()?, server.url("/BBB.ogv"));
    let key = desk.path("team.key").display().to_string();
    let port = free_port()?.to_string();
    let track = ["swarm", "tracker", "--listen", "127.0.0.1", "--port", &port, "--token", "tea"];
    let mut tracker = Program::start(levada().args(track))?;
    let at = tracker.wait_for("tracking on udp://")?;
    let channel = ["--tracker", at.as_str(), "--channel", "bbb", "--token", "tea"];
    let team = ["--key", key.as_str(), "--transport", "quic"];
    let first = Team::begin(free_port()?, &stream, "native", &[&team[..], &channel, &["--json"]].concat())?;
    let primary = format!("127.0.0.1:{}", first.port);
    let follows = [&team[..], &["--token", "tea", "--standby-of", &primary]].concat();
    let mut second = Team::begin(free_port()?, &stream, "native", &follows)?;
    second.splitter.wait_for("standing by for")?;
    // Of another team's token, or without QUIC, nobody stands by or joins.
    let mut stranger = first.peer("peer", &["--token", "coffee"])?;
    let (well, said) = stranger.wait()?;
    ensure!(!well && said.contains("wants another token"), "{said}");
    let mut plain = first.peer("peer", &["--token", "tea", "--transport", "plain"])?;
    plain.wait_for("the splitter does not let us in")?;
    plain.stop();

    let mut members = vec![first.join("monitor", &["--token", "tea"])?];
    for _ in 0..3 {
        let mut peer = Program::start(levada().args(["swarm", "peer", "--player-port", "0"]).args(channel))?;
        let players = peer.wait_for("playing on ")?;
        plays("peer", &players)?;
        members.push((peer, players));
    }
    let all_play = |members: &[(Program, String)]| -> Result<()> {
        members.iter().try_for_each(|(_, players)| programs::ffmpeg_plays(players, "1"))
    };
    all_play(&members)?;

    tracker.signal("KILL")?;
    tracker.wait()?;
    let mut player = Program::start(std::process::Command::new("ffmpeg").args([
        "-v",
        "error",
        "-re",
        "-i",
        &members[1].1,
        "-f",
        "null",
        "-",
    ]))?;
    eventually("a player", || {
        let status = http::get(&format!("{}status-json.xsl", members[1].1))?.text();
        Ok(status.contains("\"listeners\":1").then_some(()))
    })?;
    player.signal("KILL")?;
    player.wait()?;
    all_play(&members)?;
    let tracker = Program::start(levada().args(track))?;
    eventually("the next tracker to hear of the team", || {
        Ok(tracker.said().contains("has a team").then_some(()))
    })?;

    let (monitor, _) = members.remove(0);
    monitor.signal("KILL")?;
    all_play(&members)?;
    // A peer on which others hang.
    let parent = eventually("somebody to be a parent", || {
        let told = members_of(&first)?;
        let hangs = |member: &&serde_json::Value| member["children"].as_u64() > Some(0);
        let parent =
            told.iter().find(hangs).and_then(|member| member["endpoint"].as_str()).map(str::to_owned);
        let Some(parent) = parent else { return Ok(None) };
        Ok(members.iter().position(|(peer, _)| peer.said().contains(&format!(" as {parent} "))))
    })?;
    let (parent, _) = members.remove(parent);
    parent.signal("KILL")?;
    all_play(&members)?;

    first.splitter.signal("KILL")?;
    second.splitter.wait_for("the other splitter is dead")?;
    all_play(&members)?;
    let (_late, players) = second.join("peer", &["--token", "tea"])?;
    programs::ffmpeg_plays(&players, "1")?;

    source.signal("KILL")?;
    source.wait()?;
    let _again = programs::ffmpeg_source(&server, "testcard.ogv", "/BBB.ogv", &[])?;
    for (peer, players) in &mut members {
        // Who comes in between hears the end of one stream and the beginning of the next, which ffmpeg cannot.
        eventually("the new stream", || Ok(programs::ffmpeg_plays(players, "1").ok()))?;
        // It says who goes on, or joins anew if its parent's death was what it heard of first.
        ensure!(peer.runs(), "{}", peer.said());
    }
    Ok(())
}

/// Two servers carry one stream; the mount of the second stands by for the team of the first's.
#[test]
fn a_mount_stands_by_for_the_team_of_another_server() -> Result<()> {
    let origin = Serve::start(&[])?;
    let _source = programs::ffmpeg_source(&origin, "testcard.ogv", "/BBB.ogv", &[])?;
    let desk = programs::Desk::new()?;
    let (key, port) = (desk.path("team.key"), free_port()?);
    let carries = |more: &str| {
        let team = format!("name='/BBB.ogv',swarm=true,swarm_key='{}',{more}", key.display());
        Serve::start(&["--relay", &origin.url("/BBB.ogv"), "--set", &format!("mount=[{{{team}}}]")])
    };
    let mut first = carries(&format!("swarm_port={port}"))?;
    first.program.wait_for("a team carries /BBB.ogv")?;
    first.wait_live("/BBB.ogv")?;
    let mut second = carries(&format!("swarm_standby_of='127.0.0.1:{port}'"))?;
    second.program.wait_for("/BBB.ogv: standing by for")?;
    first.program.wait_for("stands by")?;
    let team = format!("p2psp://127.0.0.1:{port}");
    let file = desk.path("pulled.ogv");
    let mut pull = Program::start(levada().args(["pull", &team, "--for", "9s", "-o"]).arg(&file))?;
    pull.wait_for("joined the team")?;
    eventually("something of the stream", || {
        Ok(std::fs::metadata(&file).is_ok_and(|file| file.len() > 50_000).then_some(()))
    })?;
    first.program.signal("KILL")?;
    first.program.wait()?;
    second.program.wait_for("/BBB.ogv: the other splitter is dead: taking over its 1 peers")?;
    let (well, said) = pull.wait()?;
    ensure!(well && said.contains("goes on") && said.contains(" 0 chunks lost"), "{said}");
    let wrong = kit::decode(&file)?;
    ensure!(wrong.is_empty(), "{wrong}");
    Ok(())
}
