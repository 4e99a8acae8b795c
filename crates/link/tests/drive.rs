//! The std driver over loopback.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)] // A test with real sockets and a real clock.

use bytes::Bytes;
use levada_link::drive::{Driver, spawn};
use levada_link::machine::Closed;
use levada_link::{Input, Machine, Output, StreamId, StreamInput, StreamOutput, Transmit};
use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Sends each datagram back, and tells of everything; wakes when it is told to.
#[derive(Default)]
struct Echo {
    outputs: VecDeque<Output<(Instant, Input)>>,
    wake: Option<Instant>,
}

impl Machine for Echo {
    type Event = (Instant, Input);

    fn handle(&mut self, now: Instant, input: Input) {
        if let Input::Datagram { from, bytes } = &input {
            let bytes = bytes.clone();
            self.outputs.push_back(Output::Send(Transmit::Datagram { to: *from, bytes }));
        }
        if self.wake.is_some_and(|wake| wake <= now) {
            self.wake = None;
        }
        self.outputs.push_back(Output::Event((now, input)));
    }

    fn poll(&mut self, _: Instant) -> Output<(Instant, Input)> {
        self.outputs.pop_front().unwrap_or(Output::Wait(self.wake))
    }
}

fn loopback() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

fn ask(socket: &UdpSocket, to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.send_to(bytes, to).unwrap();
    let mut buffer = vec![0; 65_535];
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    assert_eq!(from, to);
    buffer[..length].to_vec()
}

#[test]
fn datagrams_of_any_length_come_back() {
    let running = spawn(Driver::new(Echo::default(), loopback()), |_| {}).unwrap();
    let socket = loopback();
    for length in [0, 1, 1_400, 9_000, 65_507] {
        let bytes: Vec<u8> = (0..length).map(|i| i as u8).collect();
        assert_eq!(ask(&socket, running.local_addr(), &bytes), bytes);
    }
    assert!(running.stop().is_ok());
}

/// Counts what comes, in which order, and wants to be woken all the time.
#[derive(Default)]
struct Busy {
    came: Vec<Bytes>,
}

impl Machine for Busy {
    type Event = ();

    fn handle(&mut self, _: Instant, input: Input) {
        if let Input::Datagram { bytes, .. } = input {
            self.came.push(bytes);
        }
    }

    fn poll(&mut self, now: Instant) -> Output<()> {
        Output::Wait(Some(now))
    }
}

#[test]
fn a_burst_comes_in_order_to_one_who_never_waits() {
    let (socket, mut driver) = (loopback(), Driver::new(Busy::default(), loopback()));
    let to = driver.local_addr().unwrap();
    driver.turn(Duration::ZERO, |()| ()).unwrap();
    for burst in [1_u8, 2, 3, 40, 120] {
        let sent: Vec<Bytes> = (0..burst).map(|n| vec![n; 1 + usize::from(n)].into()).collect();
        sent.iter().for_each(|bytes| drop(socket.send_to(bytes, to)));
        let began = Instant::now();
        while driver.machine().came.len() < sent.len() && began.elapsed() < Duration::from_secs(20) {
            driver.turn(Duration::ZERO, |()| ()).unwrap();
        }
        assert!(std::mem::take(&mut driver.machine().came) == sent, "{burst}");
    }
}

#[test]
fn the_owner_tells_the_machine_and_gets_it_back() {
    let (tell, told) = channel();
    let running =
        spawn(Driver::new(Echo::default(), loopback()), move |event| tell.send(event).unwrap()).unwrap();
    assert!(matches!(told.recv_timeout(Duration::from_secs(20)), Ok((_, Input::Wake))));
    let wanted = Instant::now() + Duration::from_millis(60);
    assert!(running.with(move |echo, _| echo.wake = Some(wanted)));
    // Once for the command, and then when it asked for.
    let woken = loop {
        let (at, input) = told.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(input, Input::Wake);
        if at >= wanted {
            break at;
        }
    };
    assert!(woken >= wanted);
    assert!(running.stop().unwrap().wake.is_none());
}

