//! Moments as the protocols write them; always UTC.

use std::time::SystemTime;
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

/// `Sun, 22 Nov 2026 04:00:00 GMT` (RFC 9110 §5.6.7).
pub fn http(at: SystemTime) -> String {
    write(at, HTTP)
}

/// `Sun, 22 Nov 2026 04:00:00 +0000`, as Icecast's statistics write it.
pub fn mail(at: SystemTime) -> String {
    write(at, MAIL)
}

/// `2026-11-22T04:00:00+0000`, as Icecast's statistics write it: without a colon in the offset.
pub fn iso(at: SystemTime) -> String {
    write(at, ISO)
}

/// `2026-11-22T04:00:00Z` (RFC 3339).
pub fn rfc3339(at: SystemTime) -> String {
    write(at, RFC3339)
}

/// `2026-11-22T04:00:00.000Z` (RFC 3339), to the millisecond.
pub fn rfc3339_millis(at: SystemTime) -> String {
    write(at, RFC3339_MILLIS)
}

fn write(at: SystemTime, form: &[BorrowedFormatItem<'_>]) -> String {
    OffsetDateTime::from(at).format(form).unwrap_or_default()
}

const HTTP: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
const MAIL: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] +0000"
);
const ISO: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]+0000");
const RFC3339: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const RFC3339_MILLIS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_moment_reads_as_each_protocol_writes_it() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_320_676);
        assert_eq!(http(at), "Sun, 22 Nov 2026 04:11:16 GMT");
        assert_eq!(mail(at), "Sun, 22 Nov 2026 04:11:16 +0000");
        assert_eq!(iso(at), "2026-11-22T04:11:16+0000");
        assert_eq!(rfc3339(at), "2026-11-22T04:11:16Z");
        assert_eq!(rfc3339_millis(at + Duration::from_millis(7)), "2026-11-22T04:11:16.007Z");
    }
}
