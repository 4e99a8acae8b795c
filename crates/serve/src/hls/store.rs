//! Puts a stream's segments and a playlist of them into a store of objects, behind the live stream and without it.
//!
//! The window is the spool: what the store has not taken when it leaves the window is lost and counted. Nothing else
//! waits, so that a store that fails costs no memory and no player anything.

use super::{playlist, stream::Stream};
use crate::{Station, config::Store};
use bytes::Bytes;
use object_store::{
    Attribute, Attributes, ObjectStore, ObjectStoreExt, PutOptions, RetryConfig, aws::AmazonS3Builder,
    local::LocalFileSystem, path::Path,
};
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::time::{sleep, timeout};
use tokio_rustls::rustls::crypto::ring;

/// Where one mount's objects go, and which are there.
struct Keeper<'a> {
    stream: &'a Stream,
    store: Arc<dyn ObjectStore>,
    below: Path,
    /// Whether the store keeps a content type and how long caches may.
    describes: bool,
    /// Segments and initializations that it has.
    segments: BTreeSet<u64>,
    inits: BTreeSet<u64>,
    /// The newest segment that was looked at; the next is the one after.
    last: Option<u64>,
}

/// What has to be done next.
enum Task {
    Put { number: u64, init: Option<(u64, Bytes)>, bytes: Bytes },
    Wait,
    Done,
}

/// Keeps the store of `stream`'s mount up to date until the stream is over; nothing where it has none.
pub(super) async fn keep(stream: &Stream, station: &Station) {
    let Some(place) = stream.mount.policy().hls_store.clone() else { return };
    let mut told = false;
    let (store, prefix, describes) = loop {
        let opened = open(&place, &station.config().store).await;
        match opened {
            Ok(opened) => break opened,
            // a disk may be there later, and the configuration may be mended
            Err(why) if !std::mem::replace(&mut told, true) => {
                tracing::warn!(mount = %stream.mount.name, place, %why, "no store; trying again");
            }
            Err(_) => {}
        }
        sleep(LONGEST).await;
        if stream.look(|window| window.over) {
            return;
        }
    };
    let below = prefix.parts().chain(Path::from(stream.mount.name.as_str()).parts()).collect();
    let (segments, inits) = (BTreeSet::new(), BTreeSet::new());
    Keeper { stream, store, below, describes, segments, inits, last: None }.run().await;
}

/// The store at `place`, what its objects are below, and whether it keeps their attributes.
async fn open(place: &str, config: &Store) -> object_store::Result<(Arc<dyn ObjectStore>, Path, bool)> {
    let Some(address) = place.strip_prefix("s3://") else {
        let failed = |source| object_store::Error::Generic { store: "folder", source: Box::new(source) };
        tokio::fs::create_dir_all(place).await.map_err(failed)?;
        return Ok((Arc::new(LocalFileSystem::new_with_prefix(place)?), Path::default(), false));
    };
    // whichever part of the program comes first: they all want this one
    let _already = ring::default_provider().install_default();
    let (bucket, prefix) = address.split_once('/').unwrap_or((address, ""));
    let retry = RetryConfig { max_retries: 1, retry_timeout: PATIENCE, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry);
    if let Some(endpoint) = &config.endpoint {
        let plain = endpoint.scheme() == "http";
        builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/')).with_allow_http(plain);
    }
    if let Some(region) = &config.region {
        builder = builder.with_region(region);
    }
    if let (Some(name), Some(key)) = (&config.access_key, &config.secret_key) {
        builder = builder.with_access_key_id(name).with_secret_access_key(key.expose());
    }
    Ok((Arc::new(builder.build()?), Path::from(prefix), true))
}

