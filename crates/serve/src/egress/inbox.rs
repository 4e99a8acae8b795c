//! What reaches a reactor from other threads: commands, and bells that channels ring.

use super::reactor::Command;
use std::{
    io, mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::AcqRel},
    },
    task::Wake,
};

/// A reactor's inbox. It holds what was said since the reactor last looked: as many joins as the front has accepted
/// meanwhile, and each bell as often as it was hung up, which is once per channel and look.
#[derive(Debug)]
pub(super) struct Inbox {
    mail: Mutex<Mail>,
    /// The reactor was woken and has not looked yet.
    signalled: AtomicBool,
    waker: mio::Waker,
}

#[derive(Debug, Default)]
pub(super) struct Mail {
    pub(super) commands: Vec<Command>,
    /// The crowds whose bells rang.
    pub(super) rung: Vec<usize>,
}

/// Wakes a reactor for the sake of one crowd.
#[derive(Debug)]
pub(super) struct Bell {
    pub(super) crowd: usize,
    pub(super) inbox: Arc<Inbox>,
}

impl Inbox {
    pub(super) fn new(registry: &mio::Registry, token: mio::Token) -> io::Result<Arc<Inbox>> {
        let waker = mio::Waker::new(registry, token)?;
        Ok(Arc::new(Inbox { mail: Mutex::default(), signalled: AtomicBool::new(false), waker }))
    }

    pub(super) fn tell(&self, command: Command) {
        self.mail().commands.push(command);
        self.signal();
    }

    /// Has the reactor look at a crowd as soon as it looks at its mail.
    pub(super) fn ring(&self, crowd: usize) {
        self.mail().rung.push(crowd);
        self.signal();
    }

    /// All that came since the last time.
    pub(super) fn empty(&self) -> Mail {
        self.signalled.store(false, std::sync::atomic::Ordering::Release);
        mem::take(&mut *self.mail())
    }

    fn signal(&self) {
        if self.signalled.swap(true, AcqRel) {
            return;
        }
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "a reactor cannot be woken");
        }
    }

    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.inbox.ring(self.crowd);
    }
}
