//! Calls with oneself: to hear whether everything works, and to measure how long it takes.

use super::{Talk, desk::Desk, keyring, native, screen::Screen, video::Video};
use crate::exit;
use crate::output::Console;
use anyhow::{Context, Result};
use levada_device::{Sink, Source};
use levada_link::drive::{Driver, spawn};
use levada_talk::native::{NativeCall, Rendition};
use levada_talk::secure::{self, Identity, Secret};
use levada_talk::{Paced, Sound};
use serde_json::json;
use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Whoever calls is heard again a second later.
struct Echo {
    heard: VecDeque<i16>,
}

impl Sound for Echo {
    fn waiting(&self) -> Option<usize> {
        None
    }

    fn capture(&mut self, block: &mut [i16]) -> bool {
        block.iter_mut().for_each(|x| *x = self.heard.pop_front().unwrap_or(0));
        true
    }

    fn play(&mut self, block: &[i16]) {
        self.heard.extend(block);
    }
}

/// Calls an end of its own that says everything again, a second later.
pub fn echo(talk: &Talk, console: Console, stop: &AtomicBool) -> Result<()> {
    let options = &talk.native;
    let rendition = options.rendition(talk.seminar.frames_per_second.round() as u32)?;
    let (near, far) = (socket()?, socket()?);
    let there = far.local_addr()?;
    let mut config = options.config(rendition, ours(None)?);
    config.secure.peer = None;
    super::hurry(talk, console);
    let echo = Echo { heard: vec![0; 2 * rendition.rate as usize].into() };
    let call = NativeCall::new(config, keyring::chance()?).context("no such rendition")?;
    let _far = spawn(Driver::new(Paced::new(call, echo), far), |_| ())?;
    let form = native::form(rendition);
    let (source, sink) = (Source::open(&talk.input, form)?, Sink::open(&talk.output, form)?);
    let config = options.config(rendition, ours(Some(there))?);
    let call = NativeCall::new(config, keyring::chance()?).context("no such rendition")?;
    console.say("say something: you hear it a second later, through all that a call does");
    let mut screen = Screen::new(console, talk.output == "-", 5.0);
    let tail = 2 * u64::from(rendition.rate) / u64::from(rendition.frames);
    let desk = Desk::new(source, sink, tail, None);
    let time = talk.duration()?;
    let desk = native::talk_on(call, desk, near, (time, Some(there)), stop, &mut screen, Video::none())?;
    screen.end();
    desk.finish()
}

/// Clicks and when they are said.
struct Mouth {
    rate: f64,
    frames: usize,
    said: Arc<Mutex<Vec<Instant>>>,
}

/// Clicks and when they are heard: those of the loudspeaker's blocks, or those that a microphone hears of it.
struct Ear {
    rate: f64,
    devices: Option<(Source, Sink)>,
    /// The loudest sample of a click so far, when it was heard, and how long ago.
    click: Option<(u16, Instant, usize)>,
    heard: Arc<Mutex<Vec<Instant>>>,
    listened: Vec<i16>,
}

impl Sound for Mouth {
    fn waiting(&self) -> Option<usize> {
        None
    }

    fn capture(&mut self, block: &mut [i16]) -> bool {
        block.fill(0);
        let (frames, now) = (block.len() / 2, Instant::now());
        let period = (self.rate * EVERY) as usize;
        for n in 0..frames {
            let at = (self.frames + n) % period;
            if at < CLICK.len() {
                block[2 * n..2 * n + 2].fill(CLICK[at]);
            }
            if at == 0 {
                // the block ends now
                let before = Duration::from_secs_f64((frames - n) as f64 / self.rate);
                self.said.lock().expect("nobody panics with it").push(now - before);
            }
        }
        self.frames += frames;
        true
    }

    fn play(&mut self, _: &[i16]) {}
}

impl Sound for Ear {
    fn waiting(&self) -> Option<usize> {
        self.devices.as_ref().and_then(|(source, _)| source.waiting())
    }

    fn capture(&mut self, block: &mut [i16]) -> bool {
        let Some((source, _)) = &mut self.devices else {
            block.fill(0);
            return true;
        };
        let there = source.read(block);
        let frames = block.len() / 2;
        let began = Instant::now() - Duration::from_secs_f64(frames as f64 / self.rate);
        self.listened.clear();
        self.listened.extend_from_slice(block);
        let listened = std::mem::take(&mut self.listened);
        self.listen(began, &listened);
        self.listened = listened;
        block.fill(0);
        there
    }

    fn play(&mut self, block: &[i16]) {
        match &mut self.devices {
            Some((_, sink)) => {
                let _full = sink.write(block);
            }
            None => self.listen(Instant::now(), block),
        }
    }
}

