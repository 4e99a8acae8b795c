//! Session descriptions of one transport stream (RFC 8866), as `.sdp` files and announcements have them.

use super::{Address, Packing, TRANSPORT};
use std::{
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
};

/// A stream as its description has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its name.
    pub name: String,
    /// A number that stays while the session does, and one that grows with its changes.
    pub id: u64,
    /// Who made the description.
    pub origin: IpAddr,
    /// Where it can be heard.
    pub at: Address,
    /// The payload type of RTP.
    pub payload: u8,
}

/// Why a description cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadSdp {
    /// It does not begin with `v=0`.
    #[error("this is no session description")]
    Not,
    /// Nothing in it is a transport stream.
    #[error("the session has no transport stream (MP2T over RTP or UDP)")]
    NoStream,
    /// No usable address for it.
    #[error("the session does not say on which address and port it is")]
    NoAddress,
}

impl Session {
    /// The session that is sent to `at`.
    pub fn new(name: &str, id: u64, origin: IpAddr, at: Address) -> Session {
        Session { name: name.to_owned(), id, origin, at, payload: TRANSPORT }
    }

    /// The description.
    pub fn write(&self) -> String {
        let kind = |ip: &IpAddr| if ip.is_ipv4() { "IP4" } else { "IP6" };
        let to = self.at.to;
        let (group, origin) = (to.ip(), self.origin);
        // one line each, whatever the name has inside
        let name: String = self.name.chars().filter(|c| !c.is_control()).collect();
        let name = if name.trim().is_empty() { "-" } else { name.trim() };
        let ttl =
            if group.is_multicast() && group.is_ipv4() { format!("/{}", self.at.ttl) } else { String::new() };
        let mut out = format!("v=0\r\no=- {0} {0} IN {1} {origin}\r\ns={name}\r\n", self.id, kind(&origin));
        let _ = write!(
            out,
            "c=IN {} {group}{ttl}\r\nt=0 0\r\na=tool:{}\r\na=recvonly\r\n",
            kind(&group),
            crate::SERVER
        );
        if let Some(source) = self.at.source {
            let _ = write!(out, "a=source-filter: incl IN {} {group} {source}\r\n", kind(&source));
        }
        match self.at.packing {
            Packing::Rtp => {
                let _ = write!(
                    out,
                    "m=video {} RTP/AVP {1}\r\na=rtpmap:{1} MP2T/90000\r\n",
                    to.port(),
                    self.payload
                );
            }
            // as VLC announces and understands it
            Packing::Udp => {
                let _ = write!(out, "m=video {} udp {TRANSPORT}\r\n", to.port());
            }
        }
        out
    }

    /// Reads a description. Of several streams the first transport stream is taken.
    ///
    /// # Errors
    /// When there is none that can be received.
    pub fn parse(text: &str) -> Result<Session, BadSdp> {
        let mut lines = text.lines().map(str::trim_end).filter_map(|line| line.split_once('='));
        if lines.next().is_none_or(|(key, value)| key != "v" || value.trim() != "0") {
            return Err(BadSdp::Not);
        }
        let mut reading = Reading::default();
        lines.for_each(|(key, value)| reading.line(key, value));
        reading.finish()
    }
}

/// What was read so far.
#[derive(Debug, Default)]
struct Reading {
    name: String,
    id: u64,
    origin: Option<IpAddr>,
    /// The connection of the whole session, and of the stream.
    whole: Option<(IpAddr, u8)>,
    own: Option<(IpAddr, u8)>,
    source: Option<IpAddr>,
    found: Option<Found>,
    /// Lines of a stream are read; whether it is the one that was found.
    inside: Option<bool>,
}

#[derive(Clone, Copy, Debug)]
struct Found {
    port: u16,
    packing: Packing,
    payload: u8,
    /// A payload type of RTP that no table knows must be mapped.
    sure: bool,
}

impl Reading {
    fn line(&mut self, key: &str, value: &str) {
        match key {
            "s" => self.name = value.trim().chars().take(LONGEST_NAME).collect(),
            "o" => {
                let mut words = value.split_whitespace().skip(1);
                self.id = words.next().and_then(|id| id.parse().ok()).unwrap_or(0);
                self.origin = value.split_whitespace().next_back().and_then(|ip| ip.parse().ok());
            }
            "c" => match self.inside {
                None => self.whole = connection(value),
                Some(true) => self.own = connection(value),
                Some(false) => {}
            },
            "m" => self.stream(value),
            "a" => self.attribute(value),
            _ => {}
        }
    }

    fn stream(&mut self, value: &str) {
        let sure = self.found.is_some_and(|found| found.sure);
        let found = media(value).filter(|_| !sure);
        self.inside = Some(found.is_some());
        if found.is_some() {
            (self.found, self.own) = (found, None);
        }
    }

    fn attribute(&mut self, value: &str) {
        let (name, value) = value.split_once(':').unwrap_or((value, ""));
        let mine = self.inside != Some(false);
        match (name.trim(), &mut self.found) {
            ("rtpmap", Some(found)) if self.inside == Some(true) => {
                let (payload, coding) = value.trim().split_once(' ').unwrap_or_default();
                let is_ts = coding.trim().to_ascii_uppercase().starts_with("MP2T/");
                if is_ts && let Ok(payload @ 0..128) = payload.parse() {
                    (found.payload, found.sure) = (payload, true);
                }
            }
            ("source-filter", _) if mine => {
                let words: Vec<&str> = value.split_whitespace().collect();
                if let ["incl", "IN", _, _, source, ..] = words[..] {
                    self.source = source.parse().ok();
                }
            }
            _ => {}
        }
    }

