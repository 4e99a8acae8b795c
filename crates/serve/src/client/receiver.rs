//! A listener: gets a stream from a server, without its title blocks but with the titles.

use super::{
    http::{Client, Error, Incoming},
    icy::{Part, Strip},
    playlist,
};
use crate::http::Reply;
use bytes::Bytes;
use levada_media::Tags;
use std::collections::VecDeque;
use url::Url;

/// A stream that is being received.
pub struct Receiver {
    incoming: Incoming,
    strip: Option<Strip>,
    /// What the last bytes held, in order; at most what one read gives.
    waiting: VecDeque<Received>,
}

/// What comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// Bytes of the stream.
    Bytes(Bytes),
    /// What is playing from here on.
    Title(Tags),
}

impl Receiver {
    /// Asks for the stream at `url` with its titles, following redirects and playlists.
    ///
    /// # Errors
    /// When there is no connection, or the server has no such stream.
    pub async fn connect(client: &Client, url: &Url, fields: &[(&str, &str)]) -> Result<Receiver, Error> {
        let asked: Vec<_> = [("Icy-MetaData", "1")].into_iter().chain(fields.iter().copied()).collect();
        let mut url = url.clone();
        let mut sender = None;
        for _ in 0..MOST_LISTS {
            let incoming = client.get_led(&url, &asked, sender).await?;
            let Some(list) = list_kind(incoming.reply.field("content-type")) else {
                return Ok(Receiver::of(incoming));
            };
            let from = incoming.url.clone();
            sender = incoming.peer;
            url = first_stream(&from, list, &incoming.text(LONGEST_LIST).await?)?;
        }
        Err(Error::NoStream(format!("{url} is a playlist of playlists")))
    }

    /// The stream in an answer that is there already.
    pub fn of(incoming: Incoming) -> Receiver {
        let metaint = incoming.reply.field("icy-metaint").and_then(|metaint| metaint.trim().parse().ok());
        let strip = metaint.filter(|metaint| *metaint > 0).map(Strip::new);
        Receiver { incoming, strip, waiting: VecDeque::new() }
    }

    /// What the server said of the stream.
    pub fn reply(&self) -> &Reply {
        &self.incoming.reply
    }

    /// Where it comes from, behind all redirects.
    pub fn url(&self) -> &Url {
        &self.incoming.url
    }

    /// Whether it is a file with an end rather than a stream.
    pub fn is_finite(&self) -> bool {
        self.incoming.is_finite()
    }

    /// What comes next, `None` at the end. Can be dropped while it waits; nothing is lost.
    ///
    /// # Errors
    /// When the connection fails or is silent for too long.
    pub async fn next(&mut self) -> Result<Option<Received>, Error> {
        loop {
            if let Some(received) = self.waiting.pop_front() {
                return Ok(Some(received));
            }
            let Some(bytes) = self.incoming.chunk().await? else { return Ok(None) };
            let Some(strip) = &mut self.strip else { return Ok(Some(Received::Bytes(bytes))) };
            let waiting = &mut self.waiting;
            strip.feed(&bytes, |part| {
                waiting.push_back(match part {
                    Part::Stream(part) => Received::Bytes(bytes.slice_ref(part)),
                    Part::Title(tags) => Received::Title(tags),
                })
            });
        }
    }
}

/// The file name's ending that a playlist's content type stands for.
fn list_kind(content_type: Option<&str>) -> Option<&'static str> {
    match content_type?.split(';').next()?.trim().to_ascii_lowercase().as_str() {
        "audio/x-mpegurl" | "audio/mpegurl" | "application/x-mpegurl" | "application/vnd.apple.mpegurl" => {
            Some(".m3u")
        }
        "audio/x-scpls" => Some(".pls"),
        "application/xspf+xml" => Some(".xspf"),
        _ => None,
    }
}

fn first_stream(from: &Url, kind: &str, list: &str) -> Result<Url, Error> {
    if list.contains("#EXT-X-") {
        return Err(Error::NoStream(format!("{from} is HLS, which is made of files rather than one stream")));
    }
    let first = playlist::entries(kind, list).into_iter().flatten().next();
    let first = first.and_then(|entry| from.join(&entry).ok());
    first.ok_or_else(|| Error::NoStream(format!("the playlist {from} names no stream")))
}

/// A list may name a list, no more.
const MOST_LISTS: usize = 3;
const LONGEST_LIST: usize = 256 * 1024;
