//! WebRTC with a client of our own: what is published by WHIP is watched by WHEP, over datagrams and over TCP.

use crate::kit::{Rig, until};
use anyhow::{Context, Result, ensure};
use levada_serve::client::{
    Client,
    http::Patience,
    webrtc::{Event, Frame, Pictures, Session, Way},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    net::UdpSocket,
    task::JoinHandle,
    time::{Instant, interval, sleep, timeout},
};
use url::Url;

const WEBRTC: &str = "[webrtc]\nlisten = ['127.0.0.1:0']\nkey_interval = '1h'\n";

#[tokio::test]
async fn every_codec_of_browsers_passes_through_as_it_is() -> Result<()> {
    for pictures in [Pictures::Vp9, Pictures::Av1, Pictures::Vp8, Pictures::H264] {
        passes(pictures, Way::Udp, Way::Udp).await.with_context(|| format!("{pictures:?}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn who_is_reached_by_no_datagram_comes_over_tcp() -> Result<()> {
    passes(Pictures::H264, Way::Tcp, Way::Tcp).await?;
    passes(Pictures::Vp8, Way::Udp, Way::Tcp).await
}

#[tokio::test]
async fn a_viewer_who_lost_a_picture_has_the_publisher_asked_for_another() -> Result<()> {
    let rig = Rig::start(WEBRTC).await?;
    let publisher = Publisher::start(&rig, Pictures::Vp8, Way::Udp).await?;
    let mut viewer = watch(&rig, Way::Udp).await?;
    frames(&mut viewer, 5).await?;
    let before = publisher.asked.load(Relaxed);
    viewer.want_key()?;
    let asked = async {
        while publisher.asked.load(Relaxed) == before {
            viewer.next().await?;
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, asked).await.context("the publisher was not asked")?
}

#[tokio::test]
async fn the_address_of_a_session_takes_candidates_and_ends_it() -> Result<()> {
    let rig = Rig::start(WEBRTC).await?;
    let _publisher = Publisher::start(&rig, Pictures::Vp8, Way::Udp).await?;
    let mut viewer = watch(&rig, Way::Udp).await?;
    frames(&mut viewer, 1).await?;
    let path = viewer.resource().context("no address")?.path().to_owned();
    let fragment = "a=ice-ufrag:x\r\na=ice-pwd:y\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n\
                    a=candidate:1 1 UDP 2130706431 192.0.2.7 5000 typ host\r\na=end-of-candidates\r\n";
    let kind = |kind: &str| format!("Content-Type: {kind}\r\n");
    for (path, kind, status) in [
        (path.as_str(), kind("application/trickle-ice-sdpfrag"), 204),
        (path.as_str(), kind("application/sdp"), 415),
        ("/webrtc/guessed", kind("application/trickle-ice-sdpfrag"), 404),
    ] {
        let reply = rig.ask("PATCH", path, &kind, fragment).await?;
        ensure!(reply.status == status, "{path} {kind}: {} {}", reply.status, reply.text());
    }
    frames(&mut viewer, 1).await?;
    ensure!(rig.ask("DELETE", &path, "", "").await?.status == 200);
    let ended = async { while viewer.next().await.is_ok() {} };
    timeout(PATIENCE, ended).await.context("the session goes on")?;
    ensure!(rig.ask("DELETE", &path, "", "").await?.status == 404, "it is gone");
    Ok(())
}

#[tokio::test]
async fn who_has_not_proved_where_he_is_gets_no_more_than_he_sends() -> Result<()> {
    let rig = Rig::start(WEBRTC).await?;
    let offer = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fuzz/corpus/sdp_offer/watch_from_chromium"
    ))?;
    let _publisher = Publisher::start(&rig, Pictures::H264, Way::Udp).await?;
    let reply = rig.ask("POST", "/whep/live/x", "Content-Type: application/sdp\r\n", &offer).await?;
    ensure!(reply.status == 201, "{} {}", reply.status, reply.text());
    let answer = reply.text();
    let name = answer.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).context("no name")?;
    let address = rig.server.station().webrtc.addresses()[0];
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.connect(address).await?;
    let user = format!("{name}:them");
    let mut unsigned = attribute(0x0006, user.as_bytes());
    unsigned.extend(attribute(0x0024, &[0x7e, 0, 0, 0xff])); // priority
    let signed = [&unsigned[..], &attribute(0x0008, &[7; 20])].concat();
    let hello = [&[22, 0xfe, 0xfd][..], &[0; 8], &[0, 200], &[1; 200]].concat(); // DTLS
    let mut answer = [0; 2_048];
    for datagram in [request(&unsigned), request(&signed), hello, vec![0x80; 40]] {
        for _ in 0..20 {
            socket.send(&datagram).await?;
        }
        let mut got = 0;
        while let Ok(Ok(length)) = timeout(Duration::from_millis(150), socket.recv(&mut answer)).await {
            got += length;
        }
        ensure!(got <= 20 * datagram.len(), "{got} bytes for {}", 20 * datagram.len());
    }
    let metrics = rig.get("/metrics").await?.text();
    let strays = metrics.lines().find_map(|line| line.strip_prefix("levada_webrtc_stray_datagrams_total "));
    let strays: u64 = strays.context("not counted")?.parse()?;
    ensure!(strays >= 20, "DTLS and RTP of a stranger are for nobody: {strays}");
    Ok(())
}

/// Whether what is published comes as it was sent, beginning with a picture that one can begin with.
async fn passes(pictures: Pictures, publish: Way, view: Way) -> Result<()> {
    let rig = Rig::start(WEBRTC).await?;
    let _publisher = Publisher::start(&rig, pictures, publish).await?;
    let mut viewer = watch(&rig, view).await?;
    let seen = frames(&mut viewer, 20).await?;
    ensure!(seen[0].key, "it begins in the middle");
    for frame in &seen {
        let intact = frame.data.windows(MARK.len()).any(|window| window == MARK);
        ensure!(intact, "{:?}", frame.data);
    }
    let viewers = rig.server.station().sessions.of(&"/live/x".parse()?);
    let tempo = viewers.first().context("nobody watches")?.meter.tempo();
    // the last of them may be counted when its successor goes
    ensure!(tempo.pages >= 19 && tempo.gaps.iter().sum::<u64>() >= 18, "{tempo:?}");
    Ok(())
}

/// The next pictures of a viewer; all must follow each other.
async fn frames(viewer: &mut Session, count: usize) -> Result<Vec<Frame>> {
    let mut seen = Vec::new();
    let seeing = async {
        while seen.len() < count {
            if let Event::Frame(frame) = viewer.next().await?
                && frame.picture
            {
                seen.push(frame);
            }
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, seeing).await.context("no pictures")??;
    Ok(seen)
}

async fn watch(rig: &Rig, way: Way) -> Result<Session> {
    let client = Client::new("test", Patience::default());
    let url: Url = format!("http://{}/whep/live/x", rig.address).parse()?;
    let late = Instant::now() + PATIENCE;
    loop {
        match Session::watch(&client, &url, way).await {
            Ok(session) => return Ok(session),
            Err(why) if Instant::now() > late => return Err(why.into()),
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Publishes made-up pictures of a codec, thirty a second.
struct Publisher {
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Publisher {
    async fn start(rig: &Rig, pictures: Pictures, way: Way) -> Result<Publisher> {
        let client = Client::new("test", Patience::default());
        let url: Url = format!("http://{}/whip/live/x", rig.address).parse()?;
        let mut session = Session::publish(&client, &url, "hush", pictures, way).await?;
        let asked = Arc::<AtomicUsize>::default();
        let counted = asked.clone();
        let task = tokio::spawn(async move {
            let (mut tick, mut number, mut here) = (interval(Duration::from_millis(33)), 0_u32, false);
            loop {
                tokio::select! {
                    event = session.next() => match event {
                        Ok(Event::Connected) => here = true,
                        Ok(Event::KeyWanted) => drop(counted.fetch_add(1, Relaxed)),
                        Ok(Event::Frame(_)) => {}
                        Err(_) => return,
                    },
                    _ = tick.tick(), if here => {
                        let at = Duration::from_millis(33) * number;
                        if session.send(true, at, &picture(pictures, number.is_multiple_of(15))).is_err() {
                            return;
                        }
                        number += 1;
                    }
                }
            }
        });
        let name = "/live/x".parse()?;
        let there = || rig.server.station().mounts.find(&name).is_some_and(|mount| mount.source().is_some());
        until("the publisher", there).await?;
        Ok(Publisher { asked, task })
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A picture that has the codec's headers and nothing that can be decoded.
fn picture(codec: Pictures, key: bool) -> Vec<u8> {
    let sps = [
        0x67, 0x64, 0x00, 0x0c, 0xac, 0xd9, 0x41, 0x41, 0x9f, 0x9f, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
        0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x42, 0x99, 0x60,
    ];
    let start = [0, 0, 0, 1];
    let size = MARK.len() as u8;
    match (codec, key) {
        (Pictures::Vp8, true) => [&[0x10, 0, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xf0, 0][..], MARK].concat(),
        (Pictures::Vp8, false) => [&[0x11, 0, 0][..], MARK].concat(),
        (Pictures::Vp9, true) => [&[0x82, 0x49, 0x83, 0x42, 0, 0x13, 0xf0, 0x0e, 0xf6][..], MARK].concat(),
        (Pictures::Vp9, false) => [&[0x86, 0, 0x40][..], MARK].concat(),
        (Pictures::Av1, true) => {
            let sequence = [0x0a, 11, 0, 0, 0, 0x24, 0xcf, 0x7f, 0x0d, 0xbf, 0xff, 0x38, 0x18];
            [&[0x12, 0][..], &sequence, &[0x32, size], MARK].concat()
        }
        (Pictures::Av1, false) => [&[0x12, 0, 0x32, size][..], MARK].concat(),
        (Pictures::H264, true) => {
            [&start, &sps[..], &start, &[0x68, 0xeb, 0xe3, 0xcb], &start, &[0x65, 0x88], MARK].concat()
        }
        (Pictures::H264, false) => [&start, &[0x41, 0x9a][..], MARK].concat(),
    }
}

/// A binding request of STUN (RFC 8489) with these attributes.
fn request(attributes: &[u8]) -> Vec<u8> {
    let length = (attributes.len() as u16).to_be_bytes();
    [&[0, 1][..], &length, &[0x21, 0x12, 0xa4, 0x42], &[9; 12], attributes].concat()
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut out = [kind.to_be_bytes(), (value.len() as u16).to_be_bytes()].concat();
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

const MARK: &[u8] = b"what was published is what is watched, byte for byte";
const PATIENCE: Duration = Duration::from_secs(30);
