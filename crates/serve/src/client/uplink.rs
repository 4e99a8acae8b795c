//! Carries a channel to a mount on another server, over as many connections as it takes.

use super::{
    Client, Sender, Target,
    backoff::Backoff,
    http::Error,
    icecast::{Introduction, send_title},
    player::has_own_titles,
};
use crate::Piece;
use levada_channel::{Channel, Start, Subscriber};
use levada_media::{Format, Tags};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};

/// A stream on its way to a mount. What is published while there is no connection is not sent: a broadcast goes on.
pub struct Uplink {
    client: Client,
    target: Target,
    says: Introduction,
    /// Titles for the mount, the newest only, when its format has none of its own.
    titles: Option<watch::Sender<Arc<Tags>>>,
    stats: Arc<Stats>,
    /// Sends the titles; ends with the uplink.
    _tasks: JoinSet<()>,
}

/// What an uplink counts; it only grows.
#[derive(Debug, Default)]
pub struct Stats {
    /// Bytes that the server took.
    pub bytes: AtomicU64,
    /// Connections that the server accepted.
    pub connects: AtomicU64,
    /// Pages that were not sent because the server read too slowly.
    pub skipped: AtomicU64,
    /// Titles told.
    pub titles: AtomicU64,
}

impl Uplink {
    /// An uplink to `target` for a stream of `format`.
    pub fn new(client: Client, target: Target, says: Introduction, format: Format) -> Uplink {
        let stats = Arc::<Stats>::default();
        let mut tasks = JoinSet::new();
        let titles = (!has_own_titles(format)).then(|| {
            let (sender, receiver) = watch::channel(Arc::default());
            tasks.spawn(tell_titles(client.clone(), target.clone(), receiver, stats.clone()));
            sender
        });
        Uplink { client, target, says, titles, stats, _tasks: tasks }
    }

    /// What it counts.
    pub fn stats(&self) -> Arc<Stats> {
        self.stats.clone()
    }

    /// Asks the server for the mount.
    ///
    /// # Errors
    /// When there is no connection, or the server refuses.
    pub async fn connect(&self) -> Result<Sender, Error> {
        let sender = Sender::connect(&self.client, &self.target, &self.says).await?;
        self.stats.connects.fetch_add(1, Relaxed);
        Ok(sender)
    }

    /// Sends all that is published on `channel` after this call until it ends, beginning on the connection `first`. A lost
    /// connection is made anew for up to `patience`.
    ///
    /// # Errors
    /// When the server refuses for good, or cannot be reached for longer than `patience`.
    pub fn run(
        self,
        first: Sender,
        channel: Channel<Piece>,
        patience: Duration,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        // Not when the future is first polled: somebody may have published by then.
        let mut subscriber = channel.subscribe(Start::Live);
        async move {
            let mut sender = first;
            let mut backoff = Backoff::default();
            loop {
                let began = Instant::now();
                let lost = self.carry(sender, &mut subscriber).await;
                self.stats.skipped.fetch_add(subscriber.skipped(), Relaxed);
                drop(subscriber);
                let Err(why) = lost else { return Ok(()) };
                tracing::warn!(to = %self.target, %why, "connection lost");
                if began.elapsed() > STEADY {
                    backoff.reset();
                }
                sender = self.again(&mut backoff, Instant::now() + patience.min(FOREVER), why).await?;
                tracing::info!(to = %self.target, "connected again");
                subscriber = channel.subscribe(Start::Live);
            }
        }
    }

    /// Sends until the channel ends.
    async fn carry(&self, mut sender: Sender, subscriber: &mut Subscriber<Piece>) -> Result<(), Error> {
        loop {
            let piece = tokio::select! {
                piece = subscriber.next() => piece,
                why = sender.ended() => return Err(why),
            };
            let Some(Piece(page)) = piece else {
                return sender.finish().await.map_err(Error::Broken);
            };
            if let (Some(tags), Some(titles)) = (&page.tags, &self.titles) {
                titles.send_replace(tags.clone());
            }
            sender.send(&page.bytes).await?;
            self.stats.bytes.fetch_add(page.bytes.len() as u64, Relaxed);
        }
    }

    async fn again(&self, backoff: &mut Backoff, deadline: Instant, mut why: Error) -> Result<Sender, Error> {
        loop {
            if why.is_final() || Instant::now() >= deadline {
                return Err(why);
            }
            sleep(backoff.wait().min(deadline.saturating_duration_since(Instant::now()))).await;
            why = match timeout_at(deadline.max(Instant::now() + ONE_TRY), self.connect()).await {
                Ok(Ok(sender)) => return Ok(sender),
                Ok(Err(why)) => why,
                Err(_) => Error::Patience("connection"),
            };
        }
    }
}

/// Tells the newest title whenever there is another.
async fn tell_titles(
    client: Client,
    target: Target,
    mut titles: watch::Receiver<Arc<Tags>>,
    stats: Arc<Stats>,
) {
    while titles.changed().await.is_ok() {
        let line = titles.borrow_and_update().line();
        match send_title(&client, &target, &line).await {
            Ok(()) => drop(stats.titles.fetch_add(1, Relaxed)),
            Err(why) => tracing::warn!(to = %target, %why, "the title was not taken"),
        }
    }
}

/// Longer than anybody waits, and not too long for the clock.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);
/// A connection that lived so long was a good one.
const STEADY: Duration = Duration::from_secs(30);
/// Even the last try has time for a connection.
const ONE_TRY: Duration = Duration::from_secs(2);
