//! The page as the server draws it: everything is there without a script, scripts only keep it fresh.

use super::{team, topology};
use crate::{Mount, Source, api, hls, ordinary::Caller, renditions::Output, status, switch};
use levada_media::{Format, Kind};
use maud::{DOCTYPE, Markup, html};
use std::sync::Arc;

/// The whole page for this caller.
pub(super) fn draw(caller: &Caller) -> Markup {
    let about = &caller.station.config().server;
    let mounts: Vec<_> =
        caller.station.mounts.list().into_iter().filter(|mount| !mount.policy().hidden).collect();
    let relays = topology::draw(&api::topology(caller, false), &caller.host_name());
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="description" content="Live streams of this server";
                title { "levada · " (caller.host_name()) }
                link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/assets/page.css";
                script type="module" src="/assets/page.js" {}
            }
            body {
                a.skip href="#mounts" { "Skip to the streams" }
                div.top {
                    h1 { "levada" }
                    p { (caller.host_name()) " · " (about.location) }
                }
                main id="mounts" {
                    @if mounts.iter().any(|mount| mount.last_source().is_some()) {
                        ul.mounts { @for mount in &mounts { (card(caller, mount)) } }
                    } @else {
                        (nothing_yet(caller))
                    }
                    section.relays hidden[relays.is_none()] aria-label="Relays" {
                        h2 { "Who relays whom" }
                        div.plan { @if let Some(tree) = relays { (tree) } }
                    }
                }
                @if caller.station.webrtc.speaks() {
                    (publish())
                    @if caller.station.rooms.is_open() { (room()) }
                }
                p.foot {
                    "For programs: " a href="/status-json.xsl" { "status" } ", "
                    a href="/api/v1/openapi.json" { "API" } ", " a href="/metrics" { "metrics" } "."
                }
            }
        }
    }
}

fn card(caller: &Caller, mount: &Arc<Mount>) -> Markup {
    let Some(source) = mount.last_source() else { return html! {} };
    let tracks = mount.tracks();
    let codecs: Vec<_> = tracks.iter().map(|track| track.codec.name()).collect();
    let playing = switch::audible(mount, &caller.station);
    let live = mount.source().is_some();
    let address = mount.name.as_str();
    html! {
        li.mount.live[live] data-name=(address) data-type=(source.content_type) data-codecs=(codecs.join(","))
            data-faces=(faces(caller, mount, playing.as_deref(), &source)) {
            header {
                h2 { (status::name_of(mount)) }
                span.state { @if live { "live" } @else { "waiting for its source" } }
            }
            p.title aria-live="polite" { (mount.tags().line()) }
            p.about { (source.description) @if !source.genre.is_empty() { " · " (source.genre) } }
            @if playing.is_some() { (player(mount, &source.content_type)) }
            p.say role="status" {}
            ul.facts {
                li.count { (listeners(mount.listeners())) }
                @if !codecs.is_empty() { li { (codecs.join(" + ")) } }
                @if !source.bitrate.is_empty() { li { (source.bitrate) " kbit/s" } }
                li { a href=(address) { (address) } }
                li { a href={ (address) ".m3u" } { "M3U" } }
                li { a href={ (address) ".xspf" } { "XSPF" } }
            }
            @if let Some(team) = caller.station.teams.find(&mount.name) {
                details.team data-team=(address) {
                    summary { "The team that carries it" }
                    div.plan { (team::draw(&team, &host(caller))) }
                }
            }
            details.history {
                summary { "Listeners over time" }
                div.plot {}
            }
        }
    }
}

/// The ways besides its own in which browsers may have the stream, best first.
fn faces(caller: &Caller, mount: &Mount, playing: Option<&Mount>, source: &Source) -> String {
    let playing = playing.unwrap_or(mount);
    let mut faces = Vec::new();
    if caller.station.webrtc.fits(playing) && is_picture(playing, &source.content_type) {
        faces.push("whep");
    }
    if hls::fits(playing) {
        faces.push("hls");
    }
    if Output::Flv.carries(source.format, &playing.tracks()) && is_picture(playing, &source.content_type) {
        faces.push("flv");
    }
    faces.join(" ")
}

/// A way to try the server out without an encoder; nothing of it works without a script.
fn publish() -> Markup {
    html! {
        details.publish {
            summary { "Publish from this browser" }
            form {
                label { "Mount " input name="mount" value="/live/me" required; }
                label { "Password of its source " input name="key" type="password" autocomplete="off" required; }
                label { "What " select name="what" {
                    option value="picture" { "a test picture" }
                    option value="camera" { "camera and microphone" }
                } }
                button { "Publish" }
                output role="status" {}
            }
        }
    }
}

/// The way into a room, which needs no script.
fn room() -> Markup {
    html! {
        details.publish {
            summary { "Talk in a room" }
            form.room action="/rooms/" {
                label { "Its name " input name="name" pattern="[A-Za-z0-9._\\-]{1,64}" maxlength="64" required; }
                button { "Go" }
            }
        }
    }
}

fn is_picture(mount: &Mount, content_type: &str) -> bool {
    let tracks = mount.tracks();
    tracks.iter().any(|track| track.codec.kind() == Kind::Video)
        || (tracks.is_empty() && content_type.starts_with("video/"))
}

/// Pictures get a video element, everything else an audio one. What no browser plays by itself is shown as HLS, which
/// some play without a script; scripts know more ways.
fn player(mount: &Mount, content_type: &str) -> Markup {
    let label = format!("Player for {}", status::name_of(mount));
    let wrapped = matches!(Format::from_content_type(content_type), Format::MpegTs | Format::Flv);
    let address = if wrapped { format!("{}/index.m3u8", mount.name) } else { mount.name.to_string() };
    html! {
        @if is_picture(mount, content_type) {
            video controls playsinline preload="none" src=(address) aria-label=(label) {}
        } @else {
            audio controls preload="none" src=(address) aria-label=(label) {}
        }
    }
}

fn listeners(count: usize) -> String {
    if count == 1 { "1 listener".into() } else { format!("{count} listeners") }
}

/// How the reader knows this server.
pub(super) fn host(caller: &Caller) -> String {
    let base = caller.base();
    base.split_once("://").map_or(base.clone(), |(_, host)| host.to_owned())
}

/// What to do when nothing is on: a line to paste.
fn nothing_yet(caller: &Caller) -> Markup {
    let place = host(caller);
    html! {
        div.empty {
            p { "Nothing is on yet. Send something, and it appears here by itself:" }
            pre { "ffmpeg -re -i clip.mp3 -c copy -content_type audio/mpeg -f mp3 icecast://source:PASSWORD@" (place) "/radio.mp3" }
            p { "or, with a file and no encoder:" }
            pre { "levada push clip.ogg icecast://source:PASSWORD@" (place) "/radio.ogg --loop" }
        }
    }
}
