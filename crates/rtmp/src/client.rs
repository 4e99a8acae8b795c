//! The client's end of a connection.

mod commands;

pub use crate::wire::Stats;

use crate::{
    Address, Capabilities, Refusal, Status, chunk,
    ending::Ending,
    handshake,
    message::{self, Aggregate, Command, Control, Message, UserControl},
    tag, wire,
    wire::{Greeting, Wire},
};
use bytes::Bytes;
use levada_media::container::flv::tag::Tag;
use std::{collections::VecDeque, time::Duration};

/// A connection that publishes one stream or plays one.
///
/// The owner connects, pushes what the socket gives and polls until `None`, beginning before the first byte has come.
/// A publisher waits for [`Event::Started`], then sends its tags.
///
/// ```
/// use levada_rtmp::client::{Config, Output, Role, Session};
/// use std::time::Duration;
/// let address = "rtmp://127.0.0.1/live/tea".parse().unwrap();
/// let mut session = Session::new(address, Role::Play, Config::default(), 7, Duration::ZERO);
/// let Some(Output::Write(hello)) = session.poll() else { panic!("a client speaks first") };
/// assert_eq!(hello.len(), 1537);
/// ```
#[derive(Debug)]
pub struct Session {
    address: Address,
    role: Role,
    config: Config,
    wire: Wire,
    since: Duration,
    phase: Phase,
    /// The number of the call that was made last.
    call: f64,
    server: Capabilities,
    events: VecDeque<Event>,
    ending: Ending<Closed>,
}

/// What a client connects for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// To send a stream.
    Publish,
    /// To get one.
    Play,
}

/// What may be set of a session.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to greet. Default: digest, which some servers want and all others understand.
    pub handshake: handshake::Style,
    /// Whether to say what we know of enhanced RTMP. Default: yes.
    pub enhanced: bool,
    /// What the server may make us hold. Default: [`chunk::Limits::default`].
    pub limits: chunk::Limits,
    /// How much a player says that it buffers. Default: 3 s.
    pub buffer: Duration,
    /// How long it may take until the stream starts. Default: 15 s.
    pub patience: Duration,
    /// After how much silence a server that should send a stream is taken for dead. Default: 30 s.
    pub silence: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            handshake: handshake::Style::Digest,
            enhanced: true,
            limits: chunk::Limits::default(),
            buffer: Duration::from_secs(3),
            patience: Duration::from_secs(15),
            silence: Duration::from_secs(30),
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

/// What happened on a client session.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The server publishes or plays the stream from now on.
    Started,
    /// The player got sound, a picture or data.
    Tag(Tag),
    /// The server asks us to connect anew, at the next key frame (enhanced RTMP v2).
    Reconnect {
        /// Where to, absolute or relative to the present address; the same server if it is not said.
        tc_url: Option<String>,
        /// Why, for people.
        description: String,
    },
}

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Closed {
    /// The server's bytes cannot be read on.
    #[error(transparent)]
    Malformed(#[from] wire::Error),
    /// The server said no.
    #[error("the server refused: {status}")]
    Refused {
        /// Why, as far as its words can be understood.
        refusal: Refusal,
        /// What it said.
        status: Status,
    },
    /// The stream is elsewhere.
    #[error("the stream is at another address")]
    Redirected(String),
    /// The stream did not start in time.
    #[error("the stream did not start within {0:?}")]
    Slow(Duration),
    /// The stream fell silent.
    #[error("the server was silent for {0:?}")]
    Silent(Duration),
    /// The stream is over, or the owner ended it.
    #[error("ended")]
    Ended,
}

/// How far the conversation is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Greeting,
    Connecting,
    Creating { call: f64 },
    Starting { stream: u32 },
    Running { stream: u32 },
}

/// Why a tag cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The session does not publish, not yet or no longer.
    #[error("nothing is being published")]
    Idle,
    /// The tag is too long.
    #[error(transparent)]
    Chunk(#[from] chunk::Error),
}

impl Session {
    /// A session with `address` that begins at `now`; moments are counted from wherever the owner likes. Chance
    /// comes from `seed`.
    pub fn new(address: Address, role: Role, config: Config, seed: u64, now: Duration) -> Session {
        let greeting = Greeting::Client(handshake::Client::new(config.handshake, seed));
        Session {
            address,
            role,
            wire: Wire::new(greeting, config.limits, now),
            config,
            since: now,
            phase: Phase::Greeting,
            call: 0.0,
            server: Capabilities::default(),
            events: VecDeque::new(),
            ending: Ending::Open,
        }
    }

