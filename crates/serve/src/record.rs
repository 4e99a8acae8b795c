//! Records mounts: what their own sources send (no fallbacks), into files that are whole whatever happens.
//!
//! A recorder is a subscriber: it reads the mount's channel at its own speed and writes behind it. A disk that is too
//! slow makes it miss pages, which are counted, and one that is full makes it try again later; nobody else notices. What
//! waits to be written is what the channel holds and [`BATCH`] bytes. Every write is a run of whole pages, so that a
//! process that is killed leaves a file that plays, short of its last moments. A source that comes anew begins a new file.

mod name;
mod shape;
mod tape;

pub use name::{BadPattern, Pattern};
pub use shape::{Shape, Write};

use crate::{Mount, MountName, Piece, Source, Station, config::RecordConfig};
use levada_channel::{Channel, Start, Subscriber, Taken};
use levada_media::Error;
use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use tape::{Seen, Tape};
use tokio::{
    sync::watch,
    task::{JoinSet, spawn_blocking},
    time::{sleep, timeout},
};

/// The recordings of a server by mount.
#[derive(Default)]
pub struct Recordings(Mutex<HashMap<MountName, Arc<Recording>>>);

/// Whether a mount is recorded, and how that goes.
pub struct Recording {
    wanted: watch::Sender<bool>,
    state: Mutex<State>,
}

/// How a recording goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The file that is written now.
    pub file: Option<PathBuf>,
    /// Files begun since the server started.
    pub files: u64,
    /// Bytes written since then.
    pub bytes: u64,
    /// Pages that the disk was too slow for.
    pub missed: u64,
    /// Why the last file ended or none began, until one does again.
    pub error: Option<String>,
}

impl Recordings {
    /// The recording of the mount called `name`, if its policy has one.
    pub fn find(&self, name: &MountName) -> Option<Arc<Recording>> {
        self.map().get(name).cloned()
    }

    fn open(&self, name: &MountName, auto: bool) -> Arc<Recording> {
        let new = || Arc::new(Recording { wanted: watch::Sender::new(auto), state: Mutex::default() });
        self.map().entry(name.clone()).or_insert_with(new).clone()
    }

    fn map(&self) -> MutexGuard<'_, HashMap<MountName, Arc<Recording>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recording {
    /// Begins or ends it, until somebody says otherwise.
    pub fn want(&self, wanted: bool) {
        self.wanted.send_replace(wanted);
    }

    /// Whether it is to be recorded.
    pub fn is_wanted(&self) -> bool {
        *self.wanted.borrow()
    }

    /// How it goes.
    pub fn state(&self) -> State {
        self.lock().clone()
    }

    /// Takes over what the tape has done since `before`.
    fn note(&self, before: &mut Seen, seen: &Seen) {
        let mut state = self.lock();
        state.files += seen.files - before.files;
        state.bytes += seen.bytes - before.bytes;
        state.file.clone_from(&seen.file);
        if seen.file.is_some() {
            state.error = None;
        }
        *before = seen.clone();
    }

    fn fail(&self, why: String) {
        let mut state = self.lock();
        (state.file, state.error) = (None, Some(why));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records what the policies of mounts say, also when they change, until the server stops.
pub async fn run(station: Arc<Station>) {
    let mut changes = station.mounts.watch();
    let mut running: HashMap<(MountName, RecordConfig), JoinSet<()>> = HashMap::new();
    loop {
        let mounts = station.mounts.list();
        let mounts = mounts.iter().filter(|mount| !mount.name.is_internal());
        let wanted: Vec<_> =
            mounts.filter_map(|mount| Some((mount.name.clone(), mount.policy().record.clone()?))).collect();
        running.retain(|part, _| wanted.contains(part));
        for part in wanted {
            running.entry(part).or_insert_with_key(|(name, config)| {
                let recording = station.recordings.open(name, config.auto);
                let mut task = JoinSet::new();
                task.spawn(follow(station.clone(), name.clone(), config.clone(), recording));
                task
            });
        }
        let kept: Vec<_> = running.keys().map(|(name, _)| name.clone()).collect();
        station.recordings.map().retain(|name, _| kept.contains(name));
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = station.stop.cancelled() => break,
        }
    }
    // files are closed well
    for (_, mut tasks) in running {
        while tasks.join_next().await.is_some() {}
    }
}

/// Records one source of a mount after the other.
async fn follow(station: Arc<Station>, name: MountName, config: RecordConfig, recording: Arc<Recording>) {
    let mut changes = station.mounts.watch();
    let mut wanted = recording.wanted.subscribe();
    let mut done: Option<Channel<Piece>> = None;
    loop {
        let next = station
            .mounts
            .find(&name)
            .filter(|_| *wanted.borrow_and_update())
            .and_then(|mount| source(&mount));
        let fresh = |(_, channel): &(_, Channel<Piece>)| done.as_ref().is_none_or(|done| !done.is(channel));
        if let Some((source, channel)) = next.filter(fresh) {
            let job =
                Job { name: &name, config: &config, recording: &recording, source, channel: channel.clone() };
            match job.run(&station).await {
                End::Source => done = Some(channel),
                End::Unwanted => {}
                End::Stop => return,
                End::Failed(why) => {
                    tracing::error!(mount = %name, %why, "cannot be recorded; live goes on, tried again");
                    recording.fail(why);
                    tokio::select! {
                        () = sleep(AGAIN) => {}
                        () = station.stop.cancelled() => return,
                    }
                }
            }
            continue;
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            changed = wanted.changed() => if changed.is_err() { return },
            () = station.stop.cancelled() => return,
        }
    }
}

/// What feeds the mount itself now.
fn source(mount: &Mount) -> Option<(Arc<Source>, Channel<Piece>)> {
    mount.source().zip(mount.rendition.channel())
}

/// One source on its way into files.
struct Job<'a> {
    name: &'a MountName,
    config: &'a RecordConfig,
    recording: &'a Recording,
    source: Arc<Source>,
    channel: Channel<Piece>,
}

