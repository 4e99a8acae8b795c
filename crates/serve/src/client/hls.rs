//! Follows a playlist of HLS (RFC 8216): which pieces are new in it, and when to look again.

use m3u8_rs::{KeyMethod, MediaPlaylist, Playlist, parse_playlist_res};
use std::time::Duration;
use url::Url;

/// A playlist that is read again and again.
#[derive(Debug)]
pub struct Follower {
    url: Url,
    /// The number of the next segment that is new.
    next: Option<u64>,
    init: Option<Piece>,
}

/// What is fetched and saved next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it is.
    pub url: Url,
    /// The bytes of it, first and last, where it is not the whole.
    pub range: Option<(u64, u64)>,
}

/// What a playlist says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It lists other playlists; the one of the most bits is at [`Follower::url`] from now on.
    Variants,
    /// New pieces, in their order, at most [`MOST`] segments.
    Pieces {
        /// Initializations and segments.
        pieces: Vec<Piece>,
        /// Segments that had left the playlist before they were seen.
        missed: u64,
        /// When to look again; `None` when nothing follows.
        again: Option<Duration>,
    },
}

/// Why a playlist cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// It is none.
    #[error("this is no playlist of HLS")]
    Malformed,
    /// Its segments are encrypted.
    #[error("the segments of this stream are encrypted")]
    Encrypted,
    /// It lists variants, but none that has an address.
    #[error("this playlist leads nowhere")]
    Nowhere,
}

impl Follower {
    /// Follows the playlist at `url`; a live one from [`BEHIND`] segments before its end.
    pub fn new(url: Url) -> Follower {
        Follower { url, next: None, init: None }
    }

    /// The playlist that is to be read.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Takes the playlist as it is now; `from` is where it came from, behind all redirects.
    ///
    /// # Errors
    /// When it is none that can be followed.
    pub fn push(&mut self, text: &str, from: &Url) -> Result<Told, Unfit> {
        match parse_playlist_res(text.as_bytes()).map_err(|_| Unfit::Malformed)? {
            Playlist::MasterPlaylist(list) => {
                let playable = list.variants.iter().filter(|variant| !variant.is_i_frame);
                let best = playable.max_by_key(|variant| variant.bandwidth).ok_or(Unfit::Nowhere)?;
                self.url = from.join(&best.uri).map_err(|_| Unfit::Nowhere)?;
                Ok(Told::Variants)
            }
            Playlist::MediaPlaylist(list) => self.pieces(&list, from),
        }
    }

    fn pieces(&mut self, list: &MediaPlaylist, from: &Url) -> Result<Told, Unfit> {
        let first = list.media_sequence;
        let count = u64::try_from(list.segments.len()).unwrap_or(u64::MAX);
        let start = if list.end_list { first } else { first.saturating_add(count.saturating_sub(BEHIND)) };
        let next = *self.next.get_or_insert(start);
        // numbers that fall back are those of another stream at the same address
        let next = if next > first.saturating_add(count).saturating_add(BACK) { start } else { next };
        let mut pieces = Vec::new();
        let (mut init, mut offset) = (None, 0);
        for (place, segment) in (0..).zip(&list.segments) {
            let number = first.saturating_add(place);
            if segment.key.as_ref().is_some_and(|key| key.method != KeyMethod::None) {
                return Err(Unfit::Encrypted);
            }
            if let Some(map) = &segment.map {
                let range = map.byte_range.as_ref();
                init = Some(piece(
                    from,
                    &map.uri,
                    range.map(|range| (range.offset.unwrap_or(0), range.length)),
                )?);
            }
            let range = segment.byte_range.as_ref();
            let range = range.map(|range| (range.offset.unwrap_or(offset), range.length));
            offset = range.map_or(0, |(offset, length)| offset.saturating_add(length));
            if number < next || pieces.len() >= MOST {
                continue;
            }
            if init.is_some() && init != self.init {
                self.init = init.clone();
                pieces.extend(init.clone());
            }
            pieces.push(piece(from, &segment.uri, range)?);
            self.next = Some(number.saturating_add(1));
        }
        let target = Duration::from_secs(list.target_duration.clamp(1, 60));
        // RFC 8216 6.3.4: half of it when nothing was new
        let again = (!list.end_list).then(|| if pieces.is_empty() { target / 2 } else { target });
        Ok(Told::Pieces { pieces, missed: first.saturating_sub(next), again })
    }
}

