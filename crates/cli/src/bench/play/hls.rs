//! One player of HLS: it begins as near to the end as the server allows, and fetches each part as soon as it is there.

use super::crowd::Place;
use crate::bench::{resolve, target};
use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use levada_media::{Demux, Format, Item, Kind, TrackInfo, container::fmp4};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};
use url::Url;

/// Plays the stream at `url` for ever.
pub(super) async fn play(url: &Url, place: &Place) -> Result<()> {
    let mut line = Line::open(url).await?;
    let mut list = List::read(&text(&mut line, url, place).await?)?;
    let mut reel = Reel::default();
    let mut next = list.start();
    loop {
        for piece in list.pieces.iter().filter(|piece| piece.number >= next) {
            if piece.init != reel.init
                && let Some(init) = &piece.init
            {
                let bytes = fetch(&mut line, &url.join(init)?, place).await?;
                reel.begin(init, &bytes, place);
            }
            let bytes = fetch(&mut line, &url.join(&piece.uri)?, place).await?;
            reel.show(&bytes, place);
        }
        let last = list.pieces.last().map(|piece| piece.number);
        next = last.map_or(next, |(segment, part)| match part {
            WHOLE => (segment + 1, 0),
            part => (segment, part + 1),
        });
        ensure!(!list.over, "the stream ended");
        let mut ask = url.clone();
        if list.waits {
            ask.query_pairs_mut()
                .append_pair("_HLS_msn", &next.0.to_string())
                .append_pair("_HLS_part", &next.1.to_string());
        } else if last.is_none_or(|last| last < next) {
            sleep(Duration::from_secs_f64(list.target / 2.0)).await;
        }
        list = List::read(&text(&mut line, &ask, place).await?)?;
    }
}

/// Segment and part; `WHOLE` for a segment of which no parts are told.
type Number = (u64, u64);

struct Piece {
    number: Number,
    uri: String,
    init: Option<String>,
    /// Whether it may be begun with.
    begins: bool,
}

/// What a playlist tells.
struct List {
    target: f64,
    /// Whether the server waits until there is what one asks for.
    waits: bool,
    over: bool,
    pieces: Vec<Piece>,
}

impl List {
    /// Reads a playlist with its parts, of which `m3u8-rs` knows nothing.
    fn read(text: &str) -> Result<List> {
        ensure!(text.starts_with("#EXTM3U"), "this is no playlist of HLS");
        let mut list = List { target: 2.0, waits: false, over: false, pieces: Vec::new() };
        let (mut segment, mut part, mut init) = (0, 0, None);
        for line in text.lines().map(str::trim) {
            let Some((tag, value)) = line.split_once(':').filter(|_| line.starts_with('#')) else {
                if line == "#EXT-X-ENDLIST" {
                    list.over = true;
                } else if !line.is_empty() && !line.starts_with('#') {
                    if part == 0 {
                        let (uri, init) = (line.to_owned(), init.clone());
                        list.pieces.push(Piece { number: (segment, WHOLE), uri, init, begins: true });
                    }
                    (segment, part) = (segment + 1, 0);
                }
                continue;
            };
            match tag {
                "#EXT-X-TARGETDURATION" => list.target = value.parse().unwrap_or(2.0),
                "#EXT-X-MEDIA-SEQUENCE" => segment = value.parse().context("no number")?,
                "#EXT-X-SERVER-CONTROL" => list.waits = value.contains("CAN-BLOCK-RELOAD=YES"),
                "#EXT-X-MAP" => init = attribute(value, "URI"),
                "#EXT-X-STREAM-INF" => bail!("this playlist lists others; name one of them"),
                "#EXT-X-PART" => {
                    let uri = attribute(value, "URI").context("a part without an address")?;
                    let begins = value.contains("INDEPENDENT=YES");
                    list.pieces.push(Piece { number: (segment, part), uri, init: init.clone(), begins });
                    part += 1;
                }
                _ => {}
            }
        }
        Ok(list)
    }

    /// Where a player begins: with the newest part that can be begun with where the server waits for players, else three
    /// segments before the end (RFC 8216 6.3.3).
    fn start(&self) -> Number {
        let newest = || self.pieces.iter().rev().find(|piece| piece.begins);
        let behind = || self.pieces.get(self.pieces.len().saturating_sub(3));
        let first = if self.waits { newest() } else { behind() };
        first.map_or((0, 0), |piece| piece.number)
    }
}

/// What an attribute in quotation marks says.
fn attribute(list: &str, name: &str) -> Option<String> {
    let (_, rest) = list.split_once(&format!("{name}=\""))?;
    Some(rest.split_once('"')?.0.to_owned())
}

