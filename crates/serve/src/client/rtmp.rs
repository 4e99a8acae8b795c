//! A connection to an RTMP server: one stream is published on it or played from it.

mod feeder;

pub use feeder::Feeder;
pub use levada_rtmp::client::{Closed, Event, Role};

use super::http::{self, Client, Wire};
use bytes::{Buf, Bytes};
use levada_media::container::flv::tag::Tag;
use levada_rtmp::{
    Address, Refusal,
    client::{Config, Output, SendError, Session},
};
use std::{
    collections::VecDeque,
    io,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep_until, timeout},
};

/// A session and its socket.
pub struct Line {
    session: Session,
    wire: Wire,
    began: Instant,
    /// What the socket has not taken yet; at most one tag and what the protocol says beside it.
    unsent: Bytes,
    /// What happened while a tag was sent.
    events: VecDeque<Event>,
    buffer: Vec<u8>,
    stall: Duration,
}

/// Why a connection is over, or never was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no connection, or it broke.
    #[error(transparent)]
    Network(#[from] http::Error),
    /// The session ended.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// A tag cannot be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The server asks for another connection, to this address.
    #[error("the server asks for another connection, to {0}")]
    Moved(Box<Address>),
}

impl Error {
    /// Whether the key or token was not accepted.
    pub fn is_auth(&self) -> bool {
        matches!(self, Error::Closed(Closed::Refused { refusal: Refusal::Denied, .. }))
    }

    /// Whether trying again cannot help.
    pub fn is_final(&self) -> bool {
        match self {
            Error::Network(why) => why.is_final(),
            Error::Closed(Closed::Refused { refusal, .. }) => *refusal == Refusal::Denied,
            _ => false,
        }
    }

    /// Whether the stream was ended well by the server.
    pub fn is_end(&self) -> bool {
        matches!(self, Error::Closed(Closed::Ended))
    }
}

/// Where `event` sends a client of `address` that is to connect anew, if that is what it says.
pub fn sent_to(event: &Event, address: &Address) -> Option<Address> {
    let Event::Reconnect { tc_url, .. } = event else { return None };
    let to = tc_url.as_deref().filter(|url| !url.is_empty());
    to.map_or(Some(address.clone()), |url| address.moved(url))
}

impl Line {
    /// Connects, and waits until the stream has started.
    ///
    /// # Errors
    /// When there is no connection, or the server refuses.
    pub async fn connect(client: &Client, address: &Address, role: Role) -> Result<Line, Error> {
        let wire = client.dial(&address.host, address.port, address.secure).await?;
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|why| http::Error::Broken(io::Error::other(why)))?;
        let patience = client.patience();
        let config = Config { silence: patience.silence, patience: patience.answer, ..Config::default() };
        let seed = u64::from_ne_bytes(seed);
        let mut line = Line {
            session: Session::new(address.clone(), role, config, seed, Duration::ZERO),
            wire,
            began: Instant::now(),
            unsent: Bytes::new(),
            events: VecDeque::new(),
            buffer: vec![0; READ],
            stall: patience.silence,
        };
        while line.next().await? != Event::Started {}
        Ok(line)
    }

    /// What happens next; answers are written meanwhile. Can be dropped while it waits; nothing is lost.
    ///
    /// # Errors
    /// When the session or the connection is over; [`Closed::Ended`] is the good end.
    pub async fn next(&mut self) -> Result<Event, Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            self.flush().await?;
            let due = self.session.wake(self.began.elapsed());
            match self.session.poll() {
                Some(Output::Write(bytes)) => self.unsent = bytes,
                Some(Output::Event(event)) => return Ok(event),
                Some(Output::Close(why)) => return Err(why.into()),
                None => self.listen(due).await?,
            }
        }
    }

    /// Sends one tag of the stream that is published; gives how many bytes it took.
    ///
    /// # Errors
    /// When the stream is over, or the server takes nothing for too long.
    pub async fn send(&mut self, tag: &Tag) -> Result<usize, Error> {
        self.flush().await?;
        self.session.send(tag)?;
        let mut sent = 0;
        loop {
            match self.session.poll() {
                Some(Output::Write(bytes)) => {
                    sent += bytes.len();
                    self.unsent = bytes;
                    self.flush().await?;
                }
                Some(Output::Event(event)) => self.events.push_back(event),
                Some(Output::Close(why)) => return Err(why.into()),
                None => return Ok(sent),
            }
        }
    }

    /// Ends the stream well.
    pub async fn finish(mut self) {
        self.session.finish();
        let bye = async {
            while self.next().await.is_ok() {}
            self.wire.shutdown().await?;
            while self.wire.read(&mut self.buffer).await? > 0 {}
            Ok::<_, io::Error>(())
        };
        let _anyway = timeout(GOODBYE, bye).await;
    }

    async fn flush(&mut self) -> Result<(), http::Error> {
        while !self.unsent.is_empty() {
            let written = timeout(self.stall, self.wire.write(&self.unsent)).await;
            match written.map_err(|_| http::Error::Patience("progress"))?.map_err(http::Error::Broken)? {
                0 => return Err(http::Error::Closed),
                written => self.unsent.advance(written),
            }
            self.wire.flush().await.map_err(http::Error::Broken)?;
        }
        Ok(())
    }

    /// Reads once, or until the session wants to be woken.
    async fn listen(&mut self, due: Option<Duration>) -> Result<(), http::Error> {
        let due = self.began + due.unwrap_or(self.began.elapsed() + SELDOM);
        tokio::select! {
            read = self.wire.read(&mut self.buffer) => match read.map_err(http::Error::Broken)? {
                0 => return Err(http::Error::Ended),
                read => self.session.push(self.began.elapsed(), &self.buffer[..read]),
            },
            () = sleep_until(due.into()) => {}
        }
        Ok(())
    }
}

/// One read: a few pictures.
const READ: usize = 64 * 1024;
/// A publisher's server has nothing to say.
const SELDOM: Duration = Duration::from_secs(3_600);
/// How long the server may take for the end.
const GOODBYE: Duration = Duration::from_secs(1);
