//! `levada push`: files as live streams, with their titles, their pace, and what happens on bad days.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Program, Serve, clip, decode, eventually, http, icecast::Icecast, levada, push};
use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

const CLIPS: [&str; 6] =
    ["testcard.ogv", "fractal.webm", "speech.opus", "chords.ogg", "chords.mp3", "speech.aac"];

#[test]
fn looped_clips_decode_beyond_their_seam() -> Result<()> {
    let server = Serve::start(&[])?;
    let folder = tempfile::tempdir()?;
    let mut sources = Vec::new();
    let mut pulls = Vec::new();
    for name in CLIPS {
        sources.push(push(&server, name, &format!("/{name}"))?);
        let file = folder.path().join(name);
        let pull = Program::start(
            levada().args(["pull", "--for", "11s", "-o"]).arg(&file).arg(server.url(&format!("/{name}"))),
        )?;
        pulls.push((pull, file));
    }
    for (mut pull, file) in pulls {
        let (well, said) = pull.wait()?;
        ensure!(well, "{said}");
        let complaints: Vec<_> =
            decode(&file)?.lines().filter(|line| !harmless(line)).map(str::to_owned).collect();
        ensure!(complaints.is_empty(), "{}: {complaints:#?}", file.display());
        let seconds = duration(&file)?;
        ensure!(seconds > 10.0, "{} lasts {seconds} s: eleven were listened to, and a burst", file.display());
    }
    Ok(())
}

/// Bare frames have no header that tells their length.
fn harmless(line: &str) -> bool {
    line.contains("Estimating duration from bitrate")
}

/// Seconds of sound in a file, counted by decoding it.
fn duration(file: &Path) -> Result<f64> {
    let raw = ["-vn", "-f", "s16le", "-ac", "1", "-ar", "8000", "-"];
    let out = Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(file).args(raw).output()?;
    Ok(out.stdout.len() as f64 / 16_000.0)
}

#[test]
fn a_file_lasts_as_long_as_its_media_and_arrives_whole() -> Result<()> {
    let server = Serve::start(&[])?;
    let began = Instant::now();
    let mut source = Program::start(
        levada().args(["push", "--json"]).arg(clip("chords.mp3")).arg(server.source("/once.mp3")),
    )?;
    let mut listener = {
        server.wait_live("/once.mp3")?;
        http::Listener::open(&server.url("/once.mp3"), "")?
    };
    let (well, said) = source.wait()?;
    let took = began.elapsed().as_secs_f64();
    ensure!(well, "{said}");
    ensure!((7.0..11.0).contains(&took), "eight seconds of sound were sent in {took:.1} s");
    let told = json(&said)?;
    let file = std::fs::read(clip("chords.mp3"))?;
    let tag = file[6..10].iter().fold(0, |sum, byte| sum << 7 | usize::from(*byte)); // ID3v2.4 §3.1
    let frames = file.len() - 10 - tag;
    ensure!(told["ended"] == "finished" && told["bytes"] == frames, "{told} instead of {frames} bytes");
    while listener.body.len() < frames {
        ensure!(listener.more()?, "the listener got {} of {frames} bytes", listener.body.len());
    }
    ensure!(file.ends_with(&listener.body), "the frames are not those of the file");
    Ok(())
}

#[test]
fn each_file_of_a_playlist_tells_its_title() -> Result<()> {
    let server = Serve::start(&[])?;
    let folder = tempfile::tempdir()?;
    let short = |name: &str, tags: &[&str]| -> Result<PathBuf> {
        let path = folder.path().join(name);
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-t", "2", "-i"]).arg(clip("chords.mp3")).args(["-c", "copy"]);
        let done = ffmpeg.args(["-write_xing", "0", "-map_metadata", "-1"]).args(tags).arg(&path).status()?;
        ensure!(done.success(), "ffmpeg");
        Ok(path)
    };
    short("a.mp3", &["-metadata", "title=Ä & first", "-metadata", "artist=One"])?;
    short("Second without tags.mp3", &[])?;
    let list = folder.path().join("list.m3u");
    std::fs::write(&list, "#EXTM3U\na.mp3\nmissing.mp3\nSecond without tags.mp3\n")?;
    let _source =
        Program::start(levada().args(["push", "--loop"]).arg(&list).arg(server.source("/list.mp3")))?;
    for title in ["One - Ä & first", "Second without tags", "One - Ä & first"] {
        eventually(title, || {
            let status = http::get(&server.url("/status-json.xsl"))?.json()?;
            Ok((status["icestats"]["source"]["title"] == title).then_some(()))
        })?;
    }
    Ok(())
}

#[test]
fn a_push_survives_the_servers_restart() -> Result<()> {
    let mut server = Serve::start(&[])?;
    let address = server.address.clone();
    let mut source = push(&server, "testcard.ogv", "/clip.ogv")?;
    server.program.stop();
    source.wait_for("connection lost")?;
    let again = Serve::with(|command| {
        command.args(["--http", &address]);
    })?;
    let url = format!("http://{address}/clip.ogv");
    eventually("the source to be back", || Ok(http::listen(&url, "", 20_000).ok()))?;
    ensure!(source.runs(), "{}", source.said());
    drop(again);
    Ok(())
}

