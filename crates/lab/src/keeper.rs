//! Real-time priority, carried from outside of the user namespace to the engine.
//!
//! Who may raise limits raises the one for priorities, which goes along. Root in a container often may not, but may take
//! the priority itself: then the process in front takes it, process 1 inherits it, and there one thread keeps it, which
//! starts the engine's; everything else lets go of it before it begins.

use crate::engine;
use std::io;
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle};

/// What a thread is to do.
type Body = Box<dyn FnOnce() + Send>;
/// A thread to be started, and where it is told of.
type Start = (String, Body, std::sync::mpsc::SyncSender<io::Result<JoinHandle<()>>>);

/// The thread that keeps the priority, where there is one; nothing waits in it longer than a thread takes to start.
static KEEPER: OnceLock<Mutex<Sender<Start>>> = OnceLock::new();

/// The real-time priority that labs of this process may have; 0 for none. To be called before any namespace is entered.
pub fn allowed() -> u64 {
    let limit = crate::netns::allow_priority(20);
    if limit > 0 {
        return limit;
    }
    if !take() {
        return 0;
    }
    engine::relax();
    USUAL.into()
}

/// Takes the priority for this thread and its children, where the limit for it could not be raised.
pub(crate) fn take() -> bool {
    engine::is_urgent() || engine::urge(USUAL)
}

/// Keeps an inherited priority for the engine alone. To be called while there is one thread.
pub(crate) fn keep() -> io::Result<()> {
    if !engine::is_urgent() {
        return Ok(());
    }
    let (starts, inbox) = channel::<Start>();
    Builder::new().name("priority".into()).stack_size(64 << 10).spawn(move || {
        for (name, body, reply) in inbox {
            let _gone = reply.send(Builder::new().name(name).spawn(body));
        }
    })?;
    let _once = KEEPER.set(Mutex::new(starts));
    engine::relax();
    Ok(())
}

/// Starts a thread that may ask for real-time priority.
pub(crate) fn start(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let Some(keeper) = KEEPER.get() else { return Builder::new().name(name.into()).spawn(body) };
    let (reply, started) = sync_channel(1);
    let starts = keeper.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let gone = |_| io::Error::other("the keeper of priority has ended");
    starts.send((name.into(), Box::new(body), reply)).map_err(|_| gone(()))?;
    started.recv().map_err(|_| gone(()))?
}

/// What an engine asks for.
pub(crate) const USUAL: u8 = 10;
