//! What happened to a stream between two captures: figures and tables, as one page that opens from disk.

mod captures;
mod figures;
mod page;
mod table;

pub use captures::{Captures, Choice};

use crate::plot::Figure;
use levada_capture::path::{Level, Path, Summary};
use levada_capture::trace::Trace;
use levada_link::{Bitrate, LinkConfig};
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;
use std::{fs, io};

/// What a report is about.
#[derive(Debug)]
pub struct Subject<'a> {
    /// In a line.
    pub title: String,
    /// What the first side saw: usually where the stream is sent.
    pub server: &'a Trace,
    /// What the second side saw, where there are two.
    pub client: Option<&'a Trace>,
    /// What the two sides are called.
    pub names: [String; 2],
    /// Changes of the link by the captures' clock, as `core: rate=2mbit delay=80ms`.
    pub notes: &'a [(Duration, String)],
    /// How fast the link is at the beginning, in bit/s.
    pub speed: Option<u64>,
    /// What is looked at.
    pub level: Level,
    /// What else the page says of the run at its top, by name.
    pub about: Vec<(String, String)>,
    /// Whether the emulation kept its promises, where that is known.
    pub fidelity: Option<Fidelity>,
}

/// Whether the emulation kept its promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fidelity {
    /// It did; the figures that show it.
    Valid(String),
    /// It did not, so that the rest says nothing about a real link.
    Invalid(String),
}

/// Figures, tables, and the page they stand on.
#[derive(Debug)]
pub struct Report {
    /// The page: one file without links to others.
    pub html: String,
    /// The figures on it.
    pub figures: Vec<Figure>,
    /// The same as SVG, in the same order.
    pub svgs: Vec<String>,
    /// The figures of each level that the captures have.
    pub summaries: Vec<Summary>,
}

impl Report {
    /// Makes the report.
    pub fn of(subject: &Subject<'_>) -> Report {
        let paths: Vec<Path> = LEVELS
            .into_iter()
            .filter(|level| *level == subject.level || *level == Level::Data || *level == Level::Messages)
            .map(|level| Path::between(subject.server, subject.client, level))
            .filter(|path| path.level == subject.level || !path.sent.is_empty())
            .collect();
        let summaries = paths.iter().map(Path::summary).collect::<Vec<_>>();
        let figures = figures::all(subject, &paths);
        let svgs: Vec<String> = figures.iter().map(|figure| figure.sheet().svg()).collect();
        let html = page::page(subject, &paths, &summaries, &figures, &svgs);
        Report { html, figures, svgs, summaries }
    }

    /// Writes `report.html`, an SVG and, if wanted, a PNG of each figure, and `metrics.json` into a folder, which it makes.
    /// Each file is replaced as a whole, so that a page that is open never sees half of one.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn save(&self, folder: &FilePath, png: bool) -> io::Result<Vec<PathBuf>> {
        fs::create_dir_all(folder)?;
        let mut files = Vec::new();
        let mut put = |name: String, bytes: &[u8]| -> io::Result<()> {
            let new = folder.join(format!(".{name}.new"));
            fs::write(&new, bytes)?;
            let file = folder.join(name);
            fs::rename(&new, &file)?;
            files.push(file);
            Ok(())
        };
        put("report.html".into(), self.html.as_bytes())?;
        let metrics = serde_json::to_vec_pretty(&self.summaries).map_err(io::Error::other)?;
        put("metrics.json".into(), &metrics)?;
        for (figure, svg) in self.figures.iter().zip(&self.svgs) {
            put(format!("{}.svg", figure.name), svg.as_bytes())?;
        }
        if png {
            for (figure, picture) in self.figures.iter().zip(self.pngs()) {
                put(format!("{}.png", figure.name), &picture.map_err(io::Error::other)?)?;
            }
        }
        Ok(files)
    }

    /// The figures as PNG, two pixels a point; two threads share the work.
    fn pngs(&self) -> Vec<Result<Vec<u8>, String>> {
        let draw =
            |figures: &[Figure]| -> Vec<_> { figures.iter().map(|figure| figure.sheet().png(2.0)).collect() };
        let (first, second) = self.figures.split_at(self.figures.len() / 2);
        std::thread::scope(|scope| {
            let first = scope.spawn(|| draw(first));
            let second = draw(second);
            let mut all = first.join().unwrap_or_else(|_| vec![Err("a picture could not be drawn".into())]);
            all.extend(second);
            all
        })
    }
}

/// What a note says of the rate of the link: bit/s, `None` in `Some` where there is no limit any longer. The name of the
/// link stands before a colon; what is not mentioned stays as it was.
pub(crate) fn rate_of(note: &str) -> Option<Option<f64>> {
    let words = note.rsplit_once(": ").map_or(note, |(_, words)| words).trim();
    if let Ok(config) = words.parse::<LinkConfig>() {
        let rate = config.rate.or(config.bucket.map(|bucket| bucket.rate));
        let mentioned = rate.is_some() || words == "perfect" || words.contains("rate");
        return mentioned.then(|| rate.map(|rate| rate.0 as f64));
    }
    // a whole line of tc's
    let mut rest = words.split_whitespace().skip_while(|word| *word != "rate").skip(1);
    let rate: Bitrate = rest.next()?.parse().ok()?;
    Some(Some(rate.0 as f64))
}

const LEVELS: [Level; 4] = [Level::Packets, Level::Data, Level::Chunks, Level::Messages];

#[cfg(test)]
mod tests;
