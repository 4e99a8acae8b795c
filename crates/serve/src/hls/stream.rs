//! One mount made into segments, while somebody asks for them.

use super::segment::Window;
use crate::{
    Mount, Station,
    renditions::{Items, Step},
};
use levada_media::{
    Item,
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
}

impl Stream {
    /// A stream without segments; the first will be numbered by the clock, which is later than every number that this
    /// mount had before, because a segment lasts longer than a second.
    pub(super) fn new(mount: Arc<Mount>, now: SystemTime) -> Stream {
        let first = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let state = State { window: Window::new(first), asked: Instant::now() };
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

    /// Notes that somebody asks.
    pub(super) fn touch(&self) {
        self.state().asked = Instant::now();
    }

    /// Whether nobody has asked for long.
    pub(super) fn is_forgotten(&self) -> bool {
        self.state().asked.elapsed() > LINGER
    }

    /// Makes segments until nobody asks any more (as `leaves` says) or the mount is silent for good.
    pub(super) async fn make(
        self: Arc<Stream>,
        station: Arc<Station>,
        leaves: impl Fn(&Arc<Stream>) -> bool,
    ) {
        tracing::debug!(mount = %self.mount.name, "segments begin");
        let _counted = Counted::new(&self.mount);
        let mut items = Items::new(self.mount.clone(), station.clone());
        let mut segmenter = Segmenter::new(Config::default());
        self.title(self.mount.tags().line());
        loop {
            let step = tokio::select! {
                step = items.next() => Some(step),
                () = sleep(LOOK) => None,
            };
            match step {
                Some(Step::Source(_)) => segmenter.restart(),
                Some(Step::Item(Item::Tags(tags))) => self.title(tags.line()),
                Some(Step::Item(item)) => segmenter.push(&item),
                Some(Step::Over) => {
                    segmenter.restart();
                    self.take(&mut segmenter);
                    self.finish();
                    break;
                }
                None => {}
            }
            self.take(&mut segmenter);
            if self.is_forgotten() && leaves(&self) {
                break;
            }
        }
        tracing::debug!(mount = %self.mount.name, "segments end");
    }

    fn take(&self, segmenter: &mut Segmenter) {
        let mut grew = false;
        while let Some(output) = segmenter.poll() {
            self.state().window.push(output, SystemTime::now());
            grew = true;
        }
        if grew {
            self.grown.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    fn title(&self, line: String) {
        if !line.is_empty() {
            self.state().window.title(line, SystemTime::now());
        }
    }

    fn finish(&self) {
        self.state().window.over = true;
        self.grown.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All who ask for segments are one listener together, so that a source on demand stays.
struct Counted<'a>(&'a Mount);

impl Counted<'_> {
    fn new(mount: &Mount) -> Counted<'_> {
        mount.joined();
        Counted(mount)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.left(0);
    }
}

/// How long segments are made for nobody.
const LINGER: Duration = Duration::from_secs(30);
/// How often it is looked whether somebody still asks.
const LOOK: Duration = Duration::from_secs(1);
