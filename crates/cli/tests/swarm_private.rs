//! Who is not let into a team, private or of another version, and monitors that prove to be ones, with real programs.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{
    Program, Serve, eventually, levada, programs,
    team::{Team, free_port, plays},
};

const TOKEN: &str = "seven quiet words";

/// What a program says that is not let in: it ends by itself, with the status of who has no right.
fn is_refused(arguments: &[&str], why: &str) -> Result<()> {
    ends(arguments, 5, why)
}

/// It ends by itself, with this status and one line of this.
fn ends(arguments: &[&str], status: i32, why: &str) -> Result<()> {
    let out = levada().args(arguments).output()?;
    let said = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.code() == Some(status), "{:?}: {said}", out.status);
    let lines = said.lines().filter(|line| line.contains(why)).count();
    ensure!(lines == 1, "not in one line, {why:?}: {said}");
    Ok(())
}

#[test]
fn a_private_team_lets_in_who_has_its_token_and_tells_others_in_one_line() -> Result<()> {
    let server = Serve::start(&[])?;
    let _source = programs::ffmpeg_source(&server, "testcard.ogv", "/BBB.ogv", &[])?;
    let tracker = ["swarm", "tracker", "--listen", "127.0.0.1", "--port", "0", "--token", TOKEN];
    let mut tracker = Program::start(levada().args(tracker))?;
    let at = tracker.wait_for("tracking on udp://")?;
    let channel = ["--tracker", at.as_str(), "--channel", "bbb"];
    let more = [&channel[..], &["--token", TOKEN]].concat();
    let team = Team::at(free_port()?, &server.url("/BBB.ogv"), "native", &more)?;
    eventually("the tracker to know it", || Ok(tracker.said().contains("has a team").then_some(())))?;

    let splitter = format!("127.0.0.1:{}", team.port);
    let (_peer, players) = team.join("peer", &["--token", TOKEN])?;
    programs::ffmpeg_plays(&players, "2")?;
    let peer = ["swarm", "peer", "--player-port", "0", "--splitter", &splitter, "--wire", "native"];
    is_refused(&peer, "is private: say its --token")?;
    is_refused(&[&peer[..], &["--token", "seven loud words"]].concat(), "wants another token")?;
    is_refused(&["pull", &format!("p2psp://{splitter}"), "-o", "-"], "is private: say its --token")?;

    // The tracker tells nobody else where the team is, and hears of no other.
    let find = [&["swarm", "peer", "--player-port", "0"][..], &channel].concat();
    is_refused(&find, "is private: say its --token")?;
    let mut found = Program::start(levada().args(&find).args(["--token", TOKEN]))?;
    let players = found.wait_for("playing on ")?;
    plays("peer", &players)?;
    let stranger = Team::at(free_port()?, &server.url("/BBB.ogv"), "native", &channel)?;
    eventually("the stranger to be told", || {
        Ok(stranger.splitter.said().contains("the tracker is private").then_some(()))
    })?;
    ensure!(tracker.said().matches("has a team").count() == 1);
    Ok(())
}

#[test]
fn a_mount_carries_a_private_team() -> Result<()> {
    let mut server = Serve::with(|command| {
        command.args(["--set", "mount=[{name='/BBB.ogv',swarm=true,swarm_token='seven quiet words'}]"]);
    })?;
    let _source = programs::ffmpeg_source(&server, "testcard.ogv", "/BBB.ogv", &[])?;
    let team = format!("p2psp://{}", server.program.wait_for("a team carries /BBB.ogv: p2psp://")?);
    is_refused(&["pull", &team, "-o", "-"], "is private")?;
    let desk = programs::Desk::new()?;
    let file = desk.path("pulled.ogv");
    let with = format!("{team}?token=seven%20quiet%20words");
    let out = levada().args(["--json", "pull", &with, "--for", "4s", "-o"]).arg(&file).output()?;
    let said = String::from_utf8_lossy(&out.stdout);
    ensure!(out.status.success() && said.contains("\"lost\":0"), "{said}");
    ensure!(!said.contains("quiet"), "the token is told on: {said}");
    let wrong = kit::decode(&file)?;
    ensure!(wrong.is_empty(), "{wrong}");
    Ok(())
}

