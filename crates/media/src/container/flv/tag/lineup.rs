//! Puts the tags of a stream in an order in which every newcomer can begin.

use super::{Error, Kind, MAX_SETUP, MAX_TRACKS, Tag, Timeline, View, What, metadata, packets};
use crate::{Role, Timestamp};
use std::collections::VecDeque;

/// The tags of one stream for players of one [`View`]: metadata and every sequence header first, then media.
///
/// A player that gets the sound's header long before the pictures' may decide that there are none. So media wait
/// until each kind of track that the metadata announce (both, without metadata) has its header, for five seconds of
/// media at most (one, without). Frames before their header are left out. Where a header or the metadata change later,
/// the whole set comes again before the next frame. Times go on
/// when a source begins again ([`Lineup::restart`]) or jumps back.
#[derive(Debug)]
pub struct Lineup {
    view: View,
    timeline: Timeline,
    metadata: Option<Tag>,
    setups: Vec<(Place, Tag)>,
    seen: Kinds,
    expected: Kinds,
    /// The metadata say what to expect.
    announced: bool,
    /// The header set changed since it last came out.
    stale: bool,
    /// Media pass; before that they wait.
    open: bool,
    waiting: VecDeque<Placed>,
    waiting_bytes: usize,
    ready: VecDeque<Placed>,
}

/// A tag in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The tag, at its time in this stream.
    pub tag: Tag,
    /// What it is for a newcomer. A run of header tags is a whole header set.
    pub role: Role,
    /// The same time, unwrapped, in milliseconds.
    pub at: Timestamp,
}

/// Which sequence header: of a kind, and of which track.
type Place = (Kind, u8);

#[derive(Clone, Copy, Debug)]
struct Kinds {
    video: bool,
    audio: bool,
}

/// What a tag is to the lineup.
enum Sort {
    Setup(u8),
    Frame { entry: bool },
    Other,
}

impl Lineup {
    /// An empty lineup for players of `view`.
    pub fn new(view: View) -> Lineup {
        Lineup {
            view,
            timeline: Timeline::default(),
            metadata: None,
            setups: Vec::new(),
            seen: NONE,
            expected: BOTH,
            announced: false,
            stale: true,
            open: false,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            ready: VecDeque::new(),
        }
    }

    /// Takes the next tag.
    ///
    /// # Errors
    /// When it cannot be read, or is more than a stream may have; it is left out and the next one may follow.
    pub fn push(&mut self, tag: &Tag) -> Result<(), Error> {
        if let Some((video, audio)) = metadata::announced(tag) {
            return self.describe(tag, Kinds { video, audio });
        }
        let Some(tag) = self.view.show(tag)? else {
            self.hide(tag);
            return Ok(());
        };
        match sort(&tag)? {
            Sort::Setup(track) => self.set_up((tag.kind, track), &tag)?,
            Sort::Frame { entry } => self.frame(tag, entry),
            Sort::Other => self.pass(tag),
        }
        Ok(())
    }

    /// The next tag in order.
    pub fn poll(&mut self) -> Option<Placed> {
        self.ready.pop_front()
    }

    /// The tags that follow come from a source that begins anew, perhaps with other tracks.
    pub fn restart(&mut self) {
        let ready = std::mem::take(&mut self.ready);
        *self = Lineup { timeline: self.timeline, ready, ..Lineup::new(self.view) };
        self.timeline.restart();
    }

    /// Nobody waits for a default track that this view cannot show.
    fn hide(&mut self, tag: &Tag) {
        if packets(tag).any(|packet| packet.is_ok_and(|packet| packet.track == 0)) {
            self.expected.remove(tag.kind);
        }
    }

    fn describe(&mut self, tag: &Tag, announced: Kinds) -> Result<(), Error> {
        if tag.payload.len() > MAX_SETUP {
            return Err(Error::Setup(tag.payload.len()));
        }
        // some encoders describe the picture and say nothing of codecs
        self.announced = announced.video || announced.audio;
        self.expected = if self.announced { announced } else { BOTH };
        let tag = metadata::endless(tag);
        if self.metadata.as_ref().is_none_or(|known| known.payload != tag.payload) {
            self.metadata = Some(tag);
            self.stale = true;
        }
        Ok(())
    }

    fn set_up(&mut self, place: Place, tag: &Tag) -> Result<(), Error> {
        if tag.payload.len() > MAX_SETUP {
            return Err(Error::Setup(tag.payload.len()));
        }
        self.seen.add(tag.kind);
        match self.setups.iter().position(|(known, _)| *known == place) {
            Some(at) if self.setups[at].1.payload == tag.payload => return Ok(()),
            Some(at) => self.setups[at].1 = owned(tag),
            None if self.setups.len() >= MAX_TRACKS => return Err(Error::Tracks),
            None => self.setups.push((place, owned(tag))),
        }
        // pictures first: nobody waits for sound that is announced
        self.setups.sort_by_key(|((kind, track), _)| (*kind != Kind::Video, *track));
        self.stale = true;
        Ok(())
    }

