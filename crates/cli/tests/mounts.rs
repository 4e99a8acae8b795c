//! What mounts promise: fallbacks without a gap, take-over, linger, room.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Serve, http, levada, programs::Desk, push};
use std::time::{Duration, Instant};

fn serve(desk: &Desk, toml: &str) -> Result<Serve> {
    let config = desk.write("levada.toml", toml)?;
    Serve::start(&["--config", &config.display().to_string()])
}

#[test]
fn listeners_fall_back_and_return_at_frame_boundaries_without_a_gap() -> Result<()> {
    let desk = Desk::new()?;
    let server = serve(&desk, "[[mount]]\nname = '/main.mp3'\nfallback = '/spare.mp3'\nflush = '0s'\n")?;
    let _spare = push(&server, "chords.mp3", "/spare.mp3")?;
    let mut main = push(&server, "chords.mp3", "/main.mp3")?;
    let mut listener = http::Listener::open(&server.url("/main.mp3"), "")?;
    listener.until("the mount itself", |body| body.len() > 60_000)?;
    main.stop();
    let (mut longest, mut last) = (Duration::ZERO, Instant::now());
    let switched = listener.body.len();
    while listener.body.len() < switched + 60_000 {
        ensure!(listener.more()?, "the listener was dropped");
        longest = longest.max(last.elapsed());
        last = Instant::now();
    }
    ensure!(longest < Duration::from_secs(2), "nothing came for {longest:?}: more than any player's buffer");
    let _main = push(&server, "chords.mp3", "/main.mp3")?;
    let back = listener.body.len();
    listener.until("the mount itself again", |body| body.len() > back + 60_000)?;
    // every byte belongs to a whole frame, also where the stream changed twice
    let mut cutter = levada_media::Format::Mp3.cutter();
    cutter.push(&listener.body);
    while cutter.poll().is_some() {}
    ensure!(cutter.skipped() == 0, "{} bytes belong to torn frames", cutter.skipped());
    Ok(())
}

#[test]
fn without_override_nobody_returns_and_nobody_is_left_in_silence() -> Result<()> {
    let desk = Desk::new()?;
    let toml =
        "[[mount]]\nname = '/main.mp3'\nfallback = '/spare.mp3'\nfallback_override = false\nflush = '0s'\n";
    let server = serve(&desk, toml)?;
    let spare = push(&server, "chords.mp3", "/spare.mp3")?;
    let mut main = push(&server, "chords.mp3", "/main.mp3")?;
    let mut old = http::Listener::open(&server.url("/main.mp3"), "")?;
    old.until("the mount itself", |body| body.len() > 40_000)?;
    main.stop();
    let so_far = old.body.len();
    old.until("the fallback", |body| body.len() > so_far + 40_000)?;
    // who comes now hears the mount itself, while the first one stays where it is
    let mut main = push(&server, "chords.mp3", "/main.mp3")?;
    let mut new = http::Listener::open(&server.url("/main.mp3"), "")?;
    new.until("the mount itself", |body| body.len() > 40_000)?;
    main.stop();
    for (who, listener) in [("who came late", &mut new), ("who was there", &mut old)] {
        let so_far = listener.body.len();
        listener.until(&format!("the fallback, {who}"), |body| body.len() > so_far + 60_000)?;
    }
    drop(spare);
    Ok(())
}