impl Keeper<'_> {
    async fn run(mut self) {
        let mut grown = self.stream.follow();
        let mut pause = Duration::ZERO;
        loop {
            match self.next() {
                Task::Put { number, init, bytes } => {
                    let done = self.segment(number, init, bytes).await;
                    self.told(&done, pause.is_zero());
                    pause = if done.is_ok() { Duration::ZERO } else { (pause * 2).clamp(SHORTEST, LONGEST) };
                    sleep(pause).await;
                }
                Task::Wait => {
                    if grown.changed().await.is_err() {
                        return;
                    }
                }
                Task::Done => return,
            }
        }
    }

    /// The oldest segment in the window that the store has not. What left the window meanwhile is counted.
    fn next(&mut self) -> Task {
        self.stream.look(|window| {
            let wanted = self.last.map_or(0, |last| last + 1);
            let Some(segment) = window.segments.iter().find(|segment| segment.number >= wanted) else {
                return if window.over { Task::Done } else { Task::Wait };
            };
            if self.last.is_some() && segment.number > wanted {
                self.stream.mount.stats.unstored.fetch_add(segment.number - wanted, Relaxed);
            }
            self.last = Some(segment.number.saturating_sub(1));
            let init = (!self.inits.contains(&segment.init)).then(|| window.init(segment.init));
            let init = init.flatten().map(|bytes| (segment.init, bytes));
            Task::Put { number: segment.number, init, bytes: segment.bytes.clone() }
        })
    }

    async fn segment(
        &mut self,
        number: u64,
        init: Option<(u64, Bytes)>,
        bytes: Bytes,
    ) -> object_store::Result<()> {
        if let Some((init, bytes)) = init {
            self.put(&format!("init-{init}.mp4"), "video/mp4", FOR_EVER, bytes).await?;
            self.inits.insert(init);
        }
        self.put(&format!("seg-{number}.m4s"), "video/mp4", FOR_EVER, bytes).await?;
        self.segments.insert(number);
        self.last = Some(number);
        let list = self
            .stream
            .look(|window| playlist::write_stored(window, number, |number| self.segments.contains(&number)));
        self.put("index.m3u8", "application/vnd.apple.mpegurl", "max-age=1", list.into()).await?;
        self.tidy().await;
        Ok(())
    }

    /// Takes out what nobody can have read of any more.
    async fn tidy(&mut self) {
        let (first, init) = self
            .stream
            .look(|window| window.segments.front().map_or((0, 0), |segment| (segment.number, segment.init)));
        let old: Vec<u64> = self.segments.range(..first).copied().collect();
        let unused: Vec<u64> = self.inits.range(..init).copied().collect();
        let names = old.iter().map(|number| format!("seg-{number}.m4s"));
        let names: Vec<String> =
            names.chain(unused.iter().map(|number| format!("init-{number}.mp4"))).collect();
        for name in names {
            // what cannot be taken out stays; it harms nobody
            let _stays = timeout(PATIENCE, self.store.delete(&self.below.clone().join(name))).await;
        }
        self.segments = self.segments.split_off(&first);
        self.inits = self.inits.split_off(&init);
    }

    async fn put(
        &self,
        name: &str,
        kind: &'static str,
        caching: &'static str,
        bytes: Bytes,
    ) -> object_store::Result<()> {
        let mut options = PutOptions::default();
        if self.describes {
            options.attributes =
                Attributes::from_iter([(Attribute::ContentType, kind), (Attribute::CacheControl, caching)]);
        }
        let place = self.below.clone().join(name);
        let late = |_| object_store::Error::Generic { store: "store", source: "it does not answer".into() };
        timeout(PATIENCE, self.store.put_opts(&place, bytes.into(), options)).await.map_err(late)??;
        Ok(())
    }

    /// Counts, and says once that it fails and once that it is well again.
    fn told(&self, done: &object_store::Result<()>, was_well: bool) {
        let (mount, stats) = (&self.stream.mount.name, &self.stream.mount.stats);
        match done {
            Ok(()) => {
                stats.stored.fetch_add(1, Relaxed);
                if !was_well {
                    tracing::info!(%mount, "the store takes segments again");
                }
            }
            Err(why) if was_well => {
                tracing::warn!(%mount, %why, "the store does not take a segment; trying again");
            }
            Err(_) => {}
        }
    }
}

const FOR_EVER: &str = "max-age=31536000, immutable";
/// How long the store may take for one object.
const PATIENCE: Duration = Duration::from_secs(15);
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(5);
