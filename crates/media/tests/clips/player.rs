//! ffmpeg and ffprobe, which must be there: without them these tests fail.

#![expect(clippy::disallowed_types, reason = "the crate has no sockets, but the players of its streams have")]

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

/// Decodes each of `streams` to its end, many in one ffmpeg, which gets them as a listener does: over HTTP, in
/// chunks that say where the stream ends. Gives what ffmpeg had to say about those that it did not decode in silence.
pub fn complaints(streams: &[Vec<u8>]) -> Vec<String> {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, over) = (server.local_addr().unwrap().port(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| serve(&server, streams, &over));
        let said = listen(port, streams.len());
        over.store(true, Relaxed);
        drop(TcpStream::connect(("127.0.0.1", port)));
        said
    })
}

/// Answers each request for `/N` with stream N, until it is over.
fn serve(server: &TcpListener, streams: &[Vec<u8>], over: &AtomicBool) {
    std::thread::scope(|scope| {
        while let Ok((mut client, _)) = server.accept() {
            if over.load(Relaxed) {
                return;
            }
            scope.spawn(move || {
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n") && client.read_exact(&mut byte).is_ok() {
                    request.push(byte[0]);
                }
                let request = String::from_utf8_lossy(&request);
                let number: usize = request.split(['/', ' ']).nth(2).and_then(|n| n.parse().ok()).unwrap();
                // a player that has heard enough closes its end: that is for its exit status to say
                let head = format!(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
                    streams[number].len()
                );
                let _ = client.write_all(&[head.as_bytes(), &streams[number], b"\r\n0\r\n\r\n"].concat());
            });
        }
    });
}

/// Plays all streams of the server, in batches, two of them at a time.
fn listen(port: u16, count: usize) -> Vec<String> {
    let numbers: Vec<usize> = (0..count).collect();
    let (next, said) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(batch) = numbers.chunks(BATCH).nth(next.fetch_add(1, Relaxed)) {
            if play(port, batch).is_some() {
                let each = batch.iter().filter_map(|&n| Some(format!("{n}: {}", play(port, &[n])?)));
                said.lock().unwrap().extend(each.take(3));
            }
        }
    };
    std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(work))));
    said.into_inner().unwrap()
}

/// What ffmpeg says while it decodes these streams side by side; `None` if nothing.
fn play(port: u16, numbers: &[usize]) -> Option<String> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "warning"]);
    for number in numbers {
        let url = format!("http://127.0.0.1:{port}/{number}");
        command.args(["-thread_queue_size", "8192", "-threads", "1", "-i", &url]);
    }
    for input in 0..numbers.len() {
        command.args(["-map", &input.to_string()]);
    }
    // in the container's own time: the encoder of nothing would round it to frames, and complain where two of them meet
    let output = command.args(["-threads", "1", "-enc_time_base", "-1", "-f", "null", "-"]).output();
    let output = output.unwrap_or_else(|why| panic!("ffmpeg is needed for this test: {why}"));
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    (!output.status.success() || !words.trim().is_empty()).then(|| format!("{} {words}", output.status))
}

/// What ffprobe prints about a stream that comes through a pipe; it must have no complaint.
pub fn probe(arguments: &[&str], bytes: &[u8]) -> String {
    let mut child = Command::new("ffprobe")
        .args(["-v", "warning", "-of", "csv=p=0"])
        .args(arguments)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|why| panic!("ffprobe is needed for this test: {why}"));
    let mut input = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // a program that has heard enough closes its end: that is for its exit status to say
        scope.spawn(move || drop(input.write_all(bytes)));
        child.wait_with_output().unwrap()
    });
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && words.trim().is_empty(), "{arguments:?}: {words}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What ffprobe prints about a file.
pub fn list(file: &str, arguments: &[&str]) -> String {
    let output =
        Command::new("ffprobe").args(["-v", "error", "-of", "csv=p=0"]).args(arguments).arg(file).output();
    let output = output.unwrap_or_else(|why| panic!("ffprobe is needed for this test: {why}"));
    assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// So many streams in one ffmpeg: starting it costs as much as decoding a dozen of them.
const BATCH: usize = 40;
