//! Whether a listener may in: by a signed address, a file of users, or the word of another server.

use super::{
    Asks, Auth, Denied, Who,
    hooks::{Guest, Word},
    kinds::Kind,
    signature_fits,
};
use crate::{
    Config, MountName, SessionId,
    config::{HookAuth, MountPolicy},
    http::{Head, Status},
};
use std::{
    net::IpAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A listener at the door.
pub struct Knock<'a> {
    /// The name its session will have.
    pub id: SessionId,
    /// Where it is (behind a trusted proxy: what the proxy says).
    pub from: IpAddr,
    /// What it sent.
    pub head: &'a Head,
    /// The mount it wants.
    pub mount: &'a MountName,
    /// That mount's policy.
    pub policy: &'a MountPolicy,
}

/// A listener that may in.
#[derive(Debug, Default)]
pub struct Entry {
    /// The user it is, if it proved that.
    pub user: Option<Box<str>>,
    /// How long it may stay, if somebody set a limit.
    pub stay: Option<Duration>,
    /// Who has to be told when it leaves; give it to [`Auth::arrived`] when the listener is in.
    pub guest: Option<Box<Known>>,
}

/// A listener whose coming and going another server follows.
#[derive(Debug)]
pub struct Known {
    pub(super) guest: Guest,
    pub(super) hooks: HookAuth,
    config: Arc<Config>,
}

/// Why a listener may not in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Turned {
    /// Its credentials are missing or wrong.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The signature of the address is missing, wrong or too old.
    #[error("this address is not signed, or its time is over")]
    Signature,
    /// Another server said no.
    #[error("{0}")]
    No(String),
    /// The server that knows does not answer.
    #[error("the service that knows who may listen does not answer")]
    Silence,
}

impl Auth {
    /// Whether a listener may in. Where a mount has several ways, the first that admits is enough; where it has none,
    /// everybody may. Relays with the relays' password may always.
    ///
    /// # Errors
    /// When it may not, as the last way said it.
    pub async fn admits(&self, config: &Arc<Config>, knock: Knock<'_>) -> Result<Entry, Turned> {
        let policy = knock.policy;
        let asked = policy.url_auth.as_ref().filter(|hooks| hooks.listener_add.is_some());
        let told = policy.url_auth.as_ref().filter(|hooks| hooks.listener_remove.is_some());
        let open = policy.signing_key.is_none() && policy.htpasswd.is_none() && asked.is_none();
        if open && told.is_none() {
            return Ok(Entry::default());
        }
        let (user, password) = knock.head.basic().unwrap_or_default();
        let who = Who { from: knock.from, user: &user, password: &password };
        if config.auth.relay_password.is_some() && user == config.auth.relay_user {
            self.allows(config, Asks::Relay, who).await?;
            return Ok(Entry { user: Some(user.into()), ..Entry::default() });
        }
        let mut turned = None;
        if let Some(key) = &policy.signing_key {
            match signed(key.expose(), &knock) {
                true => return Ok(Entry::default()),
                false => turned = Some(Turned::Signature),
            }
        }
        if let Some(path) = &policy.htpasswd {
            match self.is_user(path, config.limits.failures_per_minute, who).await {
                Ok(()) => return Ok(Entry { user: Some(user.into()), ..Entry::default() }),
                Err(why) => turned = Some(why.into()),
            }
        }
        let guest = guest(&knock, &user, &password);
        if let Some(hooks) = asked {
            return self.asked(hooks, guest, &knock, config).await;
        }
        let known = told.map(|hooks| Box::new(Known { guest, hooks: hooks.clone(), config: config.clone() }));
        turned.map_or(Ok(Entry { guest: known, ..Entry::default() }), Err)
    }

    async fn asked(
        &self,
        hooks: &HookAuth,
        guest: Guest,
        knock: &Knock<'_>,
        config: &Arc<Config>,
    ) -> Result<Entry, Turned> {
        self.patience(config.limits.failures_per_minute, knock.from)?;
        match self.hooks.listener(hooks, &guest, knock.head, config).await {
            Word::Yes(stay) => {
                let user = Some(guest.user.as_str()).filter(|user| !user.is_empty()).map(Box::from);
                let known = Box::new(Known { guest, hooks: hooks.clone(), config: config.clone() });
                let guest = hooks.listener_remove.is_some().then_some(known);
                Ok(Entry { user, stay, guest })
            }
            Word::No(why) => {
                if !guest.user.is_empty() {
                    self.guesses.wrong(knock.from, config.limits.failures_per_minute, Instant::now());
                }
                Err(if why.is_empty() { Denied::Wrong.into() } else { Turned::No(why) })
            }
            Word::Silence => Err(Turned::Silence),
        }
    }

    /// Whether the file at `path` knows `who`.
    async fn is_user(&self, path: &Path, limit: u32, who: Who<'_>) -> Result<(), Denied> {
        if who.user.is_empty() {
            return Err(Denied::Missing);
        }
        self.patience(limit, who.from)?;
        let users = self.users.users(path, Instant::now());
        match users.hash(who.user).and_then(|hash| Some((hash, Kind::of(hash)?))) {
            Some((hash, kind)) if kind.is_cheap() && kind.fits(hash, who.password) => Ok(()),
            Some((hash, kind)) if !kind.is_cheap() => self.check_hash(limit, hash, who).await,
            _ => {
                self.guesses.wrong(who.from, limit, Instant::now());
                Err(Denied::Wrong)
            }
        }
    }

    /// Notes that a listener is in, so that whoever follows it is told when it leaves.
    pub fn arrived(&self, known: Box<Known>) {
        self.known().insert(known.guest.id, known);
    }

    /// Tells whoever follows it that a listener left after `stay`.
    pub fn left(&self, id: SessionId, stay: Duration) {
        let Some(known) = self.known().remove(&id) else { return };
        self.hooks.listener_left(&known.hooks, &known.guest, stay, &known.config);
    }
}

impl Turned {
    /// The status of the answer.
    pub fn status(&self) -> Status {
        match self {
            Turned::Denied(denied) => denied.status(),
            Turned::Signature => Status::FORBIDDEN,
            Turned::No(_) => Status::UNAUTHORIZED,
            Turned::Silence => Status::UNAVAILABLE,
        }
    }

    /// The field that goes with the status.
    pub fn field(&self) -> Option<(&'static str, String)> {
        match self {
            Turned::Denied(denied) => Some(denied.field()),
            Turned::No(_) => Some(Denied::Wrong.field()),
            Turned::Signature | Turned::Silence => None,
        }
    }
}

fn signed(key: &str, knock: &Knock<'_>) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let said = |name| knock.head.query(name).unwrap_or_default();
    signature_fits(key.as_bytes(), knock.mount, &said("exp"), &said("sig"), now)
}

fn guest(knock: &Knock<'_>, user: &str, password: &str) -> Guest {
    Guest {
        id: knock.id,
        target: knock.head.target.clone(),
        user: user.to_owned(),
        password: password.to_owned(),
        from: knock.from,
        agent: knock.head.field("user-agent").unwrap_or_default().to_owned(),
    }
}