/// All that a configuration says of a mount's team, and another configuration while the server runs.
#[test]
fn a_mount_carries_an_encrypted_team_of_a_tracker_and_becomes_private_when_it_is_said() -> Result<()> {
    let mut tracker =
        Program::start(levada().args(["swarm", "tracker", "--listen", "127.0.0.1", "--port", "0"]))?;
    let at = tracker.wait_for("tracking on udp://")?;
    let (desk, port) = (programs::Desk::new()?, free_port()?);
    let team = format!(
        "[[mount]]\nname = '/BBB.ogv'\nswarm = true\nswarm_port = {port}\nswarm_transport = 'quic'\n\
         swarm_peers = 2\nswarm_tracker = '{at}'\nswarm_key = '{}'\n",
        desk.path("team.key").display()
    );
    let file = desk.write("radio.toml", &team)?;
    let checked = levada().args(["check-config", &file.display().to_string()]).output()?;
    ensure!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let server = Serve::start(&["--config", &file.display().to_string()])?;
    let _source = programs::ffmpeg_source(&server, "testcard.ogv", "/BBB.ogv", &[])?;
    eventually("the tracker to know it", || {
        Ok(tracker.said().contains("has a team of BBB.ogv").then_some(()))
    })?;
    let splitter = format!("127.0.0.1:{port}");
    let plain = ["swarm", "peer", "--wire", "native", "--player-port", "0", "--splitter", &splitter];
    let mut plain = Program::start(levada().args(plain).args(["--transport", "plain"]))?;
    plain.wait_for("the splitter does not let us in")?;
    plain.stop();
    // Both ways to it, at the same time; for a third there is no room.
    let pulls = |url: String, file: &str| -> Result<(Program, std::path::PathBuf)> {
        let file = desk.path(file);
        let pull = ["--json", "pull", url.as_str(), "--for", "4s", "-o"];
        Ok((Program::start(levada().args(pull).arg(&file))?, file))
    };
    let mut both =
        [pulls(format!("p2psp://{splitter}"), "a.ogv")?, pulls(format!("p2psp://{at}/BBB.ogv"), "b.ogv")?];
    for (pull, file) in &mut both {
        let (well, said) = pull.wait()?;
        ensure!(well && said.contains("\"lost\":0") && said.contains(&splitter), "{said}");
        let wrong = kit::decode(file)?;
        ensure!(wrong.is_empty(), "{wrong}");
    }

    desk.write("radio.toml", &format!("{team}swarm_token = 'seven quiet words'\n"))?;
    server.program.signal("HUP")?;
    eventually("the other team", || {
        Ok((server.program.said().matches("a team carries /BBB.ogv").count() == 2).then_some(()))
    })?;
    is_refused(&["pull", &format!("p2psp://{splitter}"), "-o", "-"], "is private")?;
    let (mut pull, file) = pulls(format!("p2psp://{splitter}?token=seven%20quiet%20words"), "c.ogv")?;
    let (well, said) = pull.wait()?;
    ensure!(well && said.contains("\"lost\":0"), "{said}");
    let wrong = kit::decode(&file)?;
    ensure!(wrong.is_empty(), "{wrong}");
    // And none at all.
    desk.write("radio.toml", "[[mount]]\nname = '/BBB.ogv'\n")?;
    server.program.signal("HUP")?;
    eventually("the team to be gone", || {
        let answer = kit::http::get(&server.url("/assets/team/BBB.ogv"))?;
        Ok((answer.status == 204).then_some(()))
    })
}

