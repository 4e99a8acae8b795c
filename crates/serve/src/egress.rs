//! Carries renditions to the sockets of their listeners: a few reactor threads, each with its own share of them.

mod config;
mod framing;
mod icy;
mod reactor;
mod stats;
mod transport;

pub use config::Config;
pub use framing::Framing;
pub use stats::{ReactorStats, RenditionStats, Stats};
pub use transport::Transport;

use crate::{End, MountName, Rendition, RenditionId, Session, SessionId};
use bytes::Bytes;
use levada_channel::Start;
use reactor::{Command, Handle};
use std::{
    io,
    sync::Arc,
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
    /// The stream.
    pub rendition: Arc<Rendition>,
    /// Its record.
    pub session: Arc<Session>,
    /// Bytes of the same format to play before the stream.
    pub intro: Option<Bytes>,
    /// When its time is up.
    pub expires: Option<Instant>,
}

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

/// Which listeners of a rendition to move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// All of them.
    All,
    /// Those who asked for this mount.
    Home(MountName),
    /// This one.
    One(SessionId),
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
        let Some(least) = self.reactors.iter().min_by_key(|reactor| reactor.listeners()) else { return };
        least.join(joining);
    }

    /// Moves listeners of `from` to another rendition: they get what `from` still has for them, up to a page's end,
    /// then the header set of `to` if it is another, and go on at its newest entry.
    pub fn shift(&self, from: RenditionId, to: &Arc<Rendition>, whom: Whom) {
        self.tell(|| Command::Shift { from, to: to.clone(), whom: whom.clone() });
    }

    /// Ends all listeners of a rendition with `end` when they have what it still has for them.
    pub fn end(&self, rendition: RenditionId, end: End) {
        self.tell(|| Command::End { rendition, end });
    }

    /// Ends one session at once, with [`End::Kicked`].
    pub fn kick(&self, session: SessionId) {
        self.tell(|| Command::Kick(session));
    }

    /// Ends everybody with [`End::Shutdown`] when they have what is there for them, the slow ones after `patience`.
    /// Waits until nobody is left.
    pub fn shutdown(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        self.tell(|| Command::Shutdown(deadline));
    }

    /// What is served now.
    pub fn stats(&self) -> Stats {
        self.tally.snapshot()
    }

    fn tell(&self, command: impl Fn() -> Command) {
        self.reactors.iter().for_each(|reactor| reactor.tell(command()));
    }
}
