//! Looks at a clip that is to stand in for a source: what it is, and whether it can.

use levada_media::{Codec, Format, Item, Kind};
use std::{fs::File, io::Read, path::Path};

/// What a clip is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slate {
    /// Its container.
    pub format: Format,
    /// The codecs of its pictures and sounds, in the order of its tracks.
    pub codecs: Vec<Codec>,
}

/// Looks into the file at `path`, at most [`FIRST`] bytes of it.
///
/// # Errors
/// Why it cannot stand in for a source, in words for the configuration.
pub fn look(path: &Path) -> Result<Slate, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).and_then(|file| file.take(FIRST).read_to_end(&mut bytes));
    file.map_err(|why| format!("{} cannot be read: {why}", path.display()))?;
    let shown = path.display();
    let closed = || format!("{shown} is of no container that can be played in a loop as it is");
    let format = Format::probe(&bytes).ok_or_else(closed)?;
    let mut demux = format.demuxer().ok_or_else(closed)?;
    demux.push(&bytes);
    let mut codecs = Vec::new();
    let mut frames = 0;
    while let Ok(Some(item)) = demux.poll() {
        match item {
            Item::Tracks(tracks) => {
                let media = tracks.iter().map(|track| track.codec).filter(|codec| codec.kind() != Kind::Data);
                codecs = media.collect();
            }
            Item::Frame(_) => frames += 1,
            Item::Tags(_) => {}
        }
    }
    if frames == 0 || codecs.is_empty() {
        return Err(format!("{shown} has neither pictures nor sound"));
    }
    Ok(Slate { format, codecs })
}

impl Slate {
    /// Its codecs, as one says them.
    pub fn spoken(&self) -> String {
        let names: Vec<_> = self.codecs.iter().map(|codec| codec.name()).collect();
        names.join(" and ")
    }
}

/// Every track has its first frame there.
const FIRST: u64 = 4 << 20;