#[test]
fn a_monitor_proves_its_key_to_a_splitter_that_knows_it() -> Result<()> {
    let server = Serve::start(&[])?;
    let _source = programs::ffmpeg_source(&server, "testcard.ogv", "/BBB.ogv", &[])?;
    let desk = programs::Desk::new()?;
    let key = desk.path("monitor.key").display().to_string();
    // Its key is made at the first start, and shown.
    let nowhere = format!("127.0.0.1:{}", free_port()?);
    let first = ["swarm", "monitor", "--wire", "native", "--player-port", "0", "--key", &key];
    let mut first = Program::start(levada().args(first).args(["--splitter", &nowhere]))?;
    let public = first.wait_for("this monitor's key is ")?;
    drop(first);
    ensure!(public.len() == 64 && std::fs::metadata(&key).is_ok(), "{public}");

    let more = ["--monitor-key", public.as_str(), "--json"];
    let team = Team::begin(free_port()?, &server.url("/BBB.ogv"), "native", &more)?;
    let (_monitor, players) = team.join("monitor", &["--key", &key])?;
    let (_other, _) = team.join("monitor", &[])?;
    programs::ffmpeg_plays(&players, "1")?;
    eventually("one of two to be believed", || {
        let said = team.splitter.said();
        let last = said.lines().rfind(|line| line.starts_with('{')).context("nothing yet");
        let Ok(last) = last else { return Ok(None) };
        let proven = (last.matches("\"monitor\":true").count(), last.matches("\"monitor\":").count());
        Ok((proven == (1, 2)).then_some(()))
    })?;
    Ok(())
}

/// Whoever meets a splitter or a tracker of another version is told so in one line, and does not wait for ever.
#[test]
fn another_version_of_the_wire_is_named_in_one_line_by_each_command() -> Result<()> {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    let at = socket.local_addr()?.to_string();
    // Of version 9: refuses hellos and questions, for which each has kept its form.
    let _foreign = std::thread::spawn(move || {
        let mut buffer = [0; 2_048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let answer = match &buffer[..length] {
                [0, _, nonce @ ..] if nonce.len() > 8 => [&[51, 9][..], &nonce[..8], &[4]].concat(),
                [b'T', _, _, nonce @ ..] if nonce.len() > 8 => [b"T\x09\x06", &nonce[..8]].concat(),
                _ => continue,
            };
            let _sent = socket.send_to(&answer, from);
        }
    });
    let peer = ["swarm", "peer", "--player-port", "0"];
    let splitter = format!("the splitter at {at} speaks version 9 of the wire, and this is version 2");
    ends(&[&peer[..], &["--splitter", &at]].concat(), 1, &splitter)?;
    ends(&[&peer[..], &["--splitter", &at, "--wire", "native"]].concat(), 1, &splitter)?;
    ends(&["pull", &format!("p2psp://{at}"), "-o", "-"], 1, &splitter)?;
    let tracker = format!("the tracker at {at} speaks version 9 of the wire, and this is version 2");
    ends(&[&peer[..], &["--tracker", &at, "--channel", "bbb"]].concat(), 1, &tracker)?;

    // A splitter deals all the same, and says of those whom it asks in vain what they speak.
    let server = Serve::start(&[])?;
    let _source = programs::ffmpeg_source(&server, "testcard.ogv", "/BBB.ogv", &[])?;
    let told = ["--tracker", at.as_str(), "--channel", "bbb"];
    let mut team = Team::at(free_port()?, &server.url("/BBB.ogv"), "native", &told)?;
    team.splitter.wait_for("the tracker speaks version 9 of the wire")?;
    let desk = programs::Desk::new()?;
    let key = desk.path("team.key").display().to_string();
    let follows = ["--key", key.as_str(), "--standby-of", at.as_str()];
    let mut standby = Team::begin(free_port()?, &server.url("/BBB.ogv"), "native", &follows)?;
    standby.splitter.wait_for(&format!("the splitter at {at} speaks version 9 of the wire"))?;
    Ok(())
}
