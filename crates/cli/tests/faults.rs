//! Bad days: too few descriptors, clients that die or never read, impatient administrators.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{
    Program, Serve, http, levada, push,
    wire::{Wire, metric, until_metric},
};
use std::{
    process::Command,
    time::{Duration, Instant},
};

/// How many times as much as in an ordinary run: `make faults` asks for ten.
fn times() -> usize {
    std::env::var("LEVADA_FAULTS").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

#[test]
fn without_descriptors_accepting_pauses_and_nobody_loses_anything() -> Result<()> {
    let server = Serve::with(|command| *command = starved(command, 72))?;
    let mut source = push(&server, "chords.mp3", "/a.mp3")?;
    let mut listener = http::Listener::open(&server.url("/a.mp3"), "")?;
    let since = server.admin("/api/v1/mounts/a.mp3")?.json()?["source"]["since"].clone();
    for _ in 0..times() {
        // more than it has descriptors for; the kernel shakes their hands anyway
        let crowd: Vec<_> = (0..120).map(|_| Wire::say(&server, b"GET /")).collect::<Result<_>>()?;
        kit::eventually("accepting to pause", || {
            Ok(server.program.said().contains("accepting pauses").then_some(()))
        })?;
        let before = listener.body.len();
        listener.until("the stream go on", |body| body.len() > before + 60_000)?;
        drop(crowd);
        kit::eventually("the server to answer again", || {
            Ok(http::get(&server.url("/status-json.xsl")).ok().filter(|reply| reply.status == 200).map(drop))
        })?;
    }
    ensure!(metric(&server, "levada_accept_failures_total")? > 0);
    ensure!(source.runs(), "the source was dropped");
    let now = server.admin("/api/v1/mounts/a.mp3")?.json()?["source"]["since"].clone();
    ensure!(since.is_string() && now == since, "the source had to come again");
    let before = listener.body.len();
    listener.until("the stream afterwards", |body| body.len() > before + 20_000)?;
    let mut cutter = levada_media::Format::Mp3.cutter();
    cutter.push(&listener.body);
    while cutter.poll().is_some() {}
    ensure!(cutter.skipped() == 0, "{} bytes belong to torn frames", cutter.skipped());
    Ok(())
}

/// The same command with so few descriptors.
fn starved(command: &Command, descriptors: u32) -> Command {
    let mut starved = Command::new("sh");
    starved.arg("-c").arg(format!("ulimit -n {descriptors}; exec \"$0\" \"$@\""));
    starved.arg(command.get_program()).args(command.get_args());
    starved.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    starved
}

#[test]
fn the_first_signal_drains_and_the_second_ends_at_once() -> Result<()> {
    let patient = |command: &mut Command| {
        command.env("LEVADA__LIMITS__DRAIN", "60s");
    };
    let mut server = Serve::with(patient)?;
    let _source = push(&server, "chords.mp3", "/a.mp3")?;
    let mut listener = http::Listener::open(&server.url("/a.mp3"), "")?;
    listener.until("the stream", |body| body.len() > 20_000)?;
    server.program.signal("TERM")?;
    let drained = Instant::now();
    while listener.more()? {}
    let (good, said) = server.program.wait()?;
    ensure!(good && said.contains("stopping"), "{said}");
    ensure!(drained.elapsed() < Duration::from_secs(30), "everybody had gone, and it waited");

    let mut server = Serve::with(patient)?;
    let mut source = Wire::source(&server, "/b.mp3", "audio/mpeg", "")?;
    let clip = std::fs::read(kit::clip("chords.mp3"))?;
    source.send(&clip)?;
    server.wait_live("/b.mp3")?;
    let deaf = deaf(&server, &mut source, &clip)?;
    server.program.signal("TERM")?;
    server.program.wait_for("stopping")?;
    std::thread::sleep(Duration::from_millis(500));
    ensure!(server.program.runs(), "it did not wait for who is still to hear something");
    server.program.signal("TERM")?;
    let asked = Instant::now();
    server.program.wait()?;
    ensure!(asked.elapsed() < Duration::from_secs(10), "the second signal took {:?}", asked.elapsed());
    drop(deaf);
    Ok(())
}

/// A listener whose socket is full, so that there is something left to send.
fn deaf(server: &Serve, source: &mut Wire, clip: &[u8]) -> Result<Wire> {
    let deaf = Wire::listener(server, "/b.mp3?latency=low")?;
    until_metric(server, "levada_listeners", |listeners| listeners == 1)?;
    kit::eventually("its socket to be full", || {
        source.send(clip)?;
        let page = http::get(&server.url("/metrics"))?.text();
        let blocked = |line: &str| line.starts_with("levada_reactor_blocked_total{") && !line.ends_with(" 0");
        Ok(page.lines().any(blocked).then_some(()))
    })?;
    Ok(deaf)
}

#[test]
fn who_never_reads_disturbs_nobody_and_costs_little() -> Result<()> {
    let server = Serve::start(&[])?;
    let _source = push(&server, "fractal.webm", "/v.webm")?;
    let mut listener = http::Listener::open(&server.url("/v.webm"), "")?;
    listener.until("the stream", |body| body.len() > 100_000)?;
    let before = resident(&server.program)?;
    let crowd = 100 * times();
    let deaf: Vec<_> = (0..crowd).map(|_| Wire::listener(&server, "/v.webm")).collect::<Result<_>>()?;
    until_metric(&server, "levada_listener_sessions_total", |count| count > crowd as u64)?;
    let (mut longest, mut last, heard) = (Duration::ZERO, Instant::now(), listener.body.len());
    while listener.body.len() < heard + 300_000 {
        ensure!(listener.more()?, "the listener was dropped");
        longest = longest.max(last.elapsed());
        last = Instant::now();
    }
    ensure!(longest < Duration::from_secs(3), "nothing came for {longest:?}");
    let grown = resident(&server.program)?.saturating_sub(before);
    ensure!(grown < 16 * 1024 + 32 * crowd as u64, "{crowd} deaf listeners cost {grown} kB");
    drop(deaf);
    until_metric(&server, "levada_listeners", |listeners| listeners == 1)
}

#[test]
fn hundreds_of_clients_that_die_leave_a_healthy_server() -> Result<()> {
    let server = Serve::start(&[])?;
    let mut source = push(&server, "chords.mp3", "/a.mp3")?;
    let mut witness = http::Listener::open(&server.url("/a.mp3"), "")?;
    witness.until("the stream", |body| body.len() > 20_000)?;
    let clip = std::fs::read(kit::clip("chords.mp3"))?;
    let descriptors = open_descriptors(&server.program)?;
    let deaths = 200 * times();
    for number in 0..deaths {
        match number % 5 {
            // a source that dies within a frame, and one that dies within its head
            0 => Wire::source(&server, &format!("/d{number}.mp3"), "audio/mpeg", "")?.send(&clip[..1_001])?,
            1 => drop(Wire::say(&server, b"PUT /x.mp3 HTTP/1.1\r\nAuthoriz")?),
            // with bytes unread the kernel sends a reset
            2 => drop(http::Listener::open(&server.url("/a.mp3"), "Icy-MetaData: 1\r\n")?),
            3 => drop(Wire::listener(&server, "/a.mp3")?),
            _ if number % 25 == 4 => kill(&mut Program::start(
                levada().args(["pull", "-o", "/dev/null"]).arg(server.url("/a.mp3")),
            )?)?,
            _ => drop(Wire::say(&server, b"GET /status-json.xsl HTTP/1.1\r\nHost: h\r\n\r\nGET /")?),
        }
    }
    until_metric(&server, "levada_listeners", |listeners| listeners == 1)?;
    until_metric(&server, "levada_sources", |sources| sources == 1)?;
    // the witness, the source, and whoever asks
    until_metric(&server, "levada_connections", |connections| connections <= 3)?;
    kit::eventually("descriptors to be given back", || {
        Ok((open_descriptors(&server.program)? <= descriptors + 4).then_some(()))
    })?;
    let heard = witness.body.len();
    witness.until("the stream go on", |body| body.len() > heard + 20_000)?;
    ensure!(source.runs() && !server.program.said().contains("panicked"), "{}", server.program.said());
    Ok(())
}

/// Without a word, as soon as it has begun to listen.
fn kill(program: &mut Program) -> Result<()> {
    std::thread::sleep(Duration::from_millis(100));
    program.signal("KILL")
}

/// Memory of a program, kB.
fn resident(program: &Program) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn open_descriptors(program: &Program) -> Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{}/fd", program.pid()))?.count())
}
