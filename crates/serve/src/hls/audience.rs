//! Who plays by HLS: players without a connection, told apart by what they say of themselves.

use crate::{End, MountName, Session, SessionId, Station, http::Head};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Everybody who has asked lately. As many as the server takes listeners; who was shown the door is remembered beside
/// them, for as long as it keeps asking, up to [`SHUT`].
#[derive(Default)]
pub(super) struct Audience(Mutex<HashMap<Key, Seat>>);

/// A player: of one mount, at one address, under one name, with one credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    mount: MountName,
    peer: IpAddr,
    agent: Box<str>,
    /// What players tell sessions apart by: `X-Playback-Session-Id` (Apple's) or CMCD's `sid` (CTA-5004).
    tag: Box<str>,
    /// What lets it in, where that is asked for.
    pass: Box<str>,
}

struct Seat {
    seen: Instant,
    here: Option<Here>,
}

struct Here {
    session: Arc<Session>,
    until: Option<Instant>,
}

/// What is known of a player.
pub(super) enum Known {
    /// It is here.
    Here(Arc<Session>),
    /// It was here, and may not be any more.
    Shut,
}

impl Key {
    /// The player that sent `head` from `peer`; what lets it in counts where the mount is `guarded`.
    pub(super) fn new(mount: &MountName, peer: IpAddr, head: &Head, guarded: bool, carried: &str) -> Key {
        let said = |name: &str| head.field(name).unwrap_or_default();
        let tag = match said("x-playback-session-id") {
            "" => cmcd_session(said("cmcd-session")).unwrap_or_default(),
            tag => tag,
        };
        let pass = match guarded {
            true => format!("{} {carried}", said("authorization")),
            false => String::new(),
        };
        Key {
            mount: mount.clone(),
            peer,
            agent: said("user-agent").into(),
            tag: tag.into(),
            pass: pass.into(),
        }
    }
}

impl Audience {
    /// What is known of a player, which is seen at `now`.
    pub(super) fn find(&self, key: &Key, now: Instant) -> Option<Known> {
        let mut seats = self.seats();
        let seat = seats.get_mut(key)?;
        seat.seen = now;
        Some(match &seat.here {
            Some(here) if here.until.is_none_or(|until| now < until) => Known::Here(here.session.clone()),
            _ => Known::Shut,
        })
    }

    /// Takes a player in, until `until` at the most; `Err` with the session that it has already, if there is one.
    pub(super) fn enter(
        &self,
        key: Key,
        session: Arc<Session>,
        until: Option<Instant>,
        now: Instant,
    ) -> Result<(), Arc<Session>> {
        let mut seats = self.seats();
        if let Some(Seat { here: Some(here), .. }) = seats.get(&key) {
            return Err(here.session.clone());
        }
        seats.insert(key, Seat { seen: now, here: Some(Here { session, until }) });
        Ok(())
    }

    /// Shows one player the door; false when it is not here.
    pub(super) fn kick(&self, id: SessionId) -> Option<Arc<Session>> {
        let mut seats = self.seats();
        let sits = |seat: &&mut Seat| seat.here.as_ref().is_some_and(|here| here.session.id == id);
        let seat = seats.values_mut().find(sits)?;
        seat.here.take().map(|here| here.session)
    }

    /// Takes out who has not asked for long or whose time is over.
    pub(super) fn sweep(&self, now: Instant) -> Vec<(Arc<Session>, End)> {
        let mut gone = Vec::new();
        let mut seats = self.seats();
        let mut shut = 0;
        seats.retain(|_, seat| {
            let idle = now.saturating_duration_since(seat.seen) > IDLE;
            let expired = seat.here.as_ref().and_then(|here| here.until).is_some_and(|until| now >= until);
            if idle || expired {
                let end = if expired { End::Expired } else { End::Left };
                gone.extend(seat.here.take().map(|here| (here.session, end)));
            }
            shut += usize::from(seat.here.is_none());
            !idle && (seat.here.is_some() || shut <= SHUT)
        });
        gone
    }

