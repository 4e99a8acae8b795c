//! One WebRTC session and its way to the network. What it is about is its owner's business: watching, publishing,
//! talking.

use super::{
    Webrtc,
    routes::{Datagram, Route},
    sockets::{Local, Sockets},
};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};
use str0m::{
    Candidate, Event, IceConnectionState, IceCreds, Input, Output, Rtc, RtcConfig, RtcError,
    change::SdpOffer,
    media::{MediaKind, Mid},
    net::{Protocol, Receive, TcpType},
    rtp::RtpWrite,
};
use tokio::{sync::mpsc, time::sleep_until};

/// A session that has answered an offer. Dropping it ends it without a word; [`Peer::close`] says goodbye.
pub(super) struct Peer {
    rtc: Rtc,
    sockets: Arc<Sockets>,
    route: Route,
    inbox: mpsc::Receiver<Datagram>,
    locals: Vec<Local>,
    streams: Vec<(MediaKind, Mid)>,
    /// What happened and has not been asked for. It grows with what one datagram brings, and is read before the next.
    events: VecDeque<Event>,
    due: Instant,
    /// When it is given up unless the peer has come.
    patience: Option<Instant>,
    sent: u64,
}

/// Why no session came of an offer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum BadOffer {
    /// It is no session description.
    #[error("this is no offer: {0}")]
    Unreadable(String),
    /// It is one that cannot be answered.
    #[error("this offer cannot be answered: {0}")]
    Unfit(String),
    /// The server has no address for WebRTC that the peer could reach.
    #[error("this server has no WebRTC address that you can reach")]
    Nowhere,
}

/// Why a session is over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum Gone {
    /// The peer said goodbye.
    #[error("the peer left")]
    Left,
    /// The peer has not come, or cannot be reached any more.
    #[error("the peer is out of reach")]
    Lost,
    /// The peer does what no peer does.
    #[error("{0}")]
    Broken(#[from] RtcError),
}

impl Peer {
    /// Answers `offer` with a session of `config`, for a peer that reaches us at `locals`. Gives the answer with it.
    ///
    /// # Errors
    /// When that cannot be done.
    pub(super) fn answer(
        offer: &str,
        config: RtcConfig,
        locals: Vec<Local>,
        webrtc: &Webrtc,
    ) -> Result<(Peer, String), BadOffer> {
        let offer = SdpOffer::from_sdp_string(offer).map_err(|why| BadOffer::Unreadable(why.to_string()))?;
        let creds = IceCreds { ufrag: super::token(6), pass: super::token(18) };
        let (route, inbox) = webrtc.sockets().routes.open(&creds.ufrag);
        let now = Instant::now();
        let mut config = config
            .set_crypto_provider(super::crypto::provider())
            .set_local_ice_credentials(creds)
            .set_ice_lite(true);
        if let Some(certificate) = webrtc.certificate() {
            config = config.set_dtls_cert(certificate);
        }
        let mut rtc = config.build(now);
        let candidates = locals.iter().flat_map(candidates);
        let known = candidates.filter_map(|candidate| rtc.add_local_candidate(candidate).map(|_| ())).count();
        if known == 0 {
            return Err(BadOffer::Nowhere);
        }
        let answer = rtc.sdp_api().accept_offer(offer).map_err(|why| BadOffer::Unfit(why.to_string()))?;
        let answer = answer.to_sdp_string();
        let mut peer = Peer {
            rtc,
            sockets: webrtc.sockets().clone(),
            route,
            inbox,
            locals,
            streams: streams(&answer),
            events: VecDeque::new(),
            due: now,
            patience: Some(now + PATIENCE),
            sent: 0,
        };
        peer.settle().map_err(|why| BadOffer::Unfit(why.to_string()))?;
        Ok((peer, answer))
    }

