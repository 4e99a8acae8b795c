//! The doors, by name.

mod captures;
mod datagrams;
mod http;
mod icy;
mod labs;
mod links;
mod media;
mod ogg;
mod quic;
mod rooms;
mod server;
mod sound;

use levada_rtmp::fuzz as rtmp;
use levada_swarm::fuzz as swarm;

/// A door that any bytes may come to.
#[derive(Clone, Copy)]
pub struct Target {
    /// What it is called, here and as the folder of its corpus.
    pub name: &'static str,
    /// Panics when a promise is broken.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("http_head", http::head),
    target("http_reply", http::reply),
    target("http_body", http::body),
    target("shoutcast_fields", http::shoutcast_fields),
    target("basic_auth", http::basic_auth),
    target("icy_strip", icy::strip),
    target("icy_block", icy::block),
    target("probe", media::probe),
    target("ogg_cut", media::cut_ogg),
    target("webm_cut", media::cut_webm),
    target("mpa_cut", media::cut_mpa),
    target("adts_cut", media::cut_adts),
    target("ts_cut", media::cut_ts),
    target("flv_cut", media::cut_flv),
    target("ogg_demux", media::demux_ogg),
    target("webm_demux", media::demux_webm),
    target("mpa_demux", media::demux_mpa),
    target("adts_demux", media::demux_adts),
    target("ts_demux", media::demux_ts),
    target("flv_demux", media::demux_flv),
    target("fmp4_demux", media::demux_fmp4),
    target("splice", media::splice),
    target("flv_mux", media::flv_mux),
    target("flv_catch_up", media::flv_catch_up),
    target("ts_mux", media::ts_mux),
    target("ogg_retitle", ogg::retitle),
    target("rtmp_handshake", rtmp::handshake),
    target("rtmp_chunk", rtmp::chunks),
    target("amf0", rtmp::amf0),
    target("flv_tag", rtmp::tag),
    target("rtmp_server", rtmp::server_chunks),
    target("rtmp_client", rtmp::client),
    target("rtmp_address", rtmp::address),
    target("tc_words", links::tc_words),
    target("link_words", links::link_words),
    target("mahimahi", links::mahimahi),
    target("datagrams", datagrams::inlet),
    target("sdp", datagrams::sdp),
    target("sap", datagrams::sap),
    target("cast_address", datagrams::address),
    target("capture", captures::capture),
    target("filter_words", captures::filter_words),
    target("scenario", labs::scenario),
    target("config", server::config),
    target("mount_name", server::mount_name),
    target("params", server::params),
    target("playlist", server::playlist),
    target("hls_follow", server::hls_follow),
    target("talk_compat", sound::compat),
    target("talk_native", sound::native),
    target("talk_packet", sound::packet),
    target("talk_pictures", sound::pictures),
    target("talk_video", sound::slices),
    target("y4m", sound::y4m),
    target("swarm_wire_a", swarm::wire_a),
    target("swarm_wire_b", swarm::wire_b),
    target("swarm_wire_native", swarm::wire_native),
    target("swarm_wire_tracker", swarm::wire_tracker),
    target("swarm_team", swarm::team),
    target("swarm_quic", quic::door),
    target("talk_wire", sound::wire),
    target("talk_handshake", sound::handshake),
    target("sdp_offer", server::sdp_offer),
    target("room_wire", rooms::wire),
    target("room_hub", rooms::hub),
    target("room_member", rooms::member),
];

/// The target called `name`.
pub fn find(name: &str) -> Option<Target> {
    TARGETS.iter().find(|target| target.name == name).copied()
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}
