//! Compares what is with what was.

use crate::{Mount, MountName, api::TitleView};
use levada_media::Tags;
use serde::Serialize;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};
use utoipa::ToSchema;

/// Something changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Event {
    /// `mount`: there is another mount.
    Mount {
        /// Its name.
        name: String,
    },
    /// `gone`: a mount is no more.
    Gone {
        /// Its name.
        name: String,
    },
    /// `source`: a source came or left.
    Source {
        /// The mount's name.
        name: String,
        /// Whether something feeds it now.
        live: bool,
    },
    /// `title`: something else is playing.
    Title {
        /// The mount's name.
        name: String,
        /// What is playing.
        title: TitleView,
    },
    /// `listeners`: their number is another.
    Listeners {
        /// The mount's name.
        name: String,
        /// How many there are now.
        listeners: usize,
    },
}

impl Event {
    /// The event's name.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Mount { .. } => "mount",
            Event::Gone { .. } => "gone",
            Event::Source { .. } => "source",
            Event::Title { .. } => "title",
            Event::Listeners { .. } => "listeners",
        }
    }
}

/// Remembers what was told of each mount. As large as the list of mounts.
#[derive(Debug, Default)]
pub struct Watcher {
    told: BTreeMap<MountName, Told>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    live: bool,
    tags: Arc<Tags>,
    listeners: usize,
}

impl Watcher {
    /// What is different on `mounts` from what was told last; hidden ones are never told. Numbers of listeners only
    /// where `counts` says so.
    pub fn look(&mut self, mounts: &[Arc<Mount>], counts: bool) -> Vec<Event> {
        let shown: BTreeMap<_, _> =
            mounts.iter().filter(|mount| !mount.policy().hidden).map(|m| (&m.name, m)).collect();
        let mut events = Vec::new();
        self.told.retain(|name, _| {
            let stays = shown.contains_key(name);
            if !stays {
                events.push(Event::Gone { name: name.to_string() });
            }
            stays
        });
        for (name, mount) in shown {
            let told = match self.told.entry(name.clone()) {
                Entry::Occupied(told) => told.into_mut(),
                Entry::Vacant(place) => {
                    events.push(Event::Mount { name: name.to_string() });
                    place.insert(Told::default())
                }
            };
            told.compare(mount, counts, &mut events);
        }
        events
    }
}

impl Told {
    fn compare(&mut self, mount: &Mount, counts: bool, events: &mut Vec<Event>) {
        let name = || mount.name.to_string();
        let (live, tags, listeners) = (mount.source().is_some(), mount.tags(), mount.listeners());
        if live != self.live {
            self.live = live;
            events.push(Event::Source { name: name(), live });
        }
        if tags != self.tags {
            events.push(Event::Title { name: name(), title: TitleView::of(&tags) });
            self.tags = tags;
        }
        if counts && listeners != self.listeners {
            self.listeners = listeners;
            events.push(Event::Listeners { name: name(), listeners });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Mounts, Origin, Source};
    use std::time::SystemTime;

    fn kinds(watcher: &mut Watcher, mounts: &Mounts, counts: bool) -> Vec<&'static str> {
        watcher.look(&mounts.list(), counts).iter().map(Event::kind).collect()
    }

    #[test]
    fn each_change_is_told_once() {
        let (mounts, config) = (Arc::<Mounts>::default(), Config::default());
        let mut watcher = Watcher::default();
        let source = Source::new(Origin::File, "audio/mpeg", SystemTime::UNIX_EPOCH);
        let claim = mounts.claim(&"/a".parse().unwrap(), source, &config).unwrap();
        assert_eq!(kinds(&mut watcher, &mounts, true), ["mount", "source"]);
        assert!(kinds(&mut watcher, &mounts, true).is_empty());
        claim.mount().retitle(Tags::titled("T"));
        claim.mount().joined();
        assert_eq!(kinds(&mut watcher, &mounts, false), ["title"]);
        assert_eq!(kinds(&mut watcher, &mounts, true), ["listeners"]);
        claim.mount().left(0);
        drop(claim);
        assert_eq!(kinds(&mut watcher, &mounts, true), ["source", "title", "listeners"]);
        mounts.forget(&"/a".parse().unwrap());
        assert_eq!(kinds(&mut watcher, &mounts, true), ["gone"]);
    }

    #[test]
    fn hidden_mounts_are_never_told() {
        let config: Config = toml::from_str("[[mount]]\nname = '/h'\nhidden = true\n").unwrap();
        let mounts = Arc::<Mounts>::default();
        mounts.open(&"/h".parse().unwrap(), &config);
        assert!(kinds(&mut Watcher::default(), &mounts, true).is_empty());
    }
}
