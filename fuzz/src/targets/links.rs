//! The words that describe links, and recordings of them.

use crate::text;
use levada_link::{Library, LinkConfig, Replay, tc::Devices};

/// Commands in tc's words, a line each. What is understood and can be written is understood again as the same.
pub fn tc_words(bytes: &[u8]) {
    let text = text(bytes);
    let mut devices = Devices::new(["eth0", "lo"]);
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let reply = devices.run(&words, &|_| None);
        assert_eq!(reply.status == 0, reply.err.is_empty(), "{line:?}: {reply:?}");
        let _ = (devices.links("eth0"), devices.links("lo"));
        if let Ok(config) = LinkConfig::from_tc(line, &|_| None) {
            written(&config);
        }
    }
    let shown = devices.run(&["qdisc", "show"], &|_| None);
    assert_eq!(shown.status, 0);
}

fn written(config: &LinkConfig) {
    let Some(lines) = config.to_tc() else { return };
    let [line] = &lines[..] else { return };
    let again = LinkConfig::from_tc(line, &|_| None);
    let again = again.unwrap_or_else(|why| panic!("{line:?} of {config:?}: {why}"));
    assert_eq!(again.to_tc().as_ref(), Some(&lines), "{config:?}");
}

/// The nicer spelling. What is understood is written and understood again.
pub fn link_words(bytes: &[u8]) {
    let text = text(bytes);
    let Ok(config) = LinkConfig::parse(&text, Library::EMPTY) else { return };
    let line = config.to_string();
    let again =
        LinkConfig::parse(&line, Library::EMPTY).unwrap_or_else(|why| panic!("{text:?} {line:?}: {why}"));
    assert_eq!(again.to_string(), line, "{text:?}");
    let _ = (config.check(), config.to_tc());
}

/// Recorded links: the mean rate is that of as many opportunities as there are lines.
pub fn mahimahi(bytes: &[u8]) {
    let text = text(bytes);
    let Ok(replay) = Replay::parse("x", &text) else { return };
    let lines = text.lines().filter(|line| !line.trim().is_empty()).count() as u64;
    assert!(replay.rate().0 <= lines * 1_504 * 8_000 && replay.name() == "x");
}
