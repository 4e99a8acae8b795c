//! How much goes from a host to another: by a real transfer, and as the seminar estimates it, from one large ping.

use crate::lab::{Lab, LabError};
use crate::ping::Ping;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// What a transfer over one TCP connection came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transfer {
    /// Bytes that the receiver got.
    pub bytes: u64,
    /// From the first to the last of them.
    pub time: Duration,
}

/// What one large ping came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Bytes of payload each way.
    pub size: usize,
    /// There and back, less that of the smallest ping.
    pub rtt: Duration,
}

impl Transfer {
    /// In bits per second.
    pub fn rate(&self) -> f64 {
        rate(self.bytes as f64, self.time)
    }
}

impl Estimate {
    /// In bits per second: the payload went there and came back in that time.
    pub fn rate(&self) -> f64 {
        rate(2.0 * self.size as f64, self.rtt)
    }
}

fn rate(bytes: f64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { bytes * 8.0 / time.as_secs_f64() }
}

impl Lab {
    /// Sends over TCP from a host to another for `time`, as fast as it goes.
    ///
    /// # Errors
    /// That there is no such host, or no connection.
    pub fn transfer(&self, from: &str, to: &str, time: Duration) -> Result<Transfer, LabError> {
        let failed = LabError::system("cannot transfer");
        let address = self.address(to)?;
        let (source, sink) = (self.host(from)?, self.host(to)?);
        let listen = || TcpListener::bind((address, 0)).and_then(|l| Ok((l.local_addr()?, l)));
        let (address, listener) = sink.within(listen).and_then(|bound| bound).map_err(&failed)?;
        std::thread::scope(|scope| {
            let sender = scope.spawn(|| source.within(|| send(address, time)).and_then(|sent| sent));
            let received = receive(&listener, time).map_err(&failed)?;
            match sender.join() {
                Ok(Ok(())) => Ok(received),
                Ok(Err(why)) if received.bytes == 0 => Err(failed(why)),
                _ => Ok(received),
            }
        })
    }

    /// Estimates from one ping of `size` bytes of payload, at most 65,507.
    ///
    /// # Errors
    /// That there is no such host, or no answer.
    pub fn estimate(&self, from: &str, to: &str, size: usize) -> Result<Estimate, LabError> {
        let ping = Ping { count: 1, patience: Duration::from_secs(60), ..Ping::default() };
        let one = |size| -> Result<Duration, LabError> {
            let answers = self.ping(from, to, Ping { size, ..ping }, |_| true)?;
            let silence = || LabError::system("cannot estimate")(io::Error::other("there was no answer"));
            answers.rtts.first().copied().ok_or_else(silence)
        };
        // What was sent before may still stand in the queue: until small pings are not getting faster.
        let mut base = one(0)?;
        for _ in 0..30 {
            let next = one(0)?;
            let settled = next > base.mul_f64(0.8);
            base = base.min(next);
            if settled {
                break;
            }
        }
        Ok(Estimate { size, rtt: one(size)?.saturating_sub(base) })
    }
}

fn send(to: SocketAddr, time: Duration) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(30))?;
    stream.set_write_timeout(Some(Duration::from_millis(200)))?;
    let block = vec![0; 128 << 10];
    let end = Instant::now() + time + Duration::from_secs(1);
    while Instant::now() < end {
        match stream.write(&block) {
            Ok(_) => {}
            Err(why) if matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            // The receiver has enough.
            Err(_) => break,
        }
    }
    Ok(())
}

fn receive(listener: &TcpListener, time: Duration) -> io::Result<Transfer> {
    listener.set_nonblocking(true)?;
    let patience = Instant::now() + Duration::from_secs(30);
    let mut stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(why) if why.kind() == io::ErrorKind::WouldBlock && Instant::now() < patience => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(why) => return Err(why),
        }
    };
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    let mut buffer = vec![0; 256 << 10];
    let mut first = None;
    let mut transfer = Transfer { bytes: 0, time: Duration::ZERO };
    loop {
        let got = match stream.read(&mut buffer) {
            Ok(0) => return Ok(transfer),
            Ok(got) => got,
            Err(why) if matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => 0,
            Err(why) => return Err(why),
        };
        let Some(start) = first else {
            // What came before the clock began does not count.
            first = (got > 0).then(Instant::now);
            if Instant::now() > patience {
                return Ok(transfer);
            }
            continue;
        };
        if got > 0 {
            transfer = Transfer { bytes: transfer.bytes + got as u64, time: start.elapsed() };
        }
        if start.elapsed() >= time {
            return Ok(transfer);
        }
    }
}
