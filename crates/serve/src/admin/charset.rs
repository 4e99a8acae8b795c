//! Titles come in UTF-8 or in what their senders' computers spoke before it.

/// The text that `bytes` are: in `charset` if it is one that we know, else UTF-8 if they are that, else Windows-1252,
/// which is Latin-1 with letters where that has control characters. Everything is some text in the last.
///
/// ```
/// use levada_serve::admin::decode;
/// assert_eq!(decode(b"\xc3\xa9", None), "é");
/// assert_eq!(decode(b"\xe9", None), "é");
/// ```
pub fn decode(bytes: &[u8], charset: Option<&str>) -> String {
    let latin = charset.is_some_and(|name| LATIN.iter().any(|known| known.eq_ignore_ascii_case(name.trim())));
    match std::str::from_utf8(bytes) {
        Ok(text) if !latin => text.to_owned(),
        _ => bytes.iter().map(|byte| windows_1252(*byte)).collect(),
    }
}

/// A text for one line: control characters become spaces, the ends are trimmed, and what is longer than a title block
/// can be is cut.
pub fn tidy(text: &str) -> String {
    let line = text.replace(char::is_control, " ");
    let mut end = line.len().min(LONGEST);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line[..end].trim().to_owned()
}

fn windows_1252(byte: u8) -> char {
    let high = byte.checked_sub(0x80).and_then(|at| HIGH.get(usize::from(at)));
    high.copied().unwrap_or(char::from(byte))
}

/// The 32 characters from 0x80; the five that are not assigned stay what they are in Latin-1.
const HIGH: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', //
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];
const LATIN: [&str; 7] =
    ["iso-8859-1", "iso8859-1", "latin1", "latin-1", "iso-8859-15", "windows-1252", "cp1252"];
/// Title and address share a block of 4,080 bytes.
const LONGEST: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_a_line() {
        assert_eq!(tidy(" a\r\nb\u{1b}[31m\u{9b} "), "a  b [31m");
        assert_eq!(tidy(&"é".repeat(2_000)).len(), LONGEST);
    }

    #[test]
    fn every_byte_is_some_text() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&all, None).chars().count(), 256);
        assert_eq!(decode(&[0x93, 0x94], None), "“”");
    }
}