    /// The next event. Can be dropped while it waits; nothing is lost.
    ///
    /// # Errors
    /// When the session is over.
    pub(super) async fn next(&mut self) -> Result<Event, Gone> {
        loop {
            if let Some(event) = self.events.pop_front() {
                match event {
                    Event::Connected => self.patience = None,
                    Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                        return Err(Gone::Lost);
                    }
                    Event::Closed => return Err(Gone::Left),
                    _ => {}
                }
                return Ok(event);
            }
            if !self.rtc.is_alive() {
                return Err(Gone::Left);
            }
            let now = Instant::now();
            if self.patience.is_some_and(|patience| now > patience) {
                return Err(Gone::Lost);
            }
            let due = self.due.min(self.patience.unwrap_or(self.due));
            if self.due <= now {
                self.wake(now)?;
                continue;
            }
            tokio::select! {
                came = self.inbox.recv() => match came {
                    Some(datagram) => self.take(&datagram)?,
                    None => return Err(Gone::Lost),
                },
                () = sleep_until(due.into()) => {}
            }
        }
    }

    /// The streams that were agreed on, in the offer's order; some may have come to nothing.
    pub(super) fn streams(&self) -> &[(MediaKind, Mid)] {
        &self.streams
    }

    /// The session's own state. What changes it goes through [`Peer::change`].
    pub(super) fn rtc(&self) -> &Rtc {
        &self.rtc
    }

    /// Changes the session's state, and sends what comes of that.
    ///
    /// # Errors
    /// When the session is over.
    pub(super) fn change<T>(&mut self, change: impl FnOnce(&mut Rtc) -> T) -> Result<T, Gone> {
        let changed = change(&mut self.rtc);
        self.settle()?;
        Ok(changed)
    }

    /// Sends a packet of the stream called `mid`, as soon as it is asked for.
    ///
    /// # Errors
    /// When the session is over.
    pub(super) fn write(&mut self, mid: Mid, packet: RtpWrite) -> Result<(), Gone> {
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, None) {
            stream.write_rtp(packet);
        }
        self.settle()?;
        let now = Instant::now();
        if self.due <= now { self.wake(now) } else { Ok(()) }
    }

    /// Bytes that were handed to the network.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Says goodbye.
    pub(super) fn close(mut self) {
        self.rtc.disconnect();
        let _over_anyway = self.settle();
    }

    fn wake(&mut self, now: Instant) -> Result<(), Gone> {
        self.rtc.handle_input(Input::Timeout(now))?;
        Ok(self.settle()?)
    }

    /// Gives the session a datagram. What it cannot read, or what is not from its peer, is left out.
    fn take(&mut self, datagram: &Datagram) -> Result<(), Gone> {
        let local = self.locals.iter().find(|local| {
            local.socket == datagram.socket && local.address.is_ipv4() == datagram.from.is_ipv4()
        });
        let Some(local) = local else { return Ok(()) };
        let read = Receive::new(datagram.proto, datagram.from, local.address, &datagram.bytes);
        let Ok(received) = read else { return Ok(()) };
        let input = Input::Receive(datagram.at, received);
        if !self.rtc.accepts(&input) {
            return Ok(());
        }
        self.rtc.handle_input(input)?;
        self.route.bind(datagram.from);
        Ok(self.settle()?)
    }

    /// Sends and notes all that came of the last change.
    fn settle(&mut self) -> Result<(), RtcError> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(due) => {
                    self.due = due;
                    return Ok(());
                }
                Output::Transmit(packet) => {
                    let local = self.locals.iter().find(|local| local.address == packet.source);
                    let Some(local) = local else { continue };
                    self.sent += packet.contents.len() as u64;
                    self.sockets.send(&packet, local.socket);
                }
                Output::Event(event) => self.events.push_back(event),
            }
        }
    }
}

/// The streams of a session description. str0m tells of them only when the peer has come.
fn streams(sdp: &str) -> Vec<(MediaKind, Mid)> {
    let mut kind = None;
    let mut found = Vec::new();
    for line in sdp.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            kind = match media.split(' ').next() {
                Some("audio") => Some(MediaKind::Audio),
                Some("video") => Some(MediaKind::Video),
                _ => None,
            };
        } else if let (Some(kind), Some(mid)) = (kind, line.strip_prefix("a=mid:")) {
            found.push((kind, Mid::from(mid.trim())));
        }
    }
    found
}

/// What the peer is told of one of our addresses.
fn candidates(local: &Local) -> Vec<Candidate> {
    let udp = Candidate::host(local.address, Protocol::Udp).ok();
    let tcp = || Candidate::builder().tcp().host(local.address).tcptype(TcpType::Passive).build().ok();
    udp.into_iter().chain(local.tcp.then(tcp).flatten()).collect()
}

/// How long a peer may take to come after its offer was answered.
const PATIENCE: Duration = Duration::from_secs(15);
