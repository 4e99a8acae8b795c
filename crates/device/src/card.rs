//! Sound cards through what the system itself offers, by cpal: WASAPI, CoreAudio, and ALSA where there is no sound server.
//!
//! As with `pulse`, a ring stands behind each callback, which only copies and converts. Cards that do not know the wanted rate or channels are
//! opened as they are; on this side of the ring their sound is resampled.

use crate::{Card, Error, Form};
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    BufferSize, Device, ErrorKind, FromSample, Sample, SampleFormat, SizedSample, Stream, StreamConfig,
    SupportedStreamConfig, SupportedStreamConfigRange,
};
use levada_media::resample::Resampler;
use rtrb::{Consumer, Producer, RingBuffer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// A microphone.
pub struct Capture {
    _stream: Stream,
    samples: Consumer<i16>,
    gone: Arc<AtomicBool>,
    overruns: Arc<AtomicU64>,
    between: Between,
    taken: Vec<i16>,
}

/// A loudspeaker.
pub struct Playback {
    _stream: Stream,
    samples: Producer<i16>,
    gone: Arc<AtomicBool>,
    underruns: Arc<AtomicU64>,
    between: Between,
    made: Vec<f32>,
    /// Silence that is put before the first block.
    lead: usize,
}

/// What is between a card's form and the wanted one.
struct Between {
    /// Frames a second and channels that come, and that are wanted.
    from: (u32, usize),
    to: (u32, usize),
    resampler: Option<Resampler>,
    floats: Vec<f32>,
}

impl Capture {
    /// By number, identifier, a part of its description, or `default`.
    ///
    /// # Errors
    /// That there is none, or that it does not want to.
    pub fn open(name: &str, form: Form) -> Result<Capture, Error> {
        let device = choose(name, true)?;
        let found = fitting(device.supported_input_configs().map_err(trouble)?, form);
        let config = found.map_or_else(|| device.default_input_config().map_err(trouble), Ok)?;
        let (from, format) = (form_of(&config), config.sample_format());
        let (into, samples) = RingBuffer::new(ring(form, from));
        let (gone, overruns) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let way = Way {
            device: &device,
            config: stream(&config, form),
            gone: gone.clone(),
            missed: overruns.clone(),
        };
        let stream = match format {
            SampleFormat::I16 => way.capture::<i16>(into),
            SampleFormat::I32 => way.capture::<i32>(into),
            SampleFormat::U16 => way.capture::<u16>(into),
            SampleFormat::U8 => way.capture::<u8>(into),
            SampleFormat::F32 => way.capture::<f32>(into),
            other => return Err(unfit(other)),
        }?;
        stream.play().map_err(trouble)?;
        let between = Between::new(from, (form.rate, form.channels));
        Ok(Capture { _stream: stream, samples, gone, overruns, between, taken: Vec::new() })
    }

    /// Samples, of the wanted form, that were captured and not read.
    pub fn waiting(&self) -> usize {
        self.between.comes_of(self.samples.slots())
    }

    /// Samples that nobody read in time.
    pub fn overruns(&self) -> u64 {
        self.overruns.load(Relaxed)
    }

    /// Whether the device is gone.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Relaxed)
    }

    /// Fills a block; false when the device is gone.
    pub fn read(&mut self, block: &mut [i16]) -> bool {
        if self.is_gone() {
            return false;
        }
        if self.between.is_nothing() {
            block.iter_mut().for_each(|sample| *sample = self.samples.pop().unwrap_or(0));
            return true;
        }
        let frames = block.len() / self.between.to.1;
        self.between.floats.resize(frames * self.between.to.1, 0.0);
        let mut floats = std::mem::take(&mut self.between.floats);
        let mut done = self.between.pull(&mut floats);
        while done < floats.len() && self.samples.slots() >= self.between.from.1 {
            self.taken.clear();
            let piece = self.between.from.1 * (self.samples.slots() / self.between.from.1).min(64);
            self.taken.extend(std::iter::from_fn(|| self.samples.pop().ok()).take(piece));
            self.between.push(&self.taken);
            done += self.between.pull(&mut floats[done..]);
        }
        floats[done..].fill(0.0);
        block.iter_mut().zip(&floats).for_each(|(out, x)| *out = x.round() as i16);
        self.between.floats = floats;
        true
    }
}

