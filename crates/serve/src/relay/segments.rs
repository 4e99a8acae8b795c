//! A stream of HLS as a source: its playlist is followed, and what is in its segments goes into a mount at its own pace.

use super::feed::Lost;
use crate::{
    Claim, Origin, Source,
    client::{
        Client, Pacer,
        backoff::Backoff,
        hls::{Follower, Piece, Told, Unfit},
        http::Error,
    },
};
use bytes::BytesMut as Bytes;
use levada_media::{
    Codec, Cut, Demux, Format, Item, Kind, Mux, Page,
    container::{
        flv::{self, tag::View},
        fmp4,
    },
};
use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use url::Url;

/// A stream whose first pieces are here.
pub(super) struct Segments {
    reader: Reader,
    first: VecDeque<Bytes>,
    reel: Reel,
}

/// Reads playlists and fetches what is new in them.
struct Reader {
    client: Client,
    follower: Follower,
    list: Option<List>,
}

/// What a playlist told and has not been fetched.
struct List {
    pieces: VecDeque<Piece>,
    /// Who told it.
    sender: Option<IpAddr>,
    /// When it is read again; `None` when nothing follows.
    again: Option<Instant>,
}

/// Turns pieces into pages of a mount.
enum Reel {
    /// The bytes are such a stream, one piece after the other.
    Plain(Format, Box<dyn Cut>),
    /// Fragmented MP4, which becomes Flash video.
    Film(Box<Film>),
}

struct Film {
    demux: fmp4::Demux,
    mux: flv::Mux,
    begun: bool,
}

impl Segments {
    /// Whether an address is one of HLS.
    pub(super) fn is_meant(parent: &Url) -> bool {
        parent.path().ends_with(".m3u8")
    }

    /// Reads the playlist and its first pieces, so that it is known what they are.
    pub(super) async fn ask(client: &Client, parent: &Url) -> Result<(Segments, Source), Lost> {
        let mut reader =
            Reader { client: client.clone(), follower: Follower::new(parent.clone()), list: None };
        let mut first = VecDeque::new();
        let reel = loop {
            let Some(piece) = reader.next().await? else { return Err(Error::Ended.into()) };
            let reel = Reel::of(&piece);
            first.push_back(piece);
            match reel {
                Some(reel) => break reel,
                None if first.len() < FEW => {}
                None => return Err(Error::NoStream(format!("what {parent} lists is nothing we know")).into()),
            }
        };
        let source = Source::new(Origin::Relay, reel.content_type(), SystemTime::now());
        Ok((Segments { reader, first, reel }, source))
    }

    /// Carries it into the mount until it is lost. Pieces are fetched as soon as they are listed, since they may be gone
    /// soon; at most [`AHEAD`] of them wait for their time.
    pub(super) async fn carry(self, claim: &Claim) -> Lost {
        let Segments { mut reader, first, mut reel } = self;
        let (ahead, mut pieces) = mpsc::channel(AHEAD);
        let fetch = async {
            loop {
                match reader.next().await {
                    Ok(Some(piece)) => {
                        let _played_until_dropped = ahead.send(Ok(piece)).await;
                    }
                    Ok(None) => return ahead.send(Err(Lost::from(Error::Ended))).await,
                    Err(why) => return ahead.send(Err(why)).await,
                }
            }
        };
        let play = async {
            let mut pacer = Pacer::new(LEAD);
            for piece in first {
                if let Err(why) = reel.play(&piece, &mut pacer, claim).await {
                    return why;
                }
            }
            loop {
                let Some(piece) = pieces.recv().await else { return Error::Ended.into() };
                let played = match piece {
                    Ok(piece) => reel.play(&piece, &mut pacer, claim).await,
                    Err(why) => Err(why),
                };
                if let Err(why) = played {
                    return why;
                }
            }
        };
        // both live as long as this: when one is lost the other is dropped
        tokio::pin!(fetch, play);
        let mut fetching = true;
        loop {
            tokio::select! {
                why = &mut play => return why,
                _told = &mut fetch, if fetching => fetching = false,
                () = claim.let_go() => return Lost::Taken,
            }
        }
    }
}

impl Reader {
    /// The next piece, whole. One that cannot be had is left out; `None` at the end of the stream.
    async fn next(&mut self) -> Result<Option<Bytes>, Lost> {
        loop {
            let list = match &mut self.list {
                Some(list) => list,
                None => self.list.insert(read(&self.client, &mut self.follower).await?),
            };
            if let Some(piece) = list.pieces.pop_front() {
                let sender = list.sender;
                match fetch(&self.client, &piece, sender).await {
                    Ok(bytes) => return Ok(Some(bytes)),
                    Err(why) => tracing::debug!(url = %piece.url, %why, "a segment is left out"),
                }
                continue;
            }
            let Some(again) = list.again else { return Ok(None) };
            sleep_until(again).await;
            self.list = None;
        }
    }
}

