//! Every real player plays what it is given, and sees the titles change.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{
    Program, Serve, http,
    programs::{Desk, ffmpeg_plays},
    push,
};
use std::process::Command;

#[test]
fn players_play_every_format() -> Result<()> {
    let server = Serve::start(&[])?;
    let mut sources = Vec::new();
    for clip in ["chords.mp3", "speech.aac", "chords.ogg", "speech.opus", "fractal.webm", "testcard.ogv"] {
        sources.push(push(&server, clip, &format!("/{clip}"))?);
    }
    for clip in ["chords.mp3", "speech.aac", "chords.ogg", "speech.opus", "fractal.webm", "testcard.ogv"] {
        let url = server.url(&format!("/{clip}"));
        ffmpeg_plays(&url, "2").context(clip)?;
        mpv_plays(&url).context(clip)?;
    }
    Ok(())
}

fn mpv_plays(url: &str) -> Result<()> {
    let mut mpv = Command::new("mpv");
    mpv.args(["--no-config", "--ao=null", "--vo=null", "--length=1", "--msg-level=all=error", url]);
    let (good, said) = Program::start(&mut mpv)?.wait()?;
    ensure!(good && said.trim().is_empty(), "mpv: {said}");
    Ok(())
}

#[test]
fn vlc_receives_a_stream_and_saves_it() -> Result<()> {
    let server = Serve::start(&[])?;
    let _source = push(&server, "testcard.ogv", "/BBB.ogv")?;
    let desk = Desk::new()?;
    let saved = desk.path("saved.ogv");
    let mut vlc = desk.vlc();
    vlc.arg(format!("--sout=#std{{access=file,mux=ogg,dst={}}}", saved.display()));
    let mut vlc = Program::start(vlc.arg(server.url("/BBB.ogv")))?;
    kit::eventually("VLC to save something", || {
        ensure!(vlc.runs(), "VLC ended: {}", vlc.said());
        Ok(saved.metadata().is_ok_and(|about| about.len() > 60_000).then_some(()))
    })?;
    vlc.stop();
    let codecs = kit::codecs(&saved)?; // VLC adds a skeleton track of its own
    ensure!(["theora", "vorbis"].iter().all(|codec| codecs.iter().any(|c| c == codec)), "{codecs:?}");
    Ok(())
}

#[test]
fn curl_gets_head_range_and_cors_as_browsers_want_them() -> Result<()> {
    let server = Serve::start(&[])?;
    let _source = push(&server, "chords.mp3", "/a.mp3")?;
    let head = Command::new("curl").args(["-sI", &server.url("/a.mp3")]).output()?;
    let head = String::from_utf8_lossy(&head.stdout).into_owned();
    ensure!(head.starts_with("HTTP/1.1 200") && head.contains("audio/mpeg"), "{head}");
    let range =
        http::listen(&server.url("/a.mp3"), "Range: bytes=0-\r\nOrigin: http://elsewhere.test\r\n", 1000)?;
    ensure!(range.status == 200 && range.head.contains("Access-Control-Allow-Origin: *"), "{}", range.head);
    let list = http::get(&server.url("/a.mp3.m3u"))?;
    ensure!(list.text().trim() == server.url("/a.mp3"), "{}", list.text());
    let xspf = http::get(&server.url("/a.mp3.xspf"))?;
    ensure!(xspf.text().contains("<playlist") && xspf.text().contains("/a.mp3"), "{}", xspf.text());
    Ok(())
}

#[test]
fn an_icy_client_sees_the_title_change() -> Result<()> {
    let server = Serve::start(&[])?;
    let _source = push(&server, "chords.mp3", "/radio.mp3")?;
    let mut listener = http::Listener::open(&server.url("/radio.mp3"), "Icy-MetaData: 1\r\n")?;
    ensure!(listener.head.contains("icy-metaint:16000"), "{}", listener.head);
    let title = "Art\u{ef}st - It's T";
    let path = "/admin/metadata?mount=/radio.mp3&mode=updinfo&song=Art%C3%AFst%20-%20It%27s%20T";
    ensure!(server.admin(path)?.status == 200, "the title is refused");
    let block = format!("StreamTitle='{title}';");
    listener.until("the new title", |body| body.windows(block.len()).any(|w| w == block.as_bytes()))?;
    let first = 16_000;
    let blocks: Vec<usize> =
        (0..).map_while(|_| listener.body.get(first)).take(1).map(|l| usize::from(*l) * 16).collect();
    ensure!(blocks[0] > 0, "the first block carries the title that was playing");
    Ok(())
}

#[test]
fn an_ogg_listener_gets_a_new_title_as_a_new_link() -> Result<()> {
    let server = Serve::start(&[])?;
    let _source = push(&server, "chords.ogg", "/radio.ogg")?;
    let mut listener = http::Listener::open(&server.url("/radio.ogg"), "")?;
    listener.until("the stream", |body| body.len() > 10_000)?;
    ensure!(
        server.admin("/admin/metadata?mount=/radio.ogg&mode=updinfo&song=Another")?.status == 200,
        "refused"
    );
    listener
        .until("the new title", |body| body.windows(13).any(|w| w.eq_ignore_ascii_case(b"TITLE=Another")))?;
    let so_far = listener.body.len();
    listener.until("more of it", |body| body.len() > so_far + 10_000)?;
    let desk = Desk::new()?;
    let saved = desk.path("chain.ogg");
    std::fs::write(&saved, &listener.body)?;
    kit::decode(&saved).map(drop)
}
