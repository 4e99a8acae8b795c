//! When to say what to which directory; it makes no calls itself and reads no clock.

use super::Facts;
use crate::MountName;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};
use url::Url;

/// What every directory knows of every mount. As large as directories times public mounts.
#[derive(Debug, Default)]
pub struct Announcer {
    entries: BTreeMap<Key, Entry>,
}

type Key = (Url, MountName);

#[derive(Debug)]
struct Entry {
    phase: Phase,
    /// A call is under way: nothing else is said meanwhile.
    busy: bool,
    /// The mount is public no more.
    unwanted: bool,
    tries: u32,
    patience: Duration,
    facts: Facts,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// To be added then.
    Absent { until: Instant },
    /// Listed; to be touched then.
    Listed { sid: String, every: Duration, next: Instant },
    /// Not asked again before the source comes anew.
    GivenUp,
}

/// One request to a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which directory.
    pub directory: Url,
    /// About which mount.
    pub mount: MountName,
    /// What is done.
    pub deed: Deed,
    /// The body of the request.
    pub form: String,
    /// How long it may take.
    pub patience: Duration,
}

/// What is done in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A stream comes in.
    Add,
    /// It is still there.
    Touch,
    /// It is gone.
    Remove,
}

/// What a directory answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Done. After `add`: the stream's name there, and how often it wants to be touched.
    Yes {
        /// The name.
        sid: Option<String>,
        /// How often.
        every: Option<Duration>,
    },
    /// Not done, and why.
    No(String),
}

impl Announcer {
    /// What is to be said at `now`, at most `most` calls; each must be answered by [`Announcer::heard`].
    pub fn due(&mut self, wanted: &[(Url, Duration, Facts)], most: usize, now: Instant) -> Vec<Call> {
        self.take_over(wanted, now);
        let mut calls = Vec::new();
        for (key, entry) in &mut self.entries {
            if calls.len() >= most {
                break;
            }
            if let Some((deed, form)) = entry.next(now).filter(|_| !entry.busy) {
                entry.busy = true;
                let (directory, mount) = key.clone();
                calls.push(Call { directory, mount, deed, form, patience: entry.patience });
            }
        }
        self.entries.retain(|_, entry| entry.busy || !entry.unwanted || entry.is_listed());
        calls
    }

    /// Takes what a directory answered.
    pub fn heard(&mut self, call: &Call, said: Said, now: Instant) {
        let key = (call.directory.clone(), call.mount.clone());
        let Some(entry) = self.entries.get_mut(&key) else { return };
        entry.busy = false;
        match (call.deed, said) {
            (Deed::Remove, _) => drop(self.entries.remove(&key)),
            (Deed::Add, Said::Yes { sid: Some(sid), every }) => {
                entry.tries = 0;
                let every = every.unwrap_or(USUAL).max(SHORTEST);
                // The first touch brings the title, which is rarely there when a source has just come.
                entry.phase = Phase::Listed { sid, every, next: now + FIRST_TOUCH };
            }
            (Deed::Touch, Said::Yes { every: wish, .. }) => {
                if let Phase::Listed { every, next, .. } = &mut entry.phase {
                    *every = wish.map_or(*every, |wish| wish.max(SHORTEST));
                    *next = now + *every;
                }
            }
            (Deed::Add | Deed::Touch, _) => entry.fail(now),
        }
    }

    /// The calls that take everything back.
    pub fn farewell(&mut self) -> Vec<Call> {
        self.entries.values_mut().for_each(|entry| entry.busy = false);
        let now = Instant::now();
        self.due(&[], usize::MAX, now)
    }

    fn take_over(&mut self, wanted: &[(Url, Duration, Facts)], now: Instant) {
        let mut keys = BTreeSet::new();
        for (directory, patience, facts) in wanted {
            let key = (directory.clone(), facts.mount.clone());
            keys.insert(key.clone());
            let fresh = || Entry {
                phase: Phase::Absent { until: now },
                busy: false,
                unwanted: false,
                tries: 0,
                patience: *patience,
                facts: facts.clone(),
            };
            let entry = self.entries.entry(key).or_insert_with(fresh);
            if entry.phase == Phase::GivenUp && entry.facts.since != facts.since {
                (entry.phase, entry.tries) = (Phase::Absent { until: now }, 0);
            }
            (entry.facts, entry.patience, entry.unwanted) = (facts.clone(), *patience, false);
        }
        self.entries.iter_mut().filter(|(key, _)| !keys.contains(*key)).for_each(|(_, e)| e.unwanted = true);
    }
}

impl Entry {
    fn next(&self, now: Instant) -> Option<(Deed, String)> {
        match &self.phase {
            Phase::Listed { sid, .. } if self.unwanted => Some((Deed::Remove, Facts::remove(sid))),
            _ if self.unwanted => None,
            Phase::Listed { sid, next, .. } if *next <= now => Some((Deed::Touch, self.facts.touch(sid))),
            Phase::Absent { until } if *until <= now => Some((Deed::Add, self.facts.add())),
            _ => None,
        }
    }