/// Reads the playlist, for some time also where that fails.
async fn read(client: &Client, follower: &mut Follower) -> Result<List, Lost> {
    let (mut backoff, began, mut lists) = (Backoff::default(), Instant::now(), 0);
    loop {
        let asked = Instant::now();
        let got = match client.get(follower.url(), &[]).await {
            Ok(incoming) => {
                let (url, sender) = (incoming.url.clone(), incoming.peer);
                incoming.text(LONGEST_LIST).await.map(|text| (text, url, sender))
            }
            Err(why) => Err(why),
        };
        let (text, url, sender) = match got {
            Ok(got) => got,
            Err(why) if why.is_final() || began.elapsed() > PATIENCE => return Err(why.into()),
            Err(_) => {
                sleep(backoff.wait()).await;
                continue;
            }
        };
        match follower.push(&text, &url).map_err(Lost::Unfit)? {
            Told::Variants if lists < MOST_LISTS => lists += 1,
            Told::Variants => return Err(Lost::Unfit(Unfit::Nowhere)),
            Told::Pieces { pieces, missed, again } => {
                if missed > 0 {
                    tracing::info!(%url, missed, "segments had left the playlist before they were seen");
                }
                let again = again.map(|again| asked + again);
                return Ok(List { pieces: pieces.into(), sender, again });
            }
        }
    }
}

async fn fetch(client: &Client, piece: &Piece, sender: Option<IpAddr>) -> Result<Bytes, Error> {
    let range = piece.range.map(|(first, last)| format!("bytes={first}-{last}"));
    let fields: Vec<_> = range.iter().map(|range| ("Range", range.as_str())).collect();
    let mut incoming = client.get_led(&piece.url, &fields, sender).await?;
    let mut bytes = Bytes::new();
    while let Some(chunk) = incoming.chunk().await? {
        if bytes.len() + chunk.len() > LONGEST_PIECE {
            return Err(Error::TooLong(LONGEST_PIECE));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

impl Reel {
    /// What a stream that begins with `piece` is; `None` where that is not to be seen.
    fn of(piece: &[u8]) -> Option<Reel> {
        let name = piece.get(4..8).unwrap_or_default();
        if [b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"emsg"].iter().any(|known| name == *known) {
            let mux = flv::Mux::new(View::Enhanced);
            return Some(Reel::Film(Box::new(Film { demux: fmp4::Demux::new(), mux, begun: false })));
        }
        let format = Format::probe(piece)?;
        let carried = matches!(format, Format::MpegTs | Format::Adts | Format::Mp3);
        carried.then(|| Reel::Plain(format, format.cutter()))
    }

    fn content_type(&self) -> &'static str {
        match self {
            Reel::Plain(format, _) => format.content_type(),
            Reel::Film(_) => Format::Flv.content_type(),
        }
    }

    /// Gives what is in `piece` to the mount, each page when it is due.
    async fn play(&mut self, piece: &[u8], pacer: &mut Pacer, claim: &Claim) -> Result<(), Lost> {
        match self {
            Reel::Plain(_, cutter) => {
                cutter.push(piece);
                while let Some(page) = cutter.poll() {
                    give(&page, pacer, claim).await?;
                }
            }
            Reel::Film(film) => {
                let Film { demux, mux, begun } = &mut **film;
                demux.segment();
                demux.push(piece);
                // what is damaged ends with its piece
                while let Ok(Some(item)) = demux.poll() {
                    if let Item::Tags(tags) = &item {
                        claim.mount().retitle(tags.as_ref().clone());
                    }
                    if let (Item::Tracks(tracks), false) = (&item, std::mem::replace(begun, true)) {
                        let has =
                            |kind| tracks.iter().map(|track| track.codec).any(|c: Codec| c.kind() == kind);
                        let header = flv::file_header(has(Kind::Audio), has(Kind::Video));
                        claim.push(&header).map_err(|_| Lost::Taken)?;
                    }
                    let _left_out = mux.push(&item);
                    while let Some(page) = mux.poll() {
                        give(&page, pacer, claim).await?;
                    }
                }
            }
        }
        Ok(())
    }
}

async fn give(page: &Page, pacer: &mut Pacer, claim: &Claim) -> Result<(), Lost> {
    sleep_until(pacer.due(Instant::now(), page.at)).await;
    if let Some(tags) = &page.tags {
        claim.mount().retitle(Arc::unwrap_or_clone(tags.clone()));
    }
    claim.push(&page.bytes).map_err(|_| Lost::Taken)
}

/// Pieces that wait for their time.
const AHEAD: usize = 4;
/// Pieces after which it must be known what they are: an initialization, perhaps, and a segment.
const FEW: usize = 3;
/// How much earlier than in real time a stream is given on: what fetching may take longer.
const LEAD: Duration = Duration::from_millis(500);
/// How long a playlist may be away.
const PATIENCE: Duration = Duration::from_secs(10);
const MOST_LISTS: usize = 3;
const LONGEST_LIST: usize = 8 << 20;
const LONGEST_PIECE: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stream_is_shows_in_its_first_piece() {
        let kind = |piece: &[u8]| Reel::of(piece).map(|reel| reel.content_type());
        assert_eq!(kind(b"\0\0\0\x18ftypiso6"), Some("video/x-flv"));
        let packet = |n: u8| [&[0x47, 0x40, 0, 0x10 | n][..], &[0xff; 184]].concat();
        let transport: Vec<u8> = (0..6).flat_map(packet).collect();
        assert_eq!(kind(&transport), Some("video/mp2t"));
        assert_eq!(kind(b"<html>"), None);
        assert_eq!(kind(b""), None);
        assert_eq!(kind(b"OggS\0\x02"), None, "no segment of HLS");
    }
}
