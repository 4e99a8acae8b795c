//! A reactor's thread, seen from outside.

use super::{
    super::{
        Config, Joining, OnEnd,
        stats::{ReactorTally, Tally},
    },
    Command, Inbox, Post, Reactor, WAKE,
};
use mio::Poll;
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering::Relaxed},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Starts a reactor, talks to it, and joins its thread when dropped.
#[derive(Debug)]
pub(in super::super) struct Handle {
    inbox: Arc<Inbox>,
    tally: Arc<ReactorTally>,
    thread: Option<JoinHandle<()>>,
}

impl Handle {
    pub(in super::super) fn start(
        number: usize,
        config: Config,
        on_end: OnEnd,
        tallies: &Arc<Tally>,
    ) -> io::Result<Handle> {
        let poll = Poll::new()?;
        let inbox = Inbox::new(poll.registry(), WAKE)?;
        let tally = tallies.reactor();
        let (tallies, own) = (tallies.clone(), inbox.clone());
        let post = Post { config, on_end, inbox: own, tally: tally.clone(), tallies, number };
        let thread =
            thread::Builder::new().name(format!("egress-{number}")).spawn(move || serve(poll, &post))?;
        Ok(Handle { inbox, tally, thread: Some(thread) })
    }

    /// How many listeners it has or is about to have.
    pub(in super::super) fn listeners(&self) -> u64 {
        self.tally.listeners.load(Relaxed)
    }

    pub(in super::super) fn join(&self, joining: Joining) {
        self.tally.listeners.fetch_add(1, Relaxed);
        self.tell(Command::Join(Box::new(joining)));
    }

    pub(in super::super) fn tell(&self, command: Command) {
        self.inbox.tell(command);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.tell(Command::Stop);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a reactor's thread ended in a panic");
        }
    }
}

/// Runs a reactor until it is told to stop. One that fails has ended its listeners and is followed by another, loudly.
fn serve(mut poll: Poll, post: &Post) {
    loop {
        let life = || -> io::Result<()> {
            let registry = poll.registry().try_clone()?;
            Reactor::new(post.clone(), registry, Instant::now()).run(&mut poll)
        };
        match catch_unwind(AssertUnwindSafe(life)) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                tracing::error!(%error, reactor = post.number, "a reactor failed and begins anew")
            }
            Err(_) => tracing::error!(reactor = post.number, "a reactor panicked and begins anew"),
        }
        post.tally.failures.fetch_add(1, Relaxed);
        thread::sleep(PAUSE);
    }
}

/// Between two lives of a reactor, so that one that cannot live does not burn a core.
const PAUSE: Duration = Duration::from_millis(50);
