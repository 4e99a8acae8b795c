//! Echoes between hosts, with the usual summary.

use crate::fabric::checksum;
use crate::lab::{Lab, LabError};
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub struct Ping {
    /// How many, at most 65,535.
    pub count: u32,
    /// How often.
    pub interval: Duration,
    /// Bytes of payload; 56 make the usual 64 with the ICMP header, at most 65,507.
    pub size: usize,
    /// How long to wait for the last answers.
    pub patience: Duration,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pong {
    /// Which, from one.
    pub number: u32,
    /// Bytes, with the ICMP header.
    pub bytes: usize,
    /// How many hops were left.
    pub ttl: u8,
    /// There and back.
    pub rtt: Duration,
    /// Whether it came before.
    pub duplicate: bool,
}

/// How it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// How many were sent.
    pub sent: u32,
    /// Round trips, in the order in which answers came, without duplicates.
    pub rtts: Vec<Duration>,
    /// How many answers came again.
    pub duplicates: u32,
    /// How long it took.
    pub time: Duration,
}

impl Default for Ping {
    fn default() -> Ping {
        Ping { count: 5, interval: Duration::from_secs(1), size: 56, patience: Duration::from_secs(10) }
    }
}

impl Lab {
    /// Sends echo requests from a host to another, or to an address, and gives each answer to `tell`, which says whether
    /// to go on.
    ///
    /// # Errors
    /// That there is no such host, or no socket.
    pub fn ping(
        &self,
        from: &str,
        to: &str,
        ping: Ping,
        mut tell: impl FnMut(Pong) -> bool + Send,
    ) -> Result<Answers, LabError> {
        let to = self.address(to)?;
        let done = self.host(from)?.within(move || run(to, ping, &mut tell)).and_then(|done| done);
        done.map_err(LabError::system("cannot ping"))
    }
}

fn run(to: Ipv4Addr, ping: Ping, tell: &mut (dyn FnMut(Pong) -> bool + Send)) -> io::Result<Answers> {
    let mut socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
    // A large one is sent in fragments, and all answers must find room.
    let _as_large_as_may_be = socket.set_recv_buffer_size(1 << 20);
    let _as_large_as_may_be = socket.set_send_buffer_size(1 << 20);
    socket.connect(&SocketAddrV4::new(to, 0).into())?;
    let id = std::process::id() as u16 ^ Instant::now().elapsed().subsec_nanos() as u16 ^ rand(&socket);
    let start = Instant::now();
    let mut at = Vec::new();
    let mut answers = Answers::default();
    // More cannot be told apart.
    let ping = Ping { count: ping.count.min(65_535), ..ping };
    let mut came = vec![false; ping.count as usize];
    let mut buffer = vec![0; 1 << 16];
    let mut going = true;
    while going {
        let now = Instant::now();
        let due = ping.interval.saturating_mul(answers.sent).min(A_YEAR);
        let next = start + due;
        let all = answers.rtts.len() as u32 == answers.sent;
        if answers.sent < ping.count && now >= next {
            answers.sent += 1;
            at.push(Instant::now());
            socket.send(&request(id, answers.sent as u16, ping.size))?;
            continue;
        }
        let wait = match answers.sent < ping.count {
            true => next,
            false if all => break,
            false => at.last().copied().unwrap_or(start) + ping.patience.min(A_YEAR),
        };
        let left = wait.saturating_duration_since(now);
        if left.is_zero() {
            break;
        }
        socket.set_read_timeout(Some(left.clamp(Duration::from_millis(1), Duration::from_millis(200))))?;
        let got = match socket.read(&mut buffer) {
            Ok(got) => got,
            Err(why) if is_timeout(&why) => continue,
            Err(why) => return Err(why),
        };
        let now = Instant::now();
        let Some((ttl, number, bytes)) = reply(&buffer[..got], id) else { continue };
        let Some(sent) = at.get(usize::from(number).wrapping_sub(1)) else { continue };
        let duplicate = std::mem::replace(&mut came[usize::from(number) - 1], true);
        let rtt = now - *sent;
        if duplicate {
            answers.duplicates += 1
        } else {
            answers.rtts.push(rtt)
        }
        going = tell(Pong { number: number.into(), bytes, ttl, rtt, duplicate });
    }
    answers.time = start.elapsed();
    Ok(answers)
}

