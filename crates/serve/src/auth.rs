//! Who may do what: passwords compared in constant time, hashes checked off the media path, guessing slowed down.

mod callback;
mod entry;
mod guesses;
mod hashes;
mod hooks;
mod htpasswd;
mod kinds;
mod mounts;
mod sign;
mod stored;

pub use entry::{Entry, Knock, Known, Turned};
pub use hashes::hash;
pub use mounts::{announce, deliver};
pub use sign::{sign, signature_fits};
pub(crate) use stored::make_private;
pub use stored::{Role, Stored, make_password};

use crate::{Config, MountName, SessionId, config::Secret, http::Status};
use callback::Call;
use guesses::Guesses;
use hashes::{Busy, Hashes};
use hooks::{Hooks, Word};
use htpasswd::Htpasswds;
use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use subtle::ConstantTimeEq;

/// Decides who may feed, listen, administer or relay.
pub struct Auth {
    guesses: Guesses,
    hashes: Hashes,
    users: Htpasswds,
    hooks: Hooks,
    known: Mutex<HashMap<SessionId, Box<Known>>>,
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug)]
pub enum Asks<'a> {
    /// Feed this mount.
    Source(&'a MountName),
    /// Set the titles of this mount, with its source's credentials.
    Titles(&'a MountName),
    /// Administer the server.
    Admin,
    /// Administer the server by the API, with its token as the password and no user.
    Token,
    /// Read the list of streams as a relay.
    Relay,
}

/// Who asks, and how they prove it.
#[derive(Clone, Copy)]
pub struct Who<'a> {
    /// Where they are (behind a trusted proxy: what the proxy says).
    pub from: IpAddr,
    /// The user they say they are; empty without credentials.
    pub user: &'a str,
    /// Their password.
    pub password: &'a str,
}

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// No credentials were sent; clients probe like this, so it is no failure.
    #[error("You need to authenticate")]
    Missing,
    /// The credentials are wrong.
    #[error("You need to authenticate")]
    Wrong,
    /// Too many wrong ones came from this address; nothing is looked at for this long.
    #[error("too many wrong passwords from your address; try again in {} s", .0.as_secs() + 1)]
    TooMany(Duration),
    /// Too many passwords are being checked at this moment.
    #[error("too many passwords are being checked; try again")]
    Busy,
    /// The server that knows does not answer.
    #[error("the service that knows who may feed this mount does not answer")]
    Silence,
}

impl Auth {
    /// An authority without memory.
    pub fn new() -> Auth {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("the system gives random bytes");
        Auth {
            guesses: Guesses::default(),
            hashes: Hashes::new(seed),
            users: Htpasswds::default(),
            hooks: Hooks::new(),
            known: Mutex::default(),
        }
    }

    /// Whether `who` may do what they ask.
    ///
    /// # Errors
    /// When they may not; [`Denied::status`] is the answer's status.
    pub async fn allows(&self, config: &Config, asks: Asks<'_>, who: Who<'_>) -> Result<(), Denied> {
        if who.user.is_empty() && who.password.is_empty() {
            return Err(Denied::Missing);
        }
        let auth = &config.auth;
        let limit = config.limits.failures_per_minute;
        let (mount, titles) = match asks {
            Asks::Admin => {
                return self.check(limit, &auth.admin_user, auth.admin_password.as_ref(), who).await;
            }
            Asks::Token => return self.check(limit, "", auth.api_token.as_ref(), who).await,
            Asks::Relay => {
                return self.check(limit, &auth.relay_user, auth.relay_password.as_ref(), who).await;
            }
            Asks::Source(mount) => (mount, false),
            Asks::Titles(mount) => (mount, true),
        };
        let policy = config.policy(mount);
        if let Some(hooks) = policy.hooks.as_ref().filter(|hooks| hooks.publish.is_some()) {
            self.patience(limit, who.from)?;
            let call = Call::new(if titles { "titles" } else { "publish" }, mount);
            let call = Call { ip: Some(who.from), user: who.user, key: who.password, ..call };
            return self.heard(limit, who, self.hooks.call(hooks.publish.as_ref(), hooks, &call).await);
        }
        if let Some(hooks) = policy.url_auth.as_ref().filter(|hooks| hooks.stream_auth.is_some()) {
            self.patience(limit, who.from)?;
            return self.heard(limit, who, self.hooks.source(hooks, mount, who, titles, config).await);
        }
        let user = policy.source_user.as_ref().unwrap_or(&auth.source_user);
        let secret = policy.source_password.as_ref().or(auth.source_password.as_ref());
        self.check(limit, user, secret, who).await
    }

