//! A team as it is seen: in a terminal, on the server's page, and by programs.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{
    Program, Serve,
    browser::Browser,
    eventually,
    lab::binary,
    levada,
    programs::{self, Desk},
    team::{Team, free_port, plays},
    terminal::Terminal,
};
use serde_json::Value;
use std::{collections::BTreeSet, path::Path};

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

/// What the table of a team on the page says of each peer, from whom it has the stream on.
const ROWS: &str = "[...document.querySelectorAll('table.team tbody tr')].map(row => \
                    [...row.children].map(cell => cell.textContent))";

#[test]
fn the_page_shows_a_mounts_team_as_it_is_and_whoever_dies_leaves_it() -> Result<()> {
    let mount = "/a+b@c,d.ogv";
    let mut server = Serve::with(|command| {
        command.args(["--set", &format!("mount=[{{name='{mount}',swarm=true}}]")]);
    })?;
    let evil = "<img src=x onerror=\"document.title='pwned'\">";
    let _source = programs::ffmpeg_source(&server, "testcard.ogv", mount, &["-ice_name", evil])?;
    let team = server.program.wait_for(&format!("a team carries {mount}: p2psp://"))?;
    let mut peers = Vec::new();
    for _ in 0..3 {
        let join = ["swarm", "peer", "--wire", "native", "--splitter", &team, "--player-port", "0"];
        let mut peer = Program::start(levada().args(join))?;
        plays("peer", &peer.wait_for("playing on ")?)?;
        peers.push(peer);
    }
    let browser = Browser::start()?;
    browser.resize(390, 900)?;
    browser.open(&server.url("/"))?;
    browser.wait_until("the team to be shown", "return !!document.querySelector('details.team')")?;
    browser.run("document.querySelector('details.team').open = true")?;
    // Each has some of it from here or from another peer, gives something on, and is late by milliseconds.
    browser.wait_until(
        "three peers with their figures",
        &format!(
            "const rows = {ROWS}, number = text => /^[0-9]+$/.test(text);
             return rows.length === 3 && rows.every(row => row[1] !== '' && number(row[2]) && number(row[3])
                 && number(row[4]) && row[5] === '0' && row[6] === '0')
                 && rows.some(row => Number(row[3]) > 50) && rows.some(row => /here.×[1-8]/.test(row[1]))
                 && document.querySelectorAll('svg.team g.peer').length === 3
                 && document.querySelectorAll('svg.team .feeds').length > 0
                 && document.querySelectorAll('svg.team .passes').length > 0"
        ),
    )?;
    let said = browser.run("return document.querySelector('details.team .about').textContent")?;
    let said = said.as_str().context("nothing is said of it")?;
    ensure!(said.starts_with("3 peers") && said.contains(&format!("levada pull p2psp://{team}")), "{said}");
    let fits = browser.run("return document.documentElement.scrollWidth <= window.innerWidth")?;
    ensure!(fits == true, "the team is wider than a phone");

    peers.remove(1).signal("KILL")?;
    browser.wait_until(
        "whoever was killed to be gone, and the page to stay as it was opened",
        &format!(
            "const rows = {ROWS};
             return rows.length === 2 && rows.every(row => !row[1].includes('3'))
                 && document.querySelectorAll('svg.team g.peer').length === 2
                 && document.querySelector('details.team').open"
        ),
    )?;
    let named = browser.run("return document.querySelector('h2').textContent + document.title")?;
    let named = named.as_str().context("it has no name")?;
    ensure!(named.starts_with(evil) && !named.ends_with("pwned"), "{named}");
    let bad = browser.complaints()?.into_iter().filter(|line| !line.contains("favicon")).collect::<Vec<_>>();
    ensure!(bad.is_empty(), "the page complains: {bad:#?}");
    Ok(())
}

/// The objects that a program has told, of its lines of which each must be one.
fn objects(program: &Program) -> Result<Vec<Value>> {
    let said = program.said();
    let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
}

/// Waits for an object that has all that is wanted.
fn told(program: &Program, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    eventually(what, || Ok(objects(program)?.into_iter().rfind(|object| wanted(object))))
}

