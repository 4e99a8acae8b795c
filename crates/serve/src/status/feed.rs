//! `STATS /`: the statistics as an endless list of what changes, one line each, as Icecast's own tools follow them.

use super::{Icestats, Reader};
use crate::ordinary::{Caller, Refusal};
use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use std::{convert::Infallible, fmt::Write, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};

/// Those who follow the statistics: at most 32, each looked after once a second.
pub struct Followers(Arc<Semaphore>);

impl Default for Followers {
    fn default() -> Followers {
        Followers(Arc::new(Semaphore::new(FOLLOWERS)))
    }
}

/// Answers what is neither `GET` nor `HEAD` at `/`: the administrator's `STATS` with the feed, all else with a refusal.
pub async fn follow(caller: Caller, request: Request) -> Result<Response, Refusal> {
    if request.method().as_str() != "STATS" {
        return Err(Refusal::Because(StatusCode::METHOD_NOT_ALLOWED, "unknown request".into()));
    }
    caller.administers().await?;
    let full = |_| Refusal::Because(StatusCode::SERVICE_UNAVAILABLE, "too many follow already".into());
    let seat = caller.station.stats_followers.0.clone().try_acquire_owned().map_err(full)?;
    let follower = Follower { caller, told: None, _seat: seat };
    let body = Body::from_stream(stream::unfold(follower, |mut follower| async move {
        Some((Ok::<_, Infallible>(follower.next().await), follower))
    }));
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response())
}

struct Follower {
    caller: Caller,
    told: Option<Icestats>,
    _seat: OwnedSemaphorePermit,
}

impl Follower {
    /// The lines for what is different from what was told; first, for all there is.
    async fn next(&mut self) -> Bytes {
        loop {
            if self.told.is_some() {
                sleep(LOOK).await;
            }
            let now = Icestats::of(&self.caller, Reader::Admin);
            let lines = changes(self.told.as_ref().unwrap_or(&Icestats::default()), &now);
            self.told = Some(now);
            if !lines.is_empty() {
                return lines.into();
            }
        }
    }
}

/// `EVENT global NAME VALUE` and `EVENT /MOUNT NAME VALUE`; a mount that is no more is `null null`, as Icecast has it.
fn changes(before: &Icestats, now: &Icestats) -> String {
    let mut lines = String::new();
    let mut tell = |place: &str, name: &str, value: &str| {
        let value = value.replace(char::is_control, " ");
        writeln!(lines, "EVENT {place} {name} {value}").expect("a string takes what is written");
    };
    for (name, value) in now.server.iter().filter(|(name, value)| before.server.get(*name) != Some(value)) {
        tell("global", name, value);
    }
    let known = |stats: &Icestats, mount: &str| {
        stats.sources.iter().find(|(name, _)| name == mount).map(|(_, values)| values.clone())
    };
    for (mount, values) in &now.sources {
        let old = known(before, mount).unwrap_or_default();
        for (name, value) in values.iter().filter(|(name, value)| old.get(*name) != Some(value)) {
            tell(mount, name, value);
        }
    }
    for (mount, _) in before.sources.iter().filter(|(mount, _)| known(now, mount).is_none()) {
        tell(mount, "null", "null");
    }
    lines
}

/// More than a house full of scripts.
const FOLLOWERS: usize = 32;
const LOOK: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(listeners: &str, sources: &[(&str, &'static str, &str)]) -> Icestats {
        let sources = sources.iter().map(|(mount, name, value)| {
            ((*mount).to_owned(), [(*name, (*value).to_owned())].into_iter().collect())
        });
        let server = [("listeners", listeners.to_owned())].into_iter().collect();
        Icestats { server, sources: sources.collect() }
    }

    #[test]
    fn only_what_changed_is_told() {
        let quiet = stats("0", &[("/a", "title", "one")]);
        assert_eq!(
            changes(&Icestats::default(), &quiet),
            "EVENT global listeners 0\nEVENT /a title one\n",
            "at first everything is new"
        );
        assert_eq!(changes(&quiet, &quiet), "");
        let busy = stats("1", &[("/a", "title", "two\r\nEVENT /b title forged")]);
        assert_eq!(
            changes(&quiet, &busy),
            "EVENT global listeners 1\nEVENT /a title two  EVENT /b title forged\n",
            "a title is one line, whatever is in it"
        );
        assert_eq!(changes(&busy, &stats("1", &[])), "EVENT /a null null\n");
    }
}
