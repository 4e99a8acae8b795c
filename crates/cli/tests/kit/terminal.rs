//! A program in a terminal of its own, by script(1).

use super::{eventually, lab::ordinary};
use anyhow::{Context, Result, ensure};
use std::{
    io::{Read, Write},
    path::Path,
    process::{Child, ChildStdin, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// A terminal of 30 lines and 120 columns, and what runs in it until this is dropped.
pub struct Terminal {
    child: Child,
    keys: Option<ChildStdin>,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Runs a shell's command line as an ordinary user in a folder.
    pub fn start(line: &str, folder: &Path) -> Result<Terminal> {
        let line = format!("stty rows 30 cols 120; exec {line}");
        let mut command = ordinary(&["script", "-qec", &line, "/dev/null"]);
        command.current_dir(folder).env("TERM", "xterm-256color").env("XDG_STATE_HOME", folder);
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = spawned.context("script(1) gives programs a terminal")?;
        let (keys, mut out) = (child.stdin.take(), child.stdout.take());
        let shown = Arc::<Mutex<Vec<u8>>>::default();
        let kept = shown.clone();
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Some(got @ 1..) = out.as_mut().and_then(|out| out.read(&mut piece).ok()) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend(&piece[..got]);
            }
        });
        Ok(Terminal { child, keys, shown })
    }

    /// All that was written to it so far, orders to the terminal and all.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Waits until a text has been shown so often.
    pub fn wait_for(&mut self, text: &str, times: usize) -> Result<()> {
        eventually(&format!("{text:?} {times} times on the terminal"), || {
            let there = self.shown().matches(text).count() >= times;
            ensure!(there || self.child.try_wait()?.is_none(), "it ended, having shown: {:?}", self.shown());
            Ok(there.then_some(()))
        })
        .with_context(|| self.shown())
    }

    /// Types.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        let to = self.keys.as_mut().context("the terminal is open")?;
        Ok(to.write_all(keys.as_bytes()).and_then(|()| to.flush())?)
    }

    /// Waits for the program's end: whether it was a good one.
    pub fn wait(&mut self) -> Result<bool> {
        let child = &mut self.child;
        let status = eventually("the program in the terminal to end", || Ok(child.try_wait()?))?;
        Ok(status.success())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
