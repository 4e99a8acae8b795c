//! Relays: of one of our servers, of a real icecast2, by a real icecast2; trees, patterns, on demand, several
//! parents, and circles.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Program, Serve, clip, eventually, http, icecast::Icecast, levada, push};
use std::time::{Duration, Instant};

/// A server with this TOML as its configuration.
fn serve(config: &str) -> Result<Serve> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("levada.toml");
    std::fs::write(&file, config)?;
    Serve::with(|command| {
        command.arg("--config").arg(&file).env("LEVADA__AUTH__RELAY_PASSWORD", "hush-relay");
    })
}

/// A relay of everything that these parents have.
fn relay_of(parents: &[&str], more: &str) -> Result<Serve> {
    let from: Vec<String> = parents.iter().map(|parent| format!("http://{parent}")).collect();
    serve(&format!("[[relay]]\nfrom = {from:?}\npassword = 'hush-relay'\n{more}"))
}

fn parent() -> Result<Serve> {
    serve("")
}

#[test]
fn a_tree_of_three_levels_carries_streams_titles_and_names() -> Result<()> {
    let origin = parent()?;
    let middle = relay_of(&[&origin.address], "")?;
    let leaf = relay_of(&[&middle.address], "")?;
    let source = levada()
        .args(["push", "--loop", "--name", "Tree", "--genre", "Test"])
        .arg(clip("chords.mp3"))
        .arg(origin.source("/tree.mp3"))
        .spawn_program()?;
    let video = push(&origin, "testcard.ogv", "/tree.ogv")?;
    let began = Instant::now();
    leaf.wait_live("/tree.ogv")?;
    leaf.wait_live("/tree.mp3")?;
    ensure!(began.elapsed() < Duration::from_secs(8), "new mounts are found quickly: {:?}", began.elapsed());
    eventually("the title at the leaf", || {
        Ok(title(&leaf, "/tree.mp3")?.filter(|t| t == "levada - Chords in MP3"))
    })?;
    let reply = http::listen(&leaf.url("/tree.mp3"), "Icy-MetaData: 1\r\n", 40_000)?;
    ensure!(reply.head.contains("icy-name:Tree") && reply.head.contains("icy-genre:Test"), "{}", reply.head);
    let title = b"StreamTitle='levada - Chords in MP3';";
    ensure!(reply.body.windows(title.len()).any(|window| window == title), "no title block");
    let heard = http::listen(&leaf.url("/tree.ogv"), "", 60_000)?.body;
    ensure!(heard.starts_with(b"OggS"));

    drop((source, video));
    eventually("the mounts to be gone from the leaf", || {
        Ok((!http::get(&leaf.url("/status-json.xsl"))?.text().contains("/tree.")).then_some(()))
    })
}

#[test]
fn only_mounts_that_fit_the_pattern_are_taken() -> Result<()> {
    let origin = parent()?;
    let child = relay_of(&[&origin.address], "pattern = '/music/*'")?;
    let _sources =
        [push(&origin, "speech.opus", "/talk.opus")?, push(&origin, "chords.ogg", "/music/a.ogg")?];
    child.wait_live("/music/a.ogg")?;
    ensure!(http::get(&child.url("/talk.opus"))?.status == 404, "what does not fit stays away");
    Ok(())
}

#[test]
fn one_mount_is_taken_under_another_name() -> Result<()> {
    let origin = parent()?;
    let config = format!("[[relay]]\nfrom = ['http://{}/a.opus']\nmount = '/b.opus'\n", origin.address);
    let child = serve(&config)?;
    let _source = push(&origin, "speech.opus", "/a.opus")?;
    child.wait_live("/b.opus")?;
    ensure!(http::listen(&child.url("/b.opus"), "", 10_000)?.body.starts_with(b"OggS"));
    Ok(())
}

#[test]
fn on_demand_a_stream_is_pulled_while_somebody_listens() -> Result<()> {
    let origin = parent()?;
    let middle = relay_of(&[&origin.address], "on_demand = true")?;
    let leaf = serve(&format!("[[relay]]\nfrom = ['http://{}/a.opus']\non_demand = true\n", middle.address))?;
    let _source = push(&origin, "speech.opus", "/a.opus")?;
    eventually("the middle server to know the mount", || {
        let log = middle.program.said();
        Ok((listeners(&origin)? == 0 || log.contains("relay plays")).then_some(()))
    })?;
    std::thread::sleep(Duration::from_millis(500));
    ensure!(listeners(&origin)? == 0, "nobody listens, so nothing is pulled");

    let began = Instant::now();
    let mut listener = http::Listener::open(&leaf.url("/a.opus"), "")?;
    listener.until("the stream through two relays", |body| body.len() > 5_000)?;
    ensure!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    ensure!(listener.body.starts_with(b"OggS") && listeners(&origin)? == 1);
    Ok(())
}

