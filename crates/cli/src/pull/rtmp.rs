//! `levada pull rtmp://…`: plays a stream and writes it as a Flash video file.

use super::{RETRY, Run};
use crate::run::Ended;
use anyhow::{Context, Result};
use bytes::Bytes;
use levada_media::{
    Mux as _, Role,
    container::flv::{
        self,
        tag::{Kind, Tag, View},
    },
};
use levada_rtmp::Address;
use levada_serve::client::{
    backoff::Backoff,
    rtmp::{self, Event, Line, sent_to},
};
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

impl Run<'_> {
    /// Plays over as many connections as it takes.
    pub(super) async fn play(&mut self, url: &Url, retry_for: Option<Duration>) -> Result<Ended> {
        let home: Address = url.as_str().parse().context("no RTMP address")?;
        let mut address = home.clone();
        let mut film = Film::new();
        let mut backoff = Backoff::default();
        let mut lost_since = self.began;
        loop {
            let connected = tokio::select! {
                ended = &mut self.stop => return Ok(ended),
                connected = Line::connect(&self.client, &address, rtmp::Role::Play) => connected,
            };
            let why = match connected {
                Ok(line) => {
                    (self.seen.from, self.seen.content_type) = (address.to_string(), "video/x-flv".into());
                    self.console.say(format!("receiving video/x-flv from {address}"));
                    let carried = self.film(line, &address, &mut film).await?;
                    (lost_since, backoff) = (Instant::now(), Backoff::default());
                    match carried {
                        Ok(ended) => return Ok(ended),
                        Err(why) => why,
                    }
                }
                Err(why) => why,
            };
            let patience = retry_for.unwrap_or(if self.seen.bytes > 0 { RETRY } else { Duration::ZERO });
            if let rtmp::Error::Moved(to) = why {
                self.console.say(format!("going on at {to}, as the server asks"));
                address = *to;
                film.restart();
                continue;
            }
            address.clone_from(&home);
            if why.is_final() || lost_since.elapsed() >= patience {
                return Err(why.into());
            }
            self.interrupted(&why);
            film.restart();
            tokio::select! {
                ended = &mut self.stop => return Ok(ended),
                () = tokio::time::sleep(backoff.wait()) => {}
            }
        }
    }

    /// Writes what comes until it ends: well, or by an error that another connection may mend.
    async fn film(
        &mut self,
        mut line: Line,
        address: &Address,
        film: &mut Film,
    ) -> Result<Result<Ended, rtmp::Error>> {
        let mut moved: Option<Address> = None;
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        loop {
            let event = tokio::select! {
                ended = &mut self.stop => {
                    line.finish().await;
                    return Ok(Ok(ended));
                }
                event = line.next() => event,
                _ = tick.tick() => {
                    self.progress();
                    continue;
                }
            };
            match event {
                Ok(Event::Tag(tag)) => {
                    if let Some(to) = moved.take_if(|_| tag.is_key_picture()) {
                        line.finish().await;
                        return Ok(Err(rtmp::Error::Moved(Box::new(to))));
                    }
                    self.times.as_mut().map_or(Ok(()), |times| times.note_tag(&tag))?;
                    let began = self.began;
                    self.seen.first_byte_ms.get_or_insert_with(|| began.elapsed().as_millis() as u64);
                    for bytes in film.take(&tag) {
                        self.seen.bytes += bytes.len() as u64;
                        self.sink.write(&bytes).await?;
                    }
                }
                Ok(event) => moved = sent_to(&event, address).or(moved),
                Err(_) if moved.is_some() => {
                    let to = moved.unwrap_or_else(|| address.clone());
                    return Ok(Err(rtmp::Error::Moved(Box::new(to))));
                }
                Err(why) if why.is_end() => return Ok(Ok(Ended::Finished)),
                Err(why) => return Ok(Err(why)),
            }
        }
    }
}

/// The file that is written: it begins at time zero, and goes on over every interruption.
struct Film {
    mux: flv::Mux,
    /// The time of the first frame of this connection.
    base: Option<u32>,
    headed: bool,
    headers: Vec<Bytes>,
    /// What the header set is about.
    has: (bool, bool),
}

impl Film {
    fn new() -> Film {
        Film {
            mux: flv::Mux::new(View::Multitrack),
            base: None,
            headed: false,
            headers: vec![],
            has: (false, false),
        }
    }

    /// Another connection follows.
    fn restart(&mut self) {
        self.mux.restart();
        self.base = None;
    }

    /// Takes a tag; gives what is to be written now.
    fn take(&mut self, tag: &Tag) -> Vec<Bytes> {
        let frame = tag.kind != Kind::Script && !tag.is_setup();
        let base =
            if frame { *self.base.get_or_insert(tag.timestamp) } else { self.base.unwrap_or(tag.timestamp) };
        // sound may begin a little earlier than the pictures
        let early = tag.timestamp.wrapping_sub(base) > u32::MAX / 2;
        let timestamp = if early { 0 } else { tag.timestamp.wrapping_sub(base) };
        let _unreadable = self.mux.tag(&Tag { timestamp, ..tag.clone() }); // it is left out
        let mut out = Vec::new();
        while let Some(page) = self.mux.poll() {
            match (self.headed, page.role) {
                (false, Role::Header) => {
                    let kind = flv::unwrap(&page.bytes).map(|tag| tag.kind);
                    self.has.0 |= kind == Some(Kind::Audio);
                    self.has.1 |= kind == Some(Kind::Video);
                    self.headers.push(page.bytes);
                }
                (false, _) => {
                    self.headed = true;
                    let kind = flv::unwrap(&page.bytes).map(|tag| tag.kind);
                    let (audio, video) =
                        (self.has.0 || kind == Some(Kind::Audio), self.has.1 || kind == Some(Kind::Video));
                    out.push(flv::file_header(audio, video));
                    out.append(&mut self.headers);
                    out.push(page.bytes);
                }
                (true, _) => out.push(page.bytes),
            }
        }
        out
    }
}
