//! A splitter that stands by for another, with real programs.

mod kit;

use anyhow::{Result, ensure};
use kit::{
    Serve, eventually, http, programs,
    team::{Team, free_port},
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