impl Ear {
    /// Looks for clicks in a block that began then.
    fn listen(&mut self, began: Instant, block: &[i16]) {
        for (n, frame) in block.chunks_exact(2).enumerate() {
            let loud = frame[0].unsigned_abs();
            let at = began + Duration::from_secs_f64(n as f64 / self.rate);
            match &mut self.click {
                Some((loudest, when, since)) => {
                    if loud > *loudest {
                        (*loudest, *when) = (loud, at);
                    }
                    *since += 1;
                    if *since > (self.rate * 0.02) as usize {
                        let before = Duration::from_secs_f64(LOUDEST as f64 / self.rate);
                        self.heard.lock().expect("nobody panics with it").push(*when - before);
                        self.click = None;
                    }
                }
                None if loud > 3_000 => self.click = Some((loud, at, 0)),
                None => {}
            }
        }
    }
}

/// Calls itself, says clicks and listens for them.
pub fn measure(talk: &Talk, console: Console, stop: &AtomicBool) -> Result<()> {
    let options = &talk.native;
    let rendition = options.rendition(talk.seminar.frames_per_second.round() as u32)?;
    let virtual_ = ["default", "null"].contains(&talk.input.as_str()) && talk.output == "null";
    let form = native::form(rendition);
    let devices = match virtual_ {
        true => None,
        false => Some((Source::open(&talk.input, form)?, Sink::open(&talk.output, form)?)),
    };
    let (said, heard) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let rate = f64::from(rendition.rate);
    let ear = Ear { rate, devices, click: None, heard: heard.clone(), listened: Vec::new() };
    let mouth = Mouth { rate, frames: 0, said: said.clone() };
    let (near, far) = (socket()?, socket()?);
    let (here, there) = (near.local_addr()?, far.local_addr()?);
    let make = |peer| -> Result<NativeCall> {
        NativeCall::new(options.config(rendition, ours(Some(peer))?), keyring::chance()?)
            .context("no such rendition")
    };
    super::hurry(talk, console);
    let _far = spawn(Driver::new(Paced::new(make(here)?, ear), far), |_| ())?;
    let _near = spawn(Driver::new(Paced::new(make(there)?, mouth), near), |_| ())?;
    console.say("clicks are said and listened for …");
    let time = talk.duration()?.unwrap_or(Duration::from_secs(10));
    let began = Instant::now();
    while began.elapsed() < time && !stop.load(Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let said = said.lock().map(|said| said.clone()).unwrap_or_default();
    let heard = heard.lock().map(|heard| heard.clone()).unwrap_or_default();
    tell(console, rendition, &delays(&said, &heard, began))
}

/// How long each click took that was heard: of a click and the first sound after it.
fn delays(said: &[Instant], heard: &[Instant], began: Instant) -> Vec<f64> {
    let warm = began + Duration::from_secs(1);
    let settled = said.iter().filter(|said| **said > warm);
    let took = settled.filter_map(|said| {
        let heard = heard.iter().find(|heard| **heard > *said)?;
        Some(heard.duration_since(*said).as_secs_f64())
    });
    let mut took: Vec<f64> = took.filter(|took| *took < EVERY).collect();
    took.sort_by(f64::total_cmp);
    took
}

fn tell(console: Console, rendition: Rendition, took: &[f64]) -> Result<()> {
    if took.is_empty() {
        return Err(exit::Exit(exit::FAILED, "no click was heard".into()).into());
    }
    let at = |share: f64| 1e3 * took[((took.len() - 1) as f64 * share).round() as usize];
    let Rendition { codec, frames, rate } = rendition;
    match console.json() {
        true => println!(
            "{}",
            json!({ "clicks": took.len(), "p50_ms": at(0.5), "p99_ms": at(0.99), "least_ms": at(0.0), "most_ms": at(1.0),
                "codec": codec.name(), "frames": frames, "rate": rate })
        ),
        false => println!(
            "mouth to ear: {:.1} ms (p50), {:.1} ms (p99), {:.1} to {:.1} ms; {} clicks, {codec}, blocks of {frames} frames",
            at(0.5),
            at(0.99),
            at(0.0),
            at(1.0),
            took.len()
        ),
    }
    Ok(())
}

fn socket() -> Result<UdpSocket> {
    UdpSocket::bind("127.0.0.1:0").context("no port is free")
}

/// Nobody else is in such a call.
fn ours(peer: Option<SocketAddr>) -> Result<secure::Config> {
    let identity = Identity::new(keyring::chance()?);
    Ok(secure::Config { peer, secret: Secret::none(), identity, known: None, hello: [0; 4] })
}

/// Seconds from click to click: no multiple of a block.
const EVERY: f64 = 0.213;
/// A click: two milliseconds of 1.4 kHz, the loudest in the middle.
const CLICK: [i16; 64] = click();
/// Its loudest sample.
const LOUDEST: usize = 24;

const fn click() -> [i16; 64] {
    let mut click = [0; 64];
    let mut n = 0;
    while n < 64 {
        // a triangle of triangles; const functions have no sine
        let near = 32 - if n > 32 { n as i32 - 32 } else { 32 - n as i32 };
        let phase = (n as i32) % 32;
        let wave = if phase < 16 { phase - 8 } else { 24 - phase };
        click[n] = (near * wave * 80) as i16;
        n += 1;
    }
    click
}