/// Why nothing more is written.
enum End {
    /// The source left.
    Source,
    /// Somebody ended it.
    Unwanted,
    /// The server stops.
    Stop,
    /// The disk or the source is no good.
    Failed(String),
}

impl Job<'_> {
    async fn run(self, station: &Station) -> End {
        let shape = Shape::new(self.source.format, self.config.format);
        let pattern = Pattern::parse(&self.config.path, self.name);
        let (mut shape, pattern) = match (shape, pattern) {
            (Ok(shape), Ok(pattern)) => (shape, pattern),
            (Err(why), _) => return End::Failed(why.to_string()),
            (_, Err(why)) => return End::Failed(why.to_string()),
        };
        let tape = Tape::new(pattern, shape.ending(), self.config.rotate, self.config.keep);
        // from the beginning if it has just come, from the newest entry if recording comes late
        let age = SystemTime::now().duration_since(self.source.since).unwrap_or_default();
        let start = match age < FRESH {
            true => Start::Burst { time: Duration::MAX, bytes: usize::MAX },
            false => Start::Entry,
        };
        let mut subscriber = self.channel.subscribe(start);
        let (mut tape, mut seen, mut missed) = (Some(tape), Seen::default(), 0);
        let mut wanted = self.recording.wanted.subscribe();
        let end = loop {
            let batch = tokio::select! {
                batch = gather(&mut subscriber, &mut shape) => batch,
                _ = wanted.wait_for(|wanted| !wanted) => break End::Unwanted,
                () = station.stop.cancelled() => break End::Stop,
            };
            self.recording.lock().missed += subscriber.skipped() - missed;
            missed = subscriber.skipped();
            let (batch, over) = match batch {
                Ok(batch) => batch,
                Err(why) => break End::Failed(why.to_string()),
            };
            if let Err(why) = write(&mut tape, batch, &mut shape).await {
                break End::Failed(why.to_string());
            }
            if let Some(tape) = &tape {
                self.recording.note(&mut seen, &tape.seen);
            }
            if over {
                break End::Source;
            }
        };
        shape.finish();
        let rest = std::iter::from_fn(|| shape.poll()).collect();
        let written = match end {
            End::Failed(_) => Ok(()),
            _ => write(&mut tape, rest, &mut shape).await,
        };
        if let Some(mut tape) = tape {
            let closed = spawn_blocking(move || {
                let closed = tape.close();
                (closed, tape.seen)
            });
            if let Ok((closed, last)) = closed.await {
                self.recording.note(&mut seen, &last);
                if let Err(why) = written.and(closed) {
                    tracing::warn!(mount = %self.name, %why, "the recording's end could not be written");
                }
            }
        }
        end
    }
}

/// What there is to write, after at least a page and no longer than [`TOGETHER`]; whether the source is over.
async fn gather(subscriber: &mut Subscriber<Piece>, shape: &mut Shape) -> Result<(Vec<Write>, bool), Error> {
    let mut over = match timeout(LOOK, subscriber.next()).await {
        Ok(Some(Piece(page))) => {
            shape.push(&page)?;
            sleep(TOGETHER).await;
            false
        }
        Ok(None) => true,
        Err(_) => false,
    };
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while bytes < BATCH && !over {
        match subscriber.try_next() {
            Taken::Item(Piece(page)) => {
                bytes += page.bytes.len();
                shape.push(&page)?;
            }
            Taken::Empty => break,
            Taken::Ended => over = true,
        }
    }
    batch.extend(std::iter::from_fn(|| shape.poll()));
    Ok((batch, over))
}

/// Writes a batch on a thread that may block, and tells the shape when the file is full.
async fn write(tape: &mut Option<Tape>, batch: Vec<Write>, shape: &mut Shape) -> io::Result<()> {
    let Some(mut own) = tape.take() else { return Ok(()) };
    let rolls = shape.cuts_anywhere();
    let written = spawn_blocking(move || {
        let mut written = Ok(());
        for what in batch {
            written = own.write(what, rolls);
            if written.is_err() {
                break;
            }
        }
        (own, written)
    });
    let (own, written) = written.await.map_err(io::Error::other)?;
    if own.is_full() {
        shape.cut();
    }
    *tape = Some(own);
    written
}

/// Bytes that are written at once, about.
pub const BATCH: usize = 1 << 20;
/// Pages of so long are written together.
const TOGETHER: Duration = Duration::from_millis(100);
/// How often a silent source is looked after.
const LOOK: Duration = Duration::from_secs(1);
/// A source that came within this is recorded from its beginning.
const FRESH: Duration = Duration::from_secs(5);
/// After a failure it is tried again so often.
const AGAIN: Duration = Duration::from_secs(5);