    /// Takes what the server sent; nothing once the session is closed.
    pub fn push(&mut self, now: Duration, bytes: &[u8]) {
        if self.ending.is_open() {
            self.wire.push(now, bytes);
        }
    }

    /// The next thing to do, `None` when more bytes or time are needed.
    pub fn poll(&mut self) -> Option<Output> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(Output::Event(event));
            }
            if !self.ending.is_open() || !self.advance() {
                break;
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
        let Config { patience, silence, .. } = self.config;
        let (due, reason) = match (self.phase, self.role) {
            (Phase::Running { .. }, Role::Play) => {
                (self.wire.heard.saturating_add(silence), Closed::Silent(silence))
            }
            // servers have nothing to say to a publisher
            (Phase::Running { .. }, Role::Publish) => return None,
            _ => (self.since.saturating_add(patience), Closed::Slow(patience)),
        };
        if now < due {
            return Some(due);
        }
        self.close(reason);
        None
    }

    /// Sends a tag of the stream that is published; poll for the bytes.
    ///
    /// # Errors
    /// When the stream has not started or is over, or the tag is too long.
    pub fn send(&mut self, tag: &Tag) -> Result<(), SendError> {
        let (Phase::Running { stream }, Role::Publish, true) = (self.phase, self.role, self.ending.is_open())
        else {
            return Err(SendError::Idle);
        };
        let (csid, message) = tag::write(&tag::for_publishing(tag), stream);
        self.wire.send(csid, &message)?;
        Ok(())
    }

    /// Ends the stream well.
    pub fn finish(&mut self) {
        if let Phase::Running { stream } | Phase::Starting { stream } = self.phase {
            if self.role == Role::Publish {
                self.call("FCUnpublish", [self.address.stream_key().as_str().into()], 0);
            }
            self.call("deleteStream", [f64::from(stream).into()], 0);
        }
        self.close(Closed::Ended);
    }

    /// What the server said that it knows of enhanced RTMP.
    pub fn server(&self) -> &Capabilities {
        &self.server
    }

    /// What went over the connection.
    pub fn stats(&self) -> Stats {
        self.wire.stats
    }

    /// Goes one message further; false when there is none.
    fn advance(&mut self) -> bool {
        match self.next() {
            Ok(Some(message)) => self.message(&message),
            Ok(None) => return false,
            Err(error) => self.close(error.into()),
        }
        true
    }

    /// The next message; `connect` is said as soon as the greeting is over.
    fn next(&mut self) -> Result<Option<Message>, wire::Error> {
        if self.phase == Phase::Greeting && self.wire.greet()? {
            self.phase = Phase::Connecting;
            self.connect();
        }
        self.wire.poll()
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

    fn media(&mut self, message: &Message) {
        let talk = |tag: &Tag| NOT_MEDIA.iter().any(|name| tag.payload.starts_with(name));
        let tag = tag::read(message).filter(|tag| self.role == Role::Play && !talk(tag));
        match tag {
            Some(tag) if tag.payload.starts_with(PLAY_STATUS) => self.play_status(&tag),
            Some(tag) => self.events.push_back(Event::Tag(tag)),
            None => self.wire.stats.ignored += u64::from(message.kind != message::USER_CONTROL),
        }
    }

    /// Calls `name` on `stream` and returns the number of the call.
    fn call<const N: usize>(&mut self, name: &str, arguments: [crate::amf0::Value; N], stream: u32) -> f64 {
        self.call += 1.0;
        let csid = if stream == 0 { chunk::COMMAND } else { chunk::STATUS };
        self.wire.say(csid, &Command::new(name, self.call, arguments).message(stream));
        self.call
    }

    fn close(&mut self, reason: Closed) {
        self.ending.close(reason);
    }

    fn tell_buffer(&mut self, stream: u32) {
        let millis = u32::try_from(self.config.buffer.as_millis()).unwrap_or(u32::MAX);
        self.wire.control(Control::User(UserControl::BufferLength { stream, millis }));
    }
}

/// Data of the protocol itself: the security of Flash, and a status that data begin.
const NOT_MEDIA: [&[u8]; 2] = [b"\x02\0\x11|RtmpSampleAccess", b"\x02\0\x08onStatus"];
const PLAY_STATUS: &[u8] = b"\x02\0\x0conPlayStatus";
