//! Rooms between processes: `levada serve --rooms` and `levada talk --room`, tones in, files out.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Program, Serve, eventually, levada, programs::Desk, wav::read_wav};
use levada_link::room::wire::{Heard, Join, VERSION};
use levada_link::room::{DisplayName, RoomName};
use serde_json::Value;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A server with rooms; where they are.
fn serve(more: &[&str]) -> Result<(Serve, String)> {
    let mut server = Serve::with(|command| {
        command.args(["--rooms", "127.0.0.1:0"]).args(more);
    })?;
    let rooms = server.program.wait_for("rooms at udp://")?;
    Ok((server, rooms))
}

/// A participant; `more` in the order of a shell.
fn talk(rooms: &str, name: &str, more: &str) -> Command {
    let mut command = levada();
    command.args(["talk", "--room", &format!("band@{rooms}"), "--name", name]);
    command.args(["--input", "null", "--output", "null"].iter().take(if more.contains("--input") {
        0
    } else {
        4
    }));
    command.args(more.split_whitespace());
    command
}

/// One that says a tone and keeps what it hears.
fn tone(rooms: &str, name: &str, hertz: u32, output: &Path) -> Result<Program> {
    let more = format!("--json --block 480 --input tone:{hertz} --output");
    Program::start(talk(rooms, name, &more).arg(output))
}

/// What it said as JSON.
fn lines(program: &Program) -> Vec<Value> {
    program.said().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Waits until it has heard more than so many frames of so many others, as its last statistics say.
fn hears(program: &mut Program, others: usize, more_than: impl Fn(&str) -> u64) -> Result<()> {
    eventually("all to be heard", || {
        ensure!(program.runs(), "it ended: {}", program.said());
        let all = lines(program);
        let Some(last) = all.iter().rev().find(|line| line["participants"].is_array()) else {
            return Ok(None);
        };
        let voices = last["participants"].as_array().context("a list")?;
        let heard = |voice: &&Value| {
            let name = voice["name"].as_str().unwrap_or_default();
            voice["heard"].as_u64().is_some_and(|heard| heard > more_than(name))
        };
        Ok((voices.len() == others && voices.iter().filter(heard).count() == others).then_some(()))
    })
}

/// How loud each of these tones is in each half of a second of a file of 48 kHz, in decibels below full scale (Goertzel).
fn loudness(file: &Path, hertz: &[f64]) -> Result<Vec<Vec<f64>>> {
    let heard = read_wav(file)?;
    let half: Vec<&[i16]> = heard.chunks_exact(48_000).collect();
    let tau = std::f64::consts::TAU;
    let level = |block: &[i16], hertz: f64| {
        let (coefficient, count) = (2.0 * (tau * hertz / 48_000.0).cos(), 24_000.0);
        let (mut one, mut two) = (0.0, 0.0);
        for (n, frame) in block.chunks_exact(2).enumerate() {
            let window = 1.0 - (tau * n as f64 / count).cos();
            (one, two) = (f64::from(frame[0]) / 32_768.0 * window + coefficient * one - two, one);
        }
        let power: f64 = one * one + two * two - coefficient * one * two;
        10.0 * (power / (count * count / 4.0)).max(1e-12).log10()
    };
    Ok(half.iter().map(|block| hertz.iter().map(|hertz| level(block, *hertz)).collect()).collect())
}

const TONES: [(&str, u32); 3] = [("Ana", 400), ("Ben", 610), ("Cleo", 930)];

#[test]
fn three_programs_hear_each_other_and_not_themselves() -> Result<()> {
    let desk = Desk::new()?;
    let (_server, rooms) = serve(&[])?;
    let mut programs = Vec::new();
    for (name, hertz) in TONES {
        programs.push(tone(&rooms, name, hertz, &desk.path(&format!("{name}.wav")))?);
    }
    programs.iter_mut().try_for_each(|program| hears(program, 2, |_| 150))?;
    let said: Vec<Vec<Value>> = programs.iter().map(lines).collect();
    // a signal each, then the ends: none hears the others leave for long
    programs.iter().try_for_each(|program| program.signal("TERM"))?;
    for program in &mut programs {
        let (well, said) = program.wait()?;
        ensure!(well, "{said}");
    }
    let words = |n: usize, of: &str| {
        let met = said[n].iter().find(|line| line["event"] == "met" && line["name"] == of);
        met.map(|met| met["words"].to_string()).with_context(|| format!("{n} met no {of}: {:?}", said[n]))
    };
    for (n, m) in [(0, 1), (0, 2), (1, 2)] {
        ensure!(words(n, TONES[m].0)? == words(m, TONES[n].0)?, "{n} and {m} see other words");
    }
    let hertz = TONES.map(|(_, hertz)| f64::from(hertz));
    for (n, (name, _)) in TONES.iter().enumerate() {
        let levels = loudness(&desk.path(&format!("{name}.wav")), &hertz)?;
        // where both others are heard well; a busy machine may click now and then
        let both = |half: &&Vec<f64>| (0..3).filter(|m| *m != n).all(|m| half[m] > -25.0);
        let mut own: Vec<f64> = levels.iter().filter(both).map(|half| half[n]).collect();
        own.sort_by(f64::total_cmp);
        let own = own.get(own.len() / 2).with_context(|| format!("{name} hears {levels:.0?}"))?;
        ensure!(*own < -45.0, "{name} hears itself at {own:.0} dB");
    }
    Ok(())
}

#[test]
fn who_is_killed_is_missed_and_a_server_that_comes_back_has_them_all() -> Result<()> {
    let desk = Desk::new()?;
    let (mut server, rooms) = serve(&[])?;
    let start = |n: usize| tone(&rooms, TONES[n].0, TONES[n].1, &desk.path(&format!("{n}.wav")));
    let (mut ana, mut ben, mut cleo) = (start(0)?, start(1)?, start(2)?);
    hears(&mut ana, 2, |_| 20)?;
    cleo.signal("KILL")?;
    cleo.wait()?;
    for program in [&mut ana, &mut ben] {
        eventually("Cleo to be missed", || {
            let missed = |line: &Value| line["event"] == "left" && line["name"] == "Cleo";
            Ok(lines(program).iter().any(missed).then_some(()))
        })?;
    }
    server.program.signal("KILL")?;
    server.program.wait()?;
    eventually("the silence", || Ok(lines(&ana).iter().any(|line| line["event"] == "silent").then_some(())))?;
    let mut again = Serve::with(|command| {
        command.args(["--rooms", &rooms]);
    })?;
    again.program.wait_for("rooms at udp://")?;
    for program in [&mut ana, &mut ben] {
        eventually("them to be in again", || {
            Ok((lines(program).iter().filter(|line| line["event"] == "in").count() == 2).then_some(()))
        })?;
        // all is counted anew
        hears(program, 1, |_| 20)?;
    }
    ana.stop();
    eventually("Ana to be missed", || {
        let missed = |line: &Value| line["event"] == "left" && line["name"] == "Ana";
        Ok(lines(&ben).iter().any(missed).then_some(()))
    })
}

/// Somebody who only is there, and keeps silent.
fn extra(rooms: &str) -> Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(rooms)?;
    socket.set_read_timeout(Some(Duration::from_millis(300)))?;
    let (room, name) = (Some("band".parse::<RoomName>()?), DisplayName::of("extra"));
    let mut join = Join { version: VERSION, nonce: 9, cookie: [0; 16], pass: 0, flags: 0, room, name };
    eventually("an extra to be in", || {
        socket.send(&join.write())?;
        let mut buffer = [0; 1_500];
        let Ok(length) = socket.recv(&mut buffer) else { return Ok(None) };
        match Heard::read(&buffer[..length]) {
            Some(Heard::Bring { cookie, .. }) => join.cookie = cookie,
            Some(Heard::Welcome { .. } | Heard::Roster(_)) => return Ok(Some(())),
            _ => {}
        }
        Ok(None)
    })?;
    Ok(socket)
}

