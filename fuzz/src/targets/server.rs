//! What the server is told: configuration, names, parameters, lists.

use crate::text;
use levada_serve::{
    Config, MountName, admin,
    client::{
        hls::{Follower, MOST, Told},
        playlist,
    },
};
use std::path::Path;

/// A configuration that can be read can be looked at, and written and read again as the same.
pub fn config(bytes: &[u8]) {
    let Ok(config) = toml::from_str::<Config>(&text(bytes)) else { return };
    let _ = (config.findings(), config.secrets().len(), config.named_mounts().count());
    assert!(config.changes(&config).is_empty());
    for name in config.named_mounts() {
        assert!(config.policy(&name).fallback.is_none_or(|fallback| fallback != name));
    }
    let written = toml::to_string(&config).unwrap_or_else(|why| panic!("{config:?}: {why}"));
    let again: Config = toml::from_str(&written).unwrap_or_else(|why| panic!("{written}: {why}"));
    assert_eq!(toml::to_string(&again).ok(), Some(written)); // passwords are written as stars
}

/// A name leads nowhere else, is one line, and is read as itself.
pub fn mount_name(bytes: &[u8]) {
    let text = text(bytes);
    let Ok(name) = text.parse::<MountName>() else { return };
    assert_eq!((name.as_str(), name.as_str().parse()), (&text[..], Ok(name.clone())));
    assert!(text.starts_with('/') && !text.contains("//") && !text.split('/').any(|part| part == ".."));
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>\\%?#&".contains(&byte)));
    let _ = levada_serve::config::matches(&text, &text);
}

/// Parameters of administration: a title is one line that fits in a block.
pub fn params(bytes: &[u8]) {
    let params = admin::Params::parse(bytes);
    for name in ["song", "title", "artist", "charset", "mount", ""] {
        let _ = (params.bytes(name), params.text(name));
        if let Some(title) = params.title(name) {
            assert!(title.len() <= 2_000 && !title.contains(char::is_control), "{title:?}");
        }
    }
}

/// Lists of files.
pub fn playlist(bytes: &[u8]) {
    let text = text(bytes);
    for name in ["a.m3u", "b.pls", "c.xspf"] {
        let entries = playlist::entries(name, &text).unwrap_or_default();
        assert!(entries.iter().map(String::len).sum::<usize>() <= text.len());
        let files = playlist::files(Path::new(name), &text);
        assert!(files.is_err() || files.is_ok_and(|files| files.len() == entries.len()));
    }
}

/// Playlists of HLS, one after the other at the same address: what is new in one is not new again.
pub fn hls_follow(bytes: &[u8]) {
    let text = text(bytes);
    let Ok(from) = "http://host/live/index.m3u8".parse() else { return };
    let mut follower = Follower::new(from);
    for list in text.split("\n#AGAIN\n").chain([text.as_str()]) {
        let from = follower.url().clone();
        let Ok(Told::Pieces { pieces, again, .. }) = follower.push(list, &from) else { continue };
        assert!(pieces.len() <= 2 * MOST && again.is_none_or(|again| !again.is_zero()), "{again:?}");
        if let Ok(Told::Pieces { pieces, .. }) = follower.push(list, &from) {
            assert!(pieces.len() <= 2 * MOST);
        }
    }
}

/// Whatever is offered is answered or refused; an answer is a session description in which we are found.
pub fn sdp_offer(data: &[u8]) {
    for answer in levada_serve::webrtc::rehearse(data) {
        assert!(answer.starts_with("v=0") && answer.contains("a=ice-ufrag:"), "{answer}");
    }
}
