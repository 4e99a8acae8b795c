//! Checks passwords against hashes, away from the threads that move media.

use super::kinds::Kind;
use argon2::{Argon2, PasswordHasher};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};
use tokio::sync::Semaphore;

/// Checks passwords. As many checks run at once as half the cores, [`WAITING`] may wait; more are told to come later.
///
/// What was right is remembered (under a key that lives as long as the process, [`MOST`] of them, the oldest forgotten
/// first), so that a storm of returning sources costs one check.
pub struct Hashes {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    checks: AtomicU64,
    known: Mutex<Known>,
    key: Hmac<Sha256>,
}

#[derive(Default)]
struct Known {
    at: HashMap<Tag, u64>,
    clock: u64,
}

type Tag = [u8; 32];

/// Too many checks wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked")]
pub struct Busy;

impl Hashes {
    /// Nothing known yet. `seed` is the process's own, made by chance.
    pub fn new(seed: [u8; 32]) -> Hashes {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Hashes {
            permits: Arc::new(Semaphore::new((cores / 2).max(1))),
            waiting: AtomicUsize::new(0),
            checks: AtomicU64::new(0),
            known: Mutex::default(),
            key: Hmac::new_from_slice(&seed).expect("a key of any length will do"),
        }
    }

    /// How many hashes were computed.
    pub fn checks(&self) -> u64 {
        self.checks.load(Relaxed)
    }

    /// Whether this very login was right before.
    pub fn knows(&self, hash: &str, user: &str, password: &str) -> bool {
        let tag = self.tag(hash, user, password);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clock += 1;
        let now = known.clock;
        known.at.get_mut(&tag).map(|at| *at = now).is_some()
    }

    /// Whether `password` is what `hash` was made of. One of an unknown kind was made of nothing.
    ///
    /// # Errors
    /// When too many wait already.
    pub async fn fits(&self, hash: &str, user: &str, password: &str) -> Result<bool, Busy> {
        let Some(kind) = Kind::of(hash) else { return Ok(false) };
        let _waits = Waits::new(&self.waiting)?;
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| Busy)?;
        self.checks.fetch_add(1, Relaxed);
        let (owned, tried) = (hash.to_owned(), password.to_owned());
        let check = tokio::task::spawn_blocking(move || {
            let _held = permit;
            kind.fits(&owned, &tried)
        });
        let right = check.await.unwrap_or(false);
        if right {
            self.remember(self.tag(hash, user, password));
        }
        Ok(right)
    }

    fn remember(&self, tag: Tag) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clock += 1;
        let now = known.clock;
        known.at.insert(tag, now);
        if known.at.len() > MOST {
            let oldest = known.at.iter().min_by_key(|(_, at)| **at).map(|(tag, _)| *tag);
            oldest.map(|tag| known.at.remove(&tag));
        }
    }

    fn tag(&self, hash: &str, user: &str, password: &str) -> Tag {
        let mut mac = self.key.clone();
        for part in [hash, user, password] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

/// A place in the queue, given back when dropped.
struct Waits<'a>(&'a AtomicUsize);

impl Waits<'_> {
    fn new(waiting: &AtomicUsize) -> Result<Waits<'_>, Busy> {
        let place = Waits(waiting);
        if waiting.fetch_add(1, Relaxed) >= WAITING { Err(Busy) } else { Ok(place) }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// The argon2id hash of `password` with a fresh salt, in PHC string format.
pub fn hash(password: &str, salt: &[u8; 16]) -> String {
    let made = Argon2::default().hash_password_with_salt(password.as_bytes(), salt);
    made.map(|hash| hash.to_string()).expect("16 bytes are a good salt")
}

/// Logins remembered.
const MOST: usize = 1_024;
/// Checks that may wait.
const WAITING: usize = 256;
