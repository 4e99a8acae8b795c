//! Players that ask for more than one thing: of HLS, and of WebRTC. Each is a task.

use super::{
    Play, hls,
    seen::{Seen, Watched},
    viewer::Diary,
};
use crate::bench::{
    process::{self, Snapshot},
    samples::Samples,
};
use anyhow::Result;
use levada_serve::client::{
    Client,
    http::Patience,
    webrtc::{self, Event, Session},
};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{task::JoinSet, time::sleep};
use url::Url;

/// How the stream comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// In segments, and parts of them.
    Hls,
    /// In datagrams.
    Whep,
}

impl Way {
    /// The way of an address, if it is one of these.
    pub(super) fn of(url: &Url) -> Option<Way> {
        let web = matches!(url.scheme(), "http" | "https");
        match url.path() {
            path if web && path.ends_with(".m3u8") => Some(Way::Hls),
            path if web && path.starts_with("/whep/") => Some(Way::Whep),
            _ => None,
        }
    }
}

/// What all players share.
#[derive(Default)]
struct Common {
    measuring: AtomicBool,
    reads: AtomicU64,
    delay: Mutex<Samples>,
    why: Mutex<Option<String>>,
}

/// Where one player writes down what it sees.
#[derive(Clone)]
pub(super) struct Place {
    common: Arc<Common>,
    watched: Arc<Mutex<Watched>>,
}

impl Place {
    /// So many bytes came at once.
    pub(super) fn bytes(&self, count: usize) {
        if self.common.measuring.load(Relaxed) {
            self.common.reads.fetch_add(1, Relaxed);
            lock(&self.watched).measured += count as u64;
        }
    }

    /// A picture came that is to be shown at `at` on the stream's clock.
    pub(super) fn picture(&self, at: Duration, key: bool, picture: &[u8]) {
        let late = lock(&self.watched).diary.note_picture(at.as_millis() as u32, key, picture);
        if let Some(late) = late.filter(|_| self.common.measuring.load(Relaxed)) {
            lock(&self.common.delay).add(late);
        }
    }

    fn over(&self, why: &anyhow::Error) {
        lock(&self.watched).over = true;
        lock(&self.common.why).get_or_insert_with(|| format!("{why:#}"));
    }
}

/// Lets the players watch, and says what they saw.
pub(super) fn run(args: &Play, way: Way) -> Result<Seen> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(watch(args, way))
}

async fn watch(args: &Play, way: Way) -> Result<Seen> {
    let idle = Snapshot::wanted(args.pid)?;
    let (common, client) = (Arc::<Common>::default(), Client::new("levada-bench", Patience::default()));
    let (mut tasks, mut places) = (JoinSet::new(), Vec::with_capacity(args.n));
    for number in 0..args.n {
        if number > 0 {
            sleep(Duration::from_secs_f64(1.0 / args.rate.max(0.1))).await;
        }
        let diary = Diary::begun(process::now());
        let watched = Arc::new(Mutex::new(Watched { diary, ..Watched::default() }));
        let place = Place { common: common.clone(), watched };
        places.push(place.clone());
        tasks.spawn(play(args.url.clone(), way, client.clone(), place));
    }
    sleep(Duration::from_secs_f64(args.settle)).await;
    let (before, own) = (Snapshot::wanted(args.pid)?, process::own_cpu());
    for place in &places {
        let mut watched = lock(&place.watched);
        watched.before = watched.diary.clone();
    }
    common.measuring.store(true, Relaxed);
    let measured = std::time::Instant::now();
    sleep(Duration::from_secs_f64(args.secs)).await;
    common.measuring.store(false, Relaxed);
    let elapsed = measured.elapsed().as_secs_f64();
    let after = Snapshot::wanted(args.pid)?;
    let players: Vec<Watched> = places.iter().map(|place| lock(&place.watched).clone()).collect();
    let delay = std::mem::take(&mut *lock(&common.delay));
    let mut seen = Seen::of(args, players.iter(), delay, elapsed, common.reads.load(Relaxed));
    seen.why = lock(&common.why).take();
    seen.own_cpu_s = (process::own_cpu() - own).as_secs_f64();
    seen.cost([idle, before, after]);
    Ok(seen)
}

async fn play(url: Url, way: Way, client: Client, place: Place) {
    let played = match way {
        Way::Hls => hls::play(&url, &place).await,
        Way::Whep => show(&url, &client, &place).await,
    };
    if let Err(why) = played {
        place.over(&why);
    }
}

/// Watches by WHEP.
async fn show(url: &Url, client: &Client, place: &Place) -> Result<()> {
    let mut session = Session::watch(client, url, webrtc::Way::Udp).await?;
    loop {
        let Event::Frame(frame) = session.next().await? else { continue };
        place.bytes(frame.data.len());
        if frame.picture {
            place.picture(frame.at, frame.key, &frame.data);
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