/// Opens what comes into pictures.
#[derive(Default)]
struct Reel {
    init: Option<String>,
    demux: Option<Box<dyn Demux>>,
    tracks: Option<Arc<[TrackInfo]>>,
}

impl Reel {
    fn begin(&mut self, name: &str, init: &Bytes, place: &Place) {
        self.init = Some(name.to_owned());
        self.demux = Some(Box::new(fmp4::Demux::new()));
        self.show(init, place);
    }

    fn show(&mut self, bytes: &Bytes, place: &Place) {
        if self.demux.is_none() {
            self.demux = Format::probe(bytes).and_then(Format::demuxer);
        }
        let Some(demux) = &mut self.demux else { return };
        demux.push(bytes);
        while let Ok(Some(item)) = demux.poll() {
            match item {
                Item::Tracks(tracks) => self.tracks = Some(tracks),
                Item::Frame(frame) => {
                    let track =
                        self.tracks.iter().flat_map(|tracks| tracks.iter()).find(|t| t.id == frame.track);
                    if let Some(track) = track.filter(|track| track.codec.kind() == Kind::Video) {
                        place.picture(track.timebase.duration(frame.dts), frame.key, &frame.data);
                    }
                }
                Item::Tags(_) => {}
            }
        }
    }
}

/// A connection on which one thing is asked for after the other.
struct Line {
    stream: TcpStream,
    ahead: BytesMut,
    host: String,
}

impl Line {
    async fn open(url: &Url) -> Result<Line> {
        let stream = TcpStream::connect(resolve(url)?).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = format!("{}{port}", url.host_str().unwrap_or_default());
        Ok(Line { stream, ahead: BytesMut::new(), host })
    }

    async fn get(&mut self, url: &Url) -> Result<Bytes> {
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: levada-bench\r\n\r\n",
            target(url),
            self.host
        );
        self.stream.write_all(request.as_bytes()).await?;
        let end = loop {
            if let Some(at) = self.ahead.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let head = String::from_utf8_lossy(&self.ahead.split_to(end)).into_owned();
        let first = head.lines().next().unwrap_or_default();
        ensure!(first.split_whitespace().nth(1) == Some("200"), "{}: {first}", url.path());
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        let length = length.with_context(|| format!("{} has no length", url.path()))?;
        while self.ahead.len() < length {
            self.more().await?;
        }
        Ok(self.ahead.split_to(length).freeze())
    }

    async fn more(&mut self) -> Result<()> {
        ensure!(self.stream.read_buf(&mut self.ahead).await? > 0, "the server closed the connection");
        Ok(())
    }
}

async fn fetch(line: &mut Line, url: &Url, place: &Place) -> Result<Bytes> {
    let bytes = line.get(url).await?;
    place.bytes(bytes.len());
    Ok(bytes)
}

async fn text(line: &mut Line, url: &Url, place: &Place) -> Result<String> {
    Ok(String::from_utf8_lossy(&fetch(line, url, place).await?).into_owned())
}

const WHOLE: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_player_begins_with_the_newest_part_and_knows_what_comes_next() {
        let text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n\
                    #EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MAP:URI=\"init-1.mp4\"\n#EXTINF:2,\nseg-7.m4s\n\
                    #EXT-X-PART:DURATION=1,URI=\"part-8.0.m4s\",INDEPENDENT=YES\n\
                    #EXT-X-PART:DURATION=1,URI=\"part-8.1.m4s\"\n#EXTINF:2,\nseg-8.m4s\n\
                    #EXT-X-PART:DURATION=1,URI=\"part-9.0.m4s\",INDEPENDENT=YES\n\
                    #EXT-X-PART:DURATION=1,URI=\"part-9.1.m4s\"\n";
        let list = List::read(text).unwrap();
        let numbers: Vec<_> = list.pieces.iter().map(|piece| piece.number).collect();
        assert_eq!(numbers, [(7, WHOLE), (8, 0), (8, 1), (9, 0), (9, 1)]);
        assert_eq!((list.start(), list.waits, list.over), ((9, 0), true, false));
        assert!(list.pieces.iter().all(|piece| piece.init.as_deref() == Some("init-1.mp4")));
        let old =
            List::read(&text.replace("#EXT-X-SERVER-CONTROL", "#X").replace("#EXT-X-PART", "#X")).unwrap();
        assert_eq!((old.start(), old.pieces.len()), ((7, WHOLE), 2));
        assert!(List::read("<html>").is_err());
    }
}
