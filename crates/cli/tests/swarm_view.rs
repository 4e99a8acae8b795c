//! A team as its splitter and its peers show it in a terminal.

mod kit;

use anyhow::{Result, ensure};
use kit::{
    Program, Serve,
    lab::binary,
    levada,
    programs::{self, Desk},
    team::{Team, free_port, plays},
    terminal::Terminal,
};

/// A terminal that is left is as it was before.
fn is_left_clean(terminal: &mut Terminal) -> Result<()> {
    terminal.press("q")?;
    ensure!(terminal.wait()?, "{}", terminal.shown());
    let shown = terminal.shown();
    let (on, off) = (shown.rfind("\x1b[?1049h"), shown.rfind("\x1b[?1049l"));
    ensure!(on.is_some() && on < off, "the other screen stays: {shown:?}");
    Ok(())
}

#[test]
fn a_splitter_and_a_peer_show_the_team_live_and_are_left_with_a_key() -> Result<()> {
    let server = Serve::start(&[])?;
    let _source = programs::ffmpeg_source(&server, "testcard.ogv", "/BBB.ogv", &[])?;
    let (desk, port) = (Desk::new()?, free_port()?);
    let levada_there = binary().display();
    let listen = format!("--listen 127.0.0.1 --port {port}");
    let line = format!(
        "{levada_there} swarm splitter --wire native {listen} --view --source {}",
        server.url("/BBB.ogv")
    );
    let mut splitter = Terminal::start(&line, &desk.path(""))?;
    let at = format!("127.0.0.1:{port}");
    let mut other = Program::start(levada().args([
        "swarm",
        "peer",
        "--wire",
        "native",
        "--splitter",
        &at,
        "--player-port",
        "0",
    ]))?;
    plays("peer", &other.wait_for("playing on ")?)?;
    let line = format!("{levada_there} swarm peer --wire native --splitter {at} --player-port 0 --view");
    let mut peer = Terminal::start(&line, &desk.path(""))?;
    for word in ["team", "upload", "lag", "origin", "kbit/s", " ms"] {
        splitter.wait_for(word, 1)?;
    }
    for word in ["neighbour", "gives", "stripes", "uploading", "kbit/s"] {
        peer.wait_for(word, 1)?;
    }
    is_left_clean(&mut peer)?;
    is_left_clean(&mut splitter)
}

#[test]
fn a_view_needs_a_terminal_and_says_so() -> Result<()> {
    let team = Team::begin(free_port()?, "http://127.0.0.1:9/x.ogv", "native", &["--view"]);
    let (good, said) = team?.splitter.wait()?;
    ensure!(!good && said.contains("a view needs a terminal; --json has the same"), "{said}");
    Ok(())
}
