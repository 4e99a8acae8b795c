//! Programs that end with the test, whatever happens.

use std::{
    io::Read,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

pub struct Program {
    child: Child,
    name: String,
}

impl Program {
    pub fn start(name: &str, arguments: &[&str]) -> Program {
        let child = Command::new(name)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        Program { child, name: name.to_owned() }
    }

    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }

    /// Runs `meanwhile` until the program ends, and returns how it did.
    pub fn wait(&mut self, meanwhile: &mut dyn FnMut()) -> ExitStatus {
        let begun = Instant::now();
        loop {
            meanwhile();
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "{} does not end", self.name);
        }
    }

    /// What it said on its standard error; call when it has ended.
    pub fn errors(&mut self) -> String {
        let mut text = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_string(&mut text).expect("text");
        }
        text
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // it may have ended already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether `name` can be run; says so if not.
pub fn is_installed(name: &str) -> bool {
    let found = Command::new("which").arg(name).output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("SKIPPED: {name} is not installed");
    }
    found
}

/// Runs `name` to its end and returns what it wrote.
pub fn output(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(name).args(arguments).stdin(Stdio::null()).output().expect("runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub const PATIENCE: Duration = Duration::from_secs(60);
