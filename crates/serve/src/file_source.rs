//! Files as sources: of a mount for ever, or of its listeners while nothing else is alive.

use crate::{
    Claim, Mount, MountName, Origin, Source, Station,
    client::{
        Player,
        medium::Medium,
        player::{self, Options, has_own_titles},
        playlist,
    },
    demand::{self, Demand},
    switch,
};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{task::JoinSet, time::sleep};

/// Plays the files that the policies of mounts name, also when they change, until the server stops.
pub async fn run(station: Arc<Station>) {
    let mut changes = station.mounts.watch();
    let mut playing: HashMap<Part, JoinSet<()>> = HashMap::new();
    loop {
        let config = station.config();
        for name in config.named_mounts() {
            station.mounts.open(&name, &config);
        }
        let wanted: Vec<Part> = station.mounts.list().iter().flat_map(parts).collect();
        playing.retain(|part, _| wanted.contains(part));
        for part in wanted {
            playing.entry(part).or_insert_with_key(|part| {
                let mut task = JoinSet::new();
                task.spawn(part.clone().run(station.clone()));
                task
            });
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = station.stop.cancelled() => return,
        }
    }
}

/// What a file is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    /// The source of a mount.
    Source(MountName, PathBuf),
    /// What listeners of a mount hear while nothing else is alive.
    Fallback(MountName, PathBuf),
    /// The same, also while nobody listens.
    Slate(MountName, PathBuf),
}

fn parts(mount: &Arc<Mount>) -> Vec<Part> {
    let policy = mount.policy();
    let source = policy.file.clone().map(|file| Part::Source(mount.name.clone(), file));
    let fallback = policy.fallback_file.clone().map(|file| Part::Fallback(mount.name.clone(), file));
    let slate = policy.always_on.clone().map(|file| Part::Slate(mount.name.clone(), file));
    let parts = source.into_iter().chain(slate.or(fallback));
    if mount.name.is_internal() { Vec::new() } else { parts.collect() }
}

impl Part {
    async fn run(self, station: Arc<Station>) {
        match self {
            Part::Source(name, file) => play_for_ever(&station, &name, &file).await,
            Part::Fallback(name, file) => stand_in(&station, &name, &file).await,
            Part::Slate(name, file) => stand_by(&station, &name, &file).await,
        }
    }
}

/// Plays `file` into the mount while it is ours to feed; a file that cannot be played is tried again later.
async fn play_for_ever(station: &Arc<Station>, name: &MountName, file: &Path) {
    loop {
        match play(station, name, file).await {
            Ok(()) => tracing::info!(mount = %name, "the file's mount is fed by somebody else"),
            Err(why) => tracing::warn!(mount = %name, %why, "the file cannot be played"),
        }
        sleep(AGAIN).await;
    }
}

/// Plays the fallback file on an internal mount of its own while listeners of `name` have nothing else; all of them
/// share it.
async fn stand_in(station: &Arc<Station>, name: &MountName, file: &Path) {
    let mount = Demand::arm(name, station);
    let stage = switch::stage(&mount);
    let mut changes = station.mounts.watch();
    loop {
        demand::wanted(&mount).await;
        while switch::alive(&mount, station).is_some() && !is_at(&mount, &stage) {
            if changes.changed().await.is_err() {
                return;
            }
        }
        tokio::select! {
            () = play_for_ever(station, &stage, file) => {}
            () = demand::unwanted(&mount, REST) => {}
            () = released(&mount, &stage, station) => {}
        }
    }
}

/// Plays the slate on an internal mount of its own whenever `name` has nothing else, and until its listeners have left
/// it; the mount is there from the beginning.
async fn stand_by(station: &Arc<Station>, name: &MountName, file: &Path) {
    let mount = Demand::arm(name, station);
    let stage = switch::stage(&mount);
    let mut changes = station.mounts.watch();
    loop {
        while switch::alive(&mount, station).is_some() && !is_at(&mount, &stage) {
            if changes.changed().await.is_err() {
                return;
            }
        }
        tokio::select! {
            () = play_for_ever(station, &stage, file) => {}
            () = released(&mount, &stage, station) => {}
        }
    }
}

/// Waits until the listeners of `mount` are somewhere else and have something else.
async fn released(mount: &Arc<Mount>, stage: &MountName, station: &Arc<Station>) {
    let mut changes = station.mounts.watch();
    while switch::alive(mount, station).is_none() || is_at(mount, stage) {
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = sleep(LOOK) => {}
        }
    }
}

fn is_at(mount: &Mount, stage: &MountName) -> bool {
    mount.stays().iter().any(|stay| stay.place.mount == *stage)
}

async fn play(station: &Arc<Station>, name: &MountName, file: &Path) -> Result<(), player::Error> {
    let media = match playlist::is_list(file) {
        false => vec![Medium::File(file.to_owned())],
        true => listed(file)?,
    };
    let mut player = Player::open(media, Options { looping: true, ..Options::default() }).await?;
    let kind = player.kind();
    let mut source = Source::new(Origin::File, kind.content_type, SystemTime::now());
    source.agent = crate::SERVER.to_owned();
    let Ok(claim) = station.mounts.claim(name, source, &station.config()) else { return Ok(()) };
    tracing::info!(mount = %name, file = %file.display(), "file plays");
    tokio::select! {
        played = feed(&mut player, &claim) => played,
        () = claim.let_go() => Ok(()),
    }
}

async fn feed(player: &mut Player, claim: &Claim) -> Result<(), player::Error> {
    let tell_titles = !has_own_titles(player.kind().format);
    while let Some(page) = player.next().await? {
        if claim.push(&page.bytes).is_err() {
            return Ok(());
        }
        if let Some(tags) = page.tags.filter(|_| tell_titles) {
            claim.mount().retitle(tags.as_ref().clone());
        }
    }
    Ok(())
}

fn listed(file: &Path) -> Result<Vec<Medium>, player::Error> {
    let unreadable = |source| player::Error::Open { name: file.display().to_string(), source };
    let text = std::fs::read(file).map_err(unreadable)?;
    let files = playlist::files(file, &String::from_utf8_lossy(&text));
    let files = files.map_err(|why| unreadable(std::io::Error::other(why)))?;
    Ok(files.into_iter().map(Medium::File).collect())
}

/// A file that cannot be played, or a mount that is taken, is tried again this often.
const AGAIN: Duration = Duration::from_secs(2);
/// A fallback goes on so long after its last listener.
const REST: Duration = Duration::from_secs(5);
/// How often a fallback looks whether its listeners have left it.
const LOOK: Duration = Duration::from_millis(250);
