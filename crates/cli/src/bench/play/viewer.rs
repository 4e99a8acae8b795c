//! One player: its connection, what it asks, and what it makes of the stream.

use super::super::{mark::Mark, process};
use bytes::{Buf, BytesMut};
use levada_media::container::flv::tag::Kind;
use levada_rtmp::{
    Address,
    client::{Config, Event, Output, Role, Session},
};
use std::time::Duration;

/// What a player understands of the bytes that come.
pub enum Reader {
    Rtmp(Box<Session>),
    Flv(Flv),
}

/// An answer of HTTP whose body is Flash video.
#[derive(Default)]
pub struct Flv {
    bytes: BytesMut,
    headed: bool,
    filed: bool,
}

/// What a player has seen.
#[derive(Clone, Debug, Default)]
pub struct Diary {
    /// When the connection was begun.
    pub began: Duration,
    pub first: Option<Duration>,
    pub key: Option<Duration>,
    /// Arrival and media time of the first picture.
    begin: Option<(Duration, u32)>,
    /// How far behind live what it shows one second after its first picture is.
    pub behind: Option<Duration>,
    /// The number that the next picture should have.
    next: Option<u32>,
    pub frames: u64,
    pub lost: u64,
    pub backwards: u64,
    /// Pictures without a mark.
    pub bare: u64,
    last: [Option<u32>; 2],
}

impl Reader {
    /// A player of `url`, and what it says first.
    pub fn new(url: &url::Url, seed: u64) -> anyhow::Result<(Reader, Vec<u8>)> {
        if url.scheme() == "rtmp" {
            let address: Address = url.as_str().parse()?;
            let mut session =
                Box::new(Session::new(address, Role::Play, Config::default(), seed, Duration::ZERO));
            let hello = match session.poll() {
                Some(Output::Write(bytes)) => bytes.to_vec(),
                _ => Vec::new(),
            };
            return Ok((Reader::Rtmp(session), hello));
        }
        let (target, host) = (super::super::target(url), url.host_str().unwrap_or_default());
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: levada-bench\r\nConnection: close\r\n\r\n"
        );
        Ok((Reader::Flv(Flv::default()), request.into_bytes()))
    }

    /// Takes what came; calls `seen` with kind, media time and payload of each tag and gives what is to be answered, or
    /// why it is over.
    pub fn take(&mut self, bytes: &[u8], mut seen: impl FnMut(Kind, u32, &[u8])) -> Result<Vec<u8>, String> {
        match self {
            Reader::Flv(flv) => flv.take(bytes, seen).map(|()| Vec::new()),
            Reader::Rtmp(session) => {
                session.push(Duration::ZERO, bytes);
                let mut answer = Vec::new();
                while let Some(output) = session.poll() {
                    match output {
                        Output::Write(bytes) => answer.extend_from_slice(&bytes),
                        Output::Event(Event::Tag(tag)) => seen(tag.kind, tag.timestamp, &tag.payload),
                        Output::Event(_) => {}
                        Output::Close(why) => return Err(why.to_string()),
                    }
                }
                Ok(answer)
            }
        }
    }
}

impl Flv {
    fn take(&mut self, bytes: &[u8], mut seen: impl FnMut(Kind, u32, &[u8])) -> Result<(), String> {
        self.bytes.extend_from_slice(bytes);
        if !self.headed {
            let Some(end) = self.bytes.windows(4).position(|w| w == b"\r\n\r\n") else { return Ok(()) };
            let head = String::from_utf8_lossy(&self.bytes[..end]).into_owned();
            if head.split_whitespace().nth(1) != Some("200") {
                return Err(head.lines().next().unwrap_or_default().to_owned());
            }
            self.bytes.advance(end + 4);
            self.headed = true;
        }
        if !self.filed && self.bytes.len() >= FILE_HEADER {
            self.bytes.advance(FILE_HEADER);
            self.filed = true;
        }
        while let Some(&[kind, a, b, c, t2, t1, t0, t3, ..]) =
            self.bytes.first_chunk::<BEFORE>().filter(|_| self.filed)
        {
            let length = u32::from_be_bytes([0, a, b, c]) as usize;
            if self.bytes.len() < BEFORE + length + AFTER {
                break;
            }
            if let Some(kind) = Kind::from_wire(kind) {
                seen(kind, u32::from_be_bytes([t3, t2, t1, t0]), &self.bytes[BEFORE..BEFORE + length]);
            }
            self.bytes.advance(BEFORE + length + AFTER);
        }
        Ok(())
    }
}

impl Diary {
    /// The diary of who began to connect at this moment.
    pub fn begun(began: Duration) -> Diary {
        Diary { began, ..Diary::default() }
    }

    /// Takes note of a tag; gives the delay of a picture that was made since this player came.
    pub fn note(&mut self, kind: Kind, timestamp: u32, payload: &[u8]) -> Option<Duration> {
        let now = process::now();
        self.first.get_or_insert(now);
        let setup = payload.get(1) == Some(&0) && (kind == Kind::Video || payload[0] >> 4 == AAC);
        if kind == Kind::Script || payload.is_empty() || setup {
            return None;
        }
        let last = &mut self.last[usize::from(kind == Kind::Video)];
        self.backwards += u64::from(last.is_some_and(|last| timestamp.wrapping_sub(last) > u32::MAX / 2));
        *last = Some(timestamp);
        if kind == Kind::Audio {
            return None;
        }
        self.picture(now, timestamp, payload[0] >> 4 == KEY, Mark::read(payload))
    }

    /// Takes note of a picture of a way whose times are not those of tags.
    pub fn note_picture(&mut self, timestamp: u32, key: bool, picture: &[u8]) -> Option<Duration> {
        let now = process::now();
        self.first.get_or_insert(now);
        let last = &mut self.last[1];
        self.backwards += u64::from(last.is_some_and(|last| timestamp.wrapping_sub(last) > u32::MAX / 2));
        *last = Some(timestamp);
        self.picture(now, timestamp, key, Mark::find(picture))
    }

    fn picture(&mut self, now: Duration, timestamp: u32, key: bool, mark: Option<Mark>) -> Option<Duration> {
        self.frames += 1;
        let Some(mark) = mark else {
            self.bare += 1;
            return None;
        };
        if key {
            self.key.get_or_insert(now);
        }
        self.lost += u64::from(self.next.map_or(0, |next| mark.number.wrapping_sub(next)));
        self.next = Some(mark.number + 1);
        self.look_behind(now, timestamp, mark);
        (mark.made > self.began).then(|| now.saturating_sub(mark.made))
    }

    /// An ordinary player shows what it gets at the pace of its times, from the first picture on.
    fn look_behind(&mut self, now: Duration, timestamp: u32, mark: Mark) {
        let (began, first) = *self.begin.get_or_insert((now, timestamp));
        let beyond = timestamp.wrapping_sub(first).checked_sub(1_000);
        if let (None, Some(beyond)) = (self.behind, beyond) {
            let made = mark.made.saturating_sub(Duration::from_millis(beyond.into()));
            self.behind = Some((began + Duration::from_secs(1)).saturating_sub(made));
        }
    }
}

const FILE_HEADER: usize = 13;
const BEFORE: usize = 11;
const AFTER: usize = 4;
const AAC: u8 = 10;
const KEY: u8 = 1;
