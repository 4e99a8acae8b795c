//! Makes blocks of datagrams.

use super::{Config, ConfigError, Effort, Layer, Rebuild, Refused, body::Press, deflate::Deflater};
use super::{pack::Steps, pack::transforms, quantize::rebuild, quantize::whole, transform::Transform};

/// Makes blocks of datagrams, in two steps: reading one works in any order and says whether it is good; rendering is done in
/// the order of the blocks, since overlapped layers need a block's neighbours.
#[derive(Debug)]
pub struct Unpacker {
    config: Config,
    press: Press,
    transforms: Vec<Transform>,
    steps: Steps,
    signals: [Vec<f64>; 2],
    bands: Vec<f64>,
    nothing: Vec<i32>,
}

impl Unpacker {
    /// An unpacker whose first block follows silence.
    ///
    /// # Errors
    /// That the configuration does not fit together.
    pub fn new(config: Config) -> Result<Unpacker, ConfigError> {
        config.check()?;
        let deflater = Deflater::new(Effort::Quick, true);
        Ok(Unpacker {
            press: Press::new(config.layer.body(), config.frames, config.channels, deflater),
            transforms: transforms(&config),
            steps: Steps::new(&config),
            signals: [vec![0.0; config.frames], vec![0.0; config.frames]],
            bands: vec![0.0; config.frames],
            nothing: vec![0; config.values()],
            config,
        })
    }

    /// The number in a datagram, if the layer has numbers and the datagram is long enough.
    pub fn number(&self, datagram: &[u8]) -> Option<u16> {
        self.config.layer.body().number(datagram)
    }

    /// Reads a datagram into `values`, as many as a block has: samples or quantized coefficients, interleaved.
    ///
    /// # Errors
    /// That it is none of this layer; never more than a block is opened.
    pub fn read(&mut self, datagram: &[u8], values: &mut [i32]) -> Result<(), Refused> {
        self.press.read(datagram, values)
    }

    /// Renders the next block from what was read (nothing where it was lost) with the quantization step `q` into `out`,
    /// interleaved and not yet limited to 16 bits. Overlapped layers render the block before it.
    pub fn render(&mut self, values: Option<&[i32]>, q: u32, out: &mut [i32]) {
        let nothing = std::mem::take(&mut self.nothing);
        let values = values.unwrap_or(&nothing);
        match self.config.layer {
            layer if layer.is_quantized() => self.synthesize(values, q.max(1), out),
            // planes of more than 16 bits are cut, as the Python programs cut them into their arrays
            Layer::Byteplanes3 | Layer::Byteplanes4 => out.copy_from_slice(values),
            _ => out.iter_mut().zip(values).for_each(|(out, value)| *out = i32::from(*value as i16)),
        }
        self.nothing = nothing;
    }

    fn synthesize(&mut self, values: &[i32], q: u32, out: &mut [i32]) {
        self.steps.set(q);
        let how = self.config.rebuild;
        for (channel, signal) in self.signals.iter_mut().enumerate() {
            let frames = values.as_chunks::<2>().0.iter();
            let places = self.bands.iter_mut().zip(frames).zip(self.steps.of_bins());
            match (how, channel) {
                (Rebuild::Centre, 0) => fill(places, |frame| frame[0], Rebuild::Centre),
                (Rebuild::Centre, _) => fill(places, |frame| frame[1], Rebuild::Centre),
                (Rebuild::Edge, _) => fill(places, |frame| frame[channel], Rebuild::Edge),
            }
            match self.transforms.get_mut(channel) {
                Some(transform) => transform.synthesize(&self.bands, signal),
                None => signal.copy_from_slice(&self.bands),
            }
        }
        let (stereo, edge) = (self.config.layer.stereo(), how == Rebuild::Edge);
        let [firsts, seconds] = &self.signals;
        for ((first, second), out) in firsts.iter().zip(seconds).zip(out.as_chunks_mut::<2>().0) {
            let frame = [*first, *second];
            let frame = if edge { frame.map(|x| f64::from(whole(x))) } else { frame };
            let cut = |x: f64| if edge { whole(x) } else { whole(x + 0.5_f64.copysign(x)) };
            *out = stereo.synthesize(frame).map(cut);
        }
    }
}

/// Puts coefficients into their bins. (A loop for each way, so that several are done at once.)
#[inline(always)]
fn fill<'a>(
    places: impl Iterator<Item = ((&'a mut f64, &'a [i32; 2]), &'a f64)>,
    integer: impl Fn(&[i32; 2]) -> i32,
    how: Rebuild,
) {
    places.for_each(|((x, frame), step)| *x = rebuild(integer(frame), *step, how));
}
