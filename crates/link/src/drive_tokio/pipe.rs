//! A machine's stream over TCP: a task that reads, and one that writes.

use super::{Arrival, STREAM_BUFFER};
use crate::machine::{Closed, StreamId, StreamInput};
use bytes::{Bytes, BytesMut};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

/// The driver's end of a stream. Dropping it cuts the stream off.
#[derive(Debug)]
pub(super) struct Pipe {
    serial: u64,
    /// To the task that writes; unbounded in messages, since it is bounded in bytes.
    out: Option<mpsc::UnboundedSender<Bytes>>,
    /// The weight of what has not left: at most [`STREAM_BUFFER`].
    unsent: Arc<AtomicUsize>,
    /// The task, to be aborted unless it may finish.
    task: Option<AbortHandle>,
}

/// What both tasks need to tell the driver something.
#[derive(Clone)]
struct Teller {
    id: StreamId,
    serial: u64,
    arrive: mpsc::Sender<Arrival>,
}

impl Pipe {
    /// Opens a stream to `to`, from a certain address if one is given.
    pub(super) fn connect(
        id: StreamId,
        to: SocketAddr,
        from: Option<SocketAddr>,
        arrive: mpsc::Sender<Arrival>,
        tasks: &mut JoinSet<()>,
    ) -> Pipe {
        Pipe::new(id, arrive, tasks, move |teller, out, unsent| async move {
            let connected = tokio::time::timeout(PATIENCE, connect(from, to)).await;
            let Ok(Ok(stream)) = connected else {
                return teller.tell(StreamInput::Closed(Closed::Refused)).await;
            };
            teller.tell(StreamInput::Opened { peer: to }).await;
            carry(stream, teller, out, unsent).await;
        })
    }

    /// Takes a stream that another opened.
    pub(super) fn accept(
        id: StreamId,
        stream: TcpStream,
        arrive: mpsc::Sender<Arrival>,
        tasks: &mut JoinSet<()>,
    ) -> Pipe {
        Pipe::new(id, arrive, tasks, move |teller, out, unsent| carry(stream, teller, out, unsent))
    }

    fn new<F>(
        id: StreamId,
        arrive: mpsc::Sender<Arrival>,
        tasks: &mut JoinSet<()>,
        task: impl FnOnce(Teller, mpsc::UnboundedReceiver<Bytes>, Arc<AtomicUsize>) -> F,
    ) -> Pipe
    where
        F: Future<Output = ()> + Send + 'static,
    {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let (out, leaves) = mpsc::unbounded_channel();
        let unsent = Arc::new(AtomicUsize::new(0));
        let task = tasks.spawn(task(Teller { id, serial, arrive }, leaves, unsent.clone()));
        Pipe { serial, out: Some(out), unsent, task: Some(task) }
    }

    /// Tells this stream from an earlier one under its id.
    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    /// Sends bytes as soon as they can leave; false where too many wait already.
    pub(super) fn write(&mut self, bytes: Bytes) -> bool {
        let weight = weight(&bytes);
        let waiting = self.unsent.fetch_add(weight, Ordering::AcqRel) + weight;
        if let Some(out) = &self.out {
            // The task has told that the stream is over where this fails.
            let _ = out.send(bytes);
        }
        waiting <= STREAM_BUFFER
    }

    /// Ends the stream once all bytes have left.
    pub(super) fn close(mut self) {
        (self.out, self.task) = (None, None);
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

impl Teller {
    async fn tell(&self, what: StreamInput) {
        // Nobody listens once the driver has ended.
        let _ = self.arrive.send(Arrival { id: self.id, serial: self.serial, what }).await;
    }
}

async fn connect(from: Option<SocketAddr>, to: SocketAddr) -> io::Result<TcpStream> {
    match from {
        Some(from) => bound(from)?.connect(to).await,
        None => TcpStream::connect(to).await,
    }
}

/// A socket at an address that others of this program may have too, for other streams.
pub(super) fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Reads and writes until either is over.
async fn carry(
    stream: TcpStream,
    teller: Teller,
    out: mpsc::UnboundedReceiver<Bytes>,
    unsent: Arc<AtomicUsize>,
) {
    // Small messages go at once; a stream that cannot do that goes on as it is.
    let _ = stream.set_nodelay(true);
    let (mut reader, writer) = stream.into_split();
    tokio::select! {
        why = read(&mut reader, &teller) => return teller.tell(StreamInput::Closed(why)).await,
        sent = write(writer, out, &unsent) => {
            if sent.is_err() {
                return teller.tell(StreamInput::Closed(Closed::Lost)).await;
            }
        }
    }
    // A socket closed with something unread resets the stream, and what was sent last may be lost by it.
    let _ = tokio::time::timeout(PATIENCE, tokio::io::copy(&mut reader, &mut tokio::io::sink())).await;
}

/// Reads until the peer is done: why.
async fn read(reader: &mut OwnedReadHalf, teller: &Teller) -> Closed {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(READ);
        match reader.read_buf(&mut buffer).await {
            Ok(0) => return Closed::ByPeer,
            Ok(_) => teller.tell(StreamInput::Bytes(buffer.split().freeze())).await,
            Err(_) => return Closed::Lost,
        }
    }
}

/// Writes until the driver closes the stream, and then says so to the peer.
async fn write(
    mut writer: OwnedWriteHalf,
    mut out: mpsc::UnboundedReceiver<Bytes>,
    unsent: &AtomicUsize,
) -> std::io::Result<()> {
    while let Some(bytes) = out.recv().await {
        writer.write_all(&bytes).await?;
        unsent.fetch_sub(weight(&bytes), Ordering::AcqRel);
    }
    writer.shutdown().await
}

/// What a message weighs while it waits, so that very short ones are not free.
fn weight(bytes: &Bytes) -> usize {
    bytes.len() + 64
}

/// How long a peer may take to accept a stream, and to end it after us.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much is read at once at most.
const READ: usize = 16 << 10;