    /// Everybody, when the server stops.
    pub(super) fn clear(&self) -> Vec<Arc<Session>> {
        let all = std::mem::take(&mut *self.seats());
        all.into_values().filter_map(|seat| seat.here).map(|here| here.session).collect()
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<Key, Seat>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts players out who have left; ends with its owner.
pub(super) async fn watch(station: Arc<Station>) {
    loop {
        tokio::time::sleep(LOOK).await;
        for (session, end) in station.hls.audience.sweep(Instant::now()) {
            station.leave(&session, end);
        }
    }
}

/// The `sid` of a `CMCD-Session` field.
fn cmcd_session(field: &str) -> Option<&str> {
    let (_, rest) = field.split_once("sid=\"")?;
    rest.split_once('"').map(|(sid, _)| sid)
}

/// Who asks for nothing for so long has left: longer than a request waits, and than any target duration.
const IDLE: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_secs(1);
const SHUT: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn session(id: u64) -> Arc<Session> {
        Arc::new(Session {
            id: SessionId(id),
            home: "/a".parse().unwrap(),
            peer: [127, 0, 0, 1].into(),
            agent: "".into(),
            referer: "".into(),
            request: "".into(),
            user: None,
            since: SystemTime::UNIX_EPOCH,
            began: Instant::now(),
            sent: 0.into(),
            skips: 0.into(),
            meter: crate::Meter::default(),
            rate: Default::default(),
            lag: 0.into(),
            relay: None,
        })
    }

    fn key(tag: &str) -> Key {
        let mount = "/a".parse().unwrap();
        Key { mount, peer: [127, 0, 0, 1].into(), agent: "x".into(), tag: tag.into(), pass: "".into() }
    }

    #[test]
    fn a_player_stays_while_it_asks_and_leaves_when_it_does_not() {
        let (audience, begin) = (Audience::default(), Instant::now());
        audience.enter(key("a"), session(1), None, begin).unwrap();
        audience.enter(key("b"), session(2), None, begin).unwrap();
        assert!(audience.enter(key("b"), session(3), None, begin).is_err());
        let later = begin + IDLE;
        assert!(matches!(audience.find(&key("a"), later), Some(Known::Here(_))));
        let gone = audience.sweep(later + Duration::from_secs(1));
        assert_eq!(
            gone.iter().map(|(session, end)| (session.id.0, *end)).collect::<Vec<_>>(),
            [(2, End::Left)]
        );
        assert!(audience.find(&key("b"), later).is_none());
    }

    #[test]
    fn who_was_shown_the_door_stays_outside_while_it_asks() {
        let (audience, begin) = (Audience::default(), Instant::now());
        audience.enter(key("a"), session(1), None, begin).unwrap();
        assert_eq!(audience.kick(SessionId(1)).unwrap().id.0, 1);
        assert!(audience.kick(SessionId(1)).is_none());
        assert!(matches!(audience.find(&key("a"), begin + IDLE), Some(Known::Shut)));
        assert!(audience.sweep(begin + IDLE + Duration::from_secs(1)).is_empty());
        assert!(matches!(audience.find(&key("a"), begin + IDLE * 2), Some(Known::Shut)));
        audience.sweep(begin + IDLE * 4);
        assert!(audience.find(&key("a"), begin + IDLE * 4).is_none());
    }

    #[test]
    fn a_stay_has_its_end() {
        let (audience, begin) = (Audience::default(), Instant::now());
        let stay = Duration::from_secs(3);
        audience.enter(key("a"), session(1), Some(begin + stay), begin).unwrap();
        assert!(matches!(audience.find(&key("a"), begin + stay), Some(Known::Shut)));
        assert_eq!(audience.sweep(begin + stay)[0].1, End::Expired);
    }

    #[test]
    fn sessions_are_read_from_cmcd() {
        assert_eq!(cmcd_session("cid=\"x\",sid=\"6e2f\",pr=1"), Some("6e2f"));
        assert_eq!(cmcd_session("sid=\"6e2f"), None);
    }
}
