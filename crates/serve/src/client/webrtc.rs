//! A session of WebRTC that we offer to a server: to watch by WHEP, or to publish by WHIP (RFC 9725).

mod wire;

use super::{Client, http};
use crate::webrtc::crypto;
use bytes::Bytes;
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::LazyLock,
    time::{Duration, Instant},
};
use str0m::{
    Candidate, IceConnectionState, Input, Output, Rtc, RtcConfig, RtcError,
    change::SdpAnswer,
    config::DtlsCert,
    media::{Direction, KeyframeRequestKind, MediaData, MediaKind, MediaTime, Mid},
    net::{Protocol, Receive, TcpType},
};
use tokio::time::sleep_until;
use url::Url;
use wire::Wire;

/// One session.
pub struct Session {
    rtc: Rtc,
    wire: Wire,
    sight: Mid,
    sound: Mid,
    /// What happened and has not been asked for; it grows with what one datagram brings.
    events: VecDeque<str0m::Event>,
    due: Instant,
    patience: Option<Instant>,
    resource: Option<Url>,
}

/// By what a server is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// Datagrams.
    #[default]
    Udp,
    /// A connection (RFC 6544), where no datagrams get through.
    Tcp,
}

/// What pictures are coded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Pictures {
    H264,
    Vp8,
    Vp9,
    Av1,
}

/// What happens in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The server is there; frames may be sent.
    Connected,
    /// A frame came.
    Frame(Frame),
    /// Somebody needs a picture that one can begin with.
    KeyWanted,
}

/// A frame that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whether it is a picture, or else sound.
    pub picture: bool,
    /// Whether a decoder may begin with it.
    pub key: bool,
    /// Its time on the sender's clock, which begins anywhere.
    pub at: Duration,
    /// Whether nothing is missing before it.
    pub follows: bool,
    /// As a decoder takes it; H.264 with start codes.
    pub data: Bytes,
}

