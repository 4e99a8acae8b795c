//! Captures pictures and codes them, on a thread of its own: that takes longer than a block of sound.

use crate::output::Console;
use anyhow::Result;
use levada_codec::video::{Encoder, Picture};
use levada_device::{Pictures, pictures::scaled};
use levada_talk::native::{Ask, Coded, Form};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Where pictures come from, opened again when it was away.
pub struct Lens {
    name: String,
    size: (usize, usize),
    pictures: Option<Pictures>,
    rate: f64,
    console: Console,
    looked: Instant,
}

impl Lens {
    /// What is called `name`; `auto` is a camera, or where there is none the test picture.
    pub fn open(name: &str, size: (usize, usize), console: Console) -> Result<Lens> {
        let (name, pictures) = match name {
            "auto" => match Pictures::open("camera", size) {
                Ok(pictures) => ("camera", pictures),
                Err(why) => {
                    console.say(format!("no camera ({why}): a test picture is sent instead"));
                    ("test", Pictures::open("test", size)?)
                }
            },
            name => (name, Pictures::open(name, size).map_err(|why| super::usage(why.to_string()))?),
        };
        let rate = pictures.rate();
        Ok(Lens { name: name.into(), size, pictures: Some(pictures), rate, console, looked: Instant::now() })
    }

    /// Pictures a second, about.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Pictures of files and the test picture begin then.
    pub fn begin(&mut self, at: Instant) {
        if let Some(pictures) = &mut self.pictures {
            pictures.begin(at);
        }
    }

    /// The next picture, and when it was captured; waits for it a tenth of a second at most.
    pub fn wait(&mut self) -> Option<(Instant, Picture)> {
        let Some(pictures) = &mut self.pictures else {
            thread::sleep(Duration::from_millis(100));
            if self.looked.elapsed() > Duration::from_secs(1) {
                self.looked = Instant::now();
                self.pictures = Pictures::open(&self.name, self.size).ok();
                if self.pictures.is_some() {
                    self.console.say(format!("{} is back", self.name));
                }
            }
            return None;
        };
        match pictures.wait() {
            Ok(found) => found,
            Err(why) => {
                self.console.say(format!("{why}; it is looked for once a second"));
                self.pictures = None;
                None
            }
        }
    }
}

/// A camera and an encoder. At most two pictures that were coded wait to be sent; one that has no room is not captured.
pub struct Studio {
    state: Arc<State>,
    made: Receiver<(Instant, Coded)>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    ask: Mutex<Ask>,
    stop: AtomicBool,
    captured: AtomicU64,
    left_out: AtomicU64,
    size: [AtomicUsize; 2],
}

impl Studio {
    /// Begins now.
    pub fn start(mut lens: Lens, size: (usize, usize), console: Console) -> Studio {
        let state = Arc::<State>::default();
        let (to, made) = sync_channel(2);
        let working = state.clone();
        lens.begin(Instant::now());
        let thread = thread::Builder::new().name("pictures".into());
        let thread = thread.spawn(move || work(lens, size, &working, &to));
        if let Err(why) = &thread {
            console.say(format!("no pictures: {why}"));
        }
        Studio { state, made, thread: thread.ok() }
    }

    /// Pictures that were coded, and when they were captured.
    pub fn made(&self) -> impl Iterator<Item = (Instant, Coded)> {
        self.made.try_iter()
    }

    /// How the next ones are to be coded.
    pub fn ask(&self, ask: Ask) {
        *self.state.ask.lock().unwrap_or_else(PoisonError::into_inner) = ask;
    }

    /// Pictures that were captured.
    pub fn captured(&self) -> u64 {
        self.state.captured.load(Relaxed)
    }

    /// Of these, such as were not coded, since there was no room for them or nobody looks.
    pub fn left_out(&self) -> u64 {
        self.state.left_out.load(Relaxed)
    }

    /// How large they are sent.
    pub fn size(&self) -> Option<(usize, usize)> {
        let [width, height] = [0, 1].map(|side: usize| self.state.size[side].load(Relaxed));
        (width > 0).then_some((width, height))
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        self.state.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

fn work(mut lens: Lens, size: (usize, usize), state: &State, to: &SyncSender<(Instant, Coded)>) {
    let mut encoder: Option<(Encoder, (usize, usize))> = None;
    let mut count = 0_u64;
    while !state.stop.load(Relaxed) {
        let Some((captured, picture)) = lens.wait() else { continue };
        state.captured.fetch_add(1, Relaxed);
        let ask = *state.ask.lock().unwrap_or_else(PoisonError::into_inner);
        let (every, budget) = budget(ask.bits, lens.rate());
        count += 1;
        if !ask.watched || ask.waiting > WAITING || !count.is_multiple_of(every) {
            state.left_out.fetch_add(1, Relaxed);
            continue;
        }
        let picture = scaled(picture, size);
        let sides = (picture.width, picture.height);
        if encoder.as_ref().is_none_or(|(_, size)| *size != sides) {
            encoder = Encoder::new(sides.0, sides.1).map(|encoder| (encoder, sides));
            state.size.iter().zip([sides.0, sides.1]).for_each(|(size, side)| size.store(side, Relaxed));
            lock_refresh(state, true);
        }
        let Some((encoder, _)) = &mut encoder else { continue };
        let key = lock_refresh(state, false);
        if key {
            encoder.refresh();
        }
        let slices = encoder.encode(&picture, budget).into_iter().map(Into::into).collect();
        let rate = lens.rate().round().clamp(1.0, 255.0) as u8;
        let form = Form { width: sides.0 as u16, height: sides.1 as u16, rate };
        if to.try_send((captured, Coded { time: 0, form, key, slices })).is_err() {
            state.left_out.fetch_add(1, Relaxed);
            lock_refresh(state, true); // what follows would build on it
        }
    }
}

/// Sets whether the next picture is to stand alone; whether it was to.
fn lock_refresh(state: &State, to: bool) -> bool {
    let mut ask = state.ask.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut ask.refresh, to)
}

/// Each which picture is coded, and how many bytes it has: at few bits a second, fewer pictures.
fn budget(bits: f64, rate: f64) -> (u64, usize) {
    let bytes = SHARE * bits / 8.0 / rate.max(1.0);
    let every = (LEAST / bytes.max(1.0)).ceil().clamp(1.0, (rate / 4.0).max(1.0)) as u64;
    (every, (bytes * every as f64) as usize)
}

/// Of the rate that there is for pictures: the rest is for what is sent again.
const SHARE: f64 = 0.85;
/// Bytes of a picture, at least.
const LEAST: f64 = 250.0;
/// While those before need so many seconds to leave, none is coded.
const WAITING: f64 = 0.08;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_few_bits_there_are_fewer_pictures() {
        assert_eq!(budget(1_000_000.0, 30.0), (1, 3_541));
        assert_eq!(budget(30_000.0, 30.0).0, 3);
        assert_eq!(budget(0.0, 30.0).0, 7);
    }
}
