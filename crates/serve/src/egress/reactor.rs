//! One thread that serves its share of the listeners.

use super::{Config, Joining, OnEnd, Whom, stats};
use crate::{End, Rendition, RenditionId, SessionId};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::Instant,
};

/// What a reactor is told from outside.
#[derive(Debug)]
pub(super) enum Command {
    Join(Box<Joining>),
    Shift { from: RenditionId, to: Arc<Rendition>, whom: Whom },
    End { rendition: RenditionId, end: End },
    Kick(SessionId),
    Shutdown(Instant),
}

/// A reactor seen from outside.
#[derive(Debug)]
pub(super) struct Handle {
    commands: Arc<Mutex<Vec<Command>>>,
    tally: Arc<stats::ReactorTally>,
}

impl Handle {
    pub(super) fn start(_: usize, _: Config, _: OnEnd, tally: &Arc<stats::Tally>) -> io::Result<Handle> {
        Ok(Handle { commands: Arc::default(), tally: tally.reactor() })
    }

    pub(super) fn listeners(&self) -> u64 {
        self.tally.listeners.load(Relaxed)
    }

    pub(super) fn join(&self, joining: Joining) {
        self.tell(Command::Join(Box::new(joining)));
    }

    pub(super) fn tell(&self, command: Command) {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).push(command);
    }
}