#[test]
fn another_parent_takes_over_within_a_second() -> Result<()> {
    let first = parent()?;
    let second = parent()?;
    let child = relay_of(&[&first.address, &second.address], "")?;
    let _kept = push(&second, "chords.mp3", "/a.mp3")?;
    let _lost = push(&first, "chords.mp3", "/a.mp3")?;
    child.wait_live("/a.mp3")?;
    let mut listener = http::Listener::open(&child.url("/a.mp3"), "")?;
    eventually("the child to pull from the first parent", || Ok((listeners(&first)? > 0).then_some(())))?;
    listener.until("the stream", |body| body.len() > 20_000)?;

    first.program.signal("KILL")?;
    let began = Instant::now();
    eventually("the child to pull from the second parent", || Ok((listeners(&second)? > 0).then_some(())))?;
    ensure!(
        began.elapsed() < Duration::from_secs(2),
        "the other parent took over after {:?}",
        began.elapsed()
    );
    let heard = listener.body.len();
    listener.until("the stream again", |body| body.len() > heard + 60_000)?;
    Ok(())
}

#[test]
fn the_preferred_parent_is_returned_to_without_a_torn_frame() -> Result<()> {
    let (first, second) = (parent()?, parent()?);
    let child = relay_of(&[&first.address, &second.address], "")?;
    let _kept = push(&second, "chords.mp3", "/a.mp3")?;
    let lost = push(&first, "chords.mp3", "/a.mp3")?;
    eventually("the child to pull from the first parent", || Ok((listeners(&first)? > 0).then_some(())))?;
    child.wait_live("/a.mp3")?;
    let mut listener = http::Listener::open(&child.url("/a.mp3"), "")?;
    listener.until("the stream", |body| body.len() > 20_000)?;
    drop(lost);
    eventually("the child to pull from the second parent", || Ok((listeners(&second)? > 0).then_some(())))?;
    let _back = push(&first, "chords.mp3", "/a.mp3")?;
    eventually("the child to return to the first parent", || Ok((listeners(&first)? > 0).then_some(())))?;
    eventually("the second parent to be let go", || Ok((listeners(&second)? == 0).then_some(())))?;
    let so_far = listener.body.len();
    listener.until("the stream from there on", |body| body.len() > so_far + 60_000)?;
    let mut cutter = levada_media::Format::Mp3.cutter();
    cutter.push(&listener.body);
    while cutter.poll().is_some() {}
    ensure!(cutter.skipped() == 0, "{} bytes belong to torn frames", cutter.skipped());
    Ok(())
}

#[test]
fn a_silent_parent_is_left_too() -> Result<()> {
    let first = parent()?;
    let second = parent()?;
    let child = relay_of(&[&first.address, &second.address], "")?;
    let _kept = push(&second, "chords.mp3", "/a.mp3")?;
    let stuck = push(&first, "chords.mp3", "/a.mp3")?;
    eventually("the child to pull from the first parent", || Ok((listeners(&first)? > 0).then_some(())))?;
    stuck.signal("STOP")?;
    let began = Instant::now();
    eventually("the child to pull from the second parent", || Ok((listeners(&second)? > 0).then_some(())))?;
    let took = began.elapsed();
    stuck.signal("CONT")?;
    ensure!(took < Duration::from_secs(8), "a silent parent was kept for {took:?}");
    child.wait_live("/a.mp3")
}

