//! Follows HLS: the playlist is read again and again, and what is new in it is saved in a row.

use super::{REMEMBERED, RETRY, Run};
use crate::run::Ended;
use anyhow::Result;
use levada_serve::client::{
    Client,
    backoff::Backoff,
    hls::{Follower, Piece, Told},
    http::Error,
};
use std::{net::IpAddr, time::Duration};
use tokio::time::{Instant, sleep};
use url::Url;

/// A playlist as it came, and from whom.
struct List {
    text: String,
    url: Url,
    sender: Option<IpAddr>,
}

/// Whether an address is that of a playlist of HLS.
pub(super) fn is_meant(url: &Url) -> bool {
    url.path().ends_with(".m3u8")
}

impl Run<'_> {
    /// Saves what a playlist tells of until it ends. Of a live stream it begins three segments before the end; segments
    /// that cannot be had are told and left out.
    pub(super) async fn follow(&mut self, url: &Url, retry_for: Option<Duration>) -> Result<Ended> {
        let mut follower = Follower::new(url.clone());
        let (mut backoff, mut heard) = (Backoff::default(), Instant::now());
        loop {
            let list = tokio::select! {
                ended = &mut self.stop => return Ok(ended),
                list = read(&self.client, follower.url()) => list,
            };
            let wait = match list {
                Ok(list) => {
                    (backoff, heard) = (Backoff::default(), Instant::now());
                    match follower.push(&list.text, &list.url)? {
                        Told::Variants => Duration::ZERO,
                        Told::Pieces { pieces, missed, again } => {
                            if let Some(ended) = self.save(&list, pieces, missed).await? {
                                return Ok(ended);
                            }
                            let Some(again) = again else { return Ok(Ended::Finished) };
                            again.saturating_sub(heard.elapsed())
                        }
                    }
                }
                Err(why) => {
                    let none = self.seen.bytes == 0;
                    let patience = retry_for.unwrap_or(if none { Duration::ZERO } else { RETRY });
                    if why.is_final() || heard.elapsed() >= patience {
                        return Err(why.into());
                    }
                    self.interrupted(&why);
                    backoff.wait()
                }
            };
            self.progress();
            tokio::select! {
                ended = &mut self.stop => return Ok(ended),
                () = sleep(wait) => {}
            }
        }
    }

    async fn save(&mut self, list: &List, pieces: Vec<Piece>, missed: u64) -> Result<Option<Ended>> {
        if self.seen.from.is_empty() {
            self.seen.from = list.url.to_string();
            self.seen.content_type = "application/vnd.apple.mpegurl".into();
            self.console.say(format!("following HLS from {}", list.url));
        }
        if missed > 0 {
            self.miss(format!("{missed} segment(s) had left the playlist before they were seen"));
        }
        for piece in pieces {
            match self.piece(list, &piece).await? {
                Ok(None) => self.progress(),
                Ok(ended) => return Ok(ended),
                Err(why) => self.miss(format!("{}: {why}", piece.url)),
            }
        }
        Ok(None)
    }

    /// Saves one piece. What breaks within one leaves its beginning, as a connection that breaks does.
    async fn piece(&mut self, list: &List, piece: &Piece) -> Result<Result<Option<Ended>, Error>> {
        let range = piece.range.map(|(first, last)| format!("bytes={first}-{last}"));
        let fields: Vec<_> = range.iter().map(|range| ("Range", range.as_str())).collect();
        let got = tokio::select! {
            ended = &mut self.stop => return Ok(Ok(Some(ended))),
            got = self.client.get_led(&piece.url, &fields, list.sender) => got,
        };
        let mut incoming = match got {
            Ok(incoming) => incoming,
            Err(why) => return Ok(Err(why)),
        };
        loop {
            let chunk = tokio::select! {
                ended = &mut self.stop => return Ok(Ok(Some(ended))),
                chunk = incoming.chunk() => chunk,
            };
            match chunk {
                Ok(Some(bytes)) => {
                    self.sink.write(&bytes).await?;
                    let began = self.began;
                    self.seen.first_byte_ms.get_or_insert_with(|| began.elapsed().as_millis() as u64);
                    self.seen.bytes += bytes.len() as u64;
                }
                Ok(None) => return Ok(Ok(None)),
                Err(why) => return Ok(Err(why)),
            }
        }
    }

    fn miss(&mut self, why: String) {
        self.console.say(&why);
        if self.seen.interruptions.len() < REMEMBERED {
            let at = self.began.elapsed().as_secs_f64();
            self.seen.interruptions.push(super::Interruption { at, why });
        }
    }
}

async fn read(client: &Client, url: &Url) -> Result<List, Error> {
    let incoming = client.get(url, &[]).await?;
    let (url, sender) = (incoming.url.clone(), incoming.peer);
    Ok(List { text: incoming.text(LONGEST).await?, url, sender })
}

/// A day of segments of two seconds has 4 MB of playlist.
const LONGEST: usize = 8 << 20;
