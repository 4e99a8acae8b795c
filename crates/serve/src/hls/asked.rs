//! What an address below a mount asks for.

use crate::MountName;
use url::form_urlencoded;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// `index.m3u8`
    Playlist,
    /// `init-N.mp4`
    Init(u64),
    /// `seg-N.m4s`
    Segment(u64),
    /// `part-N.M.m4s`
    Part(u64, usize),
}

impl Asked {
    /// The mount, and what of it; `None` where the address is none of ours.
    pub(super) fn read(path: &str) -> Option<(MountName, Asked)> {
        let (mount, leaf) = path.rsplit_once('/')?;
        let asked = match leaf {
            "index.m3u8" => Asked::Playlist,
            _ => Asked::leaf(leaf)?,
        };
        let mount: MountName = mount.parse().ok()?;
        (!mount.is_internal()).then_some((mount, asked))
    }

    fn leaf(leaf: &str) -> Option<Asked> {
        if let Some(number) = leaf.strip_prefix("init-") {
            return Some(Asked::Init(plain(number.strip_suffix(".mp4")?)?));
        }
        let leaf = leaf.strip_suffix(".m4s")?;
        if let Some(number) = leaf.strip_prefix("seg-") {
            return Some(Asked::Segment(plain(number)?));
        }
        let (number, index) = leaf.strip_prefix("part-")?.split_once('.')?;
        Some(Asked::Part(plain(number)?, usize::try_from(plain(index)?).ok()?))
    }
}

/// What a player wants a playlist to have before it is sent (RFC 8216bis 6.2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Directives {
    pub(super) number: Option<u64>,
    pub(super) part: Option<usize>,
    pub(super) skip: bool,
}

impl Directives {
    /// Those of a query; `None` where they make no sense.
    pub(super) fn read(query: &str) -> Option<Directives> {
        let mut read = Directives::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "_HLS_msn" => read.number = Some(plain(&value)?),
                "_HLS_part" => read.part = Some(usize::try_from(plain(&value)?).ok()?),
                "_HLS_skip" => read.skip = matches!(&*value, "YES" | "v2"),
                _ => {}
            }
        }
        (read.part.is_none() || read.number.is_some()).then_some(read)
    }
}

/// A query without what is only about one playlist: what lets a player in, for the addresses in a playlist.
pub(super) fn carried(query: &str) -> String {
    let kept = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| !name.starts_with("_HLS_") && name != "CMCD");
    form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish()
}

/// A number without sign or space.
fn plain(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_left_to_others() {
        let read = |path| Asked::read(path).map(|(mount, asked)| (mount.to_string(), asked));
        assert_eq!(read("/live/x/index.m3u8"), Some(("/live/x".into(), Asked::Playlist)));
        assert_eq!(read("/r.mp3/part-7.2.m4s"), Some(("/r.mp3".into(), Asked::Part(7, 2))));
        assert_eq!(read("/r/init-7.mp4"), Some(("/r".into(), Asked::Init(7))));
        for odd in [
            "/index.m3u8",
            "/a/seg-.m4s",
            "/a/seg-+1.m4s",
            "/a/part-1.m4s",
            "/a/seg-1",
            "/~fallback/1/index.m3u8",
        ] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    #[test]
    fn what_lets_in_is_carried_and_directives_are_not() {
        assert_eq!(carried("_HLS_msn=1&exp=5&sig=a%2Bb&x=%22&_HLS_skip=YES"), "exp=5&sig=a%2Bb&x=%22");
        assert_eq!(carried(""), "");
    }

    #[test]
    fn directives_that_make_no_sense_are_refused() {
        let number = |number, part| Some(Directives { number: Some(number), part, skip: false });
        assert_eq!(Directives::read("_HLS_msn=3&_HLS_part=1&x=y"), number(3, Some(1)));
        assert_eq!(Directives::read("_HLS_msn=3"), number(3, None));
        for odd in [
            "_HLS_part=1",
            "_HLS_msn=-1",
            "_HLS_msn=x",
            "_HLS_msn=99999999999999999999",
            "_HLS_msn=1&_HLS_part=a",
        ] {
            assert_eq!(Directives::read(odd), None, "{odd}");
        }
    }
}