#[test]
fn circles_are_refused() -> Result<()> {
    // each knows the other by a port that was free a moment ago
    let port = || -> Result<u16> { Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port()) };
    let (a, b) = (format!("127.0.0.1:{}", port()?), format!("127.0.0.1:{}", port()?));
    let folder = tempfile::tempdir()?;
    let server = |own: &str, other: &str, more: &str| {
        let file = folder.path().join(own);
        std::fs::write(&file, format!("[[relay]]\nfrom = ['http://{other}/a.opus']\n{more}"))?;
        Serve::with(|command| {
            command.args(["--http", own, "-v", "--config"]).arg(&file);
        })
    };
    for on_demand in ["", "on_demand = true"] {
        let (one, two) = (server(&a, &b, on_demand)?, server(&b, &a, on_demand)?);
        let began = Instant::now();
        let nothing = http::listen(&one.url("/a.opus"), "", 1);
        ensure!(
            nothing.is_err() || nothing.is_ok_and(|reply| reply.status == 404),
            "a stream out of nothing"
        );
        ensure!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        let source = push(&one, "speech.opus", "/a.opus");
        if on_demand.is_empty() {
            let source = source?;
            two.wait_live("/a.opus")?;
            drop(source);
            eventually("the circle to be noticed", || {
                let said = one.program.said() + &two.program.said();
                Ok((said.contains("passed this server already") || said.contains("404")).then_some(()))
            })?;
            eventually("both to fall silent", || {
                let live = |server: &Serve| {
                    http::get(&server.url("/status-json.xsl")).map(|r| r.text().contains("/a.opus"))
                };
                Ok((!live(&one)? && !live(&two)?).then_some(()))
            })?;
        }
    }
    Ok(())
}

#[test]
fn a_real_icecast_is_relayed() -> Result<()> {
    let icecast = Icecast::start("")?;
    let child = relay_of(&[&icecast.address], "every = '1s'")?;
    let _source = levada()
        .args(["push", "--loop", "--name", "Iced"])
        .arg(clip("chords.mp3"))
        .arg(icecast.source("/iced.mp3"))
        .spawn_program()?;
    child.wait_live("/iced.mp3")?;
    eventually("the title from icecast2", || {
        Ok(title(&child, "/iced.mp3")?.filter(|t| t == "levada - Chords in MP3"))
    })?;
    let reply = http::listen(&child.url("/iced.mp3"), "", 20_000)?;
    ensure!(reply.head.contains("icy-name:Iced"), "{}", reply.head);
    ensure!(
        !reply.body.windows(12).any(|window| window == b"StreamTitle="),
        "title blocks are no part of the stream"
    );
    Ok(())
}

#[test]
fn a_real_icecast_relays_us() -> Result<()> {
    let origin = parent()?;
    let (host, port) = origin.address.split_once(':').context("an address")?;
    let master = format!(
        "<master-server>{host}</master-server><master-server-port>{port}</master-server-port>
        <master-update-interval>1</master-update-interval><master-username>relay</master-username>
        <master-password>hush-relay</master-password>"
    );
    let _video = push(&origin, "testcard.ogv", "/a.ogv")?;
    let _music = push(&origin, "chords.mp3", "/a.mp3")?;
    let icecast = Icecast::start(&master)?;
    icecast.wait_live("/a.ogv")?;
    icecast.wait_live("/a.mp3")?;
    ensure!(http::listen(&icecast.url("/a.ogv"), "", 60_000)?.body.starts_with(b"OggS"));
    eventually("the title on icecast2", || {
        let status = http::get(&icecast.url("/status-json.xsl"))?.text();
        Ok(status.contains("Chords in MP3").then_some(()))
    })
}

/// Title of a mount as the status tells it.
fn title(server: &Serve, mount: &str) -> Result<Option<String>> {
    let status = http::get(&server.url("/status-json.xsl"))?.json()?;
    let sources = match &status["icestats"]["source"] {
        serde_json::Value::Array(sources) => sources.clone(),
        one => vec![one.clone()],
    };
    let found =
        sources.iter().find(|source| source["listenurl"].as_str().is_some_and(|url| url.ends_with(mount)));
    Ok(found.and_then(|source| Some(source["title"].as_str()?.to_owned())))
}

/// Connections that a server has handed to its writers, relays among them.
fn listeners(server: &Serve) -> Result<usize> {
    let metrics = http::get(&server.url("/metrics"))?.text();
    let line = metrics.lines().find(|line| line.starts_with("levada_listeners ")).context(metrics.clone())?;
    Ok(line.rsplit(' ').next().context("no number")?.parse::<f64>()? as usize)
}

/// Starts a command as a program that ends with the test.
trait Spawn {
    fn spawn_program(&mut self) -> Result<Program>;
}

impl Spawn for std::process::Command {
    fn spawn_program(&mut self) -> Result<Program> {
        Program::start(self)
    }
}
