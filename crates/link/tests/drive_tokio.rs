//! The tokio driver over loopback.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)] // A test with real sockets and a real clock.

use bytes::Bytes;
use levada_link::drive_tokio::{Driver, Remote, Sockets};
use levada_link::machine::Closed;
use levada_link::{Input, Machine, Output, StreamId, StreamInput, StreamOutput, Transmit};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Does what it is told, and tells of everything.
#[derive(Default)]
struct Puppet {
    outputs: VecDeque<Output<Input>>,
}

impl Machine for Puppet {
    type Event = Input;

    fn handle(&mut self, _: Instant, input: Input) {
        self.outputs.push_back(Output::Event(input));
    }

    fn poll(&mut self, _: Instant) -> Output<Input> {
        self.outputs.pop_front().unwrap_or(Output::Wait(None))
    }
}

/// A running puppet.
struct Peer {
    remote: Remote<Puppet>,
    told: mpsc::UnboundedReceiver<Input>,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<Puppet>>,
}

impl Peer {
    async fn start() -> Peer {
        let sockets = Sockets::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let driver = Driver::new(Puppet::default(), sockets);
        let (remote, address) = (driver.remote(), driver.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::unbounded_channel();
        let task = tokio::spawn(driver.run(async { drop(stopped.await) }, move |event| {
            if event != Input::Wake {
                drop(tell.send(event));
            }
        }));
        Peer { remote, told, address, stop, task }
    }

    async fn send(&self, transmit: Transmit) {
        assert!(self.remote.with(move |puppet, _| puppet.outputs.push_back(Output::Send(transmit))).await);
    }

    async fn stream(&self, id: StreamId, what: StreamOutput) {
        self.send(Transmit::Stream { id, what }).await;
    }

    async fn hears(&mut self) -> Input {
        tokio::time::timeout(Duration::from_secs(20), self.told.recv()).await.unwrap().unwrap()
    }

    async fn hears_on_stream(&mut self) -> (StreamId, StreamInput) {
        match self.hears().await {
            Input::Stream { id, what } => (id, what),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn datagrams_go_both_ways() {
    let (mut a, mut b) = (Peer::start().await, Peer::start().await);
    for length in [0usize, 1_200, 60_000] {
        let bytes = Bytes::from(vec![length as u8; length]);
        a.send(Transmit::Datagram { to: b.address, bytes: bytes.clone() }).await;
        assert_eq!(b.hears().await, Input::Datagram { from: a.address, bytes: bytes.clone() });
        b.send(Transmit::Datagram { to: a.address, bytes: bytes.clone() }).await;
        assert_eq!(a.hears().await, Input::Datagram { from: b.address, bytes });
    }
    a.stop.send(()).unwrap();
    assert!(a.task.await.unwrap().is_ok());
    assert!(!a.remote.with(|_, _| {}).await);
}

#[tokio::test]
async fn a_stream_carries_everything_in_order_and_then_closes() {
    let (mut a, mut b) = (Peer::start().await, Peer::start().await);
    let ours = StreamId::ours(5);
    let sent: Vec<u8> = (0..3_000_000u32).map(|i| (i / 7) as u8).collect();
    a.stream(ours, StreamOutput::Open { to: b.address }).await;
    for cut in sent.chunks(70_000) {
        a.stream(ours, StreamOutput::Bytes(Bytes::copy_from_slice(cut))).await;
    }
    a.stream(ours, StreamOutput::Close).await;
    let (theirs, opened) = b.hears_on_stream().await;
    assert!(!theirs.is_ours() && matches!(opened, StreamInput::Opened { .. }));
    let mut got = Vec::new();
    let end = loop {
        match b.hears_on_stream().await {
            (id, StreamInput::Bytes(bytes)) if id == theirs => got.extend_from_slice(&bytes),
            (_, what) => break what,
        }
    };
    assert_eq!(end, StreamInput::Closed(Closed::ByPeer));
    assert!(got == sent);
    // Who closed it hears no more of it.
    assert!(a.told.try_recv().is_err());
}

#[tokio::test]
async fn an_answer_comes_on_the_same_stream() {
    let (mut a, mut b) = (Peer::start().await, Peer::start().await);
    a.stream(StreamId::ours(0), StreamOutput::Open { to: b.address }).await;
    assert_eq!(a.hears_on_stream().await, (StreamId::ours(0), StreamInput::Opened { peer: b.address }));
    let (theirs, _) = b.hears_on_stream().await;
    b.stream(theirs, StreamOutput::Bytes(Bytes::from_static(b"welcome"))).await;
    assert_eq!(a.hears_on_stream().await.1, StreamInput::Bytes(Bytes::from_static(b"welcome")));
    // The other side goes away.
    b.stop.send(()).unwrap();
    drop(b.task.await);
    let (_, end) = a.hears_on_stream().await;
    assert!(matches!(end, StreamInput::Closed(Closed::ByPeer | Closed::Lost)), "{end:?}");
}

#[tokio::test]
async fn nobody_there_refuses() {
    let mut a = Peer::start().await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    a.stream(StreamId::ours(0), StreamOutput::Open { to: free }).await;
    assert_eq!(a.hears_on_stream().await, (StreamId::ours(0), StreamInput::Closed(Closed::Refused)));
}

#[tokio::test]
async fn a_peer_that_does_not_read_ends_in_overflow() {
    let mut a = Peer::start().await;
    // It accepts and never reads.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let id = StreamId::ours(0);
    a.stream(id, StreamOutput::Open { to: listener.local_addr().unwrap() }).await;
    let (_peer, _) = listener.accept().await.unwrap();
    assert!(matches!(a.hears_on_stream().await.1, StreamInput::Opened { .. }));
    let piece = Bytes::from(vec![0; 1 << 20]);
    // What the system's own buffers take, and the four of ours.
    let mut pieces = 0;
    while a.told.is_empty() && pieces < 200 {
        a.stream(id, StreamOutput::Bytes(piece.clone())).await;
        pieces += 1;
    }
    assert_eq!(a.hears_on_stream().await, (id, StreamInput::Closed(Closed::Overflow)));
    assert!(pieces >= 4, "{pieces}");
}

#[tokio::test]
async fn a_machine_is_woken_when_it_asked() {
    struct Sleeper(Option<Instant>, bool);
    impl Machine for Sleeper {
        type Event = Instant;
        fn handle(&mut self, now: Instant, _: Input) {
            self.1 = self.0.is_some_and(|wake| wake <= now);
        }
        fn poll(&mut self, now: Instant) -> Output<Instant> {
            if std::mem::take(&mut self.1) {
                self.0 = None;
                return Output::Event(now);
            }
            Output::Wait(self.0)
        }
    }
    let wanted = Instant::now() + Duration::from_millis(50);
    let driver = Driver::new(Sleeper(Some(wanted), false), Sockets::default());
    let (tell, mut told) = mpsc::unbounded_channel();
    let task = tokio::spawn(driver.run(std::future::pending(), move |at| tell.send(at).unwrap()));
    assert!(told.recv().await.unwrap() >= wanted);
    task.abort();
}
