//! The statistics in Icecast's own words, for everything that has been reading them: AzuraCast, directories, scripts.

pub mod feed;
mod json;
mod tracks;

pub use tracks::subtype;

use crate::{Mount, Origin, Source, admin::Params, egress, ordinary::Caller, stamp, xml::Xml};
use axum::{
    extract::Request,
    http::header,
    response::{IntoResponse, Response},
};
use levada_media::Format;
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// What Icecast calls `icestats`: values of the server, and those of each mount that has a source. Everything is text
/// by a name, in the order of the names' bytes, as Icecast keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Icestats {
    /// Of the server.
    pub server: Values,
    /// Of each mount, by its name.
    pub sources: Vec<(String, Values)>,
}

/// Texts by name.
pub type Values = BTreeMap<&'static str, String>;

/// Who reads the statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Everybody: no addresses, no counters of bytes, no hidden mounts.
    Public,
    /// The administrator.
    Admin,
}

/// `GET /status-json.xsl`: what everybody may know, of all mounts or of the one that `mount` names.
pub async fn public(caller: Caller, request: Request) -> Response {
    let stats = Icestats::of(&caller, Reader::Public);
    let stats = match Params::of(request).await.text("mount") {
        Some(mount) => stats.only(&mount),
        None => stats,
    };
    let json = stats.json(Reader::Public);
    ([(header::CONTENT_TYPE, "application/json; charset=UTF-8")], json).into_response()
}

impl Icestats {
    /// The statistics at this moment.
    pub fn of(caller: &Caller, reader: Reader) -> Icestats {
        let mounts = caller.station.mounts.list();
        let served = caller.station.egress.stats();
        let shown = |mount: &&Arc<Mount>| reader == Reader::Admin || !mount.policy().hidden;
        let sources = mounts.iter().filter(shown).filter_map(|mount| {
            let source = mount.source()?;
            Some((mount.name.to_string(), of_mount(caller, mount, &source, &served)))
        });
        Icestats { server: of_server(caller), sources: sources.collect() }
    }

    /// Only the mount called `name`.
    pub fn only(mut self, name: &str) -> Icestats {
        self.sources.retain(|(mount, _)| mount == name);
        self
    }

    /// As `/admin/stats` writes it.
    pub fn xml(&self) -> String {
        let leaves = |xml: Xml, values: &Values| xml.each(values, |xml, (name, text)| xml.leaf(name, text));
        leaves(Xml::new().open("icestats"), &self.server)
            .each(&self.sources, |xml, (mount, values)| {
                leaves(xml.open_with("source", "mount", mount), values).close("source")
            })
            .close("icestats")
            .end()
    }

    /// As `/status-json.xsl` writes it.
    pub fn json(&self, reader: Reader) -> String {
        json::write(self, reader)
    }
}

/// The name that a stream goes by.
pub fn name_of(mount: &Mount) -> String {
    let said = mount.last_source().map(|source| source.name.clone()).filter(|name| !name.is_empty());
    said.unwrap_or_else(|| mount.name.to_string())
}

fn of_server(caller: &Caller) -> Values {
    let station = &caller.station;
    let config = station.config();
    let counters = &station.counters;
    let relays = station.mounts.list().iter().filter_map(|mount| mount.source()).filter(is_relay).count();
    let mut values = Values::from([
        ("admin", config.server.admin.clone()),
        ("file_connections", "0".into()),
        ("host", caller.host_name()),
        ("location", config.server.location.clone()),
        ("server_id", crate::SERVER.into()),
        ("server_start", stamp::mail(station.started)),
        ("server_start_iso8601", stamp::iso(station.started)),
        ("stats", "0".into()),
        ("stats_connections", "0".into()),
    ]);
    for (name, count) in [
        ("client_connections", counters.requests.load(Relaxed)),
        ("clients", counters.connections.load(Relaxed) as u64),
        ("connections", counters.accepted.load(Relaxed)),
        ("listener_connections", counters.listeners.load(Relaxed)),
        ("listeners", station.sessions.count() as u64),
        ("source_client_connections", counters.sources.load(Relaxed)),
        ("source_relay_connections", relays as u64),
        ("source_total_connections", counters.sources.load(Relaxed)),
        ("sources", station.mounts.sources() as u64),
    ] {
        values.insert(name, count.to_string());
    }
    values
}

fn of_mount(caller: &Caller, mount: &Mount, source: &Source, served: &egress::Stats) -> Values {
    let or = |said: &str, otherwise: &str| if said.is_empty() { otherwise } else { said }.to_owned();
    let policy = mount.policy();
    let mut values = Values::from([
        ("genre", or(&source.genre, "various")),
        ("listener_peak", mount.stats.peak.load(Relaxed).to_string()),
        ("listeners", mount.listeners().to_string()),
        ("listenurl", format!("{}{}", caller.named_base(), mount.name)),
        ("max_listeners", policy.max_listeners.map_or("unlimited".into(), |most| most.to_string())),
        ("public", u8::from(source.public).to_string()),
        ("server_description", or(&source.description, "Unspecified description")),
        ("server_name", or(&source.name, "Unspecified name")),
        ("server_type", source.content_type.clone()),
        ("slow_listeners", mount.stats.slow.load(Relaxed).to_string()),
        ("stream_start", stamp::mail(source.since)),
        ("stream_start_iso8601", stamp::iso(source.since)),
        ("total_bytes_read", mount.stats.received.load(Relaxed).to_string()),
        ("total_bytes_sent", mount.sent(served).to_string()),
    ]);
    values.extend(source.peer.map(|peer| ("source_ip", peer.to_string())));
    let asks_url = policy.url_auth.as_ref().is_some_and(|hooks| hooks.listener_add.is_some());
    let authenticator = if policy.htpasswd.is_some() { Some("htpasswd") } else { asks_url.then_some("url") };
    values.extend(authenticator.map(|kind| ("authenticator", kind.to_owned())));
    let said = [
        ("audio_info", &source.audio_info),
        ("bitrate", &source.bitrate),
        ("server_url", &source.url),
        ("user_agent", &source.agent),
    ];
    values.extend(
        said.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name, text.clone())),
    );
    audio_info(&mut values, source);
    tracks::describe(&mut values, source.format, &mount.tracks());
    title(&mut values, mount, source);
    values
}

/// The parameters of `ice-audio-info` by the names that sources give them; others are not let in, as they would become
/// the names of elements.
fn audio_info(values: &mut Values, source: &Source) {
    for pair in source.audio_info.split(';') {
        let Some((name, text)) = pair.split_once('=') else { continue };
        let known = AUDIO_INFO.iter().find(|known| **known == name.trim());
        if let (Some(name), false) = (known, text.trim().is_empty()) {
            values.insert(name, text.trim().to_owned());
        }
    }
}

/// Ogg tells artist and title apart, everything else has one line.
fn title(values: &mut Values, mount: &Mount, source: &Source) {
    let tags = mount.tags();
    let ogg = source.format == Format::Ogg;
    let title = if ogg { tags.title.clone() } else { tags.line() };
    let artist = if ogg { tags.artist.clone() } else { String::new() };
    let said = [("artist", artist), ("title", title)];
    values.extend(said.into_iter().filter(|(_, text)| !text.is_empty()));
}

fn is_relay(source: &Arc<Source>) -> bool {
    source.origin == Origin::Relay
}

const AUDIO_INFO: [&str; 8] = [
    "bitrate",
    "channels",
    "ice-bitrate",
    "ice-channels",
    "ice-quality",
    "ice-samplerate",
    "quality",
    "samplerate",
];
