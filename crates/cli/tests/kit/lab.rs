//! Labs in tests: as an ordinary user, whoever runs the tests.

use super::{Program, programs};
use anyhow::{Context, Result, bail, ensure};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Whether this system gives ordinary users their namespaces. Where it does not, that is said, and counted.
pub fn is_possible(test: &str) -> bool {
    static POSSIBLE: OnceLock<bool> = OnceLock::new();
    let possible = *POSSIBLE.get_or_init(|| {
        let probe = ["unshare", "-Urnpf", "--mount-proc", "true"];
        ordinary(&probe).output().is_ok_and(|out| out.status.success())
    });
    if !possible {
        println!("SKIPPED 1: {test}: this system refuses user namespaces to ordinary users");
    }
    possible
}

/// A command as an ordinary user: as nobody where the tests run as root.
pub fn ordinary(words: &[&str]) -> Command {
    let mut command = Command::new(if programs::is_root() { "setpriv" } else { words[0] });
    if programs::is_root() {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(words[0]);
    }
    command.args(&words[1..]).env("HOME", "/tmp").env_remove("LEVADA_LAB");
    command
}

/// `levada`, where everybody may run it.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let own = PathBuf::from(env!("CARGO_BIN_EXE_levada"));
        let word = own.display().to_string();
        if ordinary(&["test", "-x", &word]).status().is_ok_and(|status| status.success()) {
            return own;
        }
        // A build tree that is root's alone: a copy, under a name that stays the same.
        let copy = std::env::temp_dir().join("levada-test-binary");
        let _exists = fs::create_dir(&copy);
        let _own = fs::set_permissions(&copy, fs::Permissions::from_mode(0o755));
        let to = copy.join("levada");
        // Another test program may be running the one that is there: it is replaced whole, and never written to.
        let new = copy.join(format!("levada.{}", std::process::id()));
        fs::copy(&own, &new).expect("the binary can be copied");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("and made executable");
        fs::rename(&new, &to).expect("and put in place");
        to
    })
}

/// `levada lab WORDS` as an ordinary user, in a folder.
pub fn lab(words: &[&str], folder: &Path) -> Command {
    let own = binary().display().to_string();
    let all: Vec<&str> = [own.as_str(), "lab"].into_iter().chain(words.iter().copied()).collect();
    let mut command = ordinary(&all);
    command.current_dir(folder);
    command
}

/// What a command printed; its failure is ours.
pub fn said(command: &mut Command) -> Result<String> {
    let out = command.output().with_context(|| format!("{command:?}"))?;
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    ensure!(out.status.success(), "{command:?}: {}\n{said}", out.status);
    Ok(said)
}

/// A lab that is up, until this is dropped.
pub struct Up {
    /// Its process.
    pub program: Program,
    name: String,
    folder: PathBuf,
}

impl Up {
    /// With further arguments.
    pub fn start(name: &str, more: &[&str], folder: &Path) -> Result<Up> {
        let name = format!("{name}-{}", std::process::id());
        let mut words = vec!["up", "--stay", "--name", name.as_str()];
        words.extend(more);
        let mut program = Program::start(&mut lab(&words, folder))?;
        program.wait_for("is up after")?;
        Ok(Up { program, name, folder: folder.into() })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `levada lab WORD --name … MORE`.
    pub fn command(&self, word: &str, more: &[&str]) -> Command {
        let mut words = vec![word, "--name", self.name.as_str()];
        words.extend(more);
        lab(&words, &self.folder)
    }

    /// What it answers.
    pub fn ask(&self, word: &str, more: &[&str]) -> Result<String> {
        said(&mut self.command(word, more))
    }

    /// What a program on a host prints.
    pub fn exec(&self, host: &str, words: &[&str]) -> Result<String> {
        let mut all = vec![host];
        all.extend(words);
        self.ask("exec", &all)
    }
}

/// The number after a word in a text: `time=20.3` by `time=`.
pub fn number_after(text: &str, word: &str) -> Result<f64> {
    let Some((_, rest)) = text.split_once(word) else { bail!("no {word:?} in {text}") };
    let digits: String = rest.trim_start().chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    digits.parse().with_context(|| format!("no number after {word:?} in {text}"))
}
