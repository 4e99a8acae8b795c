//! Icecast's URL authentication: who may listen or feed is asked of another server by POST, with Icecast's fields.
//!
//! The order of the fields and their escaping are those captured from Icecast 2.4.4.

use super::{
    Who,
    callback::{Call, Letter},
};
use crate::{
    Config, MountName, SessionId,
    client::{
        Client,
        http::{Error, Patience},
    },
    config::{HookAuth, MountHooks},
    http::{Head, Reply},
};
use std::{net::IpAddr, time::Duration};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};
use url::Url;

/// Asks and tells other servers.
pub struct Hooks {
    client: Client,
    notes: mpsc::Sender<Outgoing>,
    outbox: Mutex<mpsc::Receiver<Outgoing>>,
}

/// Something another server is told; nobody waits for its answer.
#[derive(Clone, Debug)]
enum Outgoing {
    Note(Note),
    Letter(Letter),
}

/// A form of Icecast's.
#[derive(Clone, Debug)]
pub struct Note {
    url: Url,
    form: String,
    login: Option<(String, String)>,
    patience: Duration,
}

/// A listener as another server knows it.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Its session.
    pub id: SessionId,
    /// The mount it asked for, with the query.
    pub target: String,
    /// The user it says it is; empty without credentials.
    pub user: String,
    /// Its password.
    pub password: String,
    /// Where it is.
    pub from: IpAddr,
    /// What it calls itself.
    pub agent: String,
}

/// What another server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Yes; a listener may stay this long.
    Yes(Option<Duration>),
    /// No, and why, if it said why.
    No(String),
    /// It did not answer.
    Silence,
}

impl Hooks {
    /// Nobody asked yet. [`QUEUE`] notes may wait to be told; when there are more, new ones are lost and logged.
    pub fn new() -> Hooks {
        let (notes, outbox) = mpsc::channel(QUEUE);
        Hooks { client: Client::new(crate::SERVER, Patience::default()), notes, outbox: Mutex::new(outbox) }
    }

    /// Asks whether `guest` may listen.
    pub async fn listener(&self, hooks: &HookAuth, guest: &Guest, head: &Head, config: &Config) -> Word {
        let Some(url) = &hooks.listener_add else { return Word::Yes(None) };
        let mut form = Form::new("listener_add").server(config);
        form = form.guest(guest).field("ip", &guest.from.to_string()).field("agent", &guest.agent);
        for name in &hooks.headers {
            if let Some(value) = head.field(name) {
                form = form.field(&format!("{}{name}", hooks.header_prefix), value);
            }
        }
        let login = Some((guest.user.clone(), guest.password.clone()));
        self.ask(Note { url: url.clone(), form: form.0, login, patience: hooks.timeout }, hooks).await
    }

    /// Asks whether `who` may feed `mount`; `admin` when it is about the mount's titles.
    pub async fn source(
        &self,
        hooks: &HookAuth,
        mount: &MountName,
        who: Who<'_>,
        admin: bool,
        config: &Config,
    ) -> Word {
        let Some(url) = &hooks.stream_auth else { return Word::Silence };
        let mut form = Form::new("stream_auth")
            .field("mount", mount.as_str())
            .field("ip", &who.from.to_string())
            .server(config)
            .field("user", who.user)
            .field("pass", who.password);
        if admin {
            form = form.field("admin", "1");
        }
        self.ask(Note { url: url.clone(), form: form.0, login: None, patience: hooks.timeout }, hooks).await
    }

    /// Tells that `guest` left after `stay`.
    pub fn listener_left(&self, hooks: &HookAuth, guest: &Guest, stay: Duration, config: &Config) {
        let Some(url) = &hooks.listener_remove else { return };
        let form = Form::new("listener_remove")
            .server(config)
            .guest(guest)
            .field("duration", &stay.as_secs().to_string())
            .field("ip", &guest.from.to_string())
            .field("agent", &guest.agent);
        let login = Some((guest.user.clone(), guest.password.clone()));
        self.send(Outgoing::Note(Note { url: url.clone(), form: form.0, login, patience: hooks.timeout }));
    }

    /// Tells that a mount came alive (`mount_add`) or is gone (`mount_remove`).
    pub fn mount(&self, url: &Url, action: &str, mount: &MountName, patience: Duration, config: &Config) {
        let form = Form::new(action).field("mount", mount.as_str()).server(config);
        self.send(Outgoing::Note(Note { url: url.clone(), form: form.0, login: None, patience }));
    }

