//! The mounts of a server by name: find, claim, list; nothing else.

use crate::{
    Config, Mount, MountName, Refused, Rendition, Source, rendition::RenditionId, slate, slate::Slate,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// All mounts, and the sign that something about them changed.
pub struct Mounts {
    by_name: Mutex<BTreeMap<MountName, Arc<Mount>>>,
    next: AtomicU64,
    sources: AtomicUsize,
    changed: watch::Sender<u64>,
}

impl Default for Mounts {
    fn default() -> Mounts {
        Mounts {
            by_name: Mutex::default(),
            next: AtomicU64::new(1),
            sources: AtomicUsize::new(0),
            changed: watch::Sender::new(0),
        }
    }
}

impl Mounts {
    /// The mount called `name`, if there is one.
    pub fn find(&self, name: &MountName) -> Option<Arc<Mount>> {
        self.map().get(name).cloned()
    }

    /// The mount called `name`, made if need be.
    pub fn open(&self, name: &MountName, config: &Config) -> Arc<Mount> {
        let make = || {
            let rendition = Rendition::new(self.next_rendition());
            Arc::new(Mount::new(name.clone(), Arc::new(config.policy(name)), rendition))
        };
        self.map().entry(name.clone()).or_insert_with(make).clone()
    }

    /// A name for the next rendition; never the same twice.
    pub fn next_rendition(&self) -> RenditionId {
        RenditionId(self.next.fetch_add(1, Relaxed))
    }

    /// Gives `source` the mount called `name` until the claim is dropped.
    ///
    /// # Errors
    /// When another source has it, or the server has enough sources.
    pub fn claim(
        self: &Arc<Self>,
        name: &MountName,
        source: Source,
        config: &Config,
    ) -> Result<Claim, Refused> {
        if self.sources.fetch_add(1, Relaxed) >= config.limits.sources {
            self.sources.fetch_sub(1, Relaxed);
            return Err(Refused::TooManySources);
        }
        let mount = self.open(name, config);
        let source = source.overridden_by(&mount.policy());
        let clip = mount.policy().always_on.clone().filter(|_| !name.is_internal());
        // one that cannot be looked at is not played either
        let slate = clip.and_then(|clip| slate::look(&clip).ok());
        match fits(slate.as_ref(), &source).and_then(|()| mount.claim(source)) {
            Ok((epoch, let_go)) => {
                if let Some(slate) = slate {
                    mount.expect(epoch, slate.codecs);
                }
                self.touch();
                Ok(Claim { mount, epoch, let_go, mounts: self.clone() })
            }
            Err(refused) => {
                self.sources.fetch_sub(1, Relaxed);
                Err(refused)
            }
        }
    }

    /// Every mount, by name.
    pub fn list(&self) -> Vec<Arc<Mount>> {
        self.map().values().cloned().collect()
    }

    /// Forgets the mount called `name` if it has neither source nor listeners, nor would get a source on demand.
    pub fn forget(&self, name: &MountName) {
        let mut map = self.map();
        if map.get(name).is_some_and(|mount| {
            mount.source().is_none() && mount.listeners() == 0 && !mount.demand.is_armed()
        }) {
            map.remove(name);
        }
    }

    /// Sources connected now.
    pub fn sources(&self) -> usize {
        self.sources.load(Relaxed)
    }

    /// Follows changes: sources come and gone, titles, policies. The value only says that there was one.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Says that something about a mount changed.
    pub fn touch(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn map(&self) -> MutexGuard<'_, BTreeMap<MountName, Arc<Mount>>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the clip that stands in for `source` is of its container, if there is one.
fn fits(slate: Option<&Slate>, source: &Source) -> Result<(), Refused> {
    match slate {
        Some(slate) if slate.format != source.format => Err(Refused::Unlike(slate.format.content_type())),
        _ => Ok(()),
    }
}

/// A source's right to feed a mount; dropping it gives the mount back.
pub struct Claim {
    mount: Arc<Mount>,
    epoch: u64,
    let_go: CancellationToken,
    mounts: Arc<Mounts>,
}

impl Claim {
    /// The mount that is fed.
    pub fn mount(&self) -> &Arc<Mount> {
        &self.mount
    }

    /// Takes the next bytes of the stream, cut anywhere.
    ///
    /// # Errors
    /// When the mount was taken from this source.
    pub fn push(&self, bytes: &[u8]) -> Result<(), crate::LetGo> {
        self.mount.feed(self.epoch, bytes)
    }

    /// Waits until the mount is taken from this source.
    pub async fn let_go(&self) {
        self.let_go.cancelled().await;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.mount.release(self.epoch, Instant::now());
        self.mounts.sources.fetch_sub(1, Relaxed);
        self.mounts.touch();
    }
}