    fn finish(self) -> Result<Session, BadSdp> {
        let found = self.found.filter(|found| found.sure).ok_or(BadSdp::NoStream)?;
        let (ip, ttl) = self.own.or(self.whole).ok_or(BadSdp::NoAddress)?;
        if found.port == 0 {
            return Err(BadSdp::NoAddress);
        }
        let mut at = Address::new(found.packing, SocketAddr::new(ip, found.port));
        (at.ttl, at.source) = (ttl, self.source);
        let origin = self.origin.unwrap_or(ip);
        Ok(Session { name: self.name, id: self.id, origin, at, payload: found.payload })
    }
}

/// `IN IP4 239.1.2.3/1`: the address, and how far it reaches.
fn connection(value: &str) -> Option<(IpAddr, u8)> {
    let place = value.split_whitespace().nth(2)?;
    let mut parts = place.split('/');
    let ip: IpAddr = parts.next()?.parse().ok()?;
    let ttl = parts.next().filter(|_| ip.is_ipv4()).and_then(|ttl| ttl.parse().ok()).filter(|ttl| *ttl > 0);
    Some((ip, ttl.unwrap_or(1)))
}

/// `video 5000 RTP/AVP 33`, or `video 5000 udp 33` as VLC has it.
fn media(value: &str) -> Option<Found> {
    let mut words = value.split_whitespace().skip(1);
    let port = words.next()?.split('/').next()?.parse().ok()?;
    let protocol = words.next()?.to_ascii_uppercase();
    let format = words.next()?;
    let known = format == "33";
    match protocol.as_str() {
        "RTP/AVP" | "RTP/AVPF" => {
            let payload = format.parse().ok().filter(|payload| *payload < 128)?;
            Some(Found { port, packing: Packing::Rtp, payload, sure: known })
        }
        "UDP" | "RAW/RAW/UDP" | "MP2T/H2221/UDP" if known || format.eq_ignore_ascii_case("mpeg") => {
            Some(Found { port, packing: Packing::Udp, payload: TRANSPORT, sure: true })
        }
        _ => None,
    }
}

const LONGEST_NAME: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn session(at: &str) -> Session {
        Session::new("Radio \"x\"", 7, [10, 0, 0, 1].into(), at.parse().unwrap())
    }

    #[test]
    fn what_is_written_is_read_again() {
        for at in [
            "rtp://239.1.2.3:5004?ttl=3",
            "udp://239.1.2.3:5004",
            "rtp://[ff15::7]:5004",
            "rtp://10.0.0.9@232.0.0.1:5004",
            "rtp://127.0.0.1:5004",
        ] {
            assert_eq!(Session::parse(&session(at).write()), Ok(session(at)), "{at}");
        }
    }

    #[test]
    fn descriptions_of_others_are_understood() {
        // as ffmpeg -sdp_file and VLC write them
        let ffmpeg = "SDP:\nv=0\no=- 0 0 IN IP4 127.0.0.1\ns=No Name\nc=IN IP4 239.0.0.1/16\nt=0 0\na=tool:libavformat\nm=video 5004 RTP/AVP 33\nb=AV:x\n";
        let read = Session::parse(ffmpeg).unwrap();
        assert_eq!(read.at.to_string(), "rtp://239.0.0.1:5004?ttl=16");
        let vlc = "v=0\r\no=- 1 2 IN IP4 h\r\ns=NONE\r\nt=0 0\r\nm=audio 6 RTP/AVP 96\r\na=rtpmap:96 L16/8000\r\n\
                   m=video 5004 RTP/AVP 97\r\nc=IN IP4 239.0.0.2/2\r\na=rtpmap:97 mp2t/90000\r\n";
        let read = Session::parse(vlc).unwrap();
        assert_eq!((read.at.to_string().as_str(), read.payload), ("rtp://239.0.0.2:5004?ttl=2", 97));
    }

    #[test]
    fn what_cannot_be_received_is_refused_with_a_reason() {
        let head = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=x\r\n";
        for (text, why) in [
            (String::new(), BadSdp::Not),
            (head.to_owned(), BadSdp::NoStream),
            (
                format!("{head}c=IN IP4 10.0.0.1\r\nm=video 5 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"),
                BadSdp::NoStream,
            ),
            (format!("{head}m=video 5 RTP/AVP 33\r\n"), BadSdp::NoAddress),
            (format!("{head}c=IN IP4 10.0.0.1\r\nm=video 0 RTP/AVP 33\r\n"), BadSdp::NoAddress),
        ] {
            assert_eq!(Session::parse(&text), Err(why), "{text}");
        }
    }

    #[test]
    fn a_name_cannot_add_a_line() {
        let mut session = session("rtp://239.1.2.3:5004");
        session.name = "x\r\nm=video 1 RTP/AVP 33".into();
        assert_eq!(session.write().matches("\r\nm=").count(), 1);
    }
}
