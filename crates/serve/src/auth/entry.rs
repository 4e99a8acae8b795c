//! Whether a listener may in: by a signed address, a file of users, or the word of another server.

use super::{
    Asks, Auth, Denied, Who,
    callback::Call,
    hooks::{Guest, Word},
    kinds::Kind,
    sign::token_fits,
    signature_fits,
};
use crate::{
    Config, MountName, SessionId,
    config::{HookAuth, MountHooks, MountPolicy, Secret},
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
    guest: Guest,
    mount: MountName,
    /// Icecast's hooks, if they are to be told.
    hooks: Option<HookAuth>,
    /// Our own.
    ours: Option<MountHooks>,
    config: Arc<Config>,
}

/// Why a listener may not in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Turned {
    /// Its credentials are missing or wrong.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The token of the address is missing or wrong.
    #[error("this stream needs a token")]
    Token,
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
        let ours = policy.hooks.as_ref().filter(|hooks| hooks.play.is_some());
        if !policy.is_guarded() {
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
        if let Some(secret) = &policy.play_token {
            match self.shows(secret, config.limits.failures_per_minute, &knock).await {
                Ok(()) => {
                    return Ok(Entry {
                        guest: known(guest(&knock, &user, &password), &knock, config),
                        ..Entry::default()
                    });
                }
                Err(why) => turned = Some(why),
            }
        }
        let guest = guest(&knock, &user, &password);
        if let Some(hooks) = ours {
            match self.called(hooks, &guest, &knock, config).await {
                Ok(entry) => return Ok(Entry { guest: known(guest, &knock, config), ..entry }),
                Err(why) => turned = Some(why),
            }
        }
        if let Some(hooks) = asked {
            return self.asked(hooks, guest, &knock, config).await;
        }
        turned.map_or(Ok(Entry { guest: known(guest, &knock, config), ..Entry::default() }), Err)
    }

    /// Whether the listener shows the mount's token.
    async fn shows(&self, secret: &Secret, limit: u32, knock: &Knock<'_>) -> Result<(), Turned> {
        let Some(token) = token(knock.head) else { return Err(Turned::Token) };
        let who = Who { from: knock.from, user: "", password: &token };
        self.check(limit, "", Some(secret), who).await.map_err(|why| match why {
            Denied::Wrong => Turned::Token,
            why => why.into(),
        })
    }

    /// What our own hook says.
    async fn called(
        &self,
        hooks: &MountHooks,
        guest: &Guest,
        knock: &Knock<'_>,
        config: &Config,
    ) -> Result<Entry, Turned> {
        let limit = config.limits.failures_per_minute;
        self.patience(limit, knock.from)?;
        let token = token(knock.head).unwrap_or_default();
        let call = guest.call("play", knock.mount, if token.is_empty() { &guest.password } else { &token });
        match self.hooks.call(hooks.play.as_ref(), hooks, &call).await {
            Word::Yes(stay) => {
                let user = Some(guest.user.as_str()).filter(|user| !user.is_empty()).map(Box::from);
                Ok(Entry { user, stay, guest: None })
            }
            Word::No(why) => {
                if !call.key.is_empty() {
                    self.guesses.wrong(knock.from, limit, Instant::now());
                }
                Err(if why.is_empty() { Turned::Token } else { Turned::No(why) })
            }
            Word::Silence => Err(Turned::Silence),
        }
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
                Ok(Entry { user, stay, guest: known(guest, knock, config) })
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
        if let Some(hooks) = &known.hooks {
            self.hooks.listener_left(hooks, &known.guest, stay, &known.config);
        }
        if let Some((hooks, url)) = known.ours.as_ref().and_then(|hooks| Some((hooks, hooks.stop.as_ref()?)))
        {
            let call = known.guest.call("stop", &known.mount, "");
            self.hooks.tell(url, hooks, &Call { seconds: Some(stay.as_secs()), ..call });
        }
    }
}

impl Turned {
    /// The status of the answer.
    pub fn status(&self) -> Status {
        match self {
            Turned::Denied(denied) => denied.status(),
            Turned::Signature | Turned::Token => Status::FORBIDDEN,
            Turned::No(_) => Status::UNAUTHORIZED,
            Turned::Silence => Status::UNAVAILABLE,
        }
    }

    /// The field that goes with the status.
    pub fn field(&self) -> Option<(&'static str, String)> {
        match self {
            Turned::Denied(denied) => Some(denied.field()),
            Turned::No(_) => Some(Denied::Wrong.field()),
            Turned::Signature | Turned::Token | Turned::Silence => None,
        }
    }
}

fn signed(key: &str, knock: &Knock<'_>) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let said = |name| knock.head.query(name).unwrap_or_default();
    let token = token(knock.head).unwrap_or_default();
    signature_fits(key.as_bytes(), knock.mount, &said("exp"), &said("sig"), now)
        || token_fits(key.as_bytes(), knock.mount, &token, now)
}

/// What a listener shows: `?token=`, or a bearer token.
fn token(head: &Head) -> Option<String> {
    head.query("token").or_else(|| head.bearer().map(str::to_owned))
}

/// Whoever follows this listener's leaving, if anybody does.
fn known(guest: Guest, knock: &Knock<'_>, config: &Arc<Config>) -> Option<Box<Known>> {
    let hooks = knock.policy.url_auth.clone().filter(|hooks| hooks.listener_remove.is_some());
    let ours = knock.policy.hooks.clone().filter(|hooks| hooks.stop.is_some());
    let followed = hooks.is_some() || ours.is_some();
    let known = Known { guest, mount: knock.mount.clone(), hooks, ours, config: config.clone() };
    followed.then(|| Box::new(known))
}

impl Guest {
    /// A call about this player, which shows `key`.
    fn call<'a>(&'a self, action: &'static str, mount: &'a MountName, key: &'a str) -> Call<'a> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let call = Call::new(action, mount).of(self.id);
        Call { ip: Some(self.from), user: &self.user, key, agent: &self.agent, query, ..call }
    }
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