#[test]
fn a_second_source_is_refused_or_takes_over_as_the_mount_says() -> Result<()> {
    let desk = Desk::new()?;
    let server = serve(&desk, "[[mount]]\nname = '/take.mp3'\ntakeover = 'replace'\n")?;
    let _first = push(&server, "chords.mp3", "/deny.mp3")?;
    let out = levada().arg("push").arg(kit::clip("chords.mp3")).arg(server.source("/deny.mp3")).output()?;
    ensure!(!out.status.success(), "a second source got in");
    ensure!(
        String::from_utf8_lossy(&out.stderr).contains("in use"),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let _first = push(&server, "chords.mp3", "/take.mp3")?;
    let mut listener = http::Listener::open(&server.url("/take.mp3"), "")?;
    listener.until("the first source", |body| body.len() > 50_000)?;
    let before = server.admin("/api/v1/mounts/take.mp3")?.json()?["source"]["since"].clone();
    let _second = push(&server, "chords.mp3", "/take.mp3")?;
    kit::eventually("the second source to take over", || {
        let now = server.admin("/api/v1/mounts/take.mp3")?.json()?["source"]["since"].clone();
        Ok((now.is_string() && now != before).then_some(()))
    })?;
    let so_far = listener.body.len();
    listener.until("the second source", |body| body.len() > so_far + 50_000)
}

#[test]
fn listeners_are_kept_while_a_source_reconnects_and_let_go_when_it_does_not() -> Result<()> {
    let desk = Desk::new()?;
    let server = serve(&desk, "[[mount]]\nname = '/*'\nlinger = '3s'\n")?;
    let mut source = push(&server, "chords.ogg", "/radio.ogg")?;
    let mut listener = http::Listener::open(&server.url("/radio.ogg"), "")?;
    listener.until("the stream", |body| body.len() > 10_000)?;
    source.stop();
    let source = push(&server, "chords.ogg", "/radio.ogg")?;
    let so_far = listener.body.len();
    listener.until("the stream again", |body| body.len() > so_far + 10_000)?;
    drop(source);
    kit::eventually("the listener to be let go", || Ok((!listener.more()?).then_some(())))?;
    kit::eventually("the mount to be gone", || {
        Ok((http::get(&server.url("/radio.ogg"))?.status == 404).then_some(()))
    })
}

#[test]
fn a_full_mount_refuses_or_offers_its_fallback_and_a_full_server_its_sibling() -> Result<()> {
    let desk = Desk::new()?;
    let server = serve(
        &desk,
        "[limits]\nlisteners = 3\nsiblings = ['http://sibling.test:8000/']\n\
         [[mount]]\nname = '/small.mp3'\nmax_listeners = 1\nfallback = '/other.mp3'\nfallback_when_full = true\n",
    )?;
    let _small = push(&server, "chords.mp3", "/small.mp3")?;
    let _other = push(&server, "chords.mp3", "/other.mp3")?;
    let mut listeners = Vec::new();
    for _ in 0..3 {
        let listener = http::Listener::open(&server.url("/small.mp3"), "")?;
        ensure!(listener.head.contains("200 OK"), "{}", listener.head);
        listeners.push(listener);
    }
    let fourth = http::get(&server.url("/small.mp3"))?;
    ensure!(fourth.status == 302, "{}", fourth.head);
    ensure!(fourth.head.contains("Location: http://sibling.test:8000/small.mp3?sent=1"), "{}", fourth.head);
    let circle = http::get(&server.url("/small.mp3?sent=1"))?;
    ensure!(circle.status == 503, "whoever was sent here is not sent on: {}", circle.head);
    Ok(())
}

#[test]
fn an_intro_comes_first_and_time_ends() -> Result<()> {
    let desk = Desk::new()?;
    let intro = desk.clip("chords.mp3")?;
    let toml =
        format!("[[mount]]\nname = '/a.mp3'\nintro = '{}'\nmax_listener_duration = '2s'\n", intro.display());
    let server = serve(&desk, &toml)?;
    let _source = push(&server, "chords.mp3", "/a.mp3")?;
    let begun = Instant::now();
    let mut listener = http::Listener::open(&server.url("/a.mp3"), "")?;
    let wanted = std::fs::read(&intro)?;
    listener.until("the intro", |body| body.len() >= wanted.len())?;
    ensure!(listener.body.starts_with(&wanted), "the intro comes first, whole");
    kit::eventually("the end of the time", || Ok((!listener.more()?).then_some(())))
        .context("max_listener_duration")?;
    ensure!(begun.elapsed() >= Duration::from_secs(2), "it ended too early");
    Ok(())
}