#[test]
fn who_is_not_let_in_is_told_why_in_one_line() -> Result<()> {
    let (_server, rooms) = serve(&["--set", "rooms.silence=120s", "--set", "rooms.names=['band']"])?;
    let fails = |command: &mut Command, code: i32, why: &str| -> Result<()> {
        let out = command.output()?;
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        let told: Vec<&str> = said.lines().filter(|line| line.contains(why)).collect();
        ensure!(out.status.code() == Some(code) && told.len() == 1, "{:?}: {said}", out.status);
        Ok(())
    };
    // another passphrase
    let mut ana = Program::start(&mut talk(&rooms, "Ana", "--passphrase right --json"))?;
    eventually("Ana to be in", || Ok(lines(&ana).iter().any(|line| line["event"] == "in").then_some(())))?;
    let mut wrong = talk(&rooms, "Mal", "--passphrase wrong --for 60s");
    fails(&mut wrong, 5, "nobody there knows the same passphrase")?;
    eventually("Ana to be told", || {
        let told = |line: &Value| line["event"] == "apart" && line["name"] == "Mal";
        Ok(lines(&ana).iter().any(told).then_some(()))
    })?;
    ensure!(ana.runs(), "{}", ana.said());
    // the seventeenth
    let _extras: Vec<UdpSocket> = (0..15).map(|_| extra(&rooms)).collect::<Result<_>>()?;
    fails(&mut talk(&rooms, "Zoe", "--for 60s"), 4, "the room is full")?;
    // no such room, no server, no name of a room
    let mut other = levada();
    other.args(["talk", "--room", &format!("choir@{rooms}"), "--input", "null", "--output", "null"]);
    fails(&mut other, 4, "the server has no such room")?;
    let nobody = UdpSocket::bind("127.0.0.1:0")?;
    fails(&mut talk(&nobody.local_addr()?.to_string(), "Ana", "--for 1s"), 4, "did not answer")?;
    let mut nonsense = levada();
    fails(nonsense.args(["talk", "--room", "a b@localhost"]), 2, "the name of a room is")
}
