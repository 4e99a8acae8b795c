//! What every new listener of a mount hears first: a file, read once and kept until it changes.

use bytes::Bytes;
use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

/// The intro files that were asked for; at most 64 of 16 MiB each, the first ones stay.
#[derive(Default)]
pub struct Intros(Mutex<HashMap<PathBuf, (SystemTime, Bytes)>>);

impl Intros {
    /// The bytes of the file at `path` as it is now.
    ///
    /// # Errors
    /// When it cannot be read or is too large.
    pub async fn read(&self, path: &Path) -> io::Result<Bytes> {
        let about = tokio::fs::metadata(path).await?;
        let changed = about.modified()?;
        if let Some((when, bytes)) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(path)
            && *when == changed
        {
            return Ok(bytes.clone());
        }
        if about.len() > LARGEST {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "an intro has at most 16 MiB"));
        }
        let bytes = Bytes::from(tokio::fs::read(path).await?);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST || known.contains_key(path) {
            known.insert(path.to_owned(), (changed, bytes.clone()));
        }
        Ok(bytes)
    }
}

const LARGEST: u64 = 16 << 20;
const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_changed_file_is_read_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"one").unwrap();
        let intros = Intros::default();
        assert_eq!(&intros.read(file.path()).await.unwrap()[..], b"one");
        std::fs::write(file.path(), b"two").unwrap();
        std::fs::File::open(file.path()).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(&intros.read(file.path()).await.unwrap()[..], b"two");
        assert!(intros.read(Path::new("/nowhere/at/all")).await.is_err());
    }
}