fn piece(from: &Url, uri: &str, range: Option<(u64, u64)>) -> Result<Piece, Unfit> {
    let url = from.join(uri).map_err(|_| Unfit::Nowhere)?;
    let range = range.map(|(offset, length)| (offset, offset.saturating_add(length.saturating_sub(1))));
    Ok(Piece { url, range })
}

/// A live stream is begun so many segments before its end (RFC 8216 6.3.3).
pub const BEHIND: u64 = 3;
/// Pieces taken from one playlist.
pub const MOST: usize = 10_000;
/// Numbers that a playlist may be behind one that was read before it, by another cache.
const BACK: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> Url {
        format!("http://h/live/{path}").parse().unwrap()
    }

    fn told(follower: &mut Follower, text: &str) -> (Vec<String>, u64, Option<Duration>) {
        match follower.push(text, &at("index.m3u8")).unwrap() {
            Told::Pieces { pieces, missed, again } => {
                let short = |piece: Piece| piece.url.path().trim_start_matches("/live/").to_owned();
                (pieces.into_iter().map(short).collect(), missed, again)
            }
            Told::Variants => panic!("no variants here"),
        }
    }

    fn list(first: u64, count: u64, end: &str) -> String {
        let segments: String =
            (first..first + count).map(|n| format!("#EXTINF:2.0,\nseg-{n}.m4s\n")).collect();
        format!(
            "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-MAP:URI=\"init-1.mp4\"\n{segments}{end}"
        )
    }

    #[test]
    fn a_live_list_is_begun_near_its_end_and_followed_without_repeats() {
        let mut follower = Follower::new(at("index.m3u8"));
        let two = Some(Duration::from_secs(2));
        let first = told(&mut follower, &list(10, 5, ""));
        assert_eq!(
            first,
            (
                vec!["init-1.mp4".into(), "seg-12.m4s".into(), "seg-13.m4s".into(), "seg-14.m4s".into()],
                0,
                two
            )
        );
        assert_eq!(told(&mut follower, &list(10, 5, "")), (vec![], 0, Some(Duration::from_secs(1))));
        assert_eq!(told(&mut follower, &list(12, 4, "")).0, ["seg-15.m4s"]);
        assert_eq!(
            told(&mut follower, &list(20, 2, "")),
            (vec!["seg-20.m4s".into(), "seg-21.m4s".into()], 4, two)
        );
        assert_eq!(
            told(&mut follower, &list(20, 3, "#EXT-X-ENDLIST\n")),
            (vec!["seg-22.m4s".into()], 0, None)
        );
    }

    #[test]
    fn a_finished_list_is_saved_whole() {
        let all = told(&mut Follower::new(at("index.m3u8")), &list(0, 5, "#EXT-X-ENDLIST\n"));
        assert_eq!((all.0.len(), all.2), (6, None));
    }

    #[test]
    fn the_best_of_variants_is_followed() {
        let mut follower = Follower::new(at("main.m3u8"));
        let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\nlow/a.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=9000\nhigh/a.m3u8\n";
        assert_eq!(follower.push(master, &at("main.m3u8")), Ok(Told::Variants));
        assert_eq!(follower.url().path(), "/live/high/a.m3u8");
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        let mut follower = Follower::new(at("index.m3u8"));
        let locked = list(0, 1, "").replace("#EXTINF", "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF");
        assert_eq!(follower.push(&locked, &at("index.m3u8")), Err(Unfit::Encrypted));
        assert_eq!(follower.push("<html>", &at("index.m3u8")), Err(Unfit::Malformed));
    }

    #[test]
    fn numbers_at_the_edge_do_not_panic() {
        for first in [u64::MAX, u64::MAX - 1] {
            let text = format!(
                "#EXTM3U\n#EXT-X-TARGETDURATION:99999999\n#EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-BYTERANGE:18446744073709551615@5\n#EXTINF:2,\na.ts\n#EXTINF:2,\nb.ts\n"
            );
            let _whatever = Follower::new(at("x")).push(&text, &at("x"));
        }
    }
}
