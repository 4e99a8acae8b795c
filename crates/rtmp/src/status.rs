//! `onStatus`: what a server tells of streams and connections.

use crate::{
    amf0::Value,
    message::{Command, Message},
};

/// What became of a request, or of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// `status`, `warning` or `error`.
    pub level: String,
    /// What it is, for programs: `NetStream.Publish.Start` and the like.
    pub code: String,
    /// What it is, for people.
    pub description: String,
}

impl Status {
    /// Something that is well.
    pub fn good(code: &str, description: &str) -> Status {
        Status { level: "status".to_owned(), code: code.to_owned(), description: description.to_owned() }
    }

    /// Something after which a client gives up.
    pub fn error(code: &str, description: &str) -> Status {
        Status { level: "error".to_owned(), ..Status::good(code, description) }
    }

    /// Whether a client is to give up.
    pub fn is_error(&self) -> bool {
        self.level == "error"
    }

    /// Reads an information object; what is missing stays empty.
    pub fn read(value: &Value) -> Status {
        let text = |name| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Status { level: text("level"), code: text("code"), description: text("description") }
    }

    /// The information object that says this, with `more` in it.
    pub fn value(&self, more: impl IntoIterator<Item = (String, Value)>) -> Value {
        let fields = [("level", &self.level), ("code", &self.code), ("description", &self.description)];
        let fields = fields.map(|(name, text)| (name.to_owned(), Value::String(text.clone())));
        Value::Object(fields.into_iter().chain(more).collect())
    }

    /// The `onStatus` that says this on `stream`.
    pub fn message(&self, stream: u32) -> Message {
        Command::new("onStatus", 0.0, [self.value([])]).message(stream)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.description.as_str() {
            "" => f.write_str(&self.code),
            description => write!(f, "{} ({description})", self.code),
        }
    }
}

/// The member of an error that tells where to go instead, as Adobe's and SRS's servers write it.
pub(crate) fn redirection(url: &str) -> (String, Value) {
    let fields = [("code", Value::Number(302.0)), ("redirect", Value::from(url))];
    ("ex".to_owned(), Value::object(fields))
}

/// Where an error says to go instead.
pub(crate) fn redirect_in(information: &Value) -> Option<String> {
    let redirect = information.get("ex")?.get("redirect")?.as_str()?;
    Some(redirect.to_owned())
}

pub(crate) const CONNECTED: &str = "NetConnection.Connect.Success";
pub(crate) const CONNECT_REJECTED: &str = "NetConnection.Connect.Rejected";
pub(crate) const RECONNECT: &str = "NetConnection.Connect.ReconnectRequest";
pub(crate) const PUBLISHING: &str = "NetStream.Publish.Start";
pub(crate) const PUBLISH_BAD_NAME: &str = "NetStream.Publish.BadName";
pub(crate) const PUBLISH_DENIED: &str = "NetStream.Publish.Denied";
pub(crate) const PUBLISH_REJECTED: &str = "NetStream.Publish.Rejected";
pub(crate) const UNPUBLISHED: &str = "NetStream.Unpublish.Success";
pub(crate) const PLAY_RESET: &str = "NetStream.Play.Reset";
pub(crate) const PLAYING: &str = "NetStream.Play.Start";
pub(crate) const PLAY_NOT_FOUND: &str = "NetStream.Play.StreamNotFound";
pub(crate) const PLAY_FAILED: &str = "NetStream.Play.Failed";
pub(crate) const PLAY_STOPPED: &str = "NetStream.Play.Stop";
pub(crate) const PLAY_COMPLETE: &str = "NetStream.Play.Complete";
pub(crate) const PLAY_UNPUBLISHED: &str = "NetStream.Play.UnpublishNotify";
pub(crate) const PAUSED: &str = "NetStream.Pause.Notify";
pub(crate) const UNPAUSED: &str = "NetStream.Unpause.Notify";
