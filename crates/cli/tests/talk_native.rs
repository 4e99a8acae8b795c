//! The native call between two processes: files in, files out, over loopback; passphrases, keys, second callers.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{
    Program, eventually, lab, levada,
    programs::Desk,
    terminal::Terminal,
    wav::{read_wav, song, write_wav},
};
use std::net::UdpSocket;
use std::process::Command;

/// Free ports of UDP.
fn ports<const N: usize>() -> Result<[u16; N]> {
    let sockets: Vec<UdpSocket> = (0..N).map(|_| UdpSocket::bind("0.0.0.0:0")).collect::<Result<_, _>>()?;
    let mut ports = [0; N];
    for (port, socket) in ports.iter_mut().zip(&sockets) {
        *port = socket.local_addr()?.port();
    }
    Ok(ports)
}

/// Where, in frames, and how well, in decibels, `frames` frames of `said` from `from` on are heard: by correlation, apart from the product.
fn heard_at(heard: &[i16], said: &[i16], from: usize, frames: usize) -> (usize, f64) {
    let said: Vec<f64> = said[2 * from..2 * (from + frames)].iter().map(|x| f64::from(*x)).collect();
    let energy: f64 = said.iter().map(|x| x * x).sum();
    let alike = |at: usize, step: usize| {
        let window = heard[2 * at..].iter().map(|x| f64::from(*x));
        let (mut product, mut own) = (0.0, 1.0);
        for (a, b) in window.zip(&said).step_by(step) {
            (product, own) = (product + a * b, own + a * a);
        }
        product / own.sqrt()
    };
    let most_alike = |places: &mut dyn Iterator<Item = usize>, step| {
        let found = places.map(|at| (at, alike(at, step)));
        found.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(at, _)| at)
    };
    // two programs begin at most a second apart, and an echo is a second late
    let last = (heard.len() / 2).saturating_sub(frames).min(from + 90_000);
    let coarse = most_alike(&mut (from.saturating_sub(40_000)..last).step_by(3), 61);
    let best = most_alike(&mut (coarse.saturating_sub(4)..(coarse + 5).min(last.max(1))), 1);
    let share = (alike(best, 1) / energy.sqrt()).clamp(0.0, 1.0 - 1e-9); // the cosine between the two
    (best, 10.0 * (share * share / (1.0 - share * share)).log10())
}

/// The best of some stretches, since a busy machine may miss a moment: frames of delay, and decibels.
fn best(heard: &[i16], said: &[i16]) -> (i64, f64) {
    let found = (3..6).map(|n| {
        let (at, db) = heard_at(heard, said, n * 22_050, 2_048);
        (at as i64 - n as i64 * 22_050, db)
    });
    found.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
}

/// One end; `more` in the order of a shell.
fn end(peer: Option<u16>, listen: u16, more: &str) -> Command {
    let mut command = levada();
    command.arg("talk");
    command.args(peer.map(|peer| format!("127.0.0.1:{peer}")));
    command.args(["--listen", &listen.to_string()]).args(more.split_whitespace());
    command
}

#[test]
fn two_processes_hear_each_other_coded_and_lossless() -> Result<()> {
    let desk = Desk::new()?;
    let songs = [song(0.0, 4), song(1.0, 4)];
    for (n, song) in songs.iter().enumerate() {
        write_wav(&desk.path(&format!("in{n}.wav")), song)?;
    }
    for (codec, least) in [("native", 12.0), ("lossless", 20.0)] {
        let [a, b] = ports()?;
        let mut ends = Vec::new();
        for (n, (listen, peer)) in [(a, b), (b, a)].into_iter().enumerate() {
            let more = format!("--codec {codec} --for 4s --passphrase seven-quiet-words --json");
            let mut command = end(Some(peer), listen, &more);
            command.arg("--input").arg(desk.path(&format!("in{n}.wav")));
            command.arg("--output").arg(desk.path(&format!("{codec}{n}.wav")));
            ends.push(Program::start(&mut command)?);
        }
        let mut words = Vec::new();
        for end in &mut ends {
            let (well, said) = end.wait()?;
            ensure!(well, "{codec}: {said}");
            let events = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            let events: Vec<serde_json::Value> = events.collect();
            let connected = events.iter().find(|event| event["event"] == "connected");
            words.push(connected.with_context(|| format!("{codec}: {said}"))?["words"].to_string());
            let last = events.iter().rev().find(|event| event["mos"].is_number());
            let last = last.with_context(|| format!("{codec}: {said}"))?;
            ensure!(last["delay"]["all"].as_f64().is_some_and(|all| all > 0.005 && all < 1.0), "{last}");
        }
        ensure!(words[0] == words[1] && words[0].len() == 11, "{codec}: {words:?}");
        for (n, other) in [(0, 1), (1, 0)] {
            let heard = read_wav(&desk.path(&format!("{codec}{n}.wav")))?;
            let (frames, db) = best(&heard, &songs[other]);
            println!("{codec}: end {n} hears the other at {db:.1} dB, {:.1} ms apart", frames as f64 / 44.1);
            ensure!(db > least, "{codec}: end {n} hears the other at {db:.1} dB, {frames} frames apart");
            // the two programs begin some time apart
            ensure!(frames.abs() < 2 * 44_100, "{codec}: {frames} frames apart");
        }
    }
    Ok(())
}

