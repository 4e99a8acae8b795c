//! Draws the other end's pictures, on a thread of its own.

use super::Shared;
use levada_codec::video::Decoder;
use levada_talk::native::{Coded, Form};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// A picture to be seen.
pub struct Seen {
    /// When it was captured, in frames of the sender's sound.
    pub time: u32,
    /// Pictures a second, about.
    pub rate: u8,
    pub picture: Shared,
}

/// Whoever draws. Twelve pictures wait to be drawn; while there is no room they stay where they are.
pub struct Viewer {
    to: Option<SyncSender<Coded>>,
    from: Receiver<Option<Seen>>,
    waiting: usize,
    thread: Option<thread::JoinHandle<()>>,
}

impl Viewer {
    pub fn start() -> Viewer {
        let (to, coded) = sync_channel(ROOM);
        let (drawn, from) = sync_channel(ROOM);
        let thread = thread::Builder::new().name("viewer".into()).spawn(move || work(&coded, &drawn)).ok();
        Viewer { to: Some(to), from, waiting: 0, thread }
    }

    /// Whether one more may be given.
    pub fn has_room(&self) -> bool {
        self.waiting < ROOM
    }

    pub fn give(&mut self, coded: Coded) {
        let given = self.to.as_ref().is_some_and(|to| to.try_send(coded).is_ok());
        self.waiting += usize::from(given);
    }

    /// What was drawn; none for what could not be.
    pub fn seen(&mut self) -> Vec<Option<Seen>> {
        let seen: Vec<Option<Seen>> = self.from.try_iter().collect();
        self.waiting = self.waiting.saturating_sub(seen.len());
        seen
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.to = None;
        while self.from.recv().is_ok() {}
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

fn work(coded: &Receiver<Coded>, drawn: &SyncSender<Option<Seen>>) {
    let mut decoder: Option<(Form, Decoder)> = None;
    while let Ok(coded) = coded.recv() {
        // another program, or another size, begins with a picture that stands alone
        if coded.key {
            let made = Decoder::new(coded.form.width.into(), coded.form.height.into());
            decoder = made.map(|decoder| (coded.form, decoder));
        }
        if drawn.send(draw(&mut decoder, &coded)).is_err() {
            return;
        }
    }
}

/// None where it would not be what was sent.
fn draw(decoder: &mut Option<(Form, Decoder)>, coded: &Coded) -> Option<Seen> {
    let (form, decoder) = decoder.as_mut().filter(|(form, _)| *form == coded.form)?;
    for slice in &coded.slices {
        decoder.decode(slice).ok()?;
    }
    let picture = (!decoder.broken()).then(|| Arc::new(decoder.picture().clone()))?;
    Some(Seen { time: coded.time, rate: form.rate, picture })
}

const ROOM: usize = 12;
