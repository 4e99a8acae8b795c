//! A session and its socket: what one says, the other writes.

use crate::{
    conn::Stream,
    egress::{Farewell, Transport},
};
use bytes::{Buf, Bytes};
use levada_rtmp::server::{Closed, Config, Event, Output, Session};
use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep_until, timeout},
};

/// One client's connection.
pub(super) struct Talk {
    /// What is said.
    pub(super) session: Session,
    /// The other end.
    pub(super) peer: SocketAddr,
    stream: Stream,
    began: Instant,
    /// Answers that the socket has not taken yet. Nothing is read meanwhile, so they do not grow.
    unsent: Bytes,
    buffer: Vec<u8>,
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Gone {
    /// The session closed it.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The client did.
    #[error("the client left")]
    Left,
    /// The client does not read our answers.
    #[error("the client does not read")]
    Deaf,
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Talk {
    /// Begins to talk.
    pub(super) fn new(stream: Stream, peer: SocketAddr) -> io::Result<Talk> {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(io::Error::other)?;
        Ok(Talk {
            session: Session::new(Config::default(), u64::from_ne_bytes(seed), Duration::ZERO),
            peer,
            stream,
            began: Instant::now(),
            unsent: Bytes::new(),
            buffer: vec![0; STRANGER],
        })
    }

    /// The next event; answers are written meanwhile. Can be dropped while it waits; nothing is lost. A request is to
    /// be decided before the next call.
    pub(super) async fn next(&mut self) -> Result<Event, Gone> {
        loop {
            self.flush().await?;
            let now = self.began.elapsed();
            let due = self.session.wake(now);
            match self.session.poll() {
                Some(Output::Write(bytes)) => self.unsent = bytes,
                Some(Output::Event(event)) => return Ok(event),
                Some(Output::Close(why)) => {
                    self.hang_up().await;
                    return Err(why.into());
                }
                None => self.listen(due).await?,
            }
        }
    }

    /// Reads more at once from now on: it is an encoder.
    pub(super) fn widen(&mut self) {
        self.buffer = vec![0; READ];
    }

    /// Ends the session well, and the connection.
    pub(super) async fn end(mut self, why: &str) {
        self.session.end(why);
        while self.next().await.is_ok() {}
    }

    /// Accepts the player that waits. Gives its connection, what it must be told first, and last: one that knows how
    /// is asked to connect anew when the server stops.
    pub(super) fn hand_over(mut self, farewell: &str) -> io::Result<(Transport, Bytes, Farewell)> {
        self.session.accept();
        let greeting = written(&mut self.session);
        let drains = self.session.reconnect(None, STOPS);
        let again = written(&mut self.session);
        self.session.end(farewell);
        let ended = written(&mut self.session);
        let draining = drains.then(|| [again, ended.clone()].concat().into());
        Ok((self.stream.into_transport()?, greeting, Farewell { ended, draining }))
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        while !self.unsent.is_empty() {
            let written =
                timeout(PATIENCE, self.stream.write(&self.unsent)).await.map_err(|_| Gone::Deaf)??;
            self.unsent.advance(written);
            self.stream.flush().await?; // TLS holds back what the socket did not take
        }
        Ok(())
    }

    /// Reads once, or until the session wants to be woken.
    async fn listen(&mut self, due: Option<Duration>) -> Result<(), Gone> {
        let due = self.began + due.unwrap_or(self.began.elapsed() + PATIENCE);
        tokio::select! {
            read = self.stream.read(&mut self.buffer) => match read? {
                0 => return Err(Gone::Left),
                read => self.session.push(self.began.elapsed(), &self.buffer[..read]),
            },
            () = sleep_until(due.into()) => {}
        }
        Ok(())
    }

    /// Closes our side, and waits a moment for the client to close its own: what is unread would turn our last words
    /// into a reset.
    async fn hang_up(&mut self) {
        let bye = async {
            self.stream.shutdown().await?;
            while self.stream.read(&mut self.buffer).await? > 0 {}
            Ok::<_, io::Error>(())
        };
        let _anyway = timeout(FAREWELL, bye).await;
    }
}

/// All that a session has to write now.
fn written(session: &mut Session) -> Bytes {
    let mut all = Vec::new();
    while let Some(output) = session.poll() {
        if let Output::Write(bytes) = output {
            all.extend_from_slice(&bytes);
        }
    }
    all.into()
}

/// Why clients are to connect anew.
pub(super) const STOPS: &str = "the server stops";
/// One read before it is known what a client wants; a player says no more than this, and has it for a moment only.
const STRANGER: usize = 4 * 1024;
/// One read of an encoder: a few pictures.
const READ: usize = 64 * 1024;
/// How long a client may take to read a few hundred bytes.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may take to close after we did.
const FAREWELL: Duration = Duration::from_secs(2);
