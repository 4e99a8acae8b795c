//! Why a server says no, and in which words, so that clients give up instead of trying again.

use crate::status::{self, Status};

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Wrong or missing key or token.
    Denied,
    /// Somebody else publishes there.
    Busy,
    /// There is no such stream or application.
    NotFound,
    /// The player cannot show this stream, or the server cannot serve it.
    Unsuitable,
}

/// What is asked for when the answer is no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Connect,
    Publish,
    Play,
}

impl Refusal {
    /// What the client is told.
    pub(crate) fn status(self, asked: Asked, description: &str) -> Status {
        let code = match (asked, self) {
            (Asked::Connect, _) => status::CONNECT_REJECTED,
            // OBS closes for good on Denied and Rejected, ffmpeg on every error
            (Asked::Publish, Refusal::Denied) => status::PUBLISH_DENIED,
            (Asked::Publish, Refusal::Busy) => status::PUBLISH_BAD_NAME,
            (Asked::Publish, Refusal::NotFound | Refusal::Unsuitable) => status::PUBLISH_REJECTED,
            (Asked::Play, Refusal::NotFound) => status::PLAY_NOT_FOUND,
            (Asked::Play, _) => status::PLAY_FAILED,
        };
        Status::error(code, description)
    }

    /// What a server meant by `status`. Servers that check passwords say so in the description only.
    pub(crate) fn of(status: &Status) -> Refusal {
        let says = |words: &[&str]| {
            let description = status.description.to_ascii_lowercase();
            words.iter().any(|word| description.contains(word))
        };
        match status.code.as_str() {
            status::PUBLISH_DENIED => Refusal::Denied,
            _ if says(&["authmod=", "code=403", "denied", "unauthori", "authent"]) => Refusal::Denied,
            status::PUBLISH_BAD_NAME => Refusal::Busy,
            status::PLAY_NOT_FOUND | INVALID_APP => Refusal::NotFound,
            _ => Refusal::Unsuitable,
        }
    }
}

const INVALID_APP: &str = "NetConnection.Connect.InvalidApp";