fn request(id: u16, number: u16, size: usize) -> Vec<u8> {
    let mut packet = vec![8, 0, 0, 0];
    packet.extend_from_slice(&id.to_be_bytes());
    packet.extend_from_slice(&number.to_be_bytes());
    packet.extend((0..size.min(MOST)).map(|n| n as u8));
    let sum = checksum(&packet);
    packet[2..4].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// TTL, number and length of an answer to one of ours.
fn reply(packet: &[u8], id: u16) -> Option<(u8, u16, usize)> {
    let header = usize::from(packet.first()? & 15) * 4;
    let (ip, icmp) = packet.split_at_checked(header)?;
    let ours = icmp.first_chunk::<8>().filter(|icmp| icmp[0] == 0 && icmp[4..6] == id.to_be_bytes())?;
    Some((*ip.get(8)?, u16::from_be_bytes([ours[6], ours[7]]), icmp.len()))
}

/// What tells two pings of one process apart.
fn rand(socket: &Socket) -> u16 {
    let marker = std::ptr::from_ref(socket) as usize;
    let time =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |t| t.subsec_nanos());
    (marker >> 4) as u16 ^ time as u16
}

fn is_timeout(why: &io::Error) -> bool {
    matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

impl Answers {
    /// The share of requests without an answer.
    pub fn loss(&self) -> f64 {
        if self.sent == 0 { 0.0 } else { 1.0 - self.rtts.len() as f64 / f64::from(self.sent) }
    }

    /// Least, mean, most and mean deviation of the round trips, in milliseconds; zeros without an answer.
    pub fn round_trip(&self) -> [f64; 4] {
        let all: Vec<f64> = self.rtts.iter().map(|rtt| rtt.as_secs_f64() * 1e3).collect();
        if all.is_empty() {
            return [0.0; 4];
        }
        let count = all.len() as f64;
        let mean = all.iter().sum::<f64>() / count;
        let square = all.iter().map(|rtt| rtt * rtt).sum::<f64>() / count;
        let least = all.iter().copied().fold(f64::INFINITY, f64::min);
        let most = all.iter().copied().fold(0.0, f64::max);
        [least, mean, most, (square - mean * mean).max(0.0).sqrt()]
    }
}

/// As ping's last lines.
impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let duplicates =
            if self.duplicates > 0 { format!(", +{} duplicates", self.duplicates) } else { String::new() };
        let (sent, got, loss) = (self.sent, self.rtts.len(), (self.loss() * 1e4).round() / 1e2);
        let time = self.time.as_millis();
        write!(
            f,
            "{sent} packets transmitted, {got} received{duplicates}, {loss}% packet loss, time {time}ms"
        )?;
        let [least, mean, most, deviation] = self.round_trip();
        if got > 0 {
            write!(f, "\nrtt min/avg/max/mdev = {least:.3}/{mean:.3}/{most:.3}/{deviation:.3} ms")?;
        }
        Ok(())
    }
}

impl fmt::Display for Pong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pong { number, bytes, ttl, rtt, duplicate } = self;
        let again = if *duplicate { " (DUP!)" } else { "" };
        let time = crate::three_digits(rtt.as_secs_f64() * 1e3);
        write!(f, "{bytes} bytes: icmp_seq={number} ttl={ttl} time={time} ms{again}")
    }
}

const A_YEAR: Duration = Duration::from_secs(366 * 86_400);
/// The longest payload of an IPv4 packet, less an ICMP header.
const MOST: usize = 65_507;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_the_usual_one() {
        let rtts = [10, 20, 30].map(Duration::from_millis).to_vec();
        let answers = Answers { sent: 4, rtts, duplicates: 0, time: Duration::from_millis(3005) };
        let lines = "4 packets transmitted, 3 received, 25% packet loss, time 3005ms\n\
                     rtt min/avg/max/mdev = 10.000/20.000/30.000/8.165 ms";
        assert_eq!(answers.to_string(), lines);
        assert_eq!(checksum(&request(7, 1, 57)), 0);
    }
}
