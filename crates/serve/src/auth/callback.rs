//! Hooks of our own: another server is asked, or told, who publishes and who plays, in signed JSON.
//!
//! A hook is a POST of `application/json`. `Levada-Timestamp` says when it was made, in seconds since 1970, and
//! `Levada-Signature` proves who made it: HMAC-SHA256 under the hooks' secret over the timestamp, a full stop and the body,
//! in hexadecimal. Whoever is asked admits by any status 2xx; `Levada-Stay` may say for how many seconds a player may
//! stay, and `Levada-Reason` of another answer is what the client is told.

use super::hooks::Word;
use crate::{MountName, SessionId, client::Client, config::MountHooks, http::Reply};
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use std::{
    fmt::Write,
    net::IpAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use url::Url;

/// What another server is asked or told.
#[derive(Clone, Debug, Serialize)]
pub struct Call<'a> {
    /// `publish` and `play` are asked; `titles` is asked of the address of `publish`; `unpublish` and `stop` are told.
    pub action: &'static str,
    /// The mount.
    pub mount: &'a MountName,
    /// Where the client is; nobody where a file or another server feeds the mount.
    pub ip: Option<IpAddr>,
    /// The user it says it is; empty without.
    pub user: &'a str,
    /// Its password, stream key or token; empty without.
    pub key: &'a str,
    /// What it calls itself; empty where it does not say.
    pub agent: &'a str,
    /// The query of the address that it asked for.
    pub query: &'a str,
    /// A player's session; never used twice while the server runs.
    pub session: Option<u64>,
    /// How many seconds it was there, when that is over.
    pub seconds: Option<u64>,
}

/// A call that is ready to be sent.
#[derive(Clone, Debug)]
pub struct Letter {
    url: Url,
    body: String,
    timestamp: String,
    signature: String,
    patience: Duration,
}

impl<'a> Call<'a> {
    /// A call that says no more than this.
    pub fn new(action: &'static str, mount: &'a MountName) -> Call<'a> {
        let (session, seconds) = (None, None);
        Call { action, mount, ip: None, user: "", key: "", agent: "", query: "", session, seconds }
    }

    /// The same about a player.
    pub fn of(self, session: SessionId) -> Call<'a> {
        Call { session: Some(session.0), ..self }
    }

    /// Signs it for `url`, now.
    pub fn seal(&self, url: &Url, hooks: &MountHooks) -> Letter {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let body = serde_json::to_string(self).expect("texts and numbers can be written");
        let timestamp = now.to_string();
        let secret = hooks.secret.as_ref().map_or("", |secret| secret.expose());
        let signature = signature(secret.as_bytes(), &timestamp, &body);
        Letter { url: url.clone(), body, timestamp, signature, patience: hooks.timeout }
    }
}

impl Letter {
    /// Sends it, and gives what the answer means.
    pub async fn ask(&self, client: &Client) -> Word {
        let fields = [
            ("Content-Type", "application/json"),
            ("Levada-Timestamp", self.timestamp.as_str()),
            ("Levada-Signature", self.signature.as_str()),
        ];
        match client.submit(&self.url, &fields, &self.body, self.patience).await {
            Ok(reply) => word(&reply),
            Err(why) => {
                tracing::warn!(host = self.url.host_str(), %why, "a hook does not answer");
                Word::Silence
            }
        }
    }
}

/// HMAC-SHA256 over `TIMESTAMP.BODY`, in hexadecimal.
fn signature(secret: &[u8], timestamp: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length will do");
    mac.update(format!("{timestamp}.{body}").as_bytes());
    mac.finalize().into_bytes().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes what is written");
        hex
    })
}

/// A server that fails has not said no.
fn word(reply: &Reply) -> Word {
    let said = |name| reply.field(name).map(str::trim).unwrap_or_default();
    match reply.status {
        200..300 => {
            let seconds = said("levada-stay").parse().ok().filter(|seconds| *seconds > 0);
            Word::Yes(seconds.map(Duration::from_secs))
        }
        400..500 => Word::No(said("levada-reason").to_owned()),
        status => {
            tracing::warn!(status, "a hook failed");
            Word::Silence
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_signed_over_its_time_and_its_body() {
        // printf '1800000000.{}' | openssl dgst -sha256 -hmac key
        let seen = signature(b"key", "1800000000", "{}");
        assert_eq!(seen, "7321475872b03ff21bdc2dfd86ea2d99ec29c479fbe4a77aa6acf4509505493f");
        assert_ne!(seen, signature(b"key", "1800000001", "{}"));
        assert_ne!(seen, signature(b"key", "1800000000", "[]"));
        assert_ne!(seen, signature(b"yek", "1800000000", "{}"));
    }

    #[test]
    fn a_call_says_what_is_known_in_json() {
        let mount = "/live/tea".parse().unwrap();
        let call = Call { ip: Some([127, 0, 0, 1].into()), key: "a\"b", ..Call::new("play", &mount) };
        let hooks = MountHooks { secret: Some("s".into()), ..MountHooks::default() };
        let letter = call.of(SessionId(7)).seal(&"http://h/".parse().unwrap(), &hooks);
        assert_eq!(
            letter.body,
            r#"{"action":"play","mount":"/live/tea","ip":"127.0.0.1","user":"","key":"a\"b","agent":"","query":"","session":7,"seconds":null}"#
        );
        assert_eq!(letter.signature, signature(b"s", &letter.timestamp, &letter.body));
    }
}
