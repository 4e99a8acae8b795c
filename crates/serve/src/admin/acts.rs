//! What an administrator can do to mounts and listeners, for whichever interface asks.

use crate::{Mount, SessionId, Station, egress::Whom};
use levada_media::Tags;
use std::{sync::Arc, time::Instant};

/// Ends whatever feeds `mount`; false when nothing did.
pub(crate) fn kill_source(station: &Station, mount: &Mount) -> bool {
    let evicted = mount.evict(Instant::now());
    if evicted {
        tracing::info!(mount = %mount.name, "source removed by an administrator");
        station.mounts.touch();
    }
    evicted
}

/// Ends one listener of `mount`; false when it is not there.
pub(crate) fn kick(station: &Station, mount: &Mount, id: SessionId) -> bool {
    let here = station.sessions.get(id).is_some_and(|session| session.home == mount.name);
    if here {
        tracing::info!(mount = %mount.name, session = id.0, "listener removed by an administrator");
        station.egress.kick(id);
        station.hls.kick(id, station);
        station.webrtc.kick(id);
    }
    here
}

/// Lets the listeners of `mount` hear `destination` from now on, as long as that has something to hear. They stay
/// listeners of the mount that they asked for.
pub(crate) fn move_all(station: &Station, mount: &Mount, destination: &Mount) {
    tracing::info!(from = %mount.name, to = %destination.name, "listeners moved by an administrator");
    for stay in mount.stays() {
        station.egress.shift(stay.place.rendition, &destination.rendition, Whom::Home(mount.name.clone()));
        mount.leave(&stay);
    }
    mount.play_at(destination, true);
}

/// Sets the mount that listeners of `mount` hear while it has no source, until the configuration is read again.
pub(crate) fn follow_up(station: &Station, mount: &Mount, fallback: Option<crate::MountName>) {
    let mut policy = (*mount.policy()).clone();
    policy.fallback = fallback;
    mount.set_policy(Arc::new(policy));
    station.mounts.touch();
}

/// Tells what is playing; false when nothing feeds the mount.
pub(crate) fn retitle(station: &Station, mount: &Mount, tags: Tags) -> bool {
    let told = mount.retitle(tags);
    if told {
        station.mounts.touch();
    }
    told
}
