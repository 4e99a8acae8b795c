//! What both ends of a connection do below the commands: greet, cut chunks, acknowledge, answer pings.

use crate::{chunk, handshake, message};
use bytes::{Bytes, BytesMut};
use message::{Control, Message, UserControl};
use std::time::Duration;

/// Why a connection cannot be read on: the peer's fault.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The greeting failed.
    #[error("bad handshake: {0}")]
    Handshake(#[from] handshake::Error),
    /// The chunks are damaged or too large.
    #[error("bad chunk: {0}")]
    Chunk(#[from] chunk::Error),
    /// A command is damaged.
    #[error("bad command: {0}")]
    Command(#[from] message::Error),
    /// A command that may not come at this point.
    #[error("the command {0:?} came out of order")]
    Order(String),
}

/// What went over a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes that came.
    pub received: u64,
    /// Bytes that the peer says it has got, modulo 2^32; many players never say.
    pub acknowledged: u32,
    /// Messages and commands that nobody here understands.
    pub ignored: u64,
}

/// The greeting of either end.
#[derive(Debug)]
pub(crate) enum Greeting {
    Server(handshake::Server),
    Client(handshake::Client),
}

#[derive(Debug)]
pub(crate) struct Wire {
    greeting: Option<Greeting>,
    /// What came before the greeting was over.
    early: BytesMut,
    chunks: chunk::Reader,
    out: BytesMut,
    out_size: u32,
    /// We acknowledge after so many bytes.
    window: u64,
    /// Received when we last did.
    told: u64,
    /// The window that we told the peer when it asked for one.
    promised: u32,
    pub stats: Stats,
    /// When bytes last came.
    pub heard: Duration,
    pinged: bool,
}

impl Wire {
    pub fn new(greeting: Greeting, limits: chunk::Limits, now: Duration) -> Wire {
        Wire {
            greeting: Some(greeting),
            early: BytesMut::new(),
            chunks: chunk::Reader::new(limits),
            out: BytesMut::new(),
            out_size: chunk::DEFAULT_SIZE,
            window: LONGEST_WINDOW,
            told: 0,
            promised: 0,
            stats: Stats::default(),
            heard: now,
            pinged: false,
        }
    }

    pub fn push(&mut self, now: Duration, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.heard = now;
        self.pinged = false;
        self.stats.received += bytes.len() as u64;
        match self.greeting {
            Some(_) => self.early.extend_from_slice(bytes),
            None => self.chunks.push(bytes),
        }
        if self.greeting.is_none() && self.stats.received - self.told >= self.window {
            self.told = self.stats.received;
            // the number wraps at 2^32 by design
            self.control(Control::Acknowledgement(self.told as u32));
        }
    }

    /// The next message that is not settled here.
    pub fn poll(&mut self) -> Result<Option<Message>, Error> {
        if !self.greet()? {
            return Ok(None);
        }
        while let Some(message) = self.chunks.poll()? {
            if !self.settle(&message) {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Goes on with the greeting; true when it is over.
    pub fn greet(&mut self) -> Result<bool, Error> {
        while let Some(greeting) = &mut self.greeting {
            let step = match greeting {
                Greeting::Server(server) => server.advance(&mut self.early),
                Greeting::Client(client) => client.advance(&mut self.early),
            };
            match step? {
                handshake::Step::More => return Ok(false),
                handshake::Step::Write(bytes) => self.out.extend_from_slice(&bytes),
                handshake::Step::Done => {
                    self.greeting = None;
                    self.chunks.push(&std::mem::take(&mut self.early));
                }
            }
        }
        Ok(true)
    }

    /// Whether the message was a matter of the wire only.
    fn settle(&mut self, message: &Message) -> bool {
        match Control::read(message) {
            Some(Control::ChunkSize(_)) => {}
            Some(Control::Acknowledgement(bytes)) => self.stats.acknowledged = bytes,
            Some(Control::WindowSize(bytes)) => self.window = u64::from(bytes).clamp(1, LONGEST_WINDOW),
            Some(Control::PeerBandwidth(bytes)) => self.promise(bytes),
            Some(Control::User(UserControl::PingRequest(number))) => {
                self.control(Control::User(UserControl::PingResponse(number)));
            }
            Some(Control::User(_)) => return false,
            None => return message.kind == message::ABORT,
        }
        true
    }

    /// RTMP 1.0, 5.4.5: a new limit is answered with the window that follows from it.
    fn promise(&mut self, bytes: u32) {
        if self.promised != bytes {
            self.promised = bytes;
            self.control(Control::WindowSize(bytes));
        }
    }

    pub fn control(&mut self, control: Control) {
        self.say(chunk::CONTROL, &control.message());
    }

    /// Tells the peer the size of our chunks, and cuts them so from then on.
    pub fn set_out_size(&mut self, size: u32) {
        self.control(Control::ChunkSize(size));
        self.out_size = size;
    }

    /// Sends a message of ours, which is never too long.
    pub fn say(&mut self, csid: u32, message: &Message) {
        let sent = self.send(csid, message);
        debug_assert!(sent.is_ok(), "our own messages are short");
    }

    /// Sends a message.
    pub fn send(&mut self, csid: u32, message: &Message) -> Result<(), chunk::Error> {
        chunk::write(&mut self.out, csid, self.out_size, message)
    }

    /// All that is to be written, once. Nothing of its memory stays here: a player that listens for hours says little.
    pub fn take_output(&mut self) -> Option<Bytes> {
        (!self.out.is_empty()).then(|| std::mem::take(&mut self.out).freeze())
    }

    pub fn set_limits(&mut self, limits: chunk::Limits) {
        self.chunks.set_limits(limits);
    }

    /// Bytes pushed and not yet looked at.
    pub fn unread(&self) -> usize {
        self.early.len() + self.chunks.unread()
    }

    /// Asks a peer that has been silent for `after` whether it is there, once per silence. Returns when to ask.
    pub fn ping(&mut self, now: Duration, after: Duration) -> Option<Duration> {
        if self.greeting.is_some() || self.pinged {
            return None;
        }
        let due = self.heard.saturating_add(after);
        if now < due {
            return Some(due);
        }
        self.pinged = true;
        // the number comes back in the answer; the time of asking is what others put there
        self.control(Control::User(UserControl::PingRequest(now.as_millis() as u32)));
        None
    }
}

/// Some encoders stall when their bytes are not acknowledged; what a peer asks for may only be shorter.
const LONGEST_WINDOW: u64 = 2_500_000;
