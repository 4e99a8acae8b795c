//! The runtime that commands run on, and how a person stops one.

mod key;
mod keys;

pub use keys::Keys;

use serde::Serialize;
use std::future::Future;
use tokio::signal::unix::{SignalKind, signal};

/// How a command that could go on for ever ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// There was nothing more to do.
    Finished,
    /// Its time was over.
    Time,
    /// Somebody stopped it.
    Stopped,
    /// It could not go on.
    Failed,
}

/// Runs a command to its end.
///
/// # Errors
/// The command's, or that the system gives no threads.
pub fn block_on(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(command);
    // a read of standard input cannot be called back; nobody waits for it
    runtime.shutdown_background();
    result
}

/// Waits until somebody wants the command to stop: Ctrl-C or SIGTERM.
pub async fn stopped() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

/// Waits until somebody wants the command to stop: as [`stopped`], or by the key `q` where a person sits at the
/// terminal.
pub async fn stopped_or_q() {
    tokio::select! {
        () = stopped() => {}
        () = key::pressed('q') => {}
    }
}

/// Waits for `time`, or for ever.
pub async fn after(time: Option<std::time::Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