    /// The names in a file of users.
    pub fn users(&self, path: &Path) -> Vec<String> {
        self.users.users(path, Instant::now()).names()
    }

    /// Adds a user to a file of users, which need not exist; false when there is one of that name. Hashing takes long
    /// on purpose: not for the async runtime's threads.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn add_user(&self, path: &Path, user: &str, password: &str) -> io::Result<bool> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).expect("the system gives random bytes");
        self.users.add(path, user, &hash(password, &salt))
    }

    /// Takes a user out of a file of users; false when there is none of that name.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn remove_user(&self, path: &Path, user: &str) -> io::Result<bool> {
        self.users.remove(path, user)
    }

    /// How many password hashes were computed, for the metrics.
    pub fn checks(&self) -> u64 {
        self.hashes.checks()
    }

    fn heard(&self, limit: u32, who: Who<'_>, word: Word) -> Result<(), Denied> {
        match word {
            Word::Yes(_) => Ok(()),
            Word::No(_) => {
                self.guesses.wrong(who.from, limit, Instant::now());
                Err(Denied::Wrong)
            }
            Word::Silence => Err(Denied::Silence),
        }
    }

    async fn check(
        &self,
        limit: u32,
        user: &str,
        secret: Option<&Secret>,
        who: Who<'_>,
    ) -> Result<(), Denied> {
        self.patience(limit, who.from)?;
        let wrong = || {
            self.guesses.wrong(who.from, limit, Instant::now());
            Denied::Wrong
        };
        let same_user = bool::from(user.as_bytes().ct_eq(who.user.as_bytes()));
        let Some(secret) = secret.filter(|_| same_user) else { return Err(wrong()) };
        if secret.is_hash() {
            return self.check_hash(limit, secret.expose(), who).await;
        }
        let right = bool::from(secret.expose().as_bytes().ct_eq(who.password.as_bytes()));
        if right { Ok(()) } else { Err(wrong()) }
    }

    /// One check of an address runs at a time, so that its guesses delay nobody else, and those that wait behind the
    /// one too many are not looked at.
    async fn check_hash(&self, limit: u32, hash: &str, who: Who<'_>) -> Result<(), Denied> {
        if self.hashes.knows(hash, who.user, who.password) {
            return Ok(());
        }
        let gate = self.guesses.gate(who.from, limit, Instant::now()).ok_or(Denied::Busy)?;
        let _turn = gate.acquire().await.map_err(|_| Denied::Busy)?;
        self.patience(limit, who.from)?;
        if self.hashes.knows(hash, who.user, who.password) {
            return Ok(());
        }
        match self.hashes.fits(hash, who.user, who.password).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.guesses.wrong(who.from, limit, Instant::now());
                Err(Denied::Wrong)
            }
            Err(Busy) => Err(Denied::Busy),
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<SessionId, Box<Known>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn patience(&self, limit: u32, from: IpAddr) -> Result<(), Denied> {
        self.guesses.wait(from, limit, Instant::now()).map_or(Ok(()), |wait| Err(Denied::TooMany(wait)))
    }
}

impl Default for Auth {
    fn default() -> Auth {
        Auth::new()
    }
}

impl Denied {
    /// The status of the answer: 401, 429 or 503.
    pub fn status(self) -> Status {
        match self {
            Denied::Missing | Denied::Wrong => Status::UNAUTHORIZED,
            Denied::TooMany(_) => Status::TOO_MANY,
            Denied::Busy | Denied::Silence => Status::UNAVAILABLE,
        }
    }

    /// The field that goes with the status.
    pub fn field(self) -> (&'static str, String) {
        match self {
            Denied::Missing | Denied::Wrong => ("WWW-Authenticate", format!("Basic realm=\"{REALM}\"")),
            Denied::TooMany(wait) => ("Retry-After", (wait.as_secs() + 1).to_string()),
            Denied::Busy | Denied::Silence => ("Retry-After", "1".into()),
        }
    }
}

/// The realm that Icecast names; some clients match it.
pub const REALM: &str = "Icecast2 Server";

#[cfg(test)]
mod tests;
