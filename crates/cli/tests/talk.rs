//! Calls between two processes: files in, files out, over loopback and through a real sound server.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{
    Program, end, levada,
    programs::Desk,
    wav::{read_wav, song, write_wav},
};
use std::net::UdpSocket;
use std::process::Command;

/// Two free ports of UDP.
fn ports() -> Result<(u16, u16)> {
    let sockets = [UdpSocket::bind("0.0.0.0:0")?, UdpSocket::bind("0.0.0.0:0")?];
    Ok((sockets[0].local_addr()?.port(), sockets[1].local_addr()?.port()))
}

/// How well `frames` frames of `said` from `from` on are heard somewhere in `heard`, in decibels.
fn heard_at(heard: &[i16], said: &[i16], from: usize, frames: usize) -> f64 {
    let said = &said[2 * from..2 * (from + frames)];
    let energy: f64 = said.iter().map(|x| f64::from(*x).powi(2)).sum();
    // a rough look at every place, by a few samples far apart, then a close one at the best
    let rough = |at: usize| -> i64 {
        (0..said.len()).step_by(31).map(|n| (i64::from(heard[2 * at + n]) - i64::from(said[n])).abs()).sum()
    };
    let places = 0..(heard.len() / 2).saturating_sub(frames);
    let Some(best) = places.min_by_key(|at| rough(*at)) else { return f64::NEG_INFINITY };
    let noise = said.iter().zip(&heard[2 * best..]).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    (10.0 * (energy / noise.sum::<f64>().max(1e-9)).log10()).min(99.0)
}

/// The same for the best of some stretches: a busy machine may miss a moment.
fn best(heard: &[i16], said: &[i16]) -> f64 {
    (2..8).map(|n| heard_at(heard, said, n * 22_050, 2_048)).fold(f64::NEG_INFINITY, f64::max)
}

#[test]
fn two_processes_hear_each_other_over_loopback() -> Result<()> {
    let desk = Desk::new()?;
    let songs = [song(0.0, 5), song(1.0, 5)];
    let (a, b) = ports()?;
    let mut ends = Vec::new();
    for (n, (listen, peer)) in [(a, b), (b, a)].into_iter().enumerate() {
        write_wav(&desk.path(&format!("in{n}.wav")), &songs[n])?;
        let more = "--compat temporal_overlapped_DWT_coding -q 64 --show_stats --for 6s";
        let mut command = end(peer, listen, more);
        command.arg("--input").arg(desk.path(&format!("in{n}.wav")));
        command.arg("--output").arg(desk.path(&format!("out{n}.wav")));
        ends.push(Program::start(&mut command)?);
    }
    for end in &mut ends {
        let (well, said) = end.wait()?;
        ensure!(well, "{said}");
        for words in
            ["chunks_to_buffer = 7", "chunks_per_cycle = 43.06640625", "mesgs.", "Payload sent average ="]
        {
            ensure!(said.contains(words), "{words:?} is missing in\n{said}");
        }
    }
    for (n, other) in [(0, 1), (1, 0)] {
        let heard = read_wav(&desk.path(&format!("out{n}.wav")))?;
        let snr = best(&heard, &songs[other]);
        ensure!(snr > 25.0, "end {n} hears the other at {snr:.1} dB");
    }
    Ok(())
}

