//! Where the listeners of one mount are: at its own stream, at a fallback's, or where somebody sent them.

use crate::{Mount, MountName, RenditionId};

/// A stream that listeners hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The mount whose stream it is.
    pub mount: MountName,
    /// Its rendition.
    pub rendition: RenditionId,
}

/// Listeners of a mount at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// Where they are.
    pub place: Place,
    /// They were sent there, by an administrator or because their own mount was full: nothing calls them back while
    /// that place is alive.
    pub sent: bool,
}

/// The stays of one mount's listeners, each place once; at most as many as there are mounts. Who does not look at a
/// fallback's end or at an override stays where it is, so listeners of one mount may be at several places.
#[derive(Debug, Default)]
pub(crate) struct Places(Vec<Stay>);

impl Place {
    /// The place where `mount` itself is heard.
    pub fn of(mount: &Mount) -> Place {
        Place { mount: mount.name.clone(), rendition: mount.rendition.id }
    }
}

impl Places {
    /// The place where newcomers were let in last, or the others moved to; `None` as long as nobody was anywhere.
    pub(crate) fn newest(&self) -> Option<&Place> {
        self.0.iter().rfind(|stay| !stay.sent).map(|stay| &stay.place)
    }

    /// All stays.
    pub(crate) fn all(&self) -> &[Stay] {
        &self.0
    }

    /// Listeners are at `place` from now on, `sent` or of their own will.
    pub(crate) fn note(&mut self, place: Place, sent: bool) {
        let stay = Stay { place, sent };
        if self.0.last() != Some(&stay) {
            self.0.retain(|known| *known != stay);
            self.0.push(stay);
        }
    }

    /// Nobody stays there any more.
    pub(crate) fn leave(&mut self, stay: &Stay) {
        self.0.retain(|known| known != stay);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(number: u64) -> Place {
        Place { mount: format!("/{number}").parse().unwrap(), rendition: RenditionId(number) }
    }

    #[test]
    fn the_place_noted_last_is_the_newest_and_each_is_there_once() {
        let mut places = Places::default();
        assert_eq!(places.newest(), None);
        for number in [1, 2, 1] {
            places.note(place(number), false);
        }
        assert_eq!(places.newest(), Some(&place(1)));
        assert_eq!(places.all().len(), 2);
        places.leave(&Stay { place: place(1), sent: false });
        assert_eq!(places.newest(), Some(&place(2)));
    }

    #[test]
    fn who_was_sent_away_does_not_say_where_the_mount_is() {
        let mut places = Places::default();
        places.note(place(1), false);
        places.note(place(9), true);
        assert_eq!(places.newest(), Some(&place(1)));
        assert_eq!(places.all().len(), 2);
    }
}
