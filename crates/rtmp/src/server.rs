//! The server's end of a connection.

mod commands;
mod request;

pub use crate::wire::Stats;
pub use request::{Connect, Event, Play, Publish, Request};

use crate::{
    capabilities::Capabilities,
    chunk,
    ending::Ending,
    handshake,
    message::{self, Aggregate, Command, Control, Message, UserControl},
    refusal::{Asked, Refusal},
    status::{self, Status},
    tag, wire,
    wire::{Greeting, Wire},
};
use bytes::Bytes;
use std::{collections::VecDeque, time::Duration};

/// One client's connection, from the first byte to the last.
///
/// The owner pushes what the socket gives and polls until `None`; what comes out is to be written, to be decided,
/// or to be passed on. A whole burst of answers comes out as one write. While a request waits for its decision
/// ([`Session::is_waiting`]) nothing else is read, and the owner had better leave the socket alone as well.
///
/// Media for a player do not pass through here: once its `play` is accepted and the answer written, the owner
/// writes the bytes of [`chunk::Serialized`] messages, the same for all players, between the writes of the session.
#[derive(Debug)]
pub struct Session {
    config: Config,
    wire: Wire,
    since: Duration,
    client: Option<Connect>,
    waiting: Option<Waiting>,
    active: Option<Active>,
    /// Message streams that the client made and did not delete.
    streams: Vec<u32>,
    events: VecDeque<Event>,
    ending: Ending<Closed>,
}

/// What may be set of a session.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// What a publisher may make us hold. Default: [`chunk::Limits::default`].
    pub limits: chunk::Limits,
    /// The same before it was let publish. Default: [`chunk::Limits::STRANGER`].
    pub stranger: chunk::Limits,
    /// After how many bytes we want acknowledgements. Default: 2,500,000.
    pub window: u32,
    /// How long a client may take until it publishes or plays. Default: 15 s.
    pub patience: Duration,
    /// After how much silence a client is asked whether it is there. Default: 30 s.
    pub ping: Duration,
    /// After how much silence a publisher is taken for dead. Default: 90 s.
    pub silence: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            limits: chunk::Limits::default(),
            stranger: chunk::Limits::STRANGER,
            window: 2_500_000,
            patience: Duration::from_secs(15),
            ping: Duration::from_secs(30),
            silence: Duration::from_secs(90),
        }
    }
}

/// What comes out of a session.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// To the socket.
    Write(Bytes),
    /// For the owner.
    Event(Event),
    /// Close the socket when all that came before is written. Nothing follows.
    Close(Closed),
}

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Closed {
    /// The client's bytes cannot be read on.
    #[error(transparent)]
    Malformed(#[from] wire::Error),
    /// It sent too much while its request was waiting.
    #[error("more than {MAX_UNREAD} bytes came while a request was waiting")]
    Flood,
    /// It neither published nor played in time.
    #[error("nothing was published or played within {0:?}")]
    Slow(Duration),
    /// The publisher fell silent.
    #[error("the publisher was silent for {0:?}")]
    Silent(Duration),
    /// Its request was refused.
    #[error("refused: {0}")]
    Refused(Status),
    /// It was sent elsewhere.
    #[error("redirected")]
    Redirected,
    /// The owner ended it.
    #[error("ended")]
    Ended,
}

/// A request whose decision is outstanding.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Waiting {
    Connect { transaction: f64 },
    Publish { stream: u32 },
    Play { stream: u32 },
}

/// What the client does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Active {
    Publishing { stream: u32 },
    Playing { stream: u32 },
}

impl Waiting {
    fn asked(self) -> Asked {
        match self {
            Waiting::Connect { .. } => Asked::Connect,
            Waiting::Publish { .. } => Asked::Publish,
            Waiting::Play { .. } => Asked::Play,
        }
    }
}

impl Session {
    /// A session that begins at `now`; moments are counted from wherever the owner likes. Chance comes from `seed`.
    pub fn new(config: Config, seed: u64, now: Duration) -> Session {
        let greeting = Greeting::Server(handshake::Server::new(seed));
        Session {
            config,
            wire: Wire::new(greeting, config.stranger, now),
            since: now,
            client: None,
            waiting: None,
            active: None,
            streams: Vec::new(),
            events: VecDeque::new(),
            ending: Ending::Open,
        }
    }

