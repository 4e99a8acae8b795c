//! `levada pull`: streams into files and pipes, over interruptions, redirects and playlists.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Program, Serve, eventually, http, levada, push};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    process::Output,
    thread,
};

#[test]
fn a_stream_is_written_with_its_statistics() -> Result<()> {
    let server = Serve::start(&[])?;
    let _source = push(&server, "chords.mp3", "/chords.mp3")?;
    let folder = tempfile::tempdir()?;
    let out = levada()
        .current_dir(folder.path())
        .args(["pull", "--json", "--for", "5s", &server.url("/chords.mp3")])
        .output()?;
    let told = statistics(&out)?;
    let written = std::fs::metadata(folder.path().join("chords.mp3"))?.len();
    ensure!(out.status.success() && told["ended"] == "time" && told["bytes"] == written, "{told}");
    ensure!(told["content_type"] == "audio/mpeg" && told["interruptions"] == serde_json::json!([]), "{told}");
    let first = told["first_byte_ms"].as_u64().context("no first byte")?;
    ensure!(first < 2_000, "{told}");
    let titles = told["titles"].as_array().context("no titles")?;
    ensure!(titles.iter().any(|title| title["title"] == "levada - Chords in MP3"), "{told}");
    let rate = told["kbit_per_s"].as_f64().context("no rate")?;
    ensure!((50.0..130.0).contains(&rate), "64 kbit/s and a burst of at most four seconds, not {rate}");
    Ok(())
}

#[test]
fn titles_inside_ogg_are_told_too() -> Result<()> {
    let server = Serve::start(&[])?;
    let _source = push(&server, "testcard.ogv", "/a.ogv")?;
    let pull = ["pull", "--json", "--for", "2s", "-o", "/dev/null", &server.url("/a.ogv")];
    let told = statistics(&levada().args(pull).output()?)?;
    ensure!(told["titles"][0]["title"] == "levada - Test card", "{told}");
    Ok(())
}

#[test]
fn a_file_is_overwritten_only_when_asked() -> Result<()> {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nmedia";
    let address = scripted(vec![answer.to_vec(), answer.to_vec()])?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("a.ogg");
    std::fs::write(&file, "precious and longer")?;
    let pull = || {
        let mut pull = levada();
        pull.arg("pull").arg(format!("http://{address}/a.ogg")).arg("-o").arg(&file);
        pull
    };
    let refused = pull().output()?;
    ensure!(refused.status.code() == Some(1), "{}", text(&refused.stderr));
    ensure!(text(&refused.stderr).contains("-y") && std::fs::read(&file)? == b"precious and longer");
    ensure!(pull().arg("-y").output()?.status.success());
    ensure!(std::fs::read(&file)? == b"media");
    Ok(())
}