    fn frame(&mut self, mut tag: Tag, entry: bool) {
        if !self.has_setup(tag.kind) {
            let bare =
                packets(&tag).filter_map(Result::ok).any(|packet| !super::reader::needs_setup(packet.codec));
            if !bare {
                return; // nobody could decode it: nginx-rtmp begins to push amid a group of pictures
            }
            self.seen.add(tag.kind);
        }
        let at = self.timeline.place(tag.timestamp);
        // the counter of tags wraps at 2^32 by design
        tag.timestamp = at.0 as u32;
        let entry = entry && (tag.kind == Kind::Video || !self.seen.video);
        let role = if entry { Role::Entry } else { Role::Plain };
        self.waiting_bytes += tag.payload.len();
        self.waiting.push_back(Placed { tag, role, at });
        self.open |= self.is_complete() || self.has_waited();
        if self.open {
            self.waiting_bytes = 0;
            while let Some(placed) = self.waiting.pop_front() {
                self.emit(placed);
            }
        }
    }

    /// Data, the end of a sequence: now if media pass, else after the media that wait.
    fn pass(&mut self, mut tag: Tag) {
        let at = self.timeline.newest();
        tag.timestamp = at.0 as u32;
        let placed = Placed { tag, role: Role::Plain, at };
        if self.open {
            self.ready.push_back(placed);
        } else if self.waiting.len() < MAX_WAITING {
            self.waiting_bytes += placed.tag.payload.len();
            self.waiting.push_back(placed);
        }
    }

    fn emit(&mut self, placed: Placed) {
        if std::mem::take(&mut self.stale) {
            let headers = self.metadata.iter().chain(self.setups.iter().map(|(_, tag)| tag));
            let at = placed.at;
            // ffmpeg takes metadata at any other time than zero for a track of their own
            let time = |tag: &Tag| if tag.kind == Kind::Script { 0 } else { at.0 as u32 };
            let header = |tag: &Tag| Placed {
                tag: Tag { timestamp: time(tag), ..tag.clone() },
                role: Role::Header,
                at,
            };
            self.ready.extend(headers.map(header));
        }
        self.ready.push_back(placed);
    }

    fn has_setup(&self, kind: Kind) -> bool {
        self.setups.iter().any(|((known, _), _)| *known == kind)
    }

    fn is_complete(&self) -> bool {
        (self.seen.video || !self.expected.video) && (self.seen.audio || !self.expected.audio)
    }

    fn has_waited(&self) -> bool {
        let first = self.waiting.front().map_or(0, |placed| placed.at.0);
        let patience = if self.announced { ANNOUNCED } else { PATIENCE };
        self.timeline.newest().0 - first >= patience
            || self.waiting.len() >= MAX_WAITING
            || self.waiting_bytes >= MAX_WAITING_BYTES
    }
}

impl Kinds {
    fn add(&mut self, kind: Kind) {
        self.video |= kind == Kind::Video;
        self.audio |= kind == Kind::Audio;
    }

    fn remove(&mut self, kind: Kind) {
        self.video &= kind != Kind::Video;
        self.audio &= kind != Kind::Audio;
    }
}

fn sort(tag: &Tag) -> Result<Sort, Error> {
    let mut sort = Sort::Other;
    for packet in packets(tag) {
        let packet = packet?;
        match packet.what {
            What::Setup => return Ok(Sort::Setup(packet.track)),
            What::Frame { key, .. } => {
                let before = matches!(sort, Sort::Frame { entry: true });
                sort = Sort::Frame { entry: before || key && packet.track == 0 };
            }
            What::End | What::Metadata | What::Command(_) => {}
        }
    }
    Ok(sort)
}

/// A copy that keeps no read buffer alive for as long as the stream lives.
fn owned(tag: &Tag) -> Tag {
    Tag { payload: bytes::Bytes::copy_from_slice(&tag.payload), ..*tag }
}

const NONE: Kinds = Kinds { video: false, audio: false };
const BOTH: Kinds = Kinds { video: true, audio: true };
/// Milliseconds of media that wait for a header that may come.
const PATIENCE: i64 = 1_000;
/// The same where the metadata announce it: nginx-rtmp holds the pictures' back until their next key picture.
const ANNOUNCED: i64 = 5_000;
/// Tags that wait at most.
const MAX_WAITING: usize = 1_024;
/// Bytes that wait at most.
const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests;
