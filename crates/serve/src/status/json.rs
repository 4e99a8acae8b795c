//! The JSON that Icecast's stylesheet makes of its XML, with its habits: one source is an object, several are an array,
//! none is absent; where what stands last is not shown, a `"dummy":null` stands there instead.

use super::{Icestats, Reader, Values};
use serde_json::Value;

/// Writes the statistics. In one thing it is better than the original, which makes a number of every text that looks
/// like one: a title stays text, as every reader expects.
pub(super) fn write(stats: &Icestats, reader: Reader) -> String {
    let mut members = members(&stats.server, reader, is_count);
    let sources: Vec<_> = stats.sources.iter().map(|(_, values)| object(values, reader)).collect();
    match sources.as_slice() {
        [] => members.extend(dummy(&stats.server, reader, is_count)),
        [one] => members.push(format!("\"source\":{one}")),
        many => members.push(format!("\"source\":[{}]", many.join(","))),
    }
    format!("{{\"icestats\":{{{}}}}}", members.join(","))
}

fn object(values: &Values, reader: Reader) -> String {
    let mut members = members(values, reader, hidden_of_source);
    members.extend(dummy(values, reader, hidden_of_source));
    format!("{{{}}}", members.join(","))
}

fn members(values: &Values, reader: Reader, hidden: fn(&str) -> bool) -> Vec<String> {
    let shown = values.iter().filter(|(name, _)| reader == Reader::Admin || !hidden(name));
    shown.map(|(name, text)| format!("\"{name}\":{}", value(name, text))).collect()
}

fn dummy(values: &Values, reader: Reader, hidden: fn(&str) -> bool) -> Option<String> {
    let (last, _) = values.last_key_value()?;
    (reader == Reader::Public && hidden(last)).then(|| "\"dummy\":null".to_owned())
}

fn value(name: &str, text: &str) -> String {
    if (is_count(name) || NUMBERS.contains(&name)) && is_number(text) {
        return text.to_owned();
    }
    Value::from(text).to_string()
}

fn hidden_of_source(name: &str) -> bool {
    HIDDEN_OF_SOURCE.contains(&name)
}

/// A counter of the server, which the stylesheet hides from everybody.
fn is_count(name: &str) -> bool {
    name.contains("connections") || ["clients", "listeners", "sources", "stats"].contains(&name)
}

/// Digits with at most one point between them, and no zero in front but for 0 itself, as the stylesheet has it.
fn is_number(text: &str) -> bool {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits =
        |text: &str| !text.is_empty() && text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(part) && (!text.starts_with('0') || text == "0")
}

const HIDDEN_OF_SOURCE: [&str; 7] = [
    "max_listeners",
    "public",
    "slow_listeners",
    "source_ip",
    "total_bytes_read",
    "total_bytes_sent",
    "user_agent",
];
const NUMBERS: [&str; 20] = [
    "audio_bitrate",
    "audio_channels",
    "audio_samplerate",
    "bitrate",
    "channels",
    "frame_rate",
    "ice-bitrate",
    "ice-channels",
    "ice-quality",
    "ice-samplerate",
    "listener_peak",
    "max_listeners",
    "public",
    "quality",
    "samplerate",
    "slow_listeners",
    "total_bytes_read",
    "total_bytes_sent",
    "video_bitrate",
    "video_quality",
];
