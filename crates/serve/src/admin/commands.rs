//! The commands by name.

use super::{Admits, Params, acts, users};
use crate::{
    Mount, MountName, SessionId, Station,
    ordinary::{Caller, Refusal},
    status::{Icestats, Reader},
    xml::Xml,
};
use Does::{Change, Tell, Work};
use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use levada_media::Tags;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

/// A command: what it is called, who may give it, what it does.
pub(super) struct Command {
    pub(super) names: &'static [&'static str],
    pub(super) admits: Admits,
    pub(super) does: Does,
    pub(super) run: fn(&Caller, &Params) -> Outcome,
}

pub(super) type Outcome = Result<Response, Refusal>;

pub(super) static COMMANDS: [Command; 15] = [
    command(&["stats", "stats.xml"], Admits::Admin, Tell, |c, p| Ok(xml(stats(c, p)?.xml()))),
    command(&["stats.json"], Admits::Admin, Tell, |c, p| Ok(json(stats(c, p)?.json(Reader::Admin)))),
    command(&["publicstats", "publicstats.json"], Admits::All, Tell, |c, _| {
        Ok(json(Icestats::of(c, Reader::Public).json(Reader::Public)))
    }),
    command(&["listclients"], Admits::Source, Tell, list_clients),
    command(&["listmounts"], Admits::Admin, Tell, |c, _| Ok(xml(mounts(c, None)))),
    command(&["streamlist"], Admits::Relay, Tell, |c, _| Ok(xml(mounts(c, None)))),
    command(&["streamlist.txt"], Admits::Relay, Tell, stream_list),
    command(&["updatemetadata"], Admits::Source, Tell, about_metadata),
    command(&["buildm3u"], Admits::Admin, Tell, build_m3u),
    command(&["metadata"], Admits::Source, Change, metadata),
    command(&["killsource"], Admits::Source, Change, kill_source),
    command(&["killclient"], Admits::Admin, Change, kill_client),
    command(&["moveclients"], Admits::Admin, Change, move_clients),
    command(&["fallbacks"], Admits::Admin, Change, fallbacks),
    command(&["manageauth"], Admits::Admin, Work, users::manage),
];

/// What a command does to the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    Tell,
    Change,
    /// The same, and it may take long: hashes, files.
    Work,
}

const fn command(
    names: &'static [&'static str],
    admits: Admits,
    does: Does,
    run: fn(&Caller, &Params) -> Outcome,
) -> Command {
    Command { names, admits, does, run }
}

/// `mode=updinfo` with `song`, or `artist` and `title`, and `url`: what is playing from now on.
pub(super) fn metadata(caller: &Caller, params: &Params) -> Outcome {
    let mount = fed(caller, params)?;
    if needed(params, "mode")? != "updinfo" {
        return Ok(said("No such action", false));
    }
    let before = mount.tags();
    let mut tags = match (params.title("song"), params.title("title"), params.title("artist")) {
        (Some(song), _, _) => Tags::titled(song),
        (None, None, None) => (*before).clone(),
        (None, title, artist) => {
            Tags { title: title.unwrap_or_default(), artist: artist.unwrap_or_default(), ..Tags::default() }
        }
    };
    tags.url = params.title("url").unwrap_or_else(|| before.url.clone());
    if !acts::retitle(&caller.station, &mount, tags) {
        return Err(no_source());
    }
    Ok(said("Metadata update successful", true))
}

fn stats(caller: &Caller, params: &Params) -> Result<Icestats, Refusal> {
    let stats = Icestats::of(caller, Reader::Admin);
    match params.text("mount") {
        Some(_) => Ok(stats.only(fed(caller, params)?.name.as_str())),
        None => Ok(stats),
    }
}

fn list_clients(caller: &Caller, params: &Params) -> Outcome {
    let mount = known(caller, params)?;
    let sessions = caller.station.sessions.of(&mount.name);
    let now = Instant::now();
    let doc = Xml::new()
        .open("icestats")
        .open_with("source", "mount", mount.name.as_str())
        .leaf("Listeners", sessions.len().to_string())
        .each(sessions, |xml, session| {
            xml.open("listener")
                .leaf("IP", session.peer.to_string())
                .leaf("UserAgent", &session.agent)
                .leaf("Connected", session.age(now).as_secs().to_string())
                .leaf("ID", session.id.0.to_string())
                .close("listener")
        })
        .close("source")
        .close("icestats");
    Ok(xml(doc.end()))
}

/// The mounts that have a source, and where the question was about another one, its name in front.
fn mounts(caller: &Caller, asked: Option<&MountName>) -> String {
    let now = SystemTime::now();
    let live = caller.station.mounts.list();
    let live = live.iter().filter(|mount| Some(&mount.name) != asked);
    Xml::new()
        .open("icestats")
        .each(asked, |xml, name| xml.leaf("current_source", name.as_str()))
        .each(live.filter_map(|mount| Some((mount, mount.source()?))), |xml, (mount, source)| {
            let age = now.duration_since(source.since).unwrap_or_default();
            xml.open_with("source", "mount", mount.name.as_str())
                .leaf("fallback", mount.policy().fallback.as_ref().map_or("", MountName::as_str))
                .leaf("listeners", mount.listeners().to_string())
                .leaf("Connected", age.as_secs().to_string())
                .leaf("content-type", &source.content_type)
                .close("source")
        })
        .close("icestats")
        .end()
}

