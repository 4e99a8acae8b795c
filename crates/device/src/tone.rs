//! A test tone.

use crate::Form;

/// A sine at a quarter of full scale, in every channel.
#[derive(Clone, Debug)]
pub struct Tone {
    /// Turns a frame.
    step: f64,
    phase: f64,
    channels: usize,
}

impl Tone {
    /// So many turns a second.
    pub fn new(hertz: f64, form: Form) -> Tone {
        Tone { step: hertz / f64::from(form.rate.max(1)), phase: 0.0, channels: form.channels.max(1) }
    }

    /// Fills a block.
    pub fn read(&mut self, block: &mut [i16]) {
        for frame in block.chunks_mut(self.channels) {
            frame.fill((8_192.0 * (std::f64::consts::TAU * self.phase).sin()).round() as i16);
            self.phase = (self.phase + self.step).fract();
        }
    }
}
