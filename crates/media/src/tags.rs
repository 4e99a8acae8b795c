//! What a listener is told about what is playing.

/// Title, artist and address of what is playing now; empty strings are "not said".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// Title of the piece.
    pub title: String,
    /// Who made it.
    pub artist: String,
    /// The album or the broadcast it comes from.
    pub album: String,
    /// A page about it (ICY's `StreamUrl`).
    pub url: String,
}

impl Tags {
    /// Only a title, as `/admin/metadata?song=` gives it.
    pub fn titled(title: impl Into<String>) -> Tags {
        Tags { title: title.into(), ..Tags::default() }
    }

    /// "artist - title", as ICY's `StreamTitle` and Icecast's status page write it.
    pub fn line(&self) -> String {
        match (self.artist.is_empty(), self.title.is_empty()) {
            (false, false) => format!("{} - {}", self.artist, self.title),
            (false, true) => self.artist.clone(),
            _ => self.title.clone(),
        }
    }

    /// Whether nothing is said at all.
    pub fn is_empty(&self) -> bool {
        self.title.is_empty() && self.artist.is_empty() && self.album.is_empty() && self.url.is_empty()
    }
}
