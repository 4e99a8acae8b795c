//! Lists of files: M3U, PLS and XSPF.

use std::path::{Path, PathBuf};
use url::Url;

/// The entries of a list in their order, as they are written there.
pub fn entries(name: &str, text: &str) -> Option<Vec<String>> {
    let text = text.trim_start_matches('\u{feff}');
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("m3u" | "m3u8") => Some(m3u(text)),
        Some("pls") => Some(pls(text)),
        Some("xspf") => Some(xspf(text)),
        _ => None,
    }
}

/// Whether `path` is named like a list.
pub fn is_list(path: &Path) -> bool {
    entries(&path.to_string_lossy(), "").is_some()
}

/// The files that a list at `path` names, relative to where it is.
///
/// # Errors
/// When an entry is an address of something else than a file.
pub fn files(path: &Path, text: &str) -> Result<Vec<PathBuf>, NoFile> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let found = entries(&path.to_string_lossy(), text).unwrap_or_default();
    found.into_iter().map(|entry| file(folder, &entry)).collect()
}

fn file(folder: &Path, entry: &str) -> Result<PathBuf, NoFile> {
    if !entry.contains("://") {
        return Ok(folder.join(percent_free(folder, entry)));
    }
    let url = entry.parse::<Url>().ok().filter(|url| url.scheme() == "file");
    url.and_then(|url| url.to_file_path().ok()).ok_or_else(|| NoFile(entry.to_owned()))
}

/// XSPF writes `a%20b.ogg` where others write `a b.ogg`: the name that exists is meant.
fn percent_free(folder: &Path, entry: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(entry).decode_utf8_lossy().into_owned();
    if !folder.join(entry).exists() && folder.join(&decoded).exists() { decoded } else { entry.to_owned() }
}

fn m3u(text: &str) -> Vec<String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

fn pls(text: &str) -> Vec<String> {
    let numbered = |line: &str| {
        let (key, value) = line.split_once('=')?;
        let number = key.trim().to_ascii_lowercase().strip_prefix("file")?.parse::<u32>().ok()?;
        Some((number, value.trim().to_owned()))
    };
    let mut found: Vec<_> = text.lines().filter_map(numbered).collect();
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, entry)| entry).collect()
}

/// What stands in `<location>` elements; a whole XML reader is not needed for that.
fn xspf(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("<location>") {
        let Some((entry, after)) = after.split_once("</location>") else { break };
        found.push(plain(entry.trim()));
        rest = after;
    }
    found
}

/// Text without XML's five named entities.
fn plain(text: &str) -> String {
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    named.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

/// An entry of a list that is no file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} in the playlist is no file")]
pub struct NoFile(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_kinds_give_their_entries_in_order() {
        let m3u = "#EXTM3U\r\n#EXTINF:8,Artist - Title\r\na.ogg\r\n\r\n/b c.ogg\r\n";
        assert_eq!(entries("x.M3U8", m3u).unwrap(), ["a.ogg", "/b c.ogg"]);
        let pls = "[playlist]\nFile2=b.mp3\nTitle1=A\nFile1=a.mp3\nNumberOfEntries=2\n";
        assert_eq!(entries("x.pls", pls).unwrap(), ["a.mp3", "b.mp3"]);
        let xspf = "<playlist><trackList><track><location>a&amp;b.ogg</location><title>t</title></track>\
                    <track><location>c.ogg</location></track></trackList></playlist>";
        assert_eq!(entries("x.xspf", xspf).unwrap(), ["a&b.ogg", "c.ogg"]);
        assert_eq!(entries("x.ogg", "OggS"), None);
    }

    #[test]
    fn files_are_found_beside_the_list() {
        let found = files(Path::new("/lists/x.m3u"), "a.ogg\n/tmp/b.ogg\nfile:///tmp/c%20d.ogg\n").unwrap();
        assert_eq!(found, ["/lists/a.ogg", "/tmp/b.ogg", "/tmp/c d.ogg"].map(PathBuf::from));
        let bad = files(Path::new("x.m3u"), "http://h/a.ogg\n");
        assert_eq!(bad, Err(NoFile("http://h/a.ogg".into())));
    }
}
