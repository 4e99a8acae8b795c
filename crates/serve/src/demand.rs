//! Mounts whose source comes when somebody wants to listen.

use crate::{Mount, MountName, Station, relay::Via, switch};
use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// Who would feed a mount if somebody came, and who waits for that. Those who wait are connections, so they are
/// bounded as those are.
#[derive(Default)]
pub struct Demand {
    suppliers: AtomicUsize,
    waiting: watch::Sender<Vec<Via>>,
    /// How often it was tried in vain.
    failures: watch::Sender<u64>,
}

/// The mount, whose source comes on demand for as long as this lives.
pub struct Armed(Arc<Mount>);

/// A listener waits; it counts until this is dropped.
pub struct Waiting(Arc<Mount>, Via);

/// A relay waits for a stream that would have to come from itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this stream would have to come from the one who asks for it")]
pub struct Circle;

impl Demand {
    /// Announces a source that comes on demand to the mount called `name`, which is there from now on.
    pub fn arm(name: &MountName, station: &Station) -> Armed {
        loop {
            let mount = station.mounts.open(name, &station.config());
            mount.demand.suppliers.fetch_add(1, Relaxed);
            let armed = Armed(mount);
            // it may have been forgotten in between; an armed one is not
            if station.mounts.find(name).is_some_and(|found| Arc::ptr_eq(&found, &armed.0)) {
                return armed;
            }
        }
    }

    /// Whether a source would come if somebody listened.
    pub fn is_armed(&self) -> bool {
        self.suppliers.load(Relaxed) > 0
    }

    /// Tells those who wait that it was tried in vain.
    pub fn fail(&self) {
        self.failures.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The servers on whose way those are who wait.
    pub fn via(&self) -> Via {
        self.waiting.borrow().iter().fold(Via::default(), |all, via| all.and(via))
    }
}

/// Waits until `mount` can be heard if its source comes on demand, or was tried in vain; at most ten seconds. Keep the result until the
/// listener is counted.
///
/// # Errors
/// When the stream is asked for by a relay that waits for this server itself.
pub async fn wake(
    mount: &Arc<Mount>,
    via: Option<&str>,
    station: &Arc<Station>,
) -> Result<Option<Waiting>, Circle> {
    if !mount.demand.is_armed() || switch::audible(mount, station).is_some() {
        return Ok(None);
    }
    let via = Via::read(via.unwrap_or_default());
    if via.has(&station.id) {
        return Err(Circle);
    }
    let mut failures = mount.demand.failures.subscribe();
    mount.demand.waiting.send_modify(|waiting| waiting.push(via.clone()));
    let waiting = Waiting(mount.clone(), via);
    let mut changes = station.mounts.watch();
    let awake =
        async { while switch::audible(mount, station).is_none() && changes.changed().await.is_ok() {} };
    tokio::select! {
        _too_late = timeout(PATIENCE, awake) => {}
        _in_vain = failures.changed() => {}
    }
    Ok(Some(waiting))
}

/// Waits until somebody listens to `mount` or waits for it.
pub async fn wanted(mount: &Mount) {
    let (mut listeners, mut waiting) = (mount.watch_listeners(), mount.demand.waiting.subscribe());
    tokio::select! {
        _ = listeners.wait_for(|count| *count > 0) => {}
        _ = waiting.wait_for(|waiting| !waiting.is_empty()) => {}
    }
}

/// Waits until nobody has wanted `mount` for `time`.
pub async fn unwanted(mount: &Mount, time: Duration) {
    loop {
        let (mut listeners, mut waiting) = (mount.watch_listeners(), mount.demand.waiting.subscribe());
        drop(listeners.wait_for(|count| *count == 0).await);
        drop(waiting.wait_for(Vec::is_empty).await);
        tokio::select! {
            () = wanted(mount) => {}
            () = sleep(time) => return,
        }
    }
}

impl Deref for Armed {
    type Target = Arc<Mount>;

    fn deref(&self) -> &Arc<Mount> {
        &self.0
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        self.0.demand.suppliers.fetch_sub(1, Relaxed);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.demand.waiting.send_modify(|waiting| {
            if let Some(place) = waiting.iter().position(|via| *via == self.1) {
                waiting.swap_remove(place);
            }
        });
    }
}

/// Players give up not much later; a relay of a relay of a relay is there in a fraction of it.
const PATIENCE: Duration = Duration::from_secs(10);
