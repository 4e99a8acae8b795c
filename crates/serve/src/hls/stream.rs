//! One mount made into segments, while somebody asks for them.

use super::{
    playlist,
    segment::{Keep, Window},
    text::Text,
};
use crate::{
    Mount, Station,
    config::MountPolicy,
    renditions::{Items, Step},
};
use levada_media::{
    Item, Tags,
    container::fmp4::{Config, Segmenter},
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// A mount's segments, and who waits for more.
pub(super) struct Stream {
    pub(super) mount: Arc<Mount>,
    state: Mutex<State>,
    grown: watch::Sender<u64>,
}

struct State {
    window: Window,
    asked: Instant,
    /// The whole playlist and the one of what is new, as they are until the window grows.
    texts: [Option<Text>; 2],
}

impl Stream {
    /// A stream without segments; the first will be numbered by the clock, which is later than every number that this
    /// mount had before, because a segment lasts longer than a second.
    pub(super) fn new(mount: Arc<Mount>, now: SystemTime) -> Stream {
        let first = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let window = Window::new(first, keep(&mount.policy()));
        let state = State { window, asked: Instant::now(), texts: [None, None] };
        Stream { mount, state: Mutex::new(state), grown: watch::Sender::new(0) }
    }

    /// What `look` finds in the window.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Window) -> T) -> T {
        look(&self.state().window)
    }

    /// What `look` finds as soon as it finds something, for at most `patience`.
    pub(super) async fn await_in<T>(
        &self,
        patience: Duration,
        look: impl Fn(&Window) -> Option<T>,
    ) -> Option<T> {
        let mut grown = self.grown.subscribe();
        let found = async {
            loop {
                if let Some(found) = self.look(&look) {
                    return Some(found);
                }
                grown.changed().await.ok()?;
            }
        };
        timeout(patience, found).await.ok().flatten()
    }

    /// Follows the window: it has changed whenever this has.
    pub(super) fn follow(&self) -> watch::Receiver<u64> {
        self.grown.subscribe()
    }

    /// The playlist, whole or with `skip`; `carry` goes behind every address.
    pub(super) fn playlist(&self, skip: bool, carry: &str) -> Text {
        let mut state = self.state();
        let State { window, texts, .. } = &mut *state;
        if !carry.is_empty() {
            return Text::new(playlist::write(window, skip, carry));
        }
        let write = || Text::new(playlist::write(window, skip, ""));
        texts[usize::from(skip)].get_or_insert_with(write).clone()
    }

    /// Notes that somebody asks.
    pub(super) fn touch(&self) {
        self.state().asked = Instant::now();
    }

    /// Whether nobody has asked for long, and what is made is not kept for later.
    pub(super) fn is_forgotten(&self) -> bool {
        let silent = || self.mount.silent_for(Instant::now()).is_some_and(|silence| silence > LINGER);
        self.state().asked.elapsed() > LINGER && (!is_kept(&self.mount.policy()) || silent())
    }

    /// Makes segments until nobody asks any more (as `leaves` says) or the mount is silent for good.
    pub(super) async fn make(
        self: Arc<Stream>,
        station: Arc<Station>,
        leaves: impl Fn(&Arc<Stream>) -> bool,
    ) {
        tracing::debug!(mount = %self.mount.name, "segments begin");
        let mut items = Items::new(self.mount.clone(), station.clone());
        let mut segmenter =
            Segmenter::new(Config { part: self.mount.policy().hls_part, ..Config::default() });
        self.title(&self.mount.tags(), &mut segmenter);
        loop {
            let step = tokio::select! {
                step = items.next() => Some(step),
                () = sleep(LOOK) => None,
            };
            match step {
                Some(Step::Source(_)) => segmenter.restart(),
                Some(Step::Item(Item::Tags(tags))) => self.title(&tags, &mut segmenter),
                Some(Step::Item(item)) => segmenter.push(&item),
                Some(Step::Over) => {
                    segmenter.restart();
                    self.take(&mut segmenter);
                    break;
                }
                None => {}
            }
            self.take(&mut segmenter);
            if self.is_forgotten() && leaves(&self) {
                break;
            }
        }
        self.finish();
        tracing::debug!(mount = %self.mount.name, "segments end");
    }

    fn take(&self, segmenter: &mut Segmenter) {
        let mut grew = false;
        while let Some(output) = segmenter.poll() {
            let mut state = self.state();
            state.window.push(output, SystemTime::now());
            state.texts = [None, None];
            grew = true;
        }
        if grew {
            self.grown.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    fn title(&self, tags: &Arc<Tags>, segmenter: &mut Segmenter) {
        let line = tags.line();
        if !line.is_empty() {
            let mut state = self.state();
            state.window.title(line, SystemTime::now());
            state.texts = [None, None];
        }
        segmenter.push(&Item::Tags(tags.clone()));
    }

    fn finish(&self) {
        let mut state = self.state();
        state.window.over = true;
        state.texts = [None, None];
        drop(state);
        self.grown.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether segments are made also while nobody asks.
pub(super) fn is_kept(policy: &MountPolicy) -> bool {
    policy.hls_rewind.is_some() || policy.hls_store.is_some()
}

fn keep(policy: &MountPolicy) -> Keep {
    let bytes = if policy.hls_rewind.is_some() { 1 << 30 } else { 64 << 20 };
    Keep { listed: policy.hls_rewind.unwrap_or(LISTED).max(LISTED), bytes, part: policy.hls_part }
}

/// What playlists tell of, where nothing else is wished for.
const LISTED: Duration = Duration::from_secs(30);
/// How long segments are made for nobody.
const LINGER: Duration = Duration::from_secs(30);
/// How often it is looked whether somebody still asks.
const LOOK: Duration = Duration::from_secs(1);
