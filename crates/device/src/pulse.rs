//! Sound cards through PulseAudio's protocol, which PipeWire speaks as well.
//!
//! The client's own thread calls back for samples; behind each callback is one ring, and the callback does nothing but copy:
//! it neither allocates nor locks nor logs.

use crate::{Card, Error, Form};
use pulseaudio::protocol::stream::{BufferAttr, StreamFlags};
use pulseaudio::protocol::{
    self, ChannelMap, ChannelVolume, PlaybackStreamParams, RecordStreamParams, SampleFormat, SampleSpec,
};
use pulseaudio::{AsPlaybackSource, Client, ClientError, PlaybackStream, RecordStream};
use rtrb::{Consumer, Producer, RingBuffer};
use std::ffi::CString;
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// A microphone.
pub struct Capture {
    _stream: RecordStream,
    samples: Consumer<i16>,
    overruns: Arc<AtomicU64>,
}

/// A loudspeaker.
pub struct Playback {
    _stream: PlaybackStream,
    samples: Producer<i16>,
    underruns: Arc<AtomicU64>,
    /// Silence that is put before the first block.
    lead: usize,
}

impl Capture {
    /// By number, a part of its name, or `default`.
    ///
    /// # Errors
    /// That there is no server or no such device.
    pub fn open(name: &str, form: Form) -> Result<Capture, Error> {
        let client = connect()?;
        let found = choose(name, true)?;
        let (mut into, samples) = RingBuffer::new(ring(form));
        let overruns = Arc::new(AtomicU64::new(0));
        let counter = overruns.clone();
        let callback = move |bytes: &[u8]| {
            for sample in bytes.as_chunks::<2>().0 {
                if into.push(i16::from_le_bytes(*sample)).is_err() {
                    counter.fetch_add(1, Relaxed);
                }
            }
        };
        let params = RecordStreamParams {
            sample_spec: spec(form),
            channel_map: map(form),
            source_index: found.as_ref().map(|card| card.index),
            source_name: found.is_none().then(|| protocol::DEFAULT_SOURCE.to_owned()),
            cvolume: Some(ChannelVolume::norm(form.channels as u8)),
            buffer_attr: BufferAttr { fragment_size: bytes(form), ..BufferAttr::default() },
            flags: StreamFlags { adjust_latency: true, ..StreamFlags::default() },
            ..RecordStreamParams::default()
        };
        let stream = wait(client.create_record_stream(params, callback)).map_err(trouble)?;
        Ok(Capture { _stream: stream, samples, overruns })
    }

    /// Samples that were captured and not read.
    pub fn waiting(&self) -> usize {
        self.samples.slots()
    }

    /// Samples that nobody read in time.
    pub fn overruns(&self) -> u64 {
        self.overruns.load(Relaxed)
    }

    /// Whether the device or the server is gone.
    pub fn is_gone(&self) -> bool {
        self.samples.is_abandoned()
    }

    /// Fills a block; false when the device or the server is gone.
    pub fn read(&mut self, block: &mut [i16]) -> bool {
        if self.samples.is_abandoned() {
            return false;
        }
        block.iter_mut().for_each(|sample| *sample = self.samples.pop().unwrap_or(0));
        true
    }
}

impl Playback {
    /// By number, a part of its name, or `default`.
    ///
    /// # Errors
    /// That there is no server or no such device.
    pub fn open(name: &str, form: Form) -> Result<Playback, Error> {
        let client = connect()?;
        let found = choose(name, false)?;
        let (samples, mut from) = RingBuffer::<i16>::new(ring(form));
        let underruns = Arc::new(AtomicU64::new(0));
        let counter = underruns.clone();
        let callback = move |bytes: &mut [u8]| {
            for out in bytes.as_chunks_mut::<2>().0 {
                let sample = from.pop().unwrap_or_else(|_| {
                    counter.fetch_add(1, Relaxed);
                    0
                });
                *out = sample.to_le_bytes();
            }
            bytes.len()
        };
        let block = bytes(form);
        let params = PlaybackStreamParams {
            sample_spec: spec(form),
            channel_map: map(form),
            sink_index: found.as_ref().map(|card| card.index),
            sink_name: found.is_none().then(|| protocol::DEFAULT_SINK.to_owned()),
            cvolume: Some(ChannelVolume::norm(form.channels as u8)),
            buffer_attr: BufferAttr {
                target_length: 2 * block,
                pre_buffering: block,
                minimum_request_length: block,
                ..BufferAttr::default()
            },
            flags: StreamFlags { adjust_latency: true, ..StreamFlags::default() },
            ..PlaybackStreamParams::default()
        };
        let source = callback.as_playback_source();
        let stream = wait(client.create_playback_stream(params, source)).map_err(trouble)?;
        let lead = form.block * form.channels;
        Ok(Playback { _stream: stream, samples, underruns, lead })
    }

