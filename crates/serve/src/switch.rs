//! Where listeners are when their mount has no source: fallbacks, their return, and the end of patience.

use crate::{End, Mount, MountName, Station, Stay, egress::Whom, name::INTERNAL};
use std::{collections::HashSet, sync::Arc, time::Instant};

/// Keeps every listener at the best mount that is alive, until the server stops.
pub async fn run(station: Arc<Station>) {
    let mut changes = station.mounts.watch();
    loop {
        place_all(&station);
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(CHECK) => {}
            () = station.stop.cancelled() => return,
        }
    }
}

fn place_all(station: &Arc<Station>) {
    let now = Instant::now();
    for mount in station.mounts.list() {
        place(&mount, station, now);
    }
}

/// Moves the listeners of one mount to where they should be, or ends them when they have waited long enough.
fn place(mount: &Arc<Mount>, station: &Arc<Station>, now: Instant) {
    let target = audible(mount, station);
    let over =
        target.is_none() && mount.silent_for(now).is_some_and(|silence| silence > mount.policy().linger);
    for stay in mount.stays() {
        if let Some(to) = destination(&stay, target.as_ref(), mount, station) {
            tracing::info!(mount = %mount.name, from = %stay.place.mount, to = %to.name, "listeners move");
            station.egress.shift(stay.place.rendition, &to.rendition, Whom::Home(mount.name.clone()));
            mount.leave(&stay);
            mount.play_at(&to, stay.sent);
        } else if over && !is_alive(&stay.place.mount, station) {
            station.egress.end(stay.place.rendition, End::StreamEnded, Whom::Home(mount.name.clone()));
            mount.leave(&stay);
        }
    }
    if over {
        station.mounts.forget(&mount.name);
    }
}

/// Where those of `stay` are to go, if they are to go. While a place is alive, only an override calls anybody back, and
/// not those who were sent there.
fn destination(
    stay: &Stay,
    target: Option<&Arc<Mount>>,
    home: &Mount,
    station: &Station,
) -> Option<Arc<Mount>> {
    if is_alive(&stay.place.mount, station) && (stay.sent || !home.policy().fallback_override) {
        return None;
    }
    let host = station.mounts.find(&stay.place.mount).filter(|_| stay.sent);
    let next = host.and_then(|host| audible(&host, station)).or_else(|| target.cloned())?;
    (next.rendition.id != stay.place.rendition).then_some(next)
}

fn is_alive(mount: &MountName, station: &Station) -> bool {
    station.mounts.find(mount).is_some_and(|mount| mount.source().is_some())
}

/// What listeners of `mount` hear: what is [`alive`], else its fallback file while that plays.
pub fn audible(mount: &Arc<Mount>, station: &Station) -> Option<Arc<Mount>> {
    let stand_in = || station.mounts.find(&stage(mount)).filter(|stage| stage.source().is_some());
    alive(mount, station).or_else(stand_in)
}

/// Where the fallback file of `mount` plays.
pub fn stage(mount: &Mount) -> MountName {
    let name = format!("{INTERNAL}{}", mount.rendition.id.0);
    name.parse().expect("digits make a good name")
}

/// The mount itself if it is alive, else the first of its fallbacks that is; a circle of fallbacks ends.
pub fn alive(mount: &Arc<Mount>, station: &Station) -> Option<Arc<Mount>> {
    let mut seen = HashSet::new();
    let mut at = mount.clone();
    loop {
        if at.source().is_some() {
            return Some(at);
        }
        if !seen.insert(at.name.clone()) {
            return None;
        }
        at = station.mounts.find(at.policy().fallback.as_ref()?)?;
    }
}

/// Lingering mounts are looked at this often.
const CHECK: std::time::Duration = std::time::Duration::from_millis(250);
