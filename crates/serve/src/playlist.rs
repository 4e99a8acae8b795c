//! Playlists of one mount, which players open: `.m3u`, `.pls`, `.xspf`.

use crate::{Mount, MountName, ordinary::Caller, status, xml::Xml};
use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use percent_encoding::percent_decode_str;
use std::sync::{Arc, atomic::Ordering::Relaxed};

/// The playlist that `path` asks for, if there is such a mount.
pub fn of(caller: &Caller, path: &str) -> Option<Response> {
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let (name, kind) = path.rsplit_once('.')?;
    let write = match kind {
        "m3u" => m3u,
        "pls" => pls,
        "xspf" => xspf,
        _ => return None,
    };
    let name: MountName = name.parse().ok()?;
    let (content_type, text) = write(caller, &caller.station.audible(&name)?);
    Some(([(header::CONTENT_TYPE, content_type)], text).into_response())
}

/// A playlist with one address, as the client called the server.
fn m3u(caller: &Caller, mount: &Arc<Mount>) -> (&'static str, String) {
    ("audio/x-mpegurl", format!("{}{}\r\n", caller.base(), mount.name))
}

fn pls(caller: &Caller, mount: &Arc<Mount>) -> (&'static str, String) {
    let title = status::name_of(mount).replace(char::is_control, " ");
    let address = format!("{}{}", caller.base(), mount.name);
    let text =
        format!("[playlist]\nNumberOfEntries=1\nFile1={address}\nTitle1={title}\nLength1=-1\nVersion=2\n");
    ("audio/x-scpls", text)
}

/// The same with what is known of the stream; the address is the configured one, since it may be kept.
fn xspf(caller: &Caller, mount: &Arc<Mount>) -> (&'static str, String) {
    let source = mount.last_source();
    let said = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let source = source.as_deref();
    let about = [
        ("Stream Title: ", said(source.map(|s| s.name.as_str()))),
        ("Stream Description: ", said(source.map(|s| s.description.as_str()))),
        ("Content Type:", said(source.map(|s| s.content_type.as_str()))),
        ("Current Listeners: ", mount.listeners().to_string()),
        ("Peak Listeners: ", mount.stats.peak.load(Relaxed).to_string()),
        ("Stream Genre: ", said(source.map(|s| s.genre.as_str()))),
    ];
    let about: Vec<_> = about
        .iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| format!("{name}{text}"))
        .collect();
    let xml = Xml::new()
        .open_with("playlist version=\"1\"", "xmlns", "http://xspf.org/ns/0/")
        .open("trackList")
        .open("track")
        .leaf("location", format!("{}{}", caller.named_base(), mount.name))
        .leaf("title", mount.tags().line())
        .leaf("annotation", about.join("\n"))
        .leaf("info", said(source.map(|s| s.url.as_str())))
        .close("track")
        .close("trackList")
        .close("playlist");
    ("application/xspf+xml; charset=UTF-8", xml.end())
}
