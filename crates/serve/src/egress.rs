//! Carries renditions to the sockets of their listeners: a few reactor threads, each with its own share of them.

mod carry;
mod config;
mod crowd;
mod cursor;
mod framing;
mod icy;
mod inbox;
mod listener;
mod place;
mod reactor;
mod reel;
mod stats;
mod transport;
mod wheel;

pub use config::Config;
pub use framing::Framing;
pub use icy::block as title_block;
pub use stats::{ReactorStats, RenditionStats, Stats};
pub use transport::Transport;

use crate::{End, MountName, Rendition, RenditionId, Session, SessionId};
use bytes::Bytes;
use levada_channel::Start;
use reactor::{Closing, Command, Handle};
use std::{
    io,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

/// What is called, on a reactor's thread, when a session is over. It must be short and must not wait.
pub type OnEnd = Arc<dyn Fn(Arc<Session>, End) + Send + Sync>;

/// The reactors. Dropping it ends all listeners with [`End::Shutdown`] and joins the threads.
#[derive(Debug)]
pub struct Egress {
    reactors: Vec<Handle>,
    tally: Arc<stats::Tally>,
}

/// A listener on its way in: its request is answered by `head`, then it gets the stream.
#[derive(Debug)]
pub struct Joining {
    /// Its connection; the request has been read.
    pub transport: Transport,
    /// The status line and the header fields, with the empty line.
    pub head: Bytes,
    /// What goes between the stream's bytes.
    pub framing: Framing,
    /// How soon after it was published a page is written.
    pub pace: Pace,
    /// Where in the stream it begins.
    pub burst: Start,
    /// How what has passed since the newest entry is pressed together for it, so that it begins there and is live.
    pub catch_up: Option<CatchUp>,
    /// The stream.
    pub rendition: Arc<Rendition>,
    /// Its record.
    pub session: Arc<Session>,
    /// Bytes of the same format to play before the stream.
    pub intro: Option<Bytes>,
    /// When its time is up.
    pub expires: Option<Instant>,
    /// What it is told after its last page, if it gets that far; its socket is asked once.
    pub farewell: Option<Farewell>,
}

/// The last words to a listener.
#[derive(Clone, Debug)]
pub struct Farewell {
    /// When its stream has ended, or its time here.
    pub ended: Bytes,
    /// When the server stops, if it is told something else then.
    pub draining: Option<Bytes>,
}

/// Makes of a header set and the pages from an entry to the newest, one after the other, what a newcomer gets in their
/// place; `None` to send them as they are. What it makes is shared by all who join before the next page.
pub type CatchUp = fn(&Bytes) -> Option<Bytes>;

/// How soon a page is written after it was published. Writing costs per call, not per byte, so waiting saves most of
/// the processor's time; the burst on joining hides it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// At once.
    Low,
    /// About 16 KiB at a time, but each 250 to 1,000 ms.
    #[default]
    Adaptive,
    /// Each 250, 500 or 1,000 ms, whichever is the longest that is not longer than this.
    Every(Duration),
}

/// Which listeners of a rendition are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// All of them.
    All,
    /// Those who asked for this mount.
    Home(MountName),
    /// This one.
    One(SessionId),
}

impl Pace {
    /// The ring of the wheel whose period suits a stream of `rate` bytes a second.
    fn ring(self, rate: Option<f64>) -> u8 {
        match (self, rate) {
            (Pace::Every(period), _) => wheel::ring_within(period),
            (Pace::Adaptive, Some(rate)) => {
                wheel::ring_beyond(Duration::from_secs_f64(WRITE / rate.max(1.0)))
            }
            (Pace::Adaptive, None) => wheel::ring_within(Duration::from_millis(500)),
            (Pace::Low, _) => wheel::ring_within(Duration::MAX), // its turn is only to look after it
        }
    }
}

impl Whom {
    fn includes(&self, session: &Session) -> bool {
        match self {
            Whom::All => true,
            Whom::Home(mount) => session.home == *mount,
            Whom::One(id) => session.id == *id,
        }
    }
}

impl Egress {
    /// Starts the reactors.
    ///
    /// # Errors
    /// When the system gives no threads or no event queues.
    pub fn start(config: Config, on_end: OnEnd) -> io::Result<Egress> {
        let tally = Arc::new(stats::Tally::default());
        let reactors = (0..config.reactors())
            .map(|number| Handle::start(number, config.clone(), on_end.clone(), &tally))
            .collect::<io::Result<_>>()?;
        Ok(Egress { reactors, tally })
    }

    /// Takes a listener over; the reactor with the fewest serves it. What waits to be taken over is bounded by what
    /// the server accepts, since each is a connection.
    pub fn join(&self, joining: Joining) {
        let Some(least) = self.reactors.iter().min_by_key(|reactor| reactor.listeners() / wheel::RUN as u64)
        else {
            return;
        };
        least.join(joining);
    }

    /// Moves listeners of `from` to another rendition: they get what `from` still has for them, up to a page's end,
    /// then the header set of `to` if it is another, and go on at its newest entry.
    pub fn shift(&self, from: RenditionId, to: &Arc<Rendition>, whom: Whom) {
        self.tell(|| Command::Shift { from, to: to.clone(), whom: whom.clone() });
    }

    /// Ends listeners of a rendition with `end` when they have what it still has for them.
    pub fn end(&self, rendition: RenditionId, end: End, whom: Whom) {
        self.tell(|| Command::End { rendition, end, whom: whom.clone() });
    }

    /// Ends one session at once, with [`End::Kicked`].
    pub fn kick(&self, session: SessionId) {
        self.tell(|| Command::Kick(session));
    }

    /// Ends everybody with [`End::Shutdown`] when they have what is there for them, the slow ones after `patience`.
    /// Waits until nobody is left.
    pub fn shutdown(&self, patience: Duration) {
        let patience = patience.min(LONGEST_SHUTDOWN);
        let deadline = Instant::now() + patience;
        let (done, all_done) = mpsc::channel();
        self.tell(|| Command::Shutdown(Closing { deadline, done: Some(done.clone()) }));
        drop(done);
        let _ended = all_done.recv_timeout(patience + GRACE); // an error is what says that all are done
    }

    /// Forgets what was counted for a rendition that will not be used again.
    pub fn forget(&self, rendition: RenditionId) {
        self.tally.forget(rendition);
    }

    /// What is served now.
    pub fn stats(&self) -> Stats {
        self.tally.snapshot()
    }

    fn tell(&self, command: impl Fn() -> Command) {
        self.reactors.iter().for_each(|reactor| reactor.tell(command()));
    }
}

/// Bytes worth a write: below this the cost per byte grows, above it hardly falls any more (bench/README.md).
const WRITE: f64 = 16_384.0;
/// Nobody waits longer than this for a server to stop.
const LONGEST_SHUTDOWN: Duration = Duration::from_secs(24 * 3_600);
/// What a reactor may need beyond a shutdown's deadline.
const GRACE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