/// Why there is no session, or none any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server does not answer, or says no.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// The answer is none that fits.
    #[error("the server's answer is of no use: {0}")]
    Answer(String),
    /// The network failed.
    #[error("the connection broke: {0}")]
    Broken(#[from] std::io::Error),
    /// The session failed.
    #[error(transparent)]
    Rtc(#[from] RtcError),
    /// The server has not come, or cannot be reached any more.
    #[error("the server is out of reach")]
    Lost,
    /// The server ended it.
    #[error("the server ended the session")]
    Ended,
}

impl Session {
    /// Watches what is at `url` (`/whep/NAME`).
    ///
    /// # Errors
    /// When the server cannot be reached, or does not want that.
    pub async fn watch(client: &Client, url: &Url, way: Way) -> Result<Session, Error> {
        let config = RtcConfig::new().clear_codecs().enable_opus(true, false);
        let config = config.enable_h264(true).enable_vp8(true).enable_vp9(true).enable_av1(true);
        Session::open(client, url, None, way, config, Direction::RecvOnly).await
    }

    /// Publishes to `url` (`/whip/NAME`) with the password `key`.
    ///
    /// # Errors
    /// When the server cannot be reached, or does not want that.
    pub async fn publish(
        client: &Client,
        url: &Url,
        key: &str,
        pictures: Pictures,
        way: Way,
    ) -> Result<Session, Error> {
        let config = RtcConfig::new().clear_codecs().enable_opus(true, false);
        let config = match pictures {
            Pictures::H264 => config.enable_h264(true),
            Pictures::Vp8 => config.enable_vp8(true),
            Pictures::Vp9 => config.enable_vp9(true),
            Pictures::Av1 => config.enable_av1(true),
        };
        Session::open(client, url, Some(key), way, config, Direction::SendOnly).await
    }

    async fn open(
        client: &Client,
        url: &Url,
        key: Option<&str>,
        way: Way,
        config: RtcConfig,
        direction: Direction,
    ) -> Result<Session, Error> {
        static CERTIFICATE: LazyLock<Option<DtlsCert>> = LazyLock::new(crypto::certificate);
        let now = Instant::now();
        let mut config = config.set_crypto_provider(crypto::provider());
        if let Some(certificate) = &*CERTIFICATE {
            config = config.set_dtls_cert(certificate.clone());
        }
        let mut rtc = config.build(now);
        let mut changes = rtc.sdp_api();
        let mut add = |kind| changes.add_media(kind, direction, None, None, None);
        let (sight, sound) = (add(MediaKind::Video), add(MediaKind::Audio));
        let (offer, pending) = changes.apply().ok_or(Error::Lost)?;
        let bearer = key.map(|key| format!("Bearer {key}"));
        let fields = [("Content-Type", "application/sdp")];
        let bearer = bearer.iter().map(|bearer| ("Authorization", bearer.as_str()));
        let fields: Vec<_> = fields.into_iter().chain(bearer).collect();
        let incoming = client.send("POST", url, &fields, &offer.to_sdp_string()).await?;
        let resource = incoming.reply.field("location").and_then(|location| url.join(location).ok());
        let text = incoming.text(LONGEST_ANSWER).await?;
        let theirs =
            address(&text, way).ok_or_else(|| Error::Answer(format!("it names no address for {way:?}")))?;
        let wire = Wire::connect(theirs, way).await?;
        let ours = candidate(wire.local(), way).ok_or_else(|| Error::Answer("we have no address".into()))?;
        rtc.add_local_candidate(ours);
        let answer = SdpAnswer::from_sdp_string(&text).map_err(|why| Error::Answer(why.to_string()))?;
        rtc.sdp_api().accept_answer(pending, answer)?;
        let (events, patience) = (VecDeque::new(), Some(now + PATIENCE));
        let mut session = Session { rtc, wire, sight, sound, events, due: now, patience, resource };
        session.settle()?;
        Ok(session)
    }

    /// Where the session itself is asked to end (`DELETE`), if the server said.
    pub fn resource(&self) -> Option<&Url> {
        self.resource.as_ref()
    }

    /// What happens next. Can be dropped while it waits; nothing is lost.
    ///
    /// # Errors
    /// When the session is over.
    pub async fn next(&mut self) -> Result<Event, Error> {
        loop {
            while let Some(event) = self.events.pop_front() {
                if let Some(event) = self.told(event)? {
                    return Ok(event);
                }
            }
            if !self.rtc.is_alive() {
                return Err(Error::Ended);
            }
            let now = Instant::now();
            if self.patience.is_some_and(|patience| now > patience) {
                return Err(Error::Lost);
            }
            if self.due <= now {
                self.rtc.handle_input(Input::Timeout(now))?;
                self.settle()?;
                continue;
            }
            tokio::select! {
                came = self.wire.next() => self.take(&came?)?,
                () = sleep_until(self.due.into()) => {}
            }
        }
    }

    /// Sends a frame that is to be shown at `at`; before the session is connected it is dropped.
    ///
    /// # Errors
    /// When the session is over.
    pub fn send(&mut self, picture: bool, at: Duration, data: &[u8]) -> Result<(), Error> {
        let mid = if picture { self.sight } else { self.sound };
        let now = Instant::now();
        if let Some(writer) = self.rtc.writer(mid) {
            let pt = writer.payload_params().next().map(|params| params.pt());
            let ticks = u64::try_from(at.as_micros() * 9 / 100).unwrap_or(u64::MAX);
            if let Some(pt) = pt {
                writer.write(pt, now, MediaTime::from_90khz(ticks), data)?;
            }
        }
        self.settle()?;
        self.due = self.due.min(now);
        Ok(())
    }

    /// Asks for a picture that one can begin with.
    ///
    /// # Errors
    /// When the session is over.
    pub fn want_key(&mut self) -> Result<(), Error> {
        if let Some(mut writer) = self.rtc.writer(self.sight) {
            // before its first packet there is nobody to ask
            let _nobody_yet = writer.request_keyframe(None, KeyframeRequestKind::Pli);
        }
        self.settle()
    }

    fn told(&mut self, event: str0m::Event) -> Result<Option<Event>, Error> {
        use str0m::Event as Told;
        Ok(match event {
            Told::Connected => {
                self.patience = None;
                Some(Event::Connected)
            }
            Told::IceConnectionStateChange(IceConnectionState::Disconnected) => return Err(Error::Lost),
            Told::Closed => return Err(Error::Ended),
            Told::KeyframeRequest(_) => Some(Event::KeyWanted),
            Told::MediaData(data) => Some(Event::Frame(self.frame(&data))),
            _ => None,
        })
    }

    fn frame(&self, data: &MediaData) -> Frame {
        let rate = u128::from(data.time.frequency().get().max(1));
        let nanos = u128::from(data.time.numer()) * 1_000_000_000 / rate;
        Frame {
            picture: data.mid == self.sight,
            key: data.is_keyframe(),
            at: Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)),
            follows: data.contiguous,
            data: Bytes::copy_from_slice(&data.data),
        }
    }

    fn take(&mut self, datagram: &[u8]) -> Result<(), Error> {
        let read = Receive::new(self.wire.protocol(), self.wire.remote(), self.wire.local(), datagram);
        let Ok(received) = read else { return Ok(()) };
        let input = Input::Receive(Instant::now(), received);
        if self.rtc.accepts(&input) {
            self.rtc.handle_input(input)?;
            self.settle()?;
        }
        Ok(())
    }

    /// Sends and notes all that came of the last change.
    fn settle(&mut self) -> Result<(), Error> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(due) => {
                    self.due = due;
                    return Ok(());
                }
                Output::Transmit(packet) => self.wire.send(&packet.contents),
                Output::Event(event) => self.events.push_back(event),
            }
        }
    }
}

/// Where an answer says that the server is.
fn address(answer: &str, way: Way) -> Option<SocketAddr> {
    let wanted = if way == Way::Udp { "udp" } else { "tcp" };
    answer.lines().filter_map(|line| line.strip_prefix("a=candidate:")).find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[_, _, protocol, _, ip, port, ..] = &words[..] else { return None };
        protocol.eq_ignore_ascii_case(wanted).then_some(())?;
        Some(SocketAddr::new(ip.parse().ok()?, port.parse().ok()?))
    })
}

fn candidate(local: SocketAddr, way: Way) -> Option<Candidate> {
    match way {
        Way::Udp => Candidate::host(local, Protocol::Udp).ok(),
        Way::Tcp => Candidate::builder().tcp().host(local).tcptype(TcpType::Active).build().ok(),
    }
}

/// How long a server may take to come after it answered.
const PATIENCE: Duration = Duration::from_secs(15);
const LONGEST_ANSWER: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_where_the_server_is() {
        let answer = "v=0\r\na=candidate:1 1 udp 213 192.0.2.1 8189 typ host\r\n\
                      a=candidate:2 1 tcp 105 192.0.2.2 8190 typ host tcptype passive\r\na=candidate:3 1\r\n";
        assert_eq!(address(answer, Way::Udp), Some(([192, 0, 2, 1], 8189).into()));
        assert_eq!(address(answer, Way::Tcp), Some(([192, 0, 2, 2], 8190).into()));
        assert_eq!(address("v=0\r\n", Way::Udp), None);
    }
}