    fn is_listed(&self) -> bool {
        matches!(self.phase, Phase::Listed { .. })
    }

    /// A touch that is refused means that the directory has forgotten us: it is told anew, a while later each time.
    fn fail(&mut self, now: Instant) {
        self.tries += 1;
        let wait = RETRY.saturating_mul(1 << self.tries.min(10).saturating_sub(1)).min(LONGEST_RETRY);
        self.phase =
            if self.tries < MOST_TRIES { Phase::Absent { until: now + wait } } else { Phase::GivenUp };
    }
}

/// A directory that asks for more is not listened to.
const SHORTEST: Duration = Duration::from_secs(30);
const USUAL: Duration = Duration::from_secs(300);
const FIRST_TOUCH: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_secs(60);
const LONGEST_RETRY: Duration = Duration::from_secs(3_600);
const MOST_TRIES: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Origin, Source};
    use std::time::SystemTime;

    fn wanted(since: u64) -> Vec<(Url, Duration, Facts)> {
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(since);
        let facts = Facts::plain("/a".parse().unwrap(), &Source::new(Origin::File, "audio/mpeg", since));
        vec![("http://yp.example/".parse().unwrap(), Duration::from_secs(15), facts)]
    }

    fn yes(every: u64) -> Said {
        Said::Yes { sid: Some("42".into()), every: Some(Duration::from_secs(every)) }
    }

    /// The only call that is due, if there is one.
    fn one(announcer: &mut Announcer, wanted: &[(Url, Duration, Facts)], now: Instant) -> Option<Call> {
        let mut calls = announcer.due(wanted, 8, now);
        assert!(calls.len() <= 1);
        calls.pop()
    }

    #[test]
    fn a_mount_is_added_touched_and_removed() {
        let (mut announcer, wanted, begin) = (Announcer::default(), wanted(0), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        let add = one(&mut announcer, &wanted, begin).unwrap();
        assert_eq!(add.deed, Deed::Add);
        assert_eq!(one(&mut announcer, &wanted, at(100)), None, "one call at a time");
        announcer.heard(&add, yes(200), at(100));
        let touch = one(&mut announcer, &wanted, at(105)).unwrap();
        assert_eq!((touch.deed, touch.form.starts_with("action=touch&sid=42&")), (Deed::Touch, true));
        announcer.heard(&touch, Said::Yes { sid: None, every: Some(Duration::from_secs(1)) }, at(105));
        assert_eq!(one(&mut announcer, &wanted, at(134)), None, "never more often than every 30 s");
        let touch = one(&mut announcer, &wanted, at(135)).unwrap();
        announcer.heard(&touch, yes(200), at(135));
        let remove = one(&mut announcer, &[], at(136)).unwrap();
        assert_eq!((remove.deed, remove.form.as_str()), (Deed::Remove, "action=remove&sid=42"));
        announcer.heard(&remove, Said::No("x".into()), at(137));
        assert_eq!(one(&mut announcer, &[], at(9_999)), None);
        assert!(announcer.entries.is_empty());
    }

    #[test]
    fn a_directory_that_refuses_is_asked_less_and_less_and_then_no_more() {
        let (mut announcer, begin) = (Announcer::default(), Instant::now());
        let mut asked = Vec::new();
        for minute in 0..24 * 60 {
            let now = begin + Duration::from_secs(minute * 60);
            if let Some(call) = one(&mut announcer, &wanted(0), now) {
                asked.push(minute);
                announcer.heard(&call, Said::No("no".into()), now);
            }
        }
        assert_eq!(asked, [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]);
        let late = begin + Duration::from_secs(30 * 3_600);
        assert_eq!(
            one(&mut announcer, &wanted(1), late).map(|call| call.deed),
            Some(Deed::Add),
            "a new source"
        );
    }

    #[test]
    fn a_directory_that_forgot_us_is_told_anew() {
        let (mut announcer, wanted, begin) = (Announcer::default(), wanted(0), Instant::now());
        let add = one(&mut announcer, &wanted, begin).unwrap();
        announcer.heard(&add, yes(30), begin);
        let late = begin + Duration::from_secs(30);
        let touch = one(&mut announcer, &wanted, late).unwrap();
        announcer.heard(&touch, Said::No("unknown".into()), late);
        assert_eq!(one(&mut announcer, &wanted, late + RETRY).unwrap().deed, Deed::Add);
    }

    #[test]
    fn what_was_added_while_it_went_away_is_removed() {
        let (mut announcer, begin) = (Announcer::default(), Instant::now());
        let add = one(&mut announcer, &wanted(0), begin).unwrap();
        assert_eq!(one(&mut announcer, &[], begin), None);
        announcer.heard(&add, yes(30), begin);
        assert_eq!(one(&mut announcer, &[], begin).unwrap().deed, Deed::Remove);
        assert_eq!(announcer.farewell().len(), 1, "a farewell does not wait for answers");
    }
}
