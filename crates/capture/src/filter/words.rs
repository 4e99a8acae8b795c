//! The words of a filter, and which one was meant by another.

use super::Protocol;

/// A piece of the text, and the column at which it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word<'t> {
    pub text: &'t str,
    pub column: usize,
}

/// Cuts a text into words: what stands between blanks, and parentheses, `!`, `&&` and `||` wherever they stand.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = text;
    let mut column = 1;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            blank if blank.is_whitespace() => first.len_utf8(),
            '(' | ')' | '!' => 1,
            '&' | '|' if rest[1..].starts_with(first) => 2,
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "()!&|".contains(c)).unwrap_or(rest.len());
                end.max(first.len_utf8())
            }
        };
        let (word, after) = rest.split_at(length);
        if !first.is_whitespace() {
            words.push(Word { text: word, column });
        }
        column += word.chars().count();
        rest = after;
    }
    words
}

pub(super) fn protocol(word: &str) -> Option<Protocol> {
    PROTOCOLS.iter().find(|(name, _)| *name == word).map(|(_, protocol)| *protocol)
}

/// The number that IP has for a protocol.
pub(super) fn ip_protocol(word: &str) -> Option<u8> {
    let word = word.trim_start_matches('\\');
    let known = [
        ("icmp", 1),
        ("igmp", 2),
        ("tcp", 6),
        ("udp", 17),
        ("esp", 50),
        ("ah", 51),
        ("icmp6", 58),
        ("sctp", 132),
    ];
    known.iter().find(|(name, _)| *name == word).map(|(_, number)| *number).or_else(|| word.parse().ok())
}

/// The port of a service.
pub(super) fn service(word: &str) -> Option<u16> {
    SERVICES.iter().find(|(name, _)| *name == word).map(|(_, port)| *port)
}

/// What to say of a word that is not known.
pub(super) fn suggestion(word: &str) -> String {
    let known = KEYWORDS.iter().copied().chain(PROTOCOLS.iter().map(|(name, _)| *name));
    let near = known.map(|known| (strsim::damerau_levenshtein(word, known), known)).min();
    match near {
        Some((distance, known)) if distance <= (known.len() / 3).max(1) => {
            format!("; did you mean {known:?}?")
        }
        _ => String::new(),
    }
}

pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word) || protocol(word).is_some()
}

const KEYWORDS: &[&str] = &[
    "and",
    "or",
    "not",
    "src",
    "dst",
    "host",
    "net",
    "port",
    "portrange",
    "proto",
    "less",
    "greater",
    "broadcast",
    "multicast",
    "vlan",
    "mask",
];

const PROTOCOLS: &[(&str, Protocol)] = &[
    ("ether", Protocol::Ether),
    ("ip", Protocol::Ip),
    ("ip6", Protocol::Ip6),
    ("arp", Protocol::Arp),
    ("rarp", Protocol::Rarp),
    ("tcp", Protocol::Tcp),
    ("udp", Protocol::Udp),
    ("sctp", Protocol::Sctp),
    ("icmp", Protocol::Icmp),
    ("icmp6", Protocol::Icmp6),
    ("igmp", Protocol::Igmp),
];

const SERVICES: &[(&str, u16)] = &[
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("domain", 53),
    ("bootps", 67),
    ("bootpc", 68),
    ("http", 80),
    ("ntp", 123),
    ("snmp", 161),
    ("https", 443),
    ("rtsp", 554),
    ("rtmp", 1935),
    ("mdns", 5353),
    ("http-alt", 8080),
];