    /// Asks what our own hooks ask; yes where `url` is none.
    pub async fn call(&self, url: Option<&Url>, hooks: &MountHooks, call: &Call<'_>) -> Word {
        match url {
            Some(url) => call.seal(url, hooks).ask(&self.client).await,
            None => Word::Yes(None),
        }
    }

    /// Tells what our own hooks tell.
    pub fn tell(&self, url: &Url, hooks: &MountHooks, call: &Call<'_>) {
        self.send(Outgoing::Letter(call.seal(url, hooks)));
    }

    /// Tells what is to be told, [`AT_ONCE`] at a time, for as long as it is awaited.
    pub async fn deliver(&self) {
        let mut outbox = self.outbox.lock().await;
        let mut telling = JoinSet::new();
        while let Some(note) = outbox.recv().await {
            while telling.len() >= AT_ONCE {
                let _told = telling.join_next().await;
            }
            while telling.try_join_next().is_some() {}
            let client = self.client.clone();
            telling.spawn(async move {
                match note {
                    Outgoing::Letter(letter) => drop(letter.ask(&client).await),
                    Outgoing::Note(note) => tell(&client, &note).await,
                }
            });
        }
    }

    fn send(&self, note: Outgoing) {
        if self.notes.try_send(note).is_err() {
            tracing::warn!("hooks are too slow; what one should be told is lost");
        }
    }

    async fn ask(&self, note: Note, hooks: &HookAuth) -> Word {
        match post(&self.client, &note).await {
            Ok(reply) => word(&reply, hooks),
            Err(why) => {
                tracing::warn!(host = note.url.host_str(), %why, "a hook does not answer");
                Word::Silence
            }
        }
    }
}

async fn tell(client: &Client, note: &Note) {
    if let Err(why) = post(client, note).await {
        tracing::warn!(host = note.url.host_str(), %why, "a hook was not told");
    }
}

/// Sends a note and reads the head of the answer; its body is not looked at.
async fn post(client: &Client, note: &Note) -> Result<Reply, Error> {
    let mut url = note.url.clone();
    if let Some((user, password)) = note.login.as_ref().filter(|_| url.username().is_empty()) {
        let _cannot = url.set_username(user);
        let _cannot = url.set_password(Some(password).filter(|_| !user.is_empty()).map(String::as_str));
    }
    client.post(&url, &note.form, note.patience).await
}

/// Whether an answer has the field that was agreed on; as with Icecast, that may also be a status line.
fn admits(reply: &Reply, agreed: &str) -> bool {
    if agreed.starts_with("HTTP/") {
        let status = agreed.split_whitespace().nth(1).and_then(|code| code.parse().ok());
        return status == Some(reply.status);
    }
    let (name, wanted) = agreed.split_once(':').unwrap_or((agreed, ""));
    let wanted = wanted.trim();
    reply.field(name.trim()).is_some_and(|value| wanted.is_empty() || value.trim() == wanted)
}

/// What an answer means.
fn word(reply: &Reply, hooks: &HookAuth) -> Word {
    if !admits(reply, &hooks.auth_header) {
        return Word::No(reply.field("icecast-auth-message").unwrap_or_default().to_owned());
    }
    let limit = hooks.timelimit_header.trim_end_matches([':', ' ']);
    let seconds = reply.field(limit).and_then(|value| value.trim().parse().ok());
    Word::Yes(seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs))
}

/// The body of a POST. Everything but letters and digits is escaped, in lower case, as Icecast does.
struct Form(String);

impl Form {
    fn new(action: &str) -> Form {
        Form(format!("action={action}"))
    }

    fn server(self, config: &Config) -> Form {
        let port = config.http.listen.first().map_or(0, |address| address.port());
        let form = self.field("server", config.server.hostname.as_deref().unwrap_or("localhost"));
        form.field("port", &port.to_string())
    }

    fn guest(self, guest: &Guest) -> Form {
        self.field("client", &guest.id.0.to_string())
            .field("mount", &guest.target)
            .field("user", &guest.user)
            .field("pass", &guest.password)
    }

    fn field(mut self, name: &str, value: &str) -> Form {
        self.0.push('&');
        self.0.push_str(name);
        self.0.push('=');
        for byte in value.bytes() {
            match byte {
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => self.0.push(char::from(byte)),
                _ => self.0.push_str(&format!("%{byte:02x}")),
            }
        }
        self
    }
}

/// Notes that may wait.
const QUEUE: usize = 4_096;
/// Notes told at once.
const AT_ONCE: usize = 16;

#[cfg(test)]
mod tests;
