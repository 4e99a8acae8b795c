//! A link with bytes in it, on a thread: what comes leaves when the link lets it.

use super::{Came, WAITING};
use levada_link::{Link, Outcome};
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// What is in a link, by ticket.
#[derive(Default)]
struct Held {
    /// The bytes, and how many copies of them are still to come out.
    pieces: Vec<Option<(Vec<u8>, u8)>>,
    free: Vec<u32>,
}

/// Gives what comes to `forward` when the link would; ends when nothing comes any longer and all is sent.
pub(super) fn carry(
    mut link: Link,
    inbox: Receiver<Came>,
    mut forward: impl FnMut(&[u8]) + Send + 'static,
) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("link".into()).stack_size(256 << 10).spawn(move || {
        let start = Instant::now();
        let mut held = Held::default();
        let mut open = true;
        while open || link.due().is_some() {
            let wait = match link.due() {
                None => Duration::from_secs(1),
                Some(due) => due.saturating_sub(start.elapsed()),
            };
            // A relay that has as much as it may hold takes no more.
            let full = link.backlog().packets >= WAITING;
            let came = match wait {
                _ if full || !open => {
                    thread::sleep(wait.min(Duration::from_millis(5)).saturating_sub(SPIN));
                    None
                }
                wait if wait > SPIN => match inbox.recv_timeout(wait - SPIN) {
                    Ok(came) => Some(came),
                    Err(why) => {
                        open = why != RecvTimeoutError::Disconnected;
                        None
                    }
                },
                _ => inbox.try_recv().ok(),
            };
            if let Some((at, bytes)) = came {
                held.take(&mut link, at.saturating_duration_since(start), bytes);
            }
            while let Some(outcome) = link.poll(start.elapsed()) {
                held.done(outcome, &mut forward);
            }
        }
    })
}

impl Held {
    fn take(&mut self, link: &mut Link, at: Duration, bytes: Vec<u8>) {
        let ticket = self.free.pop().unwrap_or_else(|| {
            self.pieces.push(None);
            (self.pieces.len() - 1) as u32
        });
        // As long as on the wire, headers included, so that rates mean the same as in a lab.
        let length = bytes.len() as u32 + HEADERS;
        match link.push(at, ticket, length).taken {
            0 => self.free.push(ticket),
            copies => self.pieces[ticket as usize] = Some((bytes, copies)),
        }
    }

    fn done(&mut self, outcome: Outcome, forward: &mut impl FnMut(&[u8])) {
        let (ticket, flipped, arrives) = match outcome {
            Outcome::Delivered(delivered) => (delivered.ticket, delivered.flipped, true),
            Outcome::Dropped(dropped) => (dropped.ticket, None, false),
        };
        let slot = self.pieces.get_mut(ticket as usize);
        let Some((bytes, copies)) = slot.and_then(Option::as_mut) else { return };
        match flipped {
            Some(bit) if arrives && !bytes.is_empty() => {
                let mut damaged = bytes.clone();
                let bit = bit as usize % (8 * damaged.len());
                damaged[bit / 8] ^= 1 << (bit % 8);
                forward(&damaged);
            }
            _ if arrives => forward(bytes),
            _ => {}
        }
        *copies -= 1;
        if *copies == 0 {
            self.pieces[ticket as usize] = None;
            self.free.push(ticket);
        }
    }
}

/// Ethernet, IPv4 and UDP.
const HEADERS: u32 = 14 + 20 + 8;
const SPIN: Duration = Duration::from_micros(100);