/// One name a line: what a relay of the whole server reads.
fn stream_list(caller: &Caller, _: &Params) -> Outcome {
    let mounts = caller.station.mounts.list();
    let live = mounts.iter().filter(|mount| mount.source().is_some() && !mount.policy().hidden);
    let text: String = live.map(|mount| format!("{}\r\n", mount.name)).collect();
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

fn about_metadata(caller: &Caller, params: &Params) -> Outcome {
    let mount = fed(caller, params)?;
    let doc = Xml::new().open("icestats").open_with("source", "mount", mount.name.as_str());
    Ok(xml(doc.close("source").close("icestats").end()))
}

/// A playlist with a listener's name and password in its address.
fn build_m3u(caller: &Caller, params: &Params) -> Outcome {
    let mount = known(caller, params)?;
    let (user, password) = (needed(params, "username")?, needed(params, "password")?);
    let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let base = caller.base();
    let (scheme, host) = base.split_once("://").unwrap_or(("http", &base));
    let text = format!("{scheme}://{}:{}@{host}{}\r\n", escaped(&user), escaped(&password), mount.name);
    let headers = [
        (header::CONTENT_TYPE, "audio/x-mpegurl"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"listen.m3u\""),
    ];
    Ok((headers, text).into_response())
}

fn kill_source(caller: &Caller, params: &Params) -> Outcome {
    let mount = fed(caller, params)?;
    if acts::kill_source(&caller.station, &mount) {
        Ok(said("Source Removed", true))
    } else {
        Err(no_source())
    }
}

fn kill_client(caller: &Caller, params: &Params) -> Outcome {
    let mount = known(caller, params)?;
    let id = needed(params, "id")?;
    let session = id.parse().ok().map(SessionId);
    let gone = session.is_some_and(|id| acts::kick(&caller.station, &mount, id));
    Ok(match gone {
        true => said(&format!("Client {id} removed"), true),
        false => said(&format!("Client {id} not found"), false),
    })
}

fn move_clients(caller: &Caller, params: &Params) -> Outcome {
    let mount = known(caller, params)?;
    let Some(destination) = params.text("destination") else {
        return Ok(xml(mounts(caller, Some(&mount.name))));
    };
    let to = find(&caller.station, &destination).filter(|to| to.source().is_some());
    let to = to.ok_or_else(|| Refusal::bad("No such destination"))?;
    if to.name == mount.name {
        return Err(Refusal::bad("supplied mountpoints are identical"));
    }
    acts::move_all(&caller.station, &mount, &to);
    Ok(said(&format!("Clients moved from {} to {}", mount.name, to.name), true))
}

fn fallbacks(caller: &Caller, params: &Params) -> Outcome {
    let mount = known(caller, params)?;
    let fallback = needed(params, "fallback")?.parse().map_err(|_| Refusal::bad("that is no mount name"))?;
    acts::follow_up(&caller.station, &mount, Some(fallback));
    Ok(page("Fallback configured"))
}

/// The mount that the command is about, if it has or had something to hear.
pub(super) fn known(caller: &Caller, params: &Params) -> Result<Arc<Mount>, Refusal> {
    let name = params.text("mount").ok_or_else(|| Refusal::bad("Unknown admin request"))?;
    let mount = find(&caller.station, &name).filter(|m| m.source().is_some() || m.listeners() > 0);
    mount.ok_or_else(no_source)
}

/// The same where it must have a source now.
fn fed(caller: &Caller, params: &Params) -> Result<Arc<Mount>, Refusal> {
    known(caller, params)
        .and_then(|mount| if mount.source().is_some() { Ok(mount) } else { Err(no_source()) })
}

fn find(station: &Station, name: &str) -> Option<Arc<Mount>> {
    station.mounts.find(&name.parse().ok()?)
}

pub(super) fn needed(params: &Params, name: &str) -> Result<String, Refusal> {
    params.text(name).ok_or_else(|| Refusal::bad("Missing parameter"))
}

fn no_source() -> Refusal {
    Refusal::bad("Source does not exist")
}

fn said(message: &str, done: bool) -> Response {
    let doc = Xml::new().open("iceresponse").leaf("message", message);
    xml(doc.leaf("return", u8::from(done).to_string()).close("iceresponse").end())
}

fn page(message: &str) -> Response {
    let text = format!(
        "<html><head><title>Admin request successful</title></head><body><p>{message}</p></body></html>"
    );
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}

pub(super) fn xml(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], text).into_response()
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json; charset=UTF-8")], text).into_response()
}
