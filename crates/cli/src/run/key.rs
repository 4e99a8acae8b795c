//! A key that is pressed while a command runs.

use rustix::{
    process::getpgrp,
    stdio,
    termios::{self, LocalModes, OptionalActions, Termios},
};
use std::io::{IsTerminal, Read, stdin};
use tokio::sync::oneshot;

/// Waits until a person presses `key`; for ever where standard input is no terminal, or another job has it. While
/// this is awaited keys come one by one and are not shown.
pub async fn pressed(key: char) {
    let Some(_terminal) = OneByOne::begin() else { return std::future::pending().await };
    let (found, waits) = oneshot::channel();
    // a read of a terminal cannot be called back; the thread ends with the command
    std::thread::spawn(move || {
        let mut byte = [0];
        while matches!(stdin().read(&mut byte), Ok(1)) {
            if char::from(byte[0]).eq_ignore_ascii_case(&key) {
                let _nobody_waits = found.send(());
                return;
            }
        }
    });
    if waits.await.is_err() {
        std::future::pending().await
    }
}

/// The terminal without lines; it gets them back in the end.
pub(super) struct OneByOne(Termios);

impl OneByOne {
    pub(super) fn begin() -> Option<OneByOne> {
        let ours = stdin().is_terminal() && termios::tcgetpgrp(stdio::stdin()).ok()? == getpgrp();
        let before = termios::tcgetattr(stdio::stdin()).ok().filter(|_| ours)?;
        let mut now = before.clone();
        now.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        termios::tcsetattr(stdio::stdin(), OptionalActions::Now, &now).ok()?;
        Some(OneByOne(before))
    }
}

impl Drop for OneByOne {
    fn drop(&mut self) {
        let _gone = termios::tcsetattr(stdio::stdin(), OptionalActions::Now, &self.0);
    }
}