    /// Whether the device or the server is gone.
    pub fn is_gone(&self) -> bool {
        self.samples.is_abandoned()
    }

    /// Samples that were wanted and not there, the time before the first block included.
    pub fn underruns(&self) -> u64 {
        self.underruns.load(Relaxed)
    }

    /// Takes a block; what the ring does not hold is dropped: the card is slower than whoever writes. When six blocks wait,
    /// one is left out.
    pub fn write(&mut self, block: &[i16]) {
        let waiting = self.samples.buffer().capacity() - self.samples.slots();
        let silence = if waiting == 0 { std::mem::take(&mut self.lead) } else { 0 };
        for _ in 0..silence {
            let _full = self.samples.push(0);
        }
        let keep = if waiting > 6 * block.len() { 0 } else { block.len() };
        for sample in &block[..keep] {
            let _full = self.samples.push(*sample);
        }
    }
}

/// All sound cards.
///
/// # Errors
/// That there is no server.
pub fn list() -> Result<Vec<Card>, Error> {
    let client = connect()?;
    let text = |text: &CString| text.to_string_lossy().into_owned();
    let captures = wait(client.list_sources()).map_err(trouble)?.into_iter().map(|source| Card {
        index: source.index,
        name: text(&source.name),
        description: source.description.as_ref().map(text).unwrap_or_default(),
        captures: true,
        channels: source.sample_spec.channels,
        rate: source.sample_spec.sample_rate,
    });
    let plays = wait(client.list_sinks()).map_err(trouble)?.into_iter().map(|sink| Card {
        index: sink.index,
        name: text(&sink.name),
        description: sink.description.as_ref().map(text).unwrap_or_default(),
        captures: false,
        channels: sink.sample_spec.channels,
        rate: sink.sample_spec.sample_rate,
    });
    Ok(captures.chain(plays).collect())
}

/// The card that is meant; none for the default.
fn choose(name: &str, captures: bool) -> Result<Option<Card>, Error> {
    if name == "default" {
        return Ok(None);
    }
    let cards = list()?.into_iter().filter(|card| card.captures == captures);
    let wanted = name.to_lowercase();
    let is_meant = |card: &Card| match name.parse::<u32>() {
        Ok(index) => card.index == index,
        Err(_) => {
            card.name == name
                || format!("{} {}", card.name, card.description).to_lowercase().contains(&wanted)
        }
    };
    let mut found: Vec<Card> = cards.filter(is_meant).collect();
    found.sort_by_key(|card| card.name != name);
    found.into_iter().next().map(Some).ok_or_else(|| Error::Unknown { name: name.into() })
}

fn connect() -> Result<Client, Error> {
    let none = "there is none (PulseAudio or PipeWire); --input FILE and --output FILE.wav need none";
    let path = pulseaudio::socket_path_from_env().ok_or(Error::Server { why: none.into() })?;
    let socket = UnixStream::connect(path).map_err(|why| Error::Server { why: why.to_string() })?;
    // a server that lets everybody in still wants a cookie of the right length
    let cookie = pulseaudio::cookie_path_from_env().and_then(|path| std::fs::read(path).ok());
    Client::new_unix(c"levada", socket, Some(cookie.unwrap_or_else(|| vec![0; 256]))).map_err(trouble)
}

fn trouble(why: ClientError) -> Error {
    let cause = std::error::Error::source(&why).map(|cause| format!(": {cause}")).unwrap_or_default();
    Error::Server { why: format!("{why}{cause}") }
}

fn spec(form: Form) -> SampleSpec {
    SampleSpec { format: SampleFormat::S16Le, channels: form.channels as u8, sample_rate: form.rate }
}

fn map(form: Form) -> ChannelMap {
    if form.channels == 1 { ChannelMap::mono() } else { ChannelMap::stereo() }
}

/// Bytes of a block.
fn bytes(form: Form) -> u32 {
    (form.block * form.channels * 2).clamp(64, 1 << 20) as u32
}

/// Samples that a ring holds: half a second, eight blocks at least.
fn ring(form: Form) -> usize {
    (form.rate as usize / 2).max(8 * form.block) * form.channels
}

/// Waits for an answer of the client's thread.
fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => thread::park(),
        }
    }
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
