//! The names of recordings: from a pattern and the time, and which files have such names.

use crate::MountName;
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use time::OffsetDateTime;

/// A path with places for the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A letter behind `%`.
    Time(char),
}

/// A place that there is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("%{0} is none of %Y %m %d %H %M %S %j %s %%")]
pub struct BadPattern(String);

impl Pattern {
    /// Reads the path of a configuration, for the mount called `name`.
    ///
    /// # Errors
    /// When a letter behind `%` means nothing.
    pub fn parse(path: &str, name: &MountName) -> Result<Pattern, BadPattern> {
        let mount = name.as_str().trim_start_matches('/').replace('/', "_");
        let mut pieces = vec![Piece::Text(String::new())];
        let mut letters = path.chars();
        while let Some(letter) = letters.next() {
            if letter == '%' {
                match letters.next() {
                    Some('%') => push(&mut pieces, "%"),
                    Some(place @ ('Y' | 'm' | 'd' | 'H' | 'M' | 'S' | 'j' | 's')) => {
                        pieces.push(Piece::Time(place))
                    }
                    other => return Err(BadPattern(other.into_iter().collect())),
                }
            } else {
                push(&mut pieces, letter.encode_utf8(&mut [0; 4]));
            }
        }
        for piece in &mut pieces {
            if let Piece::Text(text) = piece {
                *text = text.replace("{mount}", &mount);
            }
        }
        Ok(Pattern(pieces))
    }

    /// The path of a file that begins at `now`, without its ending.
    pub fn at(&self, now: SystemTime) -> String {
        let utc = OffsetDateTime::from(now);
        let time = |letter: &char| match letter {
            'Y' => format!("{:04}", utc.year()),
            'm' => format!("{:02}", u8::from(utc.month())),
            'd' => format!("{:02}", utc.day()),
            'H' => format!("{:02}", utc.hour()),
            'M' => format!("{:02}", utc.minute()),
            'S' => format!("{:02}", utc.second()),
            'j' => format!("{:03}", utc.ordinal()),
            _ => utc.unix_timestamp().to_string(),
        };
        self.0
            .iter()
            .map(|piece| if let Piece::Time(letter) = piece { time(letter) } else { piece.text() })
            .collect()
    }

    /// Files that were written by this pattern with the ending `ending`, with when they were written to last.
    pub fn files(&self, ending: &str) -> Vec<(PathBuf, SystemTime)> {
        let mut found = Vec::new();
        // the deepest folder without a place in it
        let Piece::Text(first) = &self.0[0] else { return found };
        let whole = self.0.len() == 1;
        let root = match first.rfind('/') {
            Some(at) => &first[..=at],
            None => "./",
        };
        let depth = self.at(SystemTime::UNIX_EPOCH).matches('/').count()
            - root.trim_start_matches("./").matches('/').count();
        if !whole {
            self.walk(Path::new(root), depth, ending, &mut found);
        }
        found
    }

    fn walk(&self, folder: &Path, depth: usize, ending: &str, found: &mut Vec<(PathBuf, SystemTime)>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let (path, Ok(about)) = (entry.path(), entry.metadata()) else { continue };
            if about.is_dir() && depth > 0 {
                self.walk(&path, depth - 1, ending, found);
            } else if about.is_file() && self.wrote(&path, ending) {
                found.push((path, about.modified().unwrap_or(SystemTime::UNIX_EPOCH)));
            }
        }
    }

    /// Whether the file's name is of this pattern.
    fn wrote(&self, path: &Path, ending: &str) -> bool {
        let text = path.to_string_lossy();
        let text = text.strip_prefix("./").unwrap_or(&text);
        let mut rest = text;
        for piece in &self.0 {
            let next = match piece {
                Piece::Text(text) => rest.strip_prefix(text.strip_prefix("./").unwrap_or(text)),
                Piece::Time(letter) => digits(rest, *letter),
            };
            let Some(next) = next else { return false };
            rest = next;
        }
        // nothing, or the number that keeps two files apart
        let Some(rest) = rest.strip_suffix(ending) else { return false };
        let number = rest.strip_prefix('-').unwrap_or("0");
        (rest.is_empty() || rest.starts_with('-'))
            && !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit())
    }
}

impl Piece {
    fn text(&self) -> String {
        if let Piece::Text(text) = self { text.clone() } else { String::new() }
    }
}