/// The names of an object's fields and of those inside them that have their own: `teams.peers`.
fn names(prefix: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                // What is keyed by addresses, or by names of figures, has no fields.
                let keyed = prefix == "figures." || name.contains(':');
                if !keyed {
                    found.insert(format!("{prefix}{name}"));
                    names(&format!("{prefix}{name}."), inner, found);
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|one| names(prefix, one, found)),
        _ => {}
    }
}

/// Every field that is told is in the reference, below the program's heading.
fn is_documented(heading: &str, object: &Value) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/swarm.md");
    let text = std::fs::read_to_string(path)?;
    let section =
        text.split("\n## ").find(|section| section.starts_with(heading)).context("no such heading")?;
    let mut found = BTreeSet::new();
    names("", object, &mut found);
    let missing: Vec<_> =
        found.into_iter().filter(|name| !section.contains(&format!("| `{name}` |"))).collect();
    ensure!(missing.is_empty(), "the reference does not say what these of {heading} are: {missing:?}");
    Ok(())
}

#[test]
fn every_swarm_command_tells_programs_how_it_goes_in_the_fields_of_the_reference() -> Result<()> {
    let server = Serve::start(&[])?;
    let _source = programs::ffmpeg_source(&server, "testcard.ogv", "/BBB.ogv", &[])?;
    let start = |arguments: &[&str]| Program::start(levada().args(["--json", "swarm"]).args(arguments));
    let tracker = start(&["tracker", "--listen", "127.0.0.1", "--port", "0"])?;
    let at = told(&tracker, "the tracker to say where it is", |object| object["here"].is_string())?;
    let at = at["here"].as_str().context("no address")?.to_owned();
    let stream = server.url("/BBB.ogv");
    for wire in ["native", "a"] {
        let port = free_port()?.to_string();
        let splitter =
            ["splitter", "--wire", wire, "--listen", "127.0.0.1", "--port", &port, "--source", &stream];
        let channel = ["--tracker", at.as_str(), "--channel", wire];
        let transport = if wire == "native" { &["--transport", "quic"][..] } else { &[] };
        let splitter = start(&[&splitter[..], &channel, transport].concat())?;
        let place = format!("127.0.0.1:{port}");
        let member = |kind| start(&[kind, "--wire", wire, "--splitter", &place, "--player-port", "0"]);
        let (monitor, peer) = (member("monitor")?, member("peer")?);
        let plays = |object: &Value| {
            object["played"].as_u64() > Some(0)
                && object["team"].as_array().is_some_and(|team| !team.is_empty())
        };
        for program in [&peer, &monitor] {
            let object = told(program, "a member to play", plays)?;
            ensure!(object["wire"] == wire && object["playing_on"].is_string(), "{object:?}");
            is_documented("peer", &object)?;
        }
        let whole = |object: &Value| {
            object["members"].as_array().is_some_and(|members| members.len() == 2) && object["peers"] == 2
        };
        let object = told(&splitter, "a splitter with its team", whole)?;
        ensure!(object["here"] == place && object["source"] == stream, "{object:?}");
        is_documented("splitter", &object)?;
        let knows = |object: &Value| {
            let teams = object["teams"].as_array();
            teams.is_some_and(|teams| teams.iter().any(|team| team["channel"] == wire && team["peers"] == 2))
        };
        is_documented("tracker", &told(&tracker, "a tracker with a team", knows)?)?;
        // The last line comes at the end.
        let before = objects(&peer)?.len();
        peer.signal("TERM")?;
        eventually("its last line", || Ok((objects(&peer)?.len() > before).then_some(())))?;
    }
    let scenario = Desk::new()?;
    let file = scenario.write("few.toml", SCENARIO)?;
    let out = levada().args(["--json", "swarm", "simulate"]).arg(&file).output()?;
    let said = String::from_utf8(out.stdout)?;
    ensure!(out.status.success() && said.lines().count() == 1, "{said}");
    let object: Value = serde_json::from_str(&said)?;
    ensure!(object["verdicts"][0]["holds"] == true && object["hash"].is_string(), "{object:?}");
    is_documented("simulate", &object)
}

/// A handful of peers for a few seconds.
const SCENARIO: &str = "swarm = 1\nname = 'few'\nabout = 'a few'\nduration = '6s'\nsettle = '3s'\n\
    [team]\nseal = 'stand-in'\n[[peers]]\ncount = 5\n[[expect]]\nmetric = 'missed'\nmax = 0\n";
