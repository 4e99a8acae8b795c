//! The access log, in the line format that everybody's tools read from Icecast.

use crate::Session;
use std::{
    fs::{File, OpenOptions},
    io::{self, LineWriter, Write},
    path::Path,
    sync::{Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::Instant,
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
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = &mut *file else { return };
        let _lost = writeln!(file, "{}", line(session, session.age(now).as_secs()));
    }
}

/// `ip - user [22/Nov/2026:04:00:00 +0000] "GET /m HTTP/1.1" 200 bytes "referer" "agent" seconds`
fn line(session: &Session, seconds: u64) -> String {
    let when = OffsetDateTime::from(session.since).format(STAMP).unwrap_or_default();
    format!(
        "{} - {} [{when}] \"{}\" 200 {} \"{}\" \"{}\" {seconds}",
        session.peer,
        quiet(session.user.as_deref().unwrap_or_default()),
        quiet(&session.request),
        session.sent.load(Relaxed),
        quiet(&session.referer),
        quiet(&session.agent),
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
    use crate::SessionId;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_line_reads_as_icecast_writes_it() {
        let session = Session {
            id: SessionId(1),
            home: "/m".parse().unwrap(),
            peer: [127, 0, 0, 1].into(),
            agent: "mpv\" \n0.35".into(),
            referer: "".into(),
            request: "GET /m HTTP/1.1".into(),
            user: None,
            since: SystemTime::UNIX_EPOCH + Duration::from_secs(86_400),
            began: Instant::now(),
            sent: 42.into(),
            skips: 0.into(),
            relay: false,
        };
        assert_eq!(
            line(&session, 7),
            "127.0.0.1 - - [02/Jan/1970:00:00:00 +0000] \"GET /m HTTP/1.1\" 200 42 \"-\" \"mpv_ _0.35\" 7"
        );
    }
}
