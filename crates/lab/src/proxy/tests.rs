//! Tests of proxies on loopback.

use super::*;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

#[test]
fn datagrams_take_the_time_of_the_link_there_and_back() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = server.local_addr().unwrap();
    let profile = Profile::both("delay=30ms".parse().unwrap());
    let (address, passed) = udp("127.0.0.1:0".parse().unwrap(), to, &profile, 1).unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(address).unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 100];
        while let Ok((got, from)) = server.recv_from(&mut buffer) {
            server.send_to(&buffer[..got], from).unwrap();
        }
    });
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut buffer = [0; 100];
    for n in 0..5u8 {
        let start = Instant::now();
        client.send(&[n; 10]).unwrap();
        assert_eq!(client.recv(&mut buffer).unwrap(), 10);
        assert_eq!(buffer[0], n);
        assert!(start.elapsed() >= Duration::from_millis(60), "{:?}", start.elapsed());
    }
    assert_eq!(passed.went[1].load(Ordering::Relaxed), 5);
}

#[test]
fn a_stream_arrives_whole_at_the_rate_of_the_link() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = server.local_addr().unwrap();
    let profile = Profile::both("rate=4mbit delay=5ms loss=1%".parse().unwrap());
    let (address, _) = tcp("127.0.0.1:0".parse().unwrap(), to, &profile, 1).unwrap();
    let start = Instant::now();
    let sent: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
    let bytes = sent.clone();
    thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&bytes).unwrap();
    });
    let (mut stream, _) = server.accept().unwrap();
    let mut got = Vec::new();
    stream.read_to_end(&mut got).unwrap();
    assert!(got == sent, "{} bytes", got.len());
    // 100 kB and headers at 4 Mbit/s take 200 ms.
    assert!(start.elapsed() >= Duration::from_millis(150), "{:?}", start.elapsed());
}