#[test]
fn strangers_are_told_in_one_line_why_they_are_not_let_in() -> Result<()> {
    let [a, b, c, d] = ports()?;
    let files = "--input tone --output null";
    let mut near = Program::start(&mut end(None, a, &format!("{files} --passphrase right --for 20s")))?;
    // another passphrase
    let wrong = end(Some(a), b, &format!("{files} --passphrase wrong --for 10s")).output()?;
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    ensure!(wrong.status.code() == Some(5), "{said}");
    ensure!(
        said.lines().filter(|line| line.contains("does not know the same passphrase")).count() == 1,
        "{said}"
    );
    // a call, and a second caller
    let mut first =
        Program::start(&mut end(Some(a), c, &format!("{files} --passphrase right --for 8s --json")))?;
    first.wait_for("connected")?;
    let busy = end(Some(a), d, &format!("{files} --passphrase right --for 6s")).output()?;
    let said = String::from_utf8_lossy(&busy.stderr).into_owned();
    ensure!(busy.status.code() == Some(4) && said.contains("is in another call"), "{said}");
    let (well, said) = first.wait()?;
    ensure!(well, "{said}");
    near.stop();
    // nobody
    let nobody = end(Some(b), d, &format!("{files} --for 1s")).output()?;
    let said = String::from_utf8_lossy(&nobody.stderr).into_owned();
    ensure!(nobody.status.code() == Some(4) && said.contains("did not answer"), "{said}");
    Ok(())
}

#[test]
fn pinned_keys_know_each_other_again() -> Result<()> {
    let desk = Desk::new()?;
    let [a, b] = ports()?;
    let files = "--input tone --output null --json";
    let key = |name: &str| -> Result<String> {
        let mut made = end(Some(9), a, "--input null --output null --for 300ms --identity");
        let made = made.arg(desk.path(name)).output()?;
        let said = String::from_utf8_lossy(&made.stderr).into_owned();
        let line = said.lines().find_map(|line| line.strip_prefix("this end's key is ")).map(str::to_owned);
        line.with_context(|| format!("no key in {said}"))
    };
    let (ann, bob) = (key("ann")?, key("bob")?);
    std::fs::write(desk.path("friends of ann"), format!("{bob} bob\n"))?;
    std::fs::write(desk.path("friends of bob"), format!("{ann} ann\n"))?;
    let pinned = |peer, listen, who: &str, friends: &str, time: &str| {
        let mut command = end(peer, listen, files);
        command.arg("--identity").arg(desk.path(who)).arg("--known-peers").arg(desk.path(friends));
        command.args(["--for", time]);
        command
    };
    let mut near = Program::start(&mut pinned(None, a, "ann", "friends of ann", "20s"))?;
    let stranger = pinned(Some(a), b, "eve", "friends of bob", "8s").output()?;
    ensure!(stranger.status.code() == Some(5), "{stranger:?}");
    let friend = pinned(Some(a), b, "bob", "friends of bob", "2s").output()?;
    let said = String::from_utf8_lossy(&friend.stdout).into_owned();
    ensure!(friend.status.success() && said.contains(&ann), "{said} {friend:?}");
    near.stop();
    Ok(())
}

#[test]
fn clicks_are_measured_from_mouth_to_ear() -> Result<()> {
    let out = levada()
        .args("talk --measure --output null --codec native --block 120 --for 6s --json".split(' '))
        .output()?;
    ensure!(out.status.success(), "{out:?}");
    let told: serde_json::Value = serde_json::from_slice(&out.stdout)?;
    println!("{told}");
    let p50 = told["p50_ms"].as_f64().context("no p50")?;
    // 12 ms on a machine that has nothing else to do
    ensure!(told["clicks"].as_u64() > Some(10) && p50 > 4.0 && p50 < 200.0, "{told}");
    Ok(())
}

