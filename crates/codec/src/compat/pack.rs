//! Makes datagrams of blocks.

use super::{Config, ConfigError, Layer, body::Press, deflate::Deflater, quantize::quantize, transform};
use super::{Dwt, Wpt, hearing_steps, transform::Transform};

/// Makes datagrams of blocks, in order.
#[derive(Debug)]
pub struct Packer {
    config: Config,
    press: Press,
    transforms: Vec<Transform>,
    steps: Steps,
    /// The values that went into the last datagram, interleaved.
    values: Vec<i32>,
    signals: [Vec<f64>; 2],
    bands: Vec<f64>,
    /// Of each channel.
    quantized: [Vec<i32>; 2],
}

impl Packer {
    /// A packer whose first block follows silence.
    ///
    /// # Errors
    /// That the configuration does not fit together.
    pub fn new(config: Config) -> Result<Packer, ConfigError> {
        config.check()?;
        Ok(Packer {
            press: Press::new(
                config.layer.body(),
                config.frames,
                config.channels,
                Deflater::new(config.effort, config.layer.is_wavelet()),
            ),
            transforms: transforms(&config),
            steps: Steps::new(&config),
            values: vec![0; config.values()],
            signals: [vec![0.0; config.frames], vec![0.0; config.frames]],
            bands: vec![0.0; config.frames],
            quantized: [vec![0; config.frames], vec![0; config.frames]],
            config,
        })
    }

    /// Appends the datagram `number` to `out`, made of an interleaved block (of the one before it where blocks overlap) with the
    /// quantization step `q`. What is missing of the block is silence.
    pub fn pack(&mut self, number: u16, q: u32, block: &[i16], out: &mut Vec<u8>) {
        self.values.fill(0);
        self.values.iter_mut().zip(block).for_each(|(value, sample)| *value = i32::from(*sample));
        if self.config.layer.is_quantized() {
            self.quantize(q.clamp(1, LARGEST_STEP));
        }
        self.press.write(number, &self.values, out);
    }

    /// What went into the last datagram, interleaved: samples or quantized coefficients.
    pub fn values(&self) -> &[i32] {
        &self.values
    }

    fn quantize(&mut self, q: u32) {
        self.steps.set(q);
        let stereo = self.config.layer.stereo();
        let [first, second] = &mut self.signals;
        for ((frame, a), b) in self.values.as_chunks::<2>().0.iter().zip(first).zip(second) {
            [*a, *b] = stereo.analyze(*frame).map(f64::from);
        }
        // overlapped packets are rounded to integers before they are quantized, all others truncated, which changes nothing
        let rounds = matches!(self.config.layer, Layer::OverlappedWpt | Layer::ToH);
        for (channel, signal) in self.signals.iter().enumerate() {
            match self.transforms.get_mut(channel) {
                Some(transform) => transform.analyze(signal, &mut self.bands),
                None => self.bands.copy_from_slice(signal),
            }
            if rounds {
                self.bands.iter_mut().for_each(|x| *x = x.round_ties_even());
            }
            let quantized = self.quantized[channel].iter_mut();
            for ((k, x), step) in quantized.zip(&self.bands).zip(self.steps.of_bins()) {
                *k = quantize(*x, *step);
            }
        }
        let [firsts, seconds] = &self.quantized;
        let frames = self.values.as_chunks_mut::<2>().0.iter_mut();
        for ((frame, first), second) in frames.zip(firsts).zip(seconds) {
            *frame = [*first, *second];
        }
    }
}

/// The transforms of a layer, one a channel, or none.
pub(super) fn transforms(config: &Config) -> Vec<Transform> {
    let channels = if config.layer.is_wavelet() { config.channels } else { 0 };
    let make = |_| {
        let dwt = Dwt::new(config.wavelet, config.levels);
        let kind = match config.layer.has_packets() {
            true => transform::Kind::Wpt(Wpt::new(dwt)),
            false => transform::Kind::Dwt(dwt),
        };
        Transform::new(kind, config.frames, config.levels, config.overlap())
    };
    (0..channels).map(make).collect()
}

/// The quantization steps of a block's coefficients.
#[derive(Debug)]
pub(super) struct Steps {
    rate: u32,
    /// Bands that have steps of their own; one where all have the same.
    bands: usize,
    frames: usize,
    q: u32,
    steps: Vec<f64>,
}

impl Steps {
    pub(super) fn new(config: &Config) -> Steps {
        let bands = if config.layer == Layer::ToH { 1 << config.levels } else { 1 };
        Steps { rate: config.rate, bands, frames: config.frames, q: 0, steps: Vec::new() }
    }

    /// Makes them those of `q`.
    pub(super) fn set(&mut self, q: u32) {
        if self.q == q {
            return;
        }
        self.q = q;
        let width = self.frames / self.bands;
        let steps = if self.bands == 1 { vec![q] } else { hearing_steps(self.rate, self.bands, q) };
        self.steps.clear();
        self.steps.extend(steps.iter().flat_map(|step| std::iter::repeat_n(f64::from(*step), width)));
    }

    /// One for each coefficient of a channel.
    pub(super) fn of_bins(&self) -> &[f64] {
        &self.steps
    }
}

/// Beyond this all coefficients are nothing.
const LARGEST_STEP: u32 = 1 << 23;
