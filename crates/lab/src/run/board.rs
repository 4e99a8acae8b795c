//! How far each step is, for those that wait for it, and what came of it.

use super::folder::Finding;
use crate::scenario::Step;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Waiting,
    Running,
    Ready,
    Done,
    Failed,
}

/// What the threads of a run share.
pub(super) struct Board {
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    /// By step: on each host.
    states: BTreeMap<String, BTreeMap<String, State>>,
    /// Those of this order and below are to stop.
    stopping: Option<i32>,
    metrics: BTreeMap<String, f64>,
    failures: Vec<Finding>,
    /// Steps that end by themselves.
    ending: Vec<String>,
}

impl Board {
    pub(super) fn new(steps: &[Step]) -> Board {
        let hosts = |step: &Step| {
            super::hosts_of(step).into_iter().map(|host| (host.to_owned(), State::Waiting)).collect()
        };
        let states = steps.iter().map(|step| (step.name.clone(), hosts(step))).collect();
        let ends = |step: &&Step| step.cmd.is_none() || step.exit.is_some();
        let ending = steps.iter().filter(ends).map(|step| step.name.clone()).collect();
        let inner = Inner { states, stopping: None, metrics: BTreeMap::new(), failures: Vec::new(), ending };
        Board { inner: Mutex::new(inner), changed: Condvar::new() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far a step is on the host where it is least.
    pub(super) fn state(&self, name: &str) -> State {
        let inner = self.inner();
        let hosts = inner.states.get(name).into_iter().flat_map(|hosts| hosts.values());
        let failed = hosts.clone().any(|state| *state == State::Failed);
        let least = hosts.copied().min().unwrap_or(State::Done);
        if failed && least >= State::Done { State::Failed } else { least }
    }

    pub(super) fn is_ready(&self, name: &str) -> bool {
        self.state(name) >= State::Ready
    }

    pub(super) fn is_done(&self, name: &str) -> bool {
        self.state(name) >= State::Done
    }

    pub(super) fn set(&self, name: &str, host: &str, state: State) {
        if let Some(slot) = self.inner().states.get_mut(name).and_then(|hosts| hosts.get_mut(host)) {
            *slot = state;
        }
        self.changed.notify_all();
    }

    pub(super) fn metric(&self, name: String, value: f64) {
        self.inner().metrics.insert(name, value);
    }

    /// Something went wrong.
    pub(super) fn fail(&self, what: &str, why: String) {
        self.inner().failures.push(Finding { what: what.into(), why });
        self.changed.notify_all();
    }

    pub(super) fn has_failed(&self) -> bool {
        !self.inner().failures.is_empty()
    }

    /// Lets steps of this order and below stop.
    pub(super) fn stop(&self, order: i32) {
        let mut inner = self.inner();
        inner.stopping = Some(inner.stopping.map_or(order, |before| before.max(order)));
        drop(inner);
        self.changed.notify_all();
    }

    pub(super) fn is_stopping(&self, order: i32) -> bool {
        self.inner().stopping.is_some_and(|stopping| order <= stopping)
    }

    /// Waits until something has changed, or `time` is over.
    pub(super) fn wait(&self, time: Duration) {
        let _either = self.changed.wait_timeout(self.inner(), time);
    }

    /// Gives what ends by itself this time to do so.
    pub(super) fn wait_for_what_ends(&self, time: Duration) {
        let deadline = Instant::now() + time;
        loop {
            let ending = self.inner().ending.clone();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || ending.iter().all(|name| self.is_done(name)) {
                return;
            }
            self.wait(left.min(Duration::from_millis(50)));
        }
    }

    pub(super) fn into_findings(self) -> (BTreeMap<String, f64>, Vec<Finding>) {
        let inner = self.inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        (inner.metrics, inner.failures)
    }
}