#[test]
fn an_echo_says_everything_again() -> Result<()> {
    let desk = Desk::new()?;
    let song = song(3.0, 4);
    write_wav(&desk.path("in.wav"), &song)?;
    let mut command = levada();
    command.args("talk --echo-test --for 5s --input".split(' ')).arg(desk.path("in.wav"));
    let out = command.arg("--output").arg(desk.path("out.wav")).output()?;
    ensure!(out.status.success(), "{out:?}");
    let (frames, db) = best(&read_wav(&desk.path("out.wav"))?, &song);
    let ms = frames as f64 / 44.1;
    println!("{db:.1} dB after {ms:.0} ms");
    ensure!(db > 8.0 && (1_000.0..2_000.0).contains(&ms), "{db:.1} dB after {ms:.0} ms");
    Ok(())
}

/// What a person sees of a terminal of 30 lines and 120 columns.
fn seen(terminal: &Terminal) -> String {
    let [rows, columns] =
        [30, 120].map(|n| std::num::NonZero::new(n).unwrap_or(std::num::NonZero::<u16>::MIN));
    let mut screen = vt100::Parser::new(rows, columns, 0);
    screen.process(terminal.shown().as_bytes());
    screen.screen().contents()
}

/// Waits until a person sees what is wanted.
fn see(terminal: &Terminal, what: &str, is_there: impl Fn(&str) -> bool) -> Result<String> {
    let screen = eventually(what, || {
        let screen = seen(terminal);
        Ok(is_there(&screen).then_some(screen))
    });
    screen.with_context(|| seen(terminal))
}

#[test]
fn a_person_sees_levels_and_the_parts_of_the_delay_and_presses_keys() -> Result<()> {
    let [a, b] = ports()?;
    let mut near = Program::start(&mut end(None, a, "--input tone --output null --json"))?;
    let desk = Desk::new()?;
    let line =
        format!("{} talk 127.0.0.1:{a} --listen {b} --input tone:550 --output null", lab::binary().display());
    let mut terminal = Terminal::start(&line, &desk.path(""))?;
    let screen = see(&terminal, "both levels, at a quarter of full scale", |screen| {
        screen.contains("you █████") && screen.contains("them █████") && screen.contains("MOS")
    })?;
    // all of it, once, in three lines below what was said
    let lines: Vec<&str> = screen.lines().collect();
    let panel = lines.iter().position(|line| line.starts_with("you ")).context("the panel")?;
    let said = lines[..panel].iter().filter(|line| line.contains("connected with 127.0.0.1")).count();
    ensure!(said == 1 && lines.len() == panel + 3, "{screen}");
    let numbers: Vec<f64> = lines[panel + 1].split(' ').filter_map(|word| word.parse().ok()).collect();
    let [all, capture, network, buffer, playback, _unheard] = numbers[..] else { anyhow::bail!("{screen}") };
    let parts = capture + network + buffer + playback;
    ensure!((all - parts).abs() <= 2.0 && buffer > 0.0 && capture > 0.0, "{screen}");
    for word in [" capture + ", " network + ", " buffer + ", " playback  unheard"] {
        ensure!(lines[panel + 1].contains(word), "{word}: {screen}");
    }
    let slider = |cells: &str| format!("quick {cells} safe");
    ensure!(lines[panel + 2].contains(&slider("─────●─────")), "{screen}");
    terminal.press("m")?;
    see(&terminal, "to be muted", |screen| screen.contains("(muted)"))?;
    eventually("the other end to hear nothing", || {
        let said = near.said();
        let last = said.lines().rev().find_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let heard = last.and_then(|last| last["levels"][1].as_f64());
        Ok(heard.is_some_and(|level| level < 0.02).then_some(()))
    })?;
    terminal.press("m")?;
    see(&terminal, "to be heard", |screen| !screen.contains("(muted)"))?;
    terminal.press("++++")?;
    see(&terminal, "a safer slider", |screen| screen.contains(&slider("───────●───")))?;
    terminal.press("------------")?;
    see(&terminal, "a quicker slider", |screen| screen.contains(&slider("─●─────────")))?;
    terminal.press("q")?;
    ensure!(terminal.wait()?, "{}", seen(&terminal));
    let screen = see(&terminal, "a last line", |screen| screen.contains("made up"))?;
    ensure!(!screen.contains("MOS"), "{screen}");
    near.stop();
    Ok(())
}
