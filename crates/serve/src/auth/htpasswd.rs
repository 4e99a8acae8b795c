//! Files of users: `user:hash` lines, read anew when they change.

use super::kinds::Kind;
use std::{
    collections::HashMap,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

/// The files that mounts name, each as it was when it was looked at last, at most a second ago.
#[derive(Default)]
pub struct Htpasswds {
    files: Mutex<HashMap<PathBuf, Kept>>,
}

struct Kept {
    looked: Instant,
    stamp: Option<Stamp>,
    users: Arc<Users>,
}

/// What changes when a file does.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    length: u64,
}

/// The users of one file.
#[derive(Debug, Default)]
pub struct Users {
    hashes: HashMap<String, String>,
}

impl Htpasswds {
    /// The users of the file at `path`. One that cannot be read has the users it had before, or none.
    pub fn users(&self, path: &Path, now: Instant) -> Arc<Users> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = files.get(path);
        if let Some(kept) = kept.filter(|kept| now.saturating_duration_since(kept.looked) < FRESH) {
            return kept.users.clone();
        }
        let stamp = stamp(path);
        let before = kept.map(|kept| (kept.stamp, kept.users.clone()));
        let users = match before {
            Some((known, users)) if known == stamp => users,
            before => Users::read(path).map(Arc::new).unwrap_or_else(|why| {
                tracing::error!(file = %path.display(), %why, "users cannot be read");
                before.map(|(_, users)| users).unwrap_or_default()
            }),
        };
        files.insert(path.to_owned(), Kept { looked: now, stamp, users: users.clone() });
        users
    }
}

impl Htpasswds {
    /// Adds a user to the file at `path`, which need not exist; false when there is one of that name.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn add(&self, path: &Path, user: &str, hash: &str) -> io::Result<bool> {
        self.edit(path, |lines| {
            let fresh = !lines.iter().any(|line| is_of(line, user));
            if fresh {
                lines.push(format!("{user}:{hash}"));
            }
            fresh
        })
    }

    /// Takes a user out of the file at `path`; false when there is none of that name.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn remove(&self, path: &Path, user: &str) -> io::Result<bool> {
        self.edit(path, |lines| {
            let before = lines.len();
            lines.retain(|line| !is_of(line, user));
            lines.len() < before
        })
    }

    /// Changes a file as a whole: whoever reads it meanwhile reads all of the old or all of the new one. What is
    /// written here by two at once is written one after the other.
    fn edit(&self, path: &Path, change: impl FnOnce(&mut Vec<String>) -> bool) -> io::Result<bool> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(why) if why.kind() == io::ErrorKind::NotFound => String::new(),
            Err(why) => return Err(why),
        };
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if !change(&mut lines) {
            return Ok(false);
        }
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let fresh = folder.join(format!(".{name}.new"));
        let written = write_private(&fresh, &text, path).and_then(|()| fs::rename(&fresh, path));
        if written.is_err() {
            let _nothing_left = fs::remove_file(&fresh);
        }
        files.remove(path);
        written.map(|()| true)
    }
}

impl Users {
    /// Reads a file; lines that are no `user:hash`, or whose hash is of an unknown kind, are told and left out.
    ///
    /// # Errors
    /// When the file cannot be read or is larger than 16 MiB.
    pub fn read(path: &Path) -> io::Result<Users> {
        if fs::metadata(path)?.len() > LARGEST {
            return Err(io::Error::other("larger than 16 MiB"));
        }
        let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
        let users = Users::parse(&text, |line| {
            tracing::warn!(file = %path.display(), line, "no user with a hash of a known kind");
        });
        Ok(users)
    }

    fn parse(text: &str, mut odd: impl FnMut(usize)) -> Users {
        let mut users = Users::default();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match line.split_once(':') {
                Some((user, hash)) if Kind::of(hash).is_some() => {
                    users.hashes.entry(user.to_owned()).or_insert_with(|| hash.to_owned());
                }
                _ => odd(at + 1),
            }
        }
        users
    }

    /// The users' names, in their order.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.hashes.keys().cloned().collect();
        names.sort();
        names
    }

    /// The hash of `user`'s password.
    pub fn hash(&self, user: &str) -> Option<&str> {
        self.hashes.get(user).map(String::as_str)
    }
}

fn is_of(line: &str, user: &str) -> bool {
    line.trim().split_once(':').is_some_and(|(name, _)| name == user)
}

/// Writes a file that only its owner reads, or whoever reads `like`.
fn write_private(path: &Path, text: &str, like: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    if let Ok(about) = fs::metadata(like) {
        file.set_permissions(about.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn stamp(path: &Path) -> Option<Stamp> {
    let about = fs::metadata(path).ok()?;
    Some(Stamp { modified: about.modified().ok()?, length: about.len() })
}

/// How long a look at a file is good for.
const FRESH: Duration = Duration::from_secs(1);
const LARGEST: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "827ccb0eea8a706c4c34a16891f84e7b";

    #[test]
    fn odd_lines_are_told_and_left_out() {
        let mut odd = Vec::new();
        let text = format!("# users\na:{HASH}\n\nb\nc:plain\r\nd:{HASH}\r\na:{{SHA}}x\n");
        let users = Users::parse(&text, |line| odd.push(line));
        assert_eq!((users.hash("a"), users.hash("d"), users.hash("c")), (Some(HASH), Some(HASH), None));
        assert_eq!(odd, [4, 5]);
    }

    #[test]
    fn a_changed_file_is_read_anew_and_a_lost_one_keeps_its_users() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        let (files, start) = (Htpasswds::default(), Instant::now());
        assert!(files.users(&path, start).hash("a").is_none());
        fs::write(&path, format!("a:{HASH}\n")).unwrap();
        assert!(files.users(&path, start).hash("a").is_none(), "looked at a moment ago");
        assert!(files.users(&path, start + FRESH).hash("a").is_some());
        fs::write(&path, format!("a:{HASH}\nb:{HASH}\n")).unwrap();
        assert!(files.users(&path, start + FRESH * 2).hash("b").is_some());
        fs::remove_file(&path).unwrap();
        assert!(files.users(&path, start + FRESH * 3).hash("b").is_some());
    }

    #[test]
    fn users_come_and_go_and_the_rest_of_the_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        let (files, now) = (Htpasswds::default(), Instant::now());
        assert!(files.add(&path, "a", HASH).unwrap(), "the file is made");
        fs::write(&path, format!("# ours\na:{HASH}\n")).unwrap();
        assert!(!files.add(&path, "a", HASH).unwrap());
        assert!(files.add(&path, "b", HASH).unwrap());
        assert_eq!(files.users(&path, now).names(), ["a", "b"]);
        assert!(files.remove(&path, "a").unwrap() && !files.remove(&path, "a").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("# ours\nb:{HASH}\n"));
        assert_eq!(files.users(&path, now).names(), ["b"], "what was changed here is known at once");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
