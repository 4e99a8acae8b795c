//! Passwords that the server made because nobody set any: shown once, kept as hashes.

use super::hash;
use crate::config::Secret;
use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

/// Whose password it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Every source whose mount has no password of its own.
    Source,
    /// The administrator.
    Admin,
}

/// The folder where hashes are kept, one file each, readable by nobody else.
#[derive(Clone, Debug)]
pub struct Stored {
    folder: PathBuf,
}

impl Stored {
    /// In `folder`, which need not exist yet.
    pub fn at(folder: impl Into<PathBuf>) -> Stored {
        Stored { folder: folder.into() }
    }

    /// The file of a role's hash.
    pub fn path(&self, role: Role) -> PathBuf {
        self.folder.join(match role {
            Role::Source => "source.password",
            Role::Admin => "admin.password",
        })
    }

    /// The hash kept for `role`; `None` when there is none.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no hash.
    pub fn read(&self, role: Role) -> io::Result<Option<Secret>> {
        match fs::read_to_string(self.path(role)) {
            Ok(text) => {
                let secret = Secret::from(text.trim());
                if secret.is_hash() {
                    Ok(Some(secret))
                } else {
                    Err(io::Error::other("holds no argon2 hash"))
                }
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// Keeps a hash. It is there whole or not at all, and never instead of another.
    ///
    /// # Errors
    /// When the folder cannot be made or written, or there is a hash already.
    pub fn keep(&self, role: Role, secret: &Secret) -> io::Result<()> {
        make_private(&self.folder)?;
        let path = self.path(role);
        let draft = path.with_extension(format!("{}.draft", std::process::id()));
        let written = write_private(&draft, secret.expose()).and_then(|()| fs::hard_link(&draft, &path));
        let _gone = fs::remove_file(&draft);
        written
    }

    /// Forgets the hash kept for `role`.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn forget(&self, role: Role) -> io::Result<()> {
        fs::remove_file(self.path(role))
    }
}

/// A password made by chance, and the hash to keep of it: 100 bits in five groups, without letters that look alike.
///
/// # Errors
/// When the system gives no random bytes.
pub fn make_password() -> io::Result<(String, Secret)> {
    let mut chance = [0; 20 + 16];
    getrandom::fill(&mut chance).map_err(io::Error::other)?;
    let (letters, salt) = chance.split_at(20);
    let groups: Vec<String> = letters
        .chunks(4)
        .map(|group| group.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
        .collect();
    let password = groups.join("-");
    let salt: [u8; 16] = salt.try_into().expect("20 and 16 are 36");
    let hash = hash(&password, &salt);
    Ok((password, Secret::from(hash)))
}

/// Makes a folder that nobody else can look into; one that is there stays as it is.
pub(crate) fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.write(true).create_new(true).open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

/// Crockford's 32: no i, l, o, u.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::kinds::Kind;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_made_password_is_long_readable_and_another_each_time() {
        let (one, hash) = make_password().unwrap();
        let (other, _) = make_password().unwrap();
        assert_ne!(one, other);
        let groups: Vec<&str> = one.split('-').collect();
        assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [4; 5]);
        assert!(one.bytes().all(|byte| byte == b'-' || LETTERS.contains(&byte)), "{one}");
        assert!(Kind::Argon2.fits(hash.expose(), &one) && !Kind::Argon2.fits(hash.expose(), &other));
    }

    #[test]
    fn a_hash_is_kept_once_and_for_nobody_elses_eyes() {
        let folder = tempfile::tempdir().unwrap();
        let stored = Stored::at(folder.path().join("a/b"));
        assert!(stored.read(Role::Source).unwrap().is_none());
        let (password, hash) = make_password().unwrap();
        stored.keep(Role::Source, &hash).unwrap();
        assert_eq!(stored.read(Role::Source).unwrap(), Some(hash));
        assert_eq!(stored.read(Role::Admin).unwrap(), None);
        let (_, other) = make_password().unwrap();
        assert_eq!(stored.keep(Role::Source, &other).unwrap_err().kind(), io::ErrorKind::AlreadyExists);

        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&stored.path(Role::Source)), mode(&folder.path().join("a/b"))), (0o600, 0o700));
        let files: Vec<_> = fs::read_dir(folder.path().join("a/b")).unwrap().collect();
        assert_eq!(files.len(), 1, "no draft stays");
        assert!(!fs::read_to_string(stored.path(Role::Source)).unwrap().contains(&password));
        stored.forget(Role::Source).unwrap();
        assert_eq!(stored.read(Role::Source).unwrap(), None);
    }

    #[test]
    fn a_file_without_a_hash_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let stored = Stored::at(folder.path());
        for text in ["", "hackme\n"] {
            fs::write(stored.path(Role::Admin), text).unwrap();
            assert!(stored.read(Role::Admin).is_err(), "{text:?}");
        }
    }
}
