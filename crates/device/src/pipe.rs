//! Raw samples from a pipe, which never makes its reader wait.

use crate::Form;
use rtrb::{Consumer, RingBuffer};
use std::io::Read;
use std::thread;

/// Interleaved 16-bit little-endian samples that a thread reads ahead, at most two seconds of them; then the pipe's writer waits.
#[derive(Debug)]
pub struct Pipe {
    samples: Consumer<i16>,
}

impl Pipe {
    /// Standard input. Its thread ends with the input, or with the process: a read cannot be called back.
    pub fn stdin(form: Form) -> Pipe {
        Pipe::new(std::io::stdin(), form)
    }

    /// Any reader, whose thread ends with it.
    pub fn new(mut from: impl Read + Send + 'static, form: Form) -> Pipe {
        let (mut into, samples) = RingBuffer::new(2 * form.rate as usize * form.channels.max(1));
        thread::spawn(move || {
            let mut bytes = [0; 4_096];
            let mut half = None;
            while let Ok(length @ 1..) = from.read(&mut bytes) {
                for byte in &bytes[..length] {
                    let Some(low) = half.take() else {
                        half = Some(*byte);
                        continue;
                    };
                    while into.push(i16::from_le_bytes([low, *byte])).is_err() {
                        if into.is_abandoned() {
                            return;
                        }
                        thread::sleep(std::time::Duration::from_millis(5));
                    }
                }
            }
        });
        Pipe { samples }
    }

    /// Fills a block, with silence where nothing came yet; false at the end.
    pub fn read(&mut self, block: &mut [i16]) -> bool {
        if self.samples.is_abandoned() && self.samples.is_empty() {
            return false;
        }
        // a whole block or nothing, but for the end
        let enough = self.samples.slots() >= block.len() || self.samples.is_abandoned();
        for sample in block.iter_mut() {
            *sample = if enough { self.samples.pop().unwrap_or(0) } else { 0 };
        }
        true
    }
}
