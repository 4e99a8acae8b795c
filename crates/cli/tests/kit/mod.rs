//! What tests of the real binary share: servers on free ports, programs that end with their test, waiting for
//! conditions.
#![allow(dead_code)] // each test file uses its own part

pub mod browser;
pub mod http;
pub mod icecast;
pub mod lab;
pub mod netns;
pub mod programs;
pub mod team;
pub mod terminal;
pub mod wav;
pub mod wire;

use anyhow::{Context, Result, bail, ensure};
use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// As long as a condition may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// The binary under test.
pub fn levada() -> Command {
    Command::new(env!("CARGO_BIN_EXE_levada"))
}

/// A clip that the repository ships.
pub fn clip(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../media").join(name);
    assert!(path.exists(), "{} is missing", path.display());
    path
}

/// Asks until there is an answer.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().with_context(|| format!("waiting for {what}"))? {
            return Ok(answer);
        }
        ensure!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(25));
    }
}

/// One end of a call on this machine; `more` in the order of a shell.
pub fn end(peer: u16, listen: u16, more: &str) -> Command {
    let mut command = levada();
    command.args(["talk", &format!("127.0.0.1:{peer}"), "--listen", &listen.to_string()]);
    command.args(more.split_whitespace());
    command
}

/// A program that runs beside the test and ends with it.
pub struct Program {
    child: Child,
    said: Arc<Mutex<String>>,
    name: String,
}

impl Program {
    /// Starts it; what it says is kept.
    pub fn start(command: &mut Command) -> Result<Program> {
        let name = command.get_program().to_string_lossy().into_owned();
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.with_context(|| format!("cannot start {name}; run `make test`"))?;
        let said = Arc::<Mutex<String>>::default();
        let (out, err) = (child.stdout.take(), child.stderr.take());
        out.into_iter().for_each(|out| keep(out, said.clone()));
        err.into_iter().for_each(|err| keep(err, said.clone()));
        Ok(Program { child, said, name })
    }

    /// All it has said so far, on both outputs.
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has said something, and gives the rest of that line.
    pub fn wait_for(&mut self, word: &str) -> Result<String> {
        let name = self.name.clone();
        eventually(&format!("{name} to say {word:?}"), || {
            if let Some(line) = self.said().lines().find_map(|line| line.split_once(word)) {
                return Ok(Some(line.1.trim().to_owned()));
            }
            match self.child.try_wait()? {
                Some(status) => bail!("{name} ended ({status}) and had said:\n{}", self.said()),
                None => Ok(None),
            }
        })
    }

    /// Waits for its end; what it said comes with the status.
    pub fn wait(&mut self) -> Result<(bool, String)> {
        let status = eventually(&format!("{} to end", self.name), || Ok(self.child.try_wait()?))?;
        thread::sleep(Duration::from_millis(20)); // the last lines are on their way through the pipe
        Ok((status.success(), self.said()))
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) -> Result<()> {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status()?;
        ensure!(sent.success(), "cannot signal {}", self.name);
        Ok(())
    }

    /// Ends it as a person would, then harder.
    pub fn stop(&mut self) {
        if self.runs() && self.signal("TERM").is_ok() {
            let deadline = Instant::now() + Duration::from_secs(5);
            while self.runs() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(10));
            }
        }
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.stop();
        if thread::panicking() {
            eprintln!("--- {} said:\n{}", self.name, self.said());
        }
    }
}

fn keep(from: impl Read + Send + 'static, said: Arc<Mutex<String>>) {
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|got| got > 0) {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.len() < 1 << 20 {
                said.push_str(&String::from_utf8_lossy(&line));
            }
            line.clear();
        }
    });
}

/// `levada serve` on a free port of loopback, with the source password `hush`.
pub struct Serve {
    /// The server's process.
    pub program: Program,
    /// `127.0.0.1:port`.
    pub address: String,
    _state: tempfile::TempDir,
}

impl Serve {
    /// With further arguments.
    pub fn start(arguments: &[&str]) -> Result<Serve> {
        Serve::with(|command| {
            command.args(arguments);
        })
    }

    /// With whatever `more` says.
    pub fn with(more: impl FnOnce(&mut Command)) -> Result<Serve> {
        let state = tempfile::tempdir()?;
        let mut command = levada();
        command.args(["serve", "--http", "127.0.0.1:0"]);
        command
            .env("LEVADA__AUTH__SOURCE_PASSWORD", "hush")
            .env("LEVADA__AUTH__ADMIN_PASSWORD", "hush-admin");
        command.env("LEVADA__SERVER__STATE", state.path());
        more(&mut command);
        let mut program = Program::start(&mut command)?;
        let address = program.wait_for("serving on http://")?.trim_end_matches('/').to_owned();
        Ok(Serve { program, address, _state: state })
    }

    /// The address of a path for listeners.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The address of a mount for sources.
    pub fn source(&self, mount: &str) -> String {
        format!("icecast://source:hush@{}{mount}", self.address)
    }

    /// Waits until a mount is fed.
    pub fn wait_live(&self, mount: &str) -> Result<()> {
        eventually(&format!("{mount} to be live"), || {
            let status = http::get(&self.url("/status-json.xsl"))?;
            Ok(status.text().contains(&format!("{mount}\"")).then_some(()))
        })
    }

    /// What administration answers.
    pub fn admin(&self, path: &str) -> Result<http::Reply> {
        http::request("GET", &self.url(path), Some(("admin", "hush-admin")), None)
    }
}

/// Sends a clip to a mount in a loop, with levada's own source client.
pub fn push(server: &Serve, file: &str, mount: &str) -> Result<Program> {
    let program =
        Program::start(levada().arg("push").arg("--loop").arg(clip(file)).arg(server.source(mount)))?;
    server.wait_live(mount)?;
    Ok(program)
}

/// Seconds of media in a file, as its decoded frames say; any warning of the decoder is an error.
pub fn decode(file: &Path) -> Result<String> {
    let out =
        Command::new("ffmpeg").args(["-v", "warning", "-i"]).arg(file).args(["-f", "null", "-"]).output()?;
    let said = complaints(&out.stderr);
    ensure!(out.status.success(), "ffmpeg cannot decode {}: {said}", file.display());
    Ok(said)
}

/// What ffmpeg says of a stream, but for the place where ffmpeg as a source began its clip again: some samples too early.
pub fn complaints(said: &[u8]) -> String {
    let mut seam = false;
    let said = String::from_utf8_lossy(said);
    let others = said.lines().filter(|line| {
        let again = seam && line.trim_start().starts_with("Last message repeated");
        seam = again || line.contains("non monotonically increasing dts to muxer");
        !seam
    });
    others.map(|line| format!("{line}\n")).collect()
}

/// The codecs in a file, by ffprobe.
pub fn codecs(file: &Path) -> Result<Vec<String>> {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0"])
        .arg(file)
        .output()?;
    ensure!(out.status.success(), "ffprobe: {}", String::from_utf8_lossy(&out.stderr));
    Ok(String::from_utf8_lossy(&out.stdout)
        .lines()
        .map(|line| line.trim_end_matches(',').to_owned())
        .collect())
}