#[test]
fn dropping_the_handle_ends_the_thread() {
    let running = spawn(Driver::new(Echo::default(), loopback()), |_| {}).unwrap();
    let address = running.local_addr();
    drop(running);
    // Its socket is free again.
    assert!(UdpSocket::bind(address).is_ok());
}

#[test]
fn streams_are_refused() {
    let mut echo = Echo::default();
    let id = StreamId::ours(3);
    let to = "127.0.0.1:9".parse().unwrap();
    echo.outputs.push_back(Output::Send(Transmit::Stream { id, what: StreamOutput::Open { to } }));
    let mut driver = Driver::new(echo, loopback());
    let mut told = Vec::new();
    driver.turn(Duration::ZERO, |event| told.push(event.1)).unwrap();
    assert!(told.contains(&Input::Stream { id, what: StreamInput::Closed(Closed::Refused) }), "{told:?}");
}

#[test]
fn what_the_system_does_not_take_is_counted() {
    let mut echo = Echo::default();
    let too_long = Bytes::from(vec![0; 65_530]);
    let to = "127.0.0.1:9".parse().unwrap();
    echo.outputs.push_back(Output::Send(Transmit::Datagram { to, bytes: too_long }));
    let mut driver = Driver::new(echo, loopback());
    driver.turn(Duration::ZERO, |_| {}).unwrap();
    assert_eq!((driver.stats().unsent, driver.stats().sent), (1, 0));
}

/// Says a hundred numbers to each of these, when it is told anything.
struct Speaker {
    to: Vec<SocketAddr>,
    outputs: VecDeque<Output<()>>,
}

impl Machine for Speaker {
    type Event = ();

    fn handle(&mut self, _: Instant, input: Input) {
        if let Input::Datagram { .. } = input {
            for n in 0..100u8 {
                let length = if n % 10 == 9 { 300 } else { 1_200 };
                let bytes = Bytes::from(vec![n; length]);
                for to in &self.to {
                    let bytes = bytes.clone();
                    self.outputs.push_back(Output::Send(Transmit::Datagram { to: *to, bytes }));
                }
            }
        }
    }

    fn poll(&mut self, _: Instant) -> Output<()> {
        self.outputs.pop_front().unwrap_or(Output::Wait(None))
    }
}

#[test]
fn what_leaves_together_arrives_whole_and_in_order_at_each() {
    let plain = loopback();
    plain.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (to_busy, busy) = (loopback(), Busy::default());
    let to = vec![plain.local_addr().unwrap(), to_busy.local_addr().unwrap()];
    let mut busy = Driver::new(busy, to_busy);
    let mut speaker = Driver::new(Speaker { to, outputs: VecDeque::new() }, loopback());
    plain.send_to(b"go", speaker.local_addr().unwrap()).unwrap();
    while speaker.stats().sent < 200 {
        speaker.turn(Duration::from_secs(20), |()| {}).unwrap();
    }
    assert_eq!((speaker.stats().sent, speaker.stats().unsent), (200, 0));
    let is_nth = |n: u8, bytes: &[u8]| {
        bytes.len() == if n % 10 == 9 { 300 } else { 1_200 } && bytes.iter().all(|byte| *byte == n)
    };
    let mut buffer = [0; 65_535];
    for n in 0..100 {
        let (length, _) = plain.recv_from(&mut buffer).unwrap();
        assert!(is_nth(n, &buffer[..length]), "{n}: {length}");
    }
    let until = Instant::now() + Duration::from_secs(20);
    while busy.stats().received < 100 && Instant::now() < until {
        busy.turn(Duration::from_millis(100), |()| {}).unwrap();
    }
    let came = busy.into_machine().came;
    assert!(came.len() == 100 && (0..).zip(&came).all(|(n, bytes)| is_nth(n, bytes)));
}