impl Playback {
    /// By number, identifier, a part of its description, or `default`.
    ///
    /// # Errors
    /// That there is none, or that it does not want to.
    pub fn open(name: &str, form: Form) -> Result<Playback, Error> {
        let device = choose(name, false)?;
        let found = fitting(device.supported_output_configs().map_err(trouble)?, form);
        let config = found.map_or_else(|| device.default_output_config().map_err(trouble), Ok)?;
        let (to, format) = (form_of(&config), config.sample_format());
        let (samples, from) = RingBuffer::new(ring(form, to));
        let (gone, underruns) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let way = Way {
            device: &device,
            config: stream(&config, form),
            gone: gone.clone(),
            missed: underruns.clone(),
        };
        let stream = match format {
            SampleFormat::I16 => way.play::<i16>(from),
            SampleFormat::I32 => way.play::<i32>(from),
            SampleFormat::U16 => way.play::<u16>(from),
            SampleFormat::U8 => way.play::<u8>(from),
            SampleFormat::F32 => way.play::<f32>(from),
            other => return Err(unfit(other)),
        }?;
        stream.play().map_err(trouble)?;
        let between = Between::new((form.rate, form.channels), to);
        let lead = form.block * to.1;
        Ok(Playback { _stream: stream, samples, gone, underruns, between, made: Vec::new(), lead })
    }

    /// Whether the device is gone.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Relaxed)
    }

    /// Samples that were wanted and not there, the time before the first block included.
    pub fn underruns(&self) -> u64 {
        self.underruns.load(Relaxed)
    }

    /// Takes a block; when six blocks wait, one is left out, since the card is slower than whoever writes.
    pub fn write(&mut self, block: &[i16]) {
        let waiting = self.samples.buffer().capacity() - self.samples.slots();
        let silence = if waiting == 0 { std::mem::take(&mut self.lead) } else { 0 };
        self.push(std::iter::repeat_n(0, silence));
        if waiting > 6 * self.between.comes_of(block.len()).max(block.len()) {
            return;
        }
        if self.between.is_nothing() {
            return self.push(block.iter().copied());
        }
        self.between.push(block);
        self.made.resize(2 * self.between.comes_of(block.len()) + 64 * self.between.to.1, 0.0);
        let mut made = std::mem::take(&mut self.made);
        let done = self.between.pull(&mut made);
        self.push(made[..done].iter().map(|x| x.round() as i16));
        self.made = made;
    }

    /// Puts samples into the ring; those that it does not hold are dropped.
    fn push(&mut self, samples: impl Iterator<Item = i16>) {
        for sample in samples {
            let _full = self.samples.push(sample);
        }
    }
}

impl Between {
    fn new(from: (u32, usize), to: (u32, usize)) -> Between {
        let resampler = (from != to).then(|| Resampler::new(to.1, from.0, to.0));
        Between { from, to, resampler, floats: Vec::new() }
    }

    fn is_nothing(&self) -> bool {
        self.resampler.is_none()
    }

    /// How many samples come of so many, at least, with those that wait.
    fn comes_of(&self, samples: usize) -> usize {
        let Some(resampler) = &self.resampler else { return samples };
        let frames = (samples / self.from.1 + resampler.waiting()).saturating_sub(FILTER);
        (frames as u64 * u64::from(self.to.0) / u64::from(self.from.0)) as usize * self.to.1
    }

    fn push(&mut self, samples: &[i16]) {
        let Some(resampler) = &mut self.resampler else { return };
        let (from, to) = (self.from.1, self.to.1);
        for frame in samples.chunks_exact(from) {
            // one channel goes to all; of many, those that are wanted are kept, and all become one
            for channel in 0..to {
                let x = match (from, to) {
                    (_, 1) => frame.iter().map(|x| f32::from(*x)).sum::<f32>() / from as f32,
                    _ => f32::from(*frame.get(channel).unwrap_or(&frame[0])),
                };
                resampler.push(&[x]);
            }
        }
    }

    /// Samples that are ready, as many as there is room for.
    fn pull(&mut self, out: &mut [f32]) -> usize {
        self.resampler.as_mut().map_or(0, |resampler| resampler.pull(out) * self.to.1)
    }
}

/// A stream that is about to be opened.
struct Way<'a> {
    device: &'a Device,
    config: StreamConfig,
    gone: Arc<AtomicBool>,
    missed: Arc<AtomicU64>,
}

