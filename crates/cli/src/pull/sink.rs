//! Where a received stream goes: a file, or standard output.

use anyhow::{Context, Result, bail};
use std::{
    io::{IsTerminal, stderr, stdin},
    path::{Path, PathBuf},
};
use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncWriteExt, Stdout, stdout},
};
use url::Url;

/// An output that is open.
pub enum Sink {
    /// A file, and its name.
    File(File, PathBuf),
    /// Standard output.
    Stdout(Stdout),
}

impl Sink {
    /// Opens `output`; without one, a file named like the last part of the stream's path.
    ///
    /// # Errors
    /// When the file is there and must not be overwritten, or cannot be written.
    pub async fn open(output: Option<&Path>, url: &Url, overwrite: bool) -> Result<Sink> {
        if output.is_some_and(|path| path.as_os_str() == "-") {
            return Ok(Sink::Stdout(stdout()));
        }
        let path = output.map_or_else(|| named_like(url), Path::to_owned);
        if !overwrite && path.is_file() && !ask_to_overwrite(&path).await? {
            bail!("{} is there already; -y overwrites it", path.display());
        }
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path).await;
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Sink::File(file, path))
    }

    /// Whether media goes to standard output.
    pub fn is_stdout(&self) -> bool {
        matches!(self, Sink::Stdout(_))
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// The disk's or the pipe's.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Sink::File(file, path) => {
                file.write_all(bytes).await.with_context(|| format!("cannot write {}", path.display()))
            }
            Sink::Stdout(out) => {
                out.write_all(bytes).await?;
                Ok(out.flush().await?)
            }
        }
    }

    /// Makes sure that all is written.
    ///
    /// # Errors
    /// As [`Sink::write`].
    pub async fn finish(&mut self) -> Result<()> {
        match self {
            Sink::File(file, path) => {
                file.flush().await.with_context(|| format!("cannot write {}", path.display()))
            }
            Sink::Stdout(out) => Ok(out.flush().await?),
        }
    }
}

/// What a person at the terminal says; where there is none, no.
async fn ask_to_overwrite(path: &Path) -> Result<bool> {
    if !stdin().is_terminal() || !stderr().is_terminal() {
        return Ok(false);
    }
    eprint!("{} is there already; overwrite it? [y/N] ", path.display());
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        stdin().read_line(&mut line).map(|_| line)
    });
    let answer = answer.await?.context("no answer")?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn named_like(url: &Url) -> PathBuf {
    let last = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
    let name = percent_encoding::percent_decode_str(last).decode_utf8_lossy().replace(['/', '\\', '\0'], "_");
    match name.as_str() {
        "" | "." | ".." => PathBuf::from("stream"),
        name => PathBuf::from(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_like_the_stream_and_stays_in_the_folder() {
        for (url, name) in [
            ("http://h/a/BBB.ogv?x=/y", "BBB.ogv"),
            ("http://h/a%2F..%2Fb", "a_.._b"),
            ("http://h/", "stream"),
            ("http://h/a/..%2f", ".._"),
        ] {
            assert_eq!(named_like(&url.parse().unwrap()), Path::new(name), "{url}");
        }
    }
}
