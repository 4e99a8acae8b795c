//! What clients ask of a server.

use crate::{Address, amf0::Value, capabilities::Capabilities};
use levada_media::container::flv::tag::Tag;

/// What happened on a server session.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The session waits for [`super::Session::accept`], [`super::Session::refuse`] or [`super::Session::redirect`].
    Request(Request),
    /// The publisher sent sound, a picture or data.
    Tag(Tag),
    /// The publisher ended its stream; the connection may go on.
    Unpublished,
    /// The player ended; the connection may go on.
    Stopped,
    /// The player paused (true) or goes on (false). One that is sent media nevertheless shows them.
    Paused(bool),
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// To be let in.
    Connect(Connect),
    /// To publish a stream.
    Publish(Publish),
    /// To play a stream.
    Play(Play),
}

/// What a client says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Connect {
    /// The application, as sent; often with parameters.
    pub app: String,
    /// The address it thinks it connects to, without the stream.
    pub tc_url: String,
    /// Which program it claims to be.
    pub flash_version: String,
    /// The page that it plays in, as players of old had.
    pub page_url: String,
    /// What it knows of enhanced RTMP.
    pub capabilities: Capabilities,
}

impl Connect {
    pub(super) fn read(properties: &Value) -> Connect {
        let text = |name| properties.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Connect {
            app: text("app"),
            tc_url: text("tcUrl"),
            flash_version: text("flashVer"),
            page_url: text("pageUrl"),
            capabilities: Capabilities::read(properties),
        }
    }

    pub(super) fn address(&self, name: &str) -> Address {
        Address::from_session(&self.tc_url, &self.app, name)
    }
}

/// A stream that a client wants to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Where, and with which key.
    pub address: Address,
    /// `live`, or `record` or `append` from clients of old; a server of live media treats all alike.
    pub mode: String,
}

/// A stream that a client wants to play.
#[derive(Clone, Debug, PartialEq)]
pub struct Play {
    /// Which, and with which token.
    pub address: Address,
    /// Where to start in milliseconds; -1000 and -2000 mean live.
    pub start: f64,
}
