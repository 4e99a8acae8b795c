//! `/metrics` in Prometheus' text format 0.0.4.
//!
//! The counters live in the objects that they count; a library would want to own them, and what is left to do is to write
//! names and numbers, so that is done here.

use crate::{BOUNDS, Mount, Station, Tempo, api::Problem, egress, ordinary::Caller};
use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use std::{
    fmt::{Display, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::UNIX_EPOCH,
};

/// `GET /metrics`. Everybody may read it; hidden mounts are in it only for the administrator.
pub async fn page(caller: Caller) -> Result<Response, Problem> {
    let all = caller.reads_as_admin().await?;
    let text = write(&caller.station, all);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

fn write(station: &Station, all: bool) -> String {
    let mut page = Page::default();
    let served = station.egress.stats();
    of_server(&mut page, station);
    of_reactors(&mut page, &served);
    let mut mounts = station.mounts.list();
    mounts.retain(|mount| all || !mount.policy().hidden);
    of_mounts(&mut page, &mounts, &served, station);
    page.0
}

fn of_server(page: &mut Page, station: &Station) {
    let counters = &station.counters;
    let started = station.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    page.family("levada_info", Gauge, "The software.");
    page.sample("levada_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    let one = |page: &mut Page, name: &str, kind, help: &str, value: u64| {
        page.family(name, kind, help);
        page.sample(name, &[], value);
    };
    one(page, "levada_start_time_seconds", Gauge, "When the server started, since 1970.", started);
    for (name, help, value) in [
        ("levada_connections", "Connections now, of any kind.", counters.connections.load(Relaxed)),
        ("levada_listeners", "Listeners now, over all mounts.", station.sessions.count()),
        ("levada_sources", "Sources now.", station.mounts.sources()),
        ("levada_hls_streams", "Mounts that are made into segments now.", station.hls.count()),
    ] {
        one(page, name, Gauge, help, value as u64);
    }
    for (name, help, counter) in [
        ("levada_accepted_total", "Connections ever.", &counters.accepted),
        (
            "levada_accept_failures_total",
            "Connections that the system could not give.",
            &counters.accept_failures,
        ),
        ("levada_requests_total", "Ordinary requests: pages, API, administration.", &counters.requests),
        ("levada_listener_sessions_total", "Listeners ever.", &counters.listeners),
        ("levada_source_sessions_total", "Sources ever.", &counters.sources),
    ] {
        one(page, name, Counter, help, counter.load(Relaxed));
    }
    let traffic = station.webrtc.traffic();
    one(page, "levada_webrtc_sessions", Gauge, "Sessions of WebRTC now.", traffic.sessions as u64);
    for (name, help, value) in [
        ("levada_webrtc_stray_datagrams_total", "Datagrams for no session of WebRTC.", traffic.strays),
        (
            "levada_webrtc_dropped_datagrams_total",
            "Datagrams that a session had no room for.",
            traffic.dropped,
        ),
    ] {
        one(page, name, Counter, help, value);
    }
    let rooms = station.rooms.traffic();
    one(page, "levada_rooms", Gauge, "Rooms in which somebody is.", rooms.rooms as u64);
    one(page, "levada_room_participants", Gauge, "Participants of rooms now.", rooms.participants as u64);
    for (name, help, value) in [
        ("levada_room_received_total", "Messages of participants of rooms.", rooms.stats.received),
        ("levada_room_passed_total", "Messages passed on in rooms, one a receiver.", rooms.stats.passed),
        ("levada_room_strangers_total", "Datagrams of nobody in a room.", rooms.stats.strangers),
        ("levada_room_refused_total", "Participants that were not let into a room.", rooms.stats.refused),
        (
            "levada_room_dropped_total",
            "Messages that were too many, or came too fast.",
            rooms.stats.dropped + rooms.late,
        ),
    ] {
        one(page, name, Counter, help, value);
    }
    let checks = station.auth.checks();
    one(page, "levada_password_checks_total", Counter, "Password hashes that were computed.", checks);
    page.family("levada_refusals_total", Counter, "Requests that were refused, by reason.");
    for (reason, counter) in [
        ("malformed", &counters.bad_requests),
        ("credentials", &counters.denied),
        ("full", &counters.full),
        ("redirected", &counters.redirects),
        ("source", &counters.refused_sources),
    ] {
        page.sample("levada_refusals_total", &[("reason", reason)], counter.load(Relaxed));
    }
}

fn of_reactors(page: &mut Page, served: &egress::Stats) {
    type Read = fn(&egress::ReactorStats) -> u64;
    let columns: [(&str, Kind, &str, Read); 7] = [
        ("levada_reactor_listeners", Gauge, "Listeners of a reactor.", |r| r.listeners),
        ("levada_reactor_writes_total", Counter, "Writes that sockets took.", |r| r.writes),
        ("levada_reactor_bytes_total", Counter, "Bytes that sockets took.", |r| r.bytes),
        ("levada_reactor_wakeups_total", Counter, "How often a reactor woke up.", |r| r.wakeups),
        ("levada_reactor_blocked_total", Counter, "How often a socket was full.", |r| r.blocked),
        ("levada_reactor_skips_total", Counter, "Slow listeners moved forward.", |r| r.skips),
        ("levada_reactor_failures_total", Counter, "How often a reactor began anew.", |r| r.failures),
    ];
    for (name, kind, help, value) in columns {
        page.family(name, kind, help);
        for (number, reactor) in served.reactors.iter().enumerate() {
            page.sample(name, &[("reactor", &number.to_string())], value(reactor));
        }
    }
}

fn of_mounts(page: &mut Page, mounts: &[Arc<Mount>], served: &egress::Stats, station: &Station) {
    let count = |counter: &AtomicU64| counter.load(Relaxed);
    let sent = |mount: &Mount| mount.sent(served);
    type Read<'a> = &'a dyn Fn(&Mount) -> u64;
    let lag = |mount: &Mount| u64::from(station.sessions.lag(&mount.name));
    let columns: [(&str, Kind, &str, Read<'_>); 15] = [
        ("levada_mount_up", Gauge, "Whether something feeds the mount.", &|m| m.source().is_some().into()),
        ("levada_mount_listeners", Gauge, "Listeners now.", &|m| m.listeners() as u64),
        ("levada_mount_listeners_peak", Gauge, "Most listeners at once.", &|m| {
            m.stats.peak.load(Relaxed) as u64
        }),
        ("levada_mount_skips_total", Counter, "Moves of slow listeners that have left.", &|m| {
            count(&m.stats.skips)
        }),
        ("levada_mount_received_bytes_total", Counter, "Bytes from sources.", &|m| count(&m.stats.received)),
        ("levada_mount_sent_bytes_total", Counter, "Bytes that listeners' sockets took.", &sent),
        ("levada_mount_garbage_bytes_total", Counter, "Source's bytes outside its format.", &|m| {
            count(&m.stats.skipped)
        }),
        ("levada_mount_stored_objects_total", Counter, "Segments that a store took.", &|m| {
            count(&m.stats.stored)
        }),
        ("levada_mount_unstored_objects_total", Counter, "Segments that a store did not take.", &|m| {
            count(&m.stats.unstored)
        }),
        ("levada_mount_titles_total", Counter, "Titles that were told.", &|m| count(&m.stats.titles)),
        ("levada_mount_sources_total", Counter, "Sources that came.", &|m| count(&m.stats.sources)),
        ("levada_mount_listener_sessions_total", Counter, "Listeners that came.", &|m| {
            count(&m.stats.connections)
        }),
        ("levada_mount_slow_drops_total", Counter, "Listeners dropped as too slow.", &|m| {
            count(&m.stats.slow)
        }),
        ("levada_mount_lag_milliseconds", Gauge, "How far the slowest listener is behind.", &lag),
        ("levada_mount_max_listeners", Gauge, "Listeners that the mount takes; 0 is no limit.", &|m| {
            m.policy().max_listeners.unwrap_or_default() as u64
        }),
    ];
    for (name, kind, help, value) in columns {
        page.family(name, kind, help);
        for mount in mounts {
            page.sample(name, &[("mount", mount.name.as_str())], value(mount));
        }
    }
    of_tempos(page, mounts, station);
}

/// One histogram a mount and direction; those of single sessions are told by the API, of which there may be many.
fn of_tempos(page: &mut Page, mounts: &[Arc<Mount>], station: &Station) {
    let arrivals: Vec<Tempo> = mounts.iter().map(|mount| mount.stats.arrivals.tempo()).collect();
    let sends = station.sessions.tempos(mounts.iter().map(|mount| (&mount.name, &mount.stats.sends)));
    type Read = fn(&Tempo) -> u64;
    let columns: [(&str, &str, &[Tempo], Read); 3] = [
        ("levada_mount_received_frames_total", "Messages, tags or pages from sources.", &arrivals, |t| {
            t.pages
        }),
        ("levada_mount_sent_frames_total", "Messages, tags or pages to listeners.", &sends, |t| t.pages),
        ("levada_mount_missed_frames_total", "Those left out for slow listeners.", &sends, |t| t.missed),
    ];
    for (name, help, tempos, value) in columns {
        page.family(name, Counter, help);
        for (mount, tempo) in mounts.iter().zip(tempos) {
            page.sample(name, &[("mount", mount.name.as_str())], value(tempo));
        }
    }
    for (name, help, tempos) in [
        ("levada_mount_arrival_gap_seconds", "Time between what came from a source and the next.", &arrivals),
        ("levada_mount_send_gap_seconds", "Time between writes to a listener, over all of them.", &sends),
    ] {
        page.family(name, Histogram, help);
        mounts.iter().zip(tempos).for_each(|(mount, tempo)| page.histogram(name, mount.name.as_str(), tempo));
    }
}

/// A page being written.
#[derive(Default)]
struct Page(String);

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}
use Kind::{Counter, Gauge, Histogram};

impl Page {
    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Counter => "counter",
            Gauge => "gauge",
            Histogram => "histogram",
        };
        write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n")
            .expect("a string takes what is written");
    }

    fn histogram(&mut self, name: &str, mount: &str, tempo: &Tempo) {
        let (bucket, mut count) = (format!("{name}_bucket"), 0);
        for (index, gaps) in tempo.gaps.iter().enumerate() {
            count += gaps;
            let bound = BOUNDS.get(index).map_or("+Inf".into(), |ms| (*ms as f64 / 1000.0).to_string());
            self.sample(&bucket, &[("mount", mount), ("le", &bound)], count);
        }
        let micros = tempo.micros;
        let seconds = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        self.sample(&format!("{name}_sum"), &[("mount", mount)], seconds);
        self.sample(&format!("{name}_count"), &[("mount", mount)], count);
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<_> =
            labels.iter().map(|(name, text)| format!("{name}=\"{}\"", escape(text))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        writeln!(self.0, "{name}{labels} {value}").expect("a string takes what is written");
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
