//! Keys that are pressed while a command runs.

use super::key::OneByOne;
use std::io::{Read, stdin};
use std::sync::mpsc::{Receiver, sync_channel};

/// Keys, one by one and not shown, while this is held. At most 64 wait; further ones are not noticed.
pub struct Keys {
    _terminal: OneByOne,
    pressed: Receiver<u8>,
}

impl Keys {
    /// None where standard input is no terminal, or another job has it.
    pub fn begin() -> Option<Keys> {
        let terminal = OneByOne::begin()?;
        let (found, pressed) = sync_channel(64);
        // a read of a terminal cannot be called back; the thread ends with the command
        std::thread::spawn(move || {
            let mut byte = [0];
            while matches!(stdin().read(&mut byte), Ok(1)) {
                let _too_fast = found.try_send(byte[0]);
            }
        });
        Some(Keys { _terminal: terminal, pressed })
    }

    /// Those that were pressed since.
    pub fn pressed(&self) -> impl Iterator<Item = u8> {
        self.pressed.try_iter()
    }
}
