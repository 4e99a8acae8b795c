//! Puts a stream's segments and a playlist of them into a folder, behind the live stream and without it.
//!
//! The window is the spool: what the folder has not taken when it leaves the window is lost and counted. Nothing else
//! waits, so that a disk that is full or slow costs no memory and no player anything.

use super::{playlist, stream::Stream};
use bytes::Bytes;
use std::{collections::BTreeSet, io, path::PathBuf, sync::atomic::Ordering::Relaxed, time::Duration};
use tokio::{fs, time::sleep};

/// Where one mount's objects go, and which are there.
struct Keeper<'a> {
    stream: &'a Stream,
    folder: PathBuf,
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

/// Keeps the folder of `stream`'s mount up to date until the stream is over; nothing where it has none.
pub(super) async fn keep(stream: &Stream) {
    let Some(place) = stream.mount.policy().hls_store.clone() else { return };
    // a mount's name has no parts that lead upwards
    let folder = place.join(stream.mount.name.as_str().trim_start_matches('/'));
    let (segments, inits) = (BTreeSet::new(), BTreeSet::new());
    Keeper { stream, folder, segments, inits, last: None }.run().await;
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

    /// The oldest segment in the window that the folder has not. What left the window meanwhile is counted.
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

    async fn segment(&mut self, number: u64, init: Option<(u64, Bytes)>, bytes: Bytes) -> io::Result<()> {
        fs::create_dir_all(&self.folder).await?;
        if let Some((init, bytes)) = init {
            self.put(&format!("init-{init}.mp4"), &bytes).await?;
            self.inits.insert(init);
        }
        self.put(&format!("seg-{number}.m4s"), &bytes).await?;
        self.segments.insert(number);
        self.last = Some(number);
        let list = self
            .stream
            .look(|window| playlist::write_stored(window, number, |number| self.segments.contains(&number)));
        self.put("index.m3u8", list.as_bytes()).await?;
        self.tidy().await;
        Ok(())
    }

    /// Takes out what nobody can have read of any more.
    async fn tidy(&mut self) {
        let (first, init) = self
            .stream
            .look(|window| window.segments.front().map_or((0, 0), |segment| (segment.number, segment.init)));
        let old = self.segments.range(..first).map(|number| format!("seg-{number}.m4s"));
        let unused = self.inits.range(..init).map(|number| format!("init-{number}.mp4"));
        for name in old.chain(unused) {
            // what cannot be taken out stays; it harms nobody
            let _stays = fs::remove_file(self.folder.join(name)).await;
        }
        self.segments = self.segments.split_off(&first);
        self.inits = self.inits.split_off(&init);
    }

    /// Whoever reads the folder sees a whole file or none.
    async fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let growing = self.folder.join(format!(".{name}.part"));
        fs::write(&growing, bytes).await?;
        fs::rename(&growing, self.folder.join(name)).await
    }

    /// Counts, and says once that it fails and once that it is well again.
    fn told(&self, done: &io::Result<()>, was_well: bool) {
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

const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(5);