fn push(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(last)) => last.push_str(text),
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

/// What is behind the digits that stand for `letter`.
fn digits(text: &str, letter: char) -> Option<&str> {
    let count = match letter {
        'Y' => 4,
        'j' => 3,
        's' => text.bytes().take_while(u8::is_ascii_digit).count().max(1),
        _ => 2,
    };
    let (digits, rest) = text.split_at_checked(count)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(rest)
}

/// Opens a file that was not there, called `stem` and `ending`, with a number between where that is taken.
///
/// # Errors
/// The system's.
pub fn create(stem: &str, ending: &str) -> io::Result<(fs::File, PathBuf)> {
    if let Some(folder) = Path::new(stem).parent() {
        fs::create_dir_all(folder)?;
    }
    for number in 0..MOST {
        let number = if number == 0 { String::new() } else { format!("-{number}") };
        let path = PathBuf::from(format!("{stem}{number}{ending}"));
        match fs::OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (file, path)),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "there are too many files of this name"))
}

/// Deletes what is not to be kept of `files`; `now` has just been opened and stays.
pub fn sweep(mut files: Vec<(PathBuf, SystemTime)>, keep: crate::config::Keep, now: &Path) {
    files.sort_by(|a, b| (b.1, &b.0).cmp(&(a.1, &a.0)));
    files.retain(|(path, _)| path != now && path.strip_prefix("./") != Ok(now));
    let old: Vec<_> = match keep {
        crate::config::Keep::Files(count) => {
            files.into_iter().skip(usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(1)).collect()
        }
        crate::config::Keep::Age(age) => {
            let is_old = |at: SystemTime| at.elapsed().unwrap_or(Duration::ZERO) > age;
            files.into_iter().filter(|(_, at)| is_old(*at)).collect()
        }
    };
    for (path, _) in old {
        match fs::remove_file(&path) {
            Ok(()) => tracing::info!(file = %path.display(), "old recording deleted"),
            Err(why) => tracing::warn!(file = %path.display(), %why, "old recording cannot be deleted"),
        }
    }
}

/// Files of one name; whoever makes more has another mistake.
const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(path: &str) -> Pattern {
        Pattern::parse(path, &"/live/tea".parse().unwrap()).unwrap()
    }

    #[test]
    fn a_name_has_the_mount_and_the_time() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        assert_eq!(
            pattern("/r/%Y/{mount}-%m%d_%H%M%S%%-%j-%s").at(at),
            "/r/2001/live_tea-0909_014640%-252-1000000000"
        );
        assert!(Pattern::parse("%q", &"/a".parse().unwrap()).is_err());
        assert!(Pattern::parse("x%", &"/a".parse().unwrap()).is_err());
    }

    #[test]
    fn only_files_of_the_pattern_are_ever_swept() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for day in ["2001", "2002", "notes"] {
            fs::create_dir(path(day)).unwrap();
        }
        for name in [
            "2001/a-01.flv",
            "2001/a-01-1.flv",
            "2002/a-02.flv",
            "2002/a-2.flv",
            "2002/a-02.mp4",
            "notes/a-02.flv",
            "a-02.flv",
        ] {
            fs::write(path(name), "x").unwrap();
        }
        let pattern = pattern(&format!("{}/%Y/a-%m", folder.path().display()));
        let mut found: Vec<_> = pattern.files(".flv").into_iter().map(|(path, _)| path).collect();
        found.sort();
        assert_eq!(found, ["2001/a-01-1.flv", "2001/a-01.flv", "2002/a-02.flv"].map(path));
        sweep(pattern.files(".flv"), crate::config::Keep::Files(1), &path("2002/a-02.flv"));
        let left: Vec<_> = pattern.files(".flv").into_iter().map(|(path, _)| path).collect();
        assert_eq!(left, [path("2002/a-02.flv")]);
        assert!(path("a-02.flv").exists() && path("2002/a-02.mp4").exists());
    }

    #[test]
    fn no_file_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let stem = folder.path().join("deep/x").display().to_string();
        let names: Vec<_> = (0..3).map(|_| create(&stem, ".flv").unwrap().1.display().to_string()).collect();
        assert_eq!(names, ["", "-1", "-2"].map(|number| format!("{stem}{number}.flv")));
    }
}