#[test]
fn a_call_says_what_is_wrong_with_it() -> Result<()> {
    let said = |more: &str| -> Result<String> {
        let out = end(9, 0, more).output().context("levada")?;
        ensure!(!out.status.success(), "{more}");
        Ok(String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let files = "--input null --output null";
    ensure!(said(&format!("--compat nothing {files}"))?.contains("no layer is called nothing"));
    ensure!(said(&format!("--compat toh -c 1000 {files}"))?.contains("1000 frames cannot be halved 6 times"));
    ensure!(said("--compat buffer --input null --output /nowhere/x.wav")?.contains("/nowhere/x.wav"));
    let _taken = UdpSocket::bind("0.0.0.0:0")?;
    let port = _taken.local_addr()?.port();
    let out = end(9, port, &format!("--compat buffer {files}")).output()?;
    ensure!(out.status.code() == Some(4), "{out:?}");
    Ok(())
}

/// A PulseAudio of the test's own, with one null sink.
struct Pulse {
    daemon: Program,
    socket: String,
    state: tempfile::TempDir,
}

impl Pulse {
    fn start() -> Result<Pulse> {
        let state = tempfile::tempdir()?;
        let path = state.path().join("native");
        let daemon = Pulse::daemon(&state)?;
        kit::eventually("PulseAudio", || Ok(path.exists().then_some(())))?;
        Ok(Pulse { daemon, socket: format!("unix:{}", path.display()), state })
    }

    /// Ends it and starts another in its place.
    fn restart(&mut self, meanwhile: impl FnOnce() -> Result<()>) -> Result<()> {
        self.daemon.stop();
        let _gone_already = std::fs::remove_file(self.state.path().join("native"));
        meanwhile()?;
        self.daemon = Pulse::daemon(&self.state)?;
        Ok(())
    }

    fn daemon(state: &tempfile::TempDir) -> Result<Program> {
        let socket = state.path().join("native").display().to_string();
        let mut command = Command::new("pulseaudio");
        command.args([
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--use-pid-file=no",
            "--disable-shm=yes",
        ]);
        command.arg("-L").arg(format!("module-native-protocol-unix socket={socket} auth-anonymous=1"));
        command.args(["-L", "module-null-sink sink_name=ear rate=44100"]);
        for name in ["HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH", "PULSE_STATE_PATH"] {
            command.env(name, state.path());
        }
        Program::start(&mut command)
    }
}

/// The sound server goes away in the middle of a call, as a headset does that is unplugged, and comes back.
#[test]
fn sound_cards_that_were_away_are_opened_again() -> Result<()> {
    let mut pulse = Pulse::start()?;
    let (a, _) = ports()?;
    let mut call = levada();
    call.args(["talk", "--listen", &a.to_string()]).args(["--input", "ear.monitor", "--output", "ear"]);
    call.env("PULSE_SERVER", &pulse.socket);
    let mut call = Program::start(&mut call)?;
    call.wait_for("waiting to be called")?;
    pulse.restart(|| {
        call.wait_for("ear.monitor is gone")?;
        call.wait_for("ear is gone").map(drop)
    })?;
    call.wait_for("ear.monitor is back")?;
    call.wait_for("ear is back")?;
    ensure!(call.runs());
    call.stop();
    Ok(())
}

/// A file goes to another process, out of its loudspeaker, into its microphone and back.
#[test]
fn sound_goes_through_a_real_sound_server_and_back() -> Result<()> {
    let (desk, pulse) = (Desk::new()?, Pulse::start()?);
    let listed = levada().args(["talk", "--list-devices"]).env("PULSE_SERVER", &pulse.socket).output()?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    ensure!(listed.contains("in  ear.monitor") && listed.contains("out ear "), "{listed}");

    let (a, b) = ports()?;
    let song = song(2.0, 6);
    write_wav(&desk.path("in.wav"), &song)?;
    let mut near = end(b, a, "--compat buffer -c 256 -b 60 --for 7s");
    near.arg("--input").arg(desk.path("in.wav")).arg("--output").arg(desk.path("out.wav"));
    let mut far = end(a, b, "--compat buffer -c 256 -b 60 --input ear.monitor --output ear --for 8s");
    far.env("PULSE_SERVER", &pulse.socket);
    let mut far = Program::start(&mut far)?;
    let mut near = Program::start(&mut near)?;
    let (well, said) = near.wait()?;
    ensure!(well, "{said}");
    far.wait()?;
    let heard = read_wav(&desk.path("out.wav"))?;
    let best = best(&heard, &song);
    ensure!(best > 25.0, "{best:.1} dB");
    Ok(())
}
