//! JOIN_TEAM: the conversation of a peer with the splitter, and on wire B with the source.

use super::Config;
use crate::{
    Wire,
    wire::{Head, Welcome, b},
};
use bytes::{Bytes, BytesMut};
use levada_link::{StreamId, StreamInput, StreamOutput};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// What joining wants next.
#[derive(Debug)]
pub(super) enum Step {
    Stream(StreamId, StreamOutput),
    /// The team is known; chunks may come.
    Welcome(Welcome, Instant),
    /// It has joined, with this head.
    Done(Bytes),
    Failed(Instant),
}

/// Where it is.
#[derive(Debug)]
enum State {
    /// The splitter has not told all.
    Listening,
    /// The head is being fetched: so many bytes.
    Fetching(usize),
    Over,
}

pub(super) struct Join {
    wire: Wire,
    /// To the splitter, and to the source.
    splitter: StreamId,
    source: StreamId,
    state: State,
    heard: BytesMut,
    head: BytesMut,
    monitor: bool,
    deadline: Instant,
    steps: VecDeque<Step>,
}

impl Join {
    pub(super) fn new(config: &Config, [splitter, source]: [StreamId; 2], now: Instant) -> Join {
        let open = StreamOutput::Open { to: config.splitter };
        Join {
            wire: config.wire,
            splitter,
            source,
            state: State::Listening,
            heard: BytesMut::new(),
            head: BytesMut::new(),
            monitor: config.monitor,
            deadline: now + PATIENCE,
            steps: VecDeque::from([Step::Stream(splitter, open)]),
        }
    }

    /// The stream to the splitter.
    pub(super) fn stream(&self) -> StreamId {
        self.splitter
    }

    pub(super) fn poll(&mut self) -> Option<Step> {
        self.steps.pop_front()
    }

    pub(super) fn due(&self) -> Instant {
        self.deadline
    }

    pub(super) fn wake(&mut self, now: Instant) {
        if now < self.deadline {
            return;
        }
        match self.state {
            State::Listening => self.fail(now),
            // Better without a head than not at all: many containers repeat theirs.
            State::Fetching(_) => self.fetched(),
            State::Over => {}
        }
    }

    pub(super) fn handle(&mut self, now: Instant, id: StreamId, what: StreamInput) {
        match what {
            StreamInput::Opened { .. } if id == self.splitter => self.introduce(),
            StreamInput::Opened { .. } if id == self.source => {}
            StreamInput::Opened { .. } => self.say(id, StreamOutput::Close),
            StreamInput::Bytes(bytes) if id == self.splitter => self.listen(now, &bytes),
            StreamInput::Bytes(bytes) if id == self.source => self.fetch(&bytes),
            StreamInput::Closed(_) if id == self.splitter && matches!(self.state, State::Listening) => {
                self.fail(now)
            }
            StreamInput::Closed(_) if id == self.source && matches!(self.state, State::Fetching(_)) => {
                self.fetched()
            }
            StreamInput::Bytes(_) | StreamInput::Closed(_) => {}
        }
    }

    fn introduce(&mut self) {
        if self.wire == Wire::B {
            let letter = if self.monitor { b::MONITOR } else { b::PEER };
            self.say(self.splitter, StreamOutput::Bytes(Bytes::copy_from_slice(&[letter])));
        }
    }

    fn listen(&mut self, now: Instant, bytes: &[u8]) {
        if !matches!(self.state, State::Listening) {
            return;
        }
        self.heard.extend_from_slice(bytes);
        let welcome = match self.wire.read_welcome(&self.heard) {
            Ok(None) if self.heard.len() <= LONGEST => return,
            Ok(Some(welcome)) => welcome,
            Ok(None) | Err(_) => return self.fail(now),
        };
        let head = welcome.head.clone();
        self.steps.push_back(Step::Welcome(welcome, now));
        match head {
            Head::Told(head) => {
                self.head = head.into();
                self.fetched();
            }
            Head::At { size: 0, .. } => self.fetched(),
            Head::At { source, channel, size } => {
                self.state = State::Fetching(size.into());
                self.deadline = now + FETCH;
                self.say(self.source, StreamOutput::Open { to: source });
                let channel = channel.trim_start_matches('/');
                // HTTP/1.0, so that nobody cuts the body into chunks of its own.
                let request = format!("GET /{channel} HTTP/1.0\r\nHost: {source}\r\n\r\n");
                self.say(self.source, StreamOutput::Bytes(request.into()));
            }
        }
    }

    fn fetch(&mut self, bytes: &[u8]) {
        let State::Fetching(size) = self.state else { return };
        let missing = size.saturating_sub(self.head.len());
        self.head.extend_from_slice(&bytes[..bytes.len().min(missing)]);
        if self.head.len() >= size {
            self.fetched();
        }
    }

    /// All is there that will be.
    fn fetched(&mut self) {
        if matches!(self.state, State::Fetching(_)) {
            self.say(self.source, StreamOutput::Close);
        }
        match self.wire {
            Wire::A => self.say(self.splitter, StreamOutput::Close),
            // It stays open: by its end the splitter knows of this peer's.
            Wire::B => self.say(self.splitter, StreamOutput::Bytes(Bytes::copy_from_slice(&[b::READY]))),
        }
        self.state = State::Over;
        self.steps.push_back(Step::Done(self.head.split().freeze()));
    }

    fn fail(&mut self, now: Instant) {
        self.say(self.splitter, StreamOutput::Close);
        self.state = State::Over;
        self.steps.push_back(Step::Failed(now));
    }

    fn say(&mut self, id: StreamId, what: StreamOutput) {
        self.steps.push_back(Step::Stream(id, what));
    }
}

/// A splitter may take so long to tell all.
const PATIENCE: Duration = Duration::from_secs(2);
/// A source may take so long to give the head.
const FETCH: Duration = Duration::from_millis(1_500);
/// The longest welcome: a head and a list of peers as long as their counts allow.
const LONGEST: usize = 18 + 65_535 + 8 * 65_535;