#[test]
fn redirects_and_playlists_lead_to_the_stream() -> Result<()> {
    let stream = scripted(vec![b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nmedia".to_vec()])?;
    let list = format!(
        "HTTP/1.0 200 OK\r\nContent-Type: audio/x-mpegurl\r\n\r\n#EXTM3U\n#EXTINF:-1,x\nhttp://{stream}/a.mp3\n"
    );
    let list = scripted(vec![list.into_bytes()])?;
    let moved = format!("HTTP/1.1 302 Found\r\nLocation: http://{list}/a.m3u\r\nContent-Length: 0\r\n\r\n");
    let moved = scripted(vec![moved.into_bytes()])?;
    let out = levada().args(["pull", &format!("http://{moved}/"), "-o", "-"]).output()?;
    ensure!(out.status.success() && out.stdout == b"media", "{}", text(&out.stderr));
    Ok(())
}

#[test]
fn an_interrupted_stream_is_taken_up_again() -> Result<()> {
    let address = scripted(vec![
        b"HTTP/1.0 200 OK\r\n\r\nfirst ".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond".to_vec(),
    ])?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("a");
    let out =
        levada().args(["pull", "--json", &format!("http://{address}/")]).arg("-o").arg(&file).output()?;
    let told = statistics(&out)?;
    ensure!(out.status.success() && std::fs::read(&file)? == b"first second", "{told}");
    ensure!(told["interruptions"][0]["why"] == "the stream ended" && told["ended"] == "finished", "{told}");
    Ok(())
}

#[test]
fn a_mount_whose_source_restarts_is_followed() -> Result<()> {
    let server = Serve::start(&[])?;
    let source = push(&server, "chords.mp3", "/a.mp3")?;
    let mut pull = Program::start(levada().args(["pull", "-o", "/dev/null", &server.url("/a.mp3")]))?;
    pull.wait_for("receiving")?;
    drop(source);
    let _again = push(&server, "chords.mp3", "/a.mp3")?;
    eventually("the listener to be there", || {
        let status = http::get(&server.url("/status-json.xsl"))?.json()?;
        Ok((status["icestats"]["source"]["listeners"] == 1).then_some(()))
    })?;
    pull.signal("INT")?;
    let (well, said) = pull.wait()?;
    ensure!(well && said.contains("received"), "{said}");
    Ok(())
}

#[test]
fn endings_have_their_status_and_their_sentence() -> Result<()> {
    let server = Serve::start(&[])?;
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let silent = format!("http://{}/", silent.local_addr()?);
    let locked = scripted(vec![b"HTTP/1.0 401 Unauthorized\r\n\r\nno\n".to_vec()])?;
    let locked = format!("http://{locked}/");
    let hls = scripted(vec![
        b"HTTP/1.0 200 OK\r\nContent-Type: application/vnd.apple.mpegurl\r\n\r\n#EXTM3U\n#EXT-X-VERSION:3\n"
            .to_vec(),
    ])?;
    let hls = format!("http://{hls}/a.m3u8");
    let missing = server.url("/missing.ogg");
    for (arguments, status, sentence) in [
        (vec![missing.as_str()], 4, "404"),
        (vec!["http://127.0.0.1:1/a"], 4, "cannot connect"),
        (vec![&locked], 5, "401"),
        (vec!["--timeout", "300ms", &silent], 124, "no answer in time"),
        (vec!["--for", "300ms", &silent], 124, "not a byte"),
        (vec![&hls], 4, "HLS"),
        (vec!["ftp://h/a"], 2, "no http or https address"),
        (vec!["nonsense"], 2, "relative URL"),
    ] {
        let out = levada().args(["pull", "-o", "-"]).args(&arguments).output()?;
        let said = text(&out.stderr);
        ensure!(out.status.code() == Some(status), "{arguments:?} ended with {}: {said}", out.status);
        ensure!(said.contains(sentence) && out.stdout.is_empty(), "{arguments:?} said {said}");
    }
    Ok(())
}

#[test]
fn a_reader_that_leaves_the_pipe_ends_the_pull_quietly() -> Result<()> {
    let server = Serve::start(&[])?;
    let _source = push(&server, "testcard.ogv", "/a.ogv")?;
    let mut pull = levada()
        .args(["pull", "-q", "-o", "-", &server.url("/a.ogv")])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()?;
    let mut out = BufReader::new(pull.stdout.take().context("no pipe")?);
    out.fill_buf()?;
    drop(out);
    let out = pull.wait_with_output()?;
    ensure!(out.stderr.is_empty(), "{}", text(&out.stderr));
    Ok(())
}

/// A server that gives each connection the next of these answers and then closes it.
fn scripted(answers: Vec<Vec<u8>>) -> Result<std::net::SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for answer in answers {
            let Ok((mut client, _)) = listener.accept() else { return };
            let Ok(copy) = client.try_clone() else { return };
            let mut lines = BufReader::new(copy);
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|_| line.trim_end() != "") {
                line.clear();
            }
            let _client_gone = client.write_all(&answer);
        }
    });
    Ok(address)
}

fn statistics(out: &Output) -> Result<Value> {
    let said = text(&out.stdout);
    serde_json::from_str(said.trim()).with_context(|| format!("{said}{}", text(&out.stderr)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
