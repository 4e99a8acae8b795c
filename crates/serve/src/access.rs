//! The access log, in the line format that everybody's tools read from Icecast.

use crate::Session;
use std::{
    fs::{File, OpenOptions},
    io::{self, LineWriter, Write},
    net::IpAddr,
    path::Path,
    sync::{Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::{Instant, SystemTime},
};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

/// Where finished requests are written, one line each; or nowhere.
#[derive(Default)]
pub struct AccessLog(Mutex<Option<LineWriter<File>>>);

impl AccessLog {
    /// Appends to the file at `path`; without one, lines go nowhere.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: Option<&Path>) -> io::Result<AccessLog> {
        let Some(path) = path else { return Ok(AccessLog::default()) };
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(AccessLog(Mutex::new(Some(LineWriter::new(file)))))
    }

    /// Goes on where `other` writes: the file has another name, or was moved away by who rotates logs.
    pub fn replace(&self, other: AccessLog) {
        let file = other.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = file;
    }

    /// Writes the line of a listener that left. A full disk loses the line, never the listener.
    pub fn listener(&self, session: &Session, now: Instant) {
        self.write(&Visit {
            peer: session.peer,
            user: session.user.as_deref().unwrap_or_default(),
            since: session.since,
            request: &session.request,
            status: 200,
            bytes: session.sent.load(Relaxed),
            referer: &session.referer,
            agent: &session.agent,
            seconds: session.age(now).as_secs(),
        });
    }

    /// Writes the line of whatever request is over.
    pub fn write(&self, visit: &Visit<'_>) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = &mut *file else { return };
        let _lost = writeln!(file, "{}", line(visit));
    }
}

/// A request that is over.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// Where the client is.
    pub peer: IpAddr,
    /// The user it authenticated as; empty if none.
    pub user: &'a str,
    /// When it came.
    pub since: SystemTime,
    /// The request line.
    pub request: &'a str,
    /// The status it was answered with.
    pub status: u16,
    /// Bytes of the answer's body that its socket took.
    pub bytes: u64,
    /// The page that sent it here.
    pub referer: &'a str,
    /// What it calls itself.
    pub agent: &'a str,
    /// How long it was here.
    pub seconds: u64,
}

/// `ip - user [22/Nov/2026:04:00:00 +0000] "GET /m HTTP/1.1" 200 bytes "referer" "agent" seconds`
fn line(visit: &Visit<'_>) -> String {
    let when = OffsetDateTime::from(visit.since).format(STAMP).unwrap_or_default();
    format!(
        "{} - {} [{when}] \"{}\" {} {} \"{}\" \"{}\" {}",
        visit.peer,
        quiet(visit.user),
        quiet(visit.request),
        visit.status,
        visit.bytes,
        quiet(visit.referer),
        quiet(visit.agent),
        visit.seconds,
    )
}

/// Nothing a client says may end a line or a field; nothing said is a dash.
fn quiet(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() || c == '"' { '_' } else { c }).collect();
    if text.is_empty() { "-".into() } else { text }
}

const STAMP: &[BorrowedFormatItem<'_>] = format_description!(
    "[day]/[month repr:short]/[year]:[hour]:[minute]:[second] [offset_hour sign:mandatory][offset_minute]"
);

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_line_reads_as_icecast_writes_it() {
        let visit = Visit {
            peer: [127, 0, 0, 1].into(),
            user: "",
            since: SystemTime::UNIX_EPOCH + Duration::from_secs(86_400),
            request: "GET /m HTTP/1.1",
            status: 200,
            bytes: 42,
            referer: "",
            agent: "mpv\" \n0.35",
            seconds: 7,
        };
        assert_eq!(
            line(&visit),
            "127.0.0.1 - - [02/Jan/1970:00:00:00 +0000] \"GET /m HTTP/1.1\" 200 42 \"-\" \"mpv_ _0.35\" 7"
        );
    }
}