    /// Takes what the client sent; nothing once the session is closed.
    pub fn push(&mut self, now: Duration, bytes: &[u8]) {
        if !self.ending.is_open() {
            return;
        }
        self.wire.push(now, bytes);
        if self.waiting.is_some() && self.wire.unread() > MAX_UNREAD {
            self.close(Closed::Flood);
        }
    }

    /// The next thing to do, `None` when more bytes, time or a decision is needed.
    pub fn poll(&mut self) -> Option<Output> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(Output::Event(event));
            }
            if self.waiting.is_some() || !self.ending.is_open() {
                break;
            }
            match self.wire.poll() {
                Ok(Some(message)) => self.message(&message),
                Ok(None) => break,
                Err(error) => self.close(error.into()),
            }
        }
        if let Some(bytes) = self.wire.take_output() {
            return Some(Output::Write(bytes));
        }
        self.ending.take().map(Output::Close)
    }

    /// Does what is due at `now` and says when to call again; poll afterwards.
    pub fn wake(&mut self, now: Duration) -> Option<Duration> {
        if !self.ending.is_open() {
            return None;
        }
        let Config { patience, silence, ping, .. } = self.config;
        let deadline = match self.active {
            None if self.waiting.is_some() => None,
            None => Some((self.since.saturating_add(patience), Closed::Slow(patience))),
            Some(Active::Publishing { .. }) => {
                Some((self.wire.heard.saturating_add(silence), Closed::Silent(silence)))
            }
            // many players never say a word; one that is gone stops reading, which its owner notices
            Some(Active::Playing { .. }) => None,
        };
        let asked = self.wire.ping(now, ping);
        match deadline {
            Some((due, reason)) if now >= due => {
                self.close(reason);
                None
            }
            Some((due, _)) => Some(asked.map_or(due, |asked| asked.min(due))),
            None => asked,
        }
    }

    /// Whether a request waits for its decision.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// What the client said of itself, once it did.
    pub fn client(&self) -> Option<&Connect> {
        self.client.as_ref()
    }

    /// What went over the connection.
    pub fn stats(&self) -> Stats {
        self.wire.stats
    }

    /// Grants the request that waits.
    pub fn accept(&mut self) {
        match self.waiting.take() {
            Some(Waiting::Connect { transaction }) => self.accept_connect(transaction),
            Some(Waiting::Publish { stream }) => self.accept_publish(stream),
            Some(Waiting::Play { stream }) => self.accept_play(stream),
            None => {}
        }
    }

    /// Refuses the request that waits, for a reason that people may read, and closes.
    pub fn refuse(&mut self, refusal: Refusal, description: &str) {
        let Some(waiting) = self.waiting.take() else { return };
        let status = refusal.status(waiting.asked(), description);
        self.reject(waiting, &status, None);
        self.close(Closed::Refused(status));
    }

    /// Sends the client whose request waits to another address, and closes.
    pub fn redirect(&mut self, url: &str) {
        let Some(waiting) = self.waiting.take() else { return };
        let status = Status::error(status::CONNECT_REJECTED, "the stream is elsewhere");
        self.reject(waiting, &status, Some(url));
        self.close(Closed::Redirected);
    }

    /// Asks the client to connect anew, to `tc_url` if it is another server, while this connection goes on
    /// (enhanced RTMP v2, for draining). False if the client does not know how.
    pub fn reconnect(&mut self, tc_url: Option<&str>, description: &str) -> bool {
        if !self.client.as_ref().is_some_and(|client| client.capabilities.reconnect) {
            return false;
        }
        let status = Status::good(status::RECONNECT, description);
        let more = tc_url.map(|url| ("tcUrl".to_owned(), url.into()));
        self.say(&Command::new("onStatus", 0.0, [status.value(more)]), 0);
        true
    }

    /// Ends the session well: a player is told that the stream is over, a publisher that it must stop.
    pub fn end(&mut self, description: &str) {
        match self.active.take() {
            Some(Active::Playing { stream }) => self.end_play(stream, description),
            Some(Active::Publishing { stream }) => {
                self.wire.say(
                    chunk::STATUS,
                    &Status::error(status::PUBLISH_REJECTED, description).message(stream),
                );
            }
            None => {}
        }
        self.close(Closed::Ended);
    }

    fn accept_connect(&mut self, transaction: f64) {
        self.wire.control(Control::WindowSize(self.config.window));
        self.wire.control(Control::PeerBandwidth(self.config.window));
        self.wire.set_out_size(chunk::OUT_SIZE);
        let mut properties =
            vec![("fmsVer".to_owned(), "FMS/3,0,1,123".into()), ("capabilities".to_owned(), 31.0.into())];
        if self.client.as_ref().is_some_and(|client| client.capabilities.is_enhanced()) {
            properties.extend(Capabilities::ours().write());
        }
        let status = Status::good(status::CONNECTED, "Connection succeeded.");
        let information = status.value([("objectEncoding".to_owned(), 0.0.into())]);
        let arguments = vec![crate::amf0::Value::Object(properties), information];
        self.say(&Command { name: "_result".to_owned(), transaction, arguments }, 0);
    }

    fn accept_publish(&mut self, stream: u32) {
        self.active = Some(Active::Publishing { stream });
        self.wire.set_limits(self.config.limits);
        self.status(stream, status::PUBLISHING, "publishing");
    }

    /// In the order in which players have always been told.
    fn accept_play(&mut self, stream: u32) {
        self.active = Some(Active::Playing { stream });
        self.wire.control(Control::User(UserControl::StreamBegin(stream)));
        self.status(stream, status::PLAY_RESET, "playing anew");
        self.status(stream, status::PLAYING, "playing live");
        self.wire.say(chunk::DATA, &commands::data(stream, "|RtmpSampleAccess", [true.into(), true.into()]));
    }

    fn end_play(&mut self, stream: u32, description: &str) {
        self.wire.control(Control::User(UserControl::StreamEof(stream)));
        self.status(stream, status::PLAY_UNPUBLISHED, description);
        let complete = Status::good(status::PLAY_COMPLETE, description).value([]);
        self.wire.say(chunk::DATA, &commands::data(stream, "onPlayStatus", [complete]));
    }

    /// Says no to `waiting`: to `connect` as its answer, to the others on their stream.
    fn reject(&mut self, waiting: Waiting, status: &Status, redirect: Option<&str>) {
        let information = status.value(redirect.map(status::redirection));
        let (name, transaction, stream) = match waiting {
            Waiting::Connect { transaction } => ("_error", transaction, 0),
            Waiting::Publish { stream } | Waiting::Play { stream } => ("onStatus", 0.0, stream),
        };
        self.say(&Command::new(name, transaction, [information]), stream);
    }

    fn status(&mut self, stream: u32, code: &str, description: &str) {
        self.wire.say(chunk::STATUS, &Status::good(code, description).message(stream));
    }

    fn say(&mut self, command: &Command, stream: u32) {
        let csid = if stream == 0 { chunk::COMMAND } else { chunk::STATUS };
        self.wire.say(csid, &command.message(stream));
    }

    fn close(&mut self, reason: Closed) {
        self.ending.close(reason);
    }

    fn message(&mut self, message: &Message) {
        match message.kind {
            message::COMMAND | message::COMMAND_AMF3 => {
                if let Err(error) = self.command(message) {
                    self.close(error.into());
                }
            }
            message::AGGREGATE => Aggregate::new(message).for_each(|part| self.media(&part)),
            _ => self.media(message),
        }
    }

    /// Passes on what a publisher sends; from others it is nothing.
    fn media(&mut self, message: &Message) {
        match (self.active, tag::read(message)) {
            (Some(Active::Publishing { .. }), Some(tag)) => self.events.push_back(Event::Tag(tag)),
            _ => self.wire.stats.ignored += u64::from(message.kind != message::USER_CONTROL),
        }
    }
}

/// Bytes that may lie unread while a request waits; encoders wait for the answer, so this is for overlap only.
pub const MAX_UNREAD: usize = 64 * 1024;