impl Way<'_> {
    fn fails(&self) -> impl FnMut(cpal::Error) + Send + 'static {
        let gone = self.gone.clone();
        move |why| {
            if matches!(why.kind(), ErrorKind::DeviceNotAvailable | ErrorKind::StreamInvalidated) {
                gone.store(true, Relaxed);
            }
        }
    }

    fn capture<T: SizedSample>(self, mut into: Producer<i16>) -> Result<Stream, Error>
    where
        i16: FromSample<T>,
    {
        let (fails, missed) = (self.fails(), self.missed);
        let comes = move |samples: &[T], _: &cpal::InputCallbackInfo| {
            for sample in samples {
                if into.push(sample.to_sample()).is_err() {
                    missed.fetch_add(1, Relaxed);
                }
            }
        };
        self.device.build_input_stream(self.config, comes, fails, Some(PATIENCE)).map_err(trouble)
    }

    fn play<T: SizedSample + FromSample<i16>>(self, mut from: Consumer<i16>) -> Result<Stream, Error> {
        let (fails, missed) = (self.fails(), self.missed);
        let goes = move |samples: &mut [T], _: &cpal::OutputCallbackInfo| {
            for sample in samples {
                let next = from.pop().unwrap_or_else(|_| {
                    missed.fetch_add(1, Relaxed);
                    0
                });
                *sample = next.to_sample();
            }
        };
        self.device.build_output_stream(self.config, goes, fails, Some(PATIENCE)).map_err(trouble)
    }
}

/// All sound cards, first those that capture.
///
/// # Errors
/// That the system has no sound.
pub fn list() -> Result<Vec<Card>, Error> {
    let host = cpal::default_host();
    let mut cards = Vec::new();
    for (index, device) in host.devices().map_err(trouble)?.enumerate() {
        let ways = [(true, device.default_input_config()), (false, device.default_output_config())];
        for (captures, config) in ways {
            let Ok(config) = config else { continue };
            cards.push(Card {
                index: FIRST + index as u32,
                name: device.id().map(|id| id.to_string()).unwrap_or_default(),
                description: device.to_string(),
                captures,
                channels: config.channels().min(255) as u8,
                rate: config.sample_rate(),
            });
        }
    }
    cards.sort_by_key(|card| !card.captures);
    Ok(cards)
}

fn choose(name: &str, captures: bool) -> Result<Device, Error> {
    let (host, unknown) = (cpal::default_host(), || Error::Unknown { name: name.into() });
    if name == "default" {
        let device = if captures { host.default_input_device() } else { host.default_output_device() };
        return device.ok_or_else(unknown);
    }
    let wanted = name.to_lowercase();
    let is_meant = |card: &Card| match name.parse::<u32>() {
        Ok(index) => card.index == index,
        Err(_) => format!("{} {}", card.name, card.description).to_lowercase().contains(&wanted),
    };
    let mut found: Vec<Card> = list()?.into_iter().filter(|card| card.captures == captures).collect();
    found.retain(is_meant);
    found.sort_by_key(|card| card.name != name);
    let id = found.first().and_then(|card| card.name.parse().ok()).ok_or_else(unknown)?;
    host.device_by_id(&id).ok_or_else(unknown)
}

/// A card's own way to have what is wanted, with samples that are known here.
fn fitting(
    ranges: impl Iterator<Item = SupportedStreamConfigRange>,
    form: Form,
) -> Option<SupportedStreamConfig> {
    let known = [SampleFormat::I16, SampleFormat::F32, SampleFormat::I32, SampleFormat::U16];
    let place =
        |range: &SupportedStreamConfigRange| known.iter().position(|format| *format == range.sample_format());
    let fits = ranges.filter(|range| {
        let rates = range.min_sample_rate()..=range.max_sample_rate();
        usize::from(range.channels()) == form.channels && rates.contains(&form.rate) && place(range).is_some()
    });
    fits.min_by_key(place).map(|range| range.with_sample_rate(form.rate))
}

fn form_of(config: &SupportedStreamConfig) -> (u32, usize) {
    (config.sample_rate().max(1), usize::from(config.channels()).max(1))
}

fn stream(config: &SupportedStreamConfig, form: Form) -> StreamConfig {
    let block = form.block as u64 * u64::from(config.sample_rate()) / u64::from(form.rate.max(1));
    let buffer_size = match *config.buffer_size() {
        cpal::SupportedBufferSize::Range { min, max } if min <= max => {
            BufferSize::Fixed((block as u32).clamp(min, max))
        }
        _ => BufferSize::Default,
    };
    StreamConfig { buffer_size, ..config.config() }
}

/// Samples that a ring holds: half a second, eight blocks at least.
fn ring(form: Form, (rate, channels): (u32, usize)) -> usize {
    (rate as usize / 2).max(16 * form.block) * channels
}

fn trouble(why: cpal::Error) -> Error {
    Error::Server { why: why.to_string() }
}

fn unfit(format: SampleFormat) -> Error {
    Error::Server { why: format!("the card's samples are {format}, which is not understood") }
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capture").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Playback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Playback").field("underruns", &self.underruns()).finish_non_exhaustive()
    }
}

/// How long a card may take to open.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
/// Frames that a resampler holds back.
const FILTER: usize = 24;
/// The first card's number: on Linux those below are the sound server's.
const FIRST: u32 = if cfg!(target_os = "linux") { 10_000 } else { 0 };
