//! The three streaming labs of the lecture, with real programs at both ends.

mod kit;

use anyhow::{Result, ensure};
use kit::{
    Program, Serve, http, levada,
    programs::{Desk, ffmpeg_plays, ffmpeg_source},
};

/// Lab 1: a file is streamed over HTTP in one command, and a player plays it.
#[test]
fn a_file_is_served_over_http_in_one_command() -> Result<()> {
    let clip = kit::clip("testcard.ogv");
    let server = Serve::start(&["--mount", &format!("BBB.ogv={}", clip.display())])?;
    server.wait_live("/BBB.ogv")?;
    ffmpeg_plays(&server.url("/BBB.ogv"), "3")
}

/// Lab 2: two sources, three listeners; two hear the one, one the other.
#[test]
fn two_sources_and_three_listeners() -> Result<()> {
    let server = Serve::start(&[])?;
    let desk = Desk::new()?;
    let clip = desk.clip("testcard.ogv")?;
    let chain = format!("#std{{access=shout,mux=ogg,dst=source:hush@{}/one.ogv}}", server.address);
    let _vlc = Program::start(desk.vlc().arg("--loop").arg(&clip).arg("--sout").arg(chain))?;
    let _ffmpeg = ffmpeg_source(&server, "chords.mp3", "/two.mp3", &[])?;
    server.wait_live("/one.ogv")?;
    let listeners = [
        http::Listener::open(&server.url("/one.ogv"), "")?,
        http::Listener::open(&server.url("/one.ogv"), "")?,
        http::Listener::open(&server.url("/two.mp3"), "")?,
    ];
    kit::eventually("the server to count two and one", || {
        let count = |mount: &str| -> Result<u64> {
            let clients = server.admin(&format!("/admin/listclients?mount={mount}"))?.text();
            Ok(clients.matches("<IP>").count() as u64)
        };
        Ok((count("/one.ogv")? == 2 && count("/two.mp3")? == 1).then_some(()))
    })?;
    for mut listener in listeners {
        listener.until("a stream", |body| body.len() > 20_000)?;
    }
    Ok(())
}

/// Lab 3: a relay on a second port, which has a source of its own as well.
#[test]
fn a_relay_on_a_second_port_with_its_own_source() -> Result<()> {
    let parent = Serve::start(&[])?;
    let _source = ffmpeg_source(&parent, "chords.ogg", "/radio.ogg", &[])?;
    let desk = Desk::new()?;
    let config = desk.write("relay.toml", &format!("[[relay]]\nfrom = [\"http://{}\"]\n", parent.address))?;
    let relay = Serve::start(&["--config", &config.display().to_string()])?;
    let _own = ffmpeg_source(&relay, "chords.mp3", "/own.mp3", &[])?;
    relay.wait_live("/radio.ogg")?;
    ffmpeg_plays(&relay.url("/radio.ogg"), "2")?;
    ffmpeg_plays(&relay.url("/own.mp3"), "2")?;
    ensure!(
        http::get(&parent.url("/own.mp3"))?.status == 404,
        "the parent knows nothing of the relay's own source"
    );
    let saved = desk.path("pulled.ogg");
    let pulled =
        levada().args(["pull", "--for", "3s", "-o"]).arg(&saved).arg(relay.url("/radio.ogg")).output()?;
    ensure!(pulled.status.success(), "{}", String::from_utf8_lossy(&pulled.stderr));
    ensure!(kit::codecs(&saved)? == ["vorbis"], "what was pulled can be played");
    Ok(())
}
