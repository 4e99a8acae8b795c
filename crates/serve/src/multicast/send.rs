//! Sends what a mount's listeners hear, for as long as its policy says so.

use super::{Address, Carrier, Herald, Outlet, outlet::PARTIAL, session};
use crate::{
    Mount, MountName, Station,
    renditions::{Feed, Heard},
};
use std::{
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// Sends until the task is ended or the server stops; where there is no way to the group it is tried again.
pub(super) async fn run(station: Arc<Station>, name: MountName, to: Address) {
    loop {
        let sent = tokio::select! {
            sent = send(&station, &name, &to) => sent,
            () = station.stop.cancelled() => return,
        };
        if let Err(why) = sent {
            tracing::warn!(mount = %name, %to, %why, "cannot send");
        }
        tokio::select! {
            () = sleep(AGAIN) => {}
            () = station.stop.cancelled() => return,
        }
    }
}

async fn send(station: &Arc<Station>, name: &MountName, to: &Address) -> io::Result<()> {
    let mount = station.mounts.open(name, &station.config());
    let counted = Counted::new(mount.clone());
    let mut outlet = Outlet::open(to)?;
    let mut herald = Herald::new(&session(station, name, to.clone(), outlet.local()))?;
    tracing::info!(mount = %name, %to, "sends");
    tokio::select! {
        () = carry(station, &mount, &mut outlet, &counted) => {}
        () = announce(herald.as_mut()) => {}
        () = station.stop.cancelled() => {}
    }
    if let Some(herald) = herald {
        herald.end().await;
    }
    Ok(())
}

async fn announce(herald: Option<&mut Herald>) {
    match herald {
        Some(herald) => herald.run().await,
        None => std::future::pending().await,
    }
}

/// Sends what the mount plays, over every change of source, until it is another mount.
async fn carry(station: &Arc<Station>, mount: &Arc<Mount>, outlet: &mut Outlet, counted: &Counted) {
    let mut feed = Feed::new(mount.clone(), station.clone());
    let mut carrier = Carrier::default();
    let mut told = None;
    loop {
        let heard = match outlet.holds() {
            false => feed.next().await,
            true => match timeout(PARTIAL, feed.next()).await {
                Ok(heard) => heard,
                Err(_) => {
                    outlet.flush().await;
                    continue;
                }
            },
        };
        match heard {
            Heard::Source(format) => carrier.begin(format),
            Heard::Page(page) => carrier.push(&page),
            Heard::Nothing => {}
            // silent for long; who comes later is heard all the same
            Heard::Over => sleep(LOOK).await,
        }
        if carrier.refused() != told.as_ref() {
            told = carrier.refused().cloned();
            if let Some(why) = &told {
                tracing::warn!(mount = %mount.name, %why, "the source cannot be sent");
            }
        }
        while let Some(page) = carrier.poll() {
            outlet.send(&page).await;
        }
        counted.sent(outlet.stats().bytes.load(Relaxed));
    }
}

/// All who hear the group are one listener together, so that a source on demand comes and stays.
struct Counted {
    mount: Arc<Mount>,
    bytes: std::sync::atomic::AtomicU64,
}

impl Counted {
    fn new(mount: Arc<Mount>) -> Counted {
        mount.joined();
        Counted { mount, bytes: Default::default() }
    }

    fn sent(&self, bytes: u64) {
        self.bytes.store(bytes, Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.mount.left(self.bytes.load(Relaxed));
    }
}

/// Where there was no way to the group, it is tried again so often.
const AGAIN: Duration = Duration::from_secs(5);
/// How often it is looked whether a mount that was silent for long plays again.
const LOOK: Duration = Duration::from_millis(250);