#[test]
fn endings_have_their_status_and_their_sentence() -> Result<()> {
    let server = Serve::start(&[])?;
    let good = server.source("/x.ogv");
    let wrong = good.replace("hush", "guess");
    let nobody = "icecast://source:hush@127.0.0.1:1/x.ogv".to_owned();
    let file = clip("testcard.ogv");
    let file = file.to_str().context("a path in UTF-8")?;
    for (arguments, status, sentence) in [
        (vec![file, &wrong], 5, "401"),
        (vec![file, &nobody], 4, "cannot connect to 127.0.0.1:1"),
        (vec!["/nowhere.ogv", &good], 1, "cannot open /nowhere.ogv"),
        (vec!["/etc/hostname", &good], 1, "does not say how fast it plays"),
        (vec![file, "ftp://h/x"], 2, "icecast://"),
        (vec![file, "icecast://h"], 2, "no mount"),
        (vec!["--loop", "-", &good], 2, "standard input cannot be played in a loop"),
        (vec!["http://h/x.ogv", &good], 2, "levada pull"),
        (vec!["--lop", file, &good], 2, "--loop"),
    ] {
        let out = levada().arg("push").args(&arguments).stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&out.stderr);
        ensure!(out.status.code() == Some(status), "{arguments:?} ended with {}: {said}", out.status);
        ensure!(said.contains(sentence) && out.stdout.is_empty(), "{arguments:?} said {said}");
        ensure!(!said.contains("hush") && !said.contains("guess"), "a password was shown: {said}");
    }
    Ok(())
}

#[test]
fn standard_input_is_sent_and_a_local_player_gets_it_too() -> Result<()> {
    let server = Serve::start(&[])?;
    let mut source = levada()
        .args(["push", "--tee", "-", "-", &server.source("/pipe.opus")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let file = std::fs::read(clip("speech.opus"))?;
    let (mut into, mut out) =
        (source.stdin.take().context("no pipe")?, source.stdout.take().context("no pipe")?);
    let bytes = file.clone();
    let feeding = std::thread::spawn(move || into.write_all(&bytes));
    server.wait_live("/pipe.opus")?;
    ensure!(http::listen(&server.url("/pipe.opus"), "", 8_000)?.body.starts_with(b"OggS"));
    let mut heard = Vec::new();
    out.read_to_end(&mut heard)?;
    ensure!(source.wait()?.success() && feeding.join().is_ok());
    ensure!(heard == file, "the player got {} bytes of {}", heard.len(), file.len());
    Ok(())
}

#[test]
fn a_real_icecast_takes_streams_and_titles() -> Result<()> {
    let icecast = Icecast::start("")?;
    let pushed = |name: &str| {
        Program::start(
            levada()
                .args(["push", "--loop", "--name", "From levada"])
                .arg(clip(name))
                .arg(icecast.source(&format!("/{name}"))),
        )
    };
    let _sources = [pushed("testcard.ogv")?, pushed("chords.mp3")?];
    let status = eventually("both mounts and the title on icecast2", || {
        let status = http::get(&icecast.url("/status-json.xsl"))?.text();
        let there = ["/testcard.ogv", "/chords.mp3", "levada - Chords in MP3"]
            .iter()
            .all(|word| status.contains(word));
        Ok(there.then_some(status))
    })?;
    ensure!(status.contains("From levada"), "{status}");
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("a.ogv");
    std::fs::write(&file, http::listen(&icecast.url("/testcard.ogv"), "", 60_000)?.body)?;
    ensure!(kit::codecs(&file)? == ["theora", "vorbis"], "icecast2 passes something else on");
    Ok(())
}

#[test]
fn streams_travel_over_tls_between_those_who_trust_each_other() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let pem = folder.path().join("both.pem");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    std::fs::write(&pem, made.cert.pem() + &made.key_pair.serialize_pem())?;
    let server = Serve::with(|command| {
        command.arg("--cert").arg(&pem);
    })?;
    let port = server.address.rsplit(':').next().context("no port")?;
    let to = format!("icecasts://source:hush@localhost:{port}/tls.ogv");
    let stranger = levada().arg("push").arg(clip("testcard.ogv")).arg(&to).output()?;
    let said = String::from_utf8_lossy(&stranger.stderr);
    ensure!(stranger.status.code() == Some(4) && said.contains("certificate"), "{said}");

    let mut push = levada();
    push.args(["push", "--loop"]).arg(clip("testcard.ogv")).arg(&to).env("SSL_CERT_FILE", &pem);
    let _source = Program::start(&mut push)?;
    server.wait_live("/tls.ogv")?;
    let mut pull = levada();
    pull.args(["pull", "-o", "-", &format!("https://localhost:{port}/status-json.xsl")]);
    let out = pull.env("SSL_CERT_FILE", &pem).output()?;
    ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    ensure!(String::from_utf8_lossy(&out.stdout).contains("/tls.ogv"));
    Ok(())
}

#[test]
fn a_push_ends_after_its_time_and_on_a_signal() -> Result<()> {
    let server = Serve::start(&[])?;
    let timed = levada()
        .args(["push", "--loop", "--for", "1s", "--json"])
        .arg(clip("speech.opus"))
        .arg(server.source("/a"))
        .output()?;
    let told = json(&String::from_utf8_lossy(&timed.stdout))?;
    ensure!(timed.status.success() && told["ended"] == "time", "{told}");
    let mut stopped = push(&server, "speech.opus", "/b")?;
    stopped.signal("INT")?;
    let (well, said) = stopped.wait()?;
    ensure!(well && said.contains("pushed"), "{said}");
    Ok(())
}

/// The line of JSON among what was said.
fn json(said: &str) -> Result<serde_json::Value> {
    let line =
        said.lines().find(|line| line.starts_with('{')).with_context(|| format!("no JSON in {said:?}"))?;
    Ok(serde_json::from_str(line)?)
}
