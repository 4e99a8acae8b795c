//! What a parent has to offer.

use crate::{
    MountName,
    client::{Client, http::Error},
};
use serde_json::Value;
use std::collections::BTreeSet;
use tokio::time::{Instant, sleep_until, timeout_at};
use url::Url;

/// The mounts of the first of `parents` that tells them, and which one that was.
///
/// # Errors
/// The last parent's, when none tells.
pub(super) async fn mounts<'a>(
    client: &Client,
    parents: &'a [Url],
) -> Result<(Vec<MountName>, &'a Url), Error> {
    let mut why = Error::Address("a relay without a parent".into());
    for parent in parents {
        match of(client, parent).await {
            Ok(names) => return Ok((names, parent)),
            Err(refused) => why = refused,
        }
    }
    Err(why)
}

/// Waits until something changed at the parent, at most until `next`. Only parents of our own kind tell.
pub(super) async fn changed(client: &Client, parent: &Url, next: Instant) {
    let telling = async {
        let mut events = client.get(&at(parent, "/api/v1/events"), &[]).await.ok()?;
        let mut said = Vec::new();
        let mut hello = true;
        while let Some(bytes) = events.chunk().await.ok()? {
            said.extend_from_slice(&bytes);
            if !hello && NEWS.iter().any(|news| said.windows(news.len()).any(|window| window == *news)) {
                return Some(());
            }
            hello &= !said.windows(2).any(|window| window == b"\n\n");
            said.drain(..said.len().saturating_sub(KEPT));
        }
        None
    };
    if timeout_at(next, telling).await.ok().flatten().is_none() {
        sleep_until(next).await;
    }
}

async fn of(client: &Client, parent: &Url) -> Result<Vec<MountName>, Error> {
    match client.get(&at(parent, "/admin/streamlist.txt"), &[]).await {
        Ok(list) => Ok(names(list.text(LONGEST).await?.lines())),
        Err(Error::Refused { .. }) => {
            let status = client.get(&at(parent, "/status-json.xsl"), &[]).await?.text(LONGEST).await?;
            Ok(names(listen_paths(&status).iter().map(String::as_str)))
        }
        Err(why) => Err(why),
    }
}

fn at(parent: &Url, path: &str) -> Url {
    let mut url = parent.clone();
    url.set_path(path);
    url
}

fn names<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<MountName> {
    let names: BTreeSet<MountName> = lines.filter_map(|line| line.trim().parse().ok()).take(MOST).collect();
    names.into_iter().collect()
}

/// The paths of the `listenurl`s in Icecast's status: `source` is an object for one, an array for several.
fn listen_paths(status: &str) -> Vec<String> {
    let Ok(status) = serde_json::from_str::<Value>(status) else { return Vec::new() };
    let sources = match &status["icestats"]["source"] {
        Value::Array(sources) => sources.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    };
    let path = |source: &Value| Some(source["listenurl"].as_str()?.parse::<Url>().ok()?.path().to_owned());
    sources.iter().filter_map(path).collect()
}

const NEWS: [&[u8]; 4] = [b"event: mount", b"event: gone", b"event: source", b"event: resync"];
/// More than the longest of the words that are looked for.
const KEPT: usize = 32;
const LONGEST: usize = 4 << 20;
/// More streams than this are taken from nobody.
const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_lists_give_the_mounts() {
        let found = names("/a.ogg\r\n/b\r\n\r\nno mount\r\n/a.ogg\r\n".lines());
        assert_eq!(found.iter().map(MountName::as_str).collect::<Vec<_>>(), ["/a.ogg", "/b"]);
        let one = r#"{"icestats":{"source":{"listenurl":"http://h:8000/a.ogg"}}}"#;
        assert_eq!(listen_paths(one), ["/a.ogg"]);
        let two =
            r#"{"icestats":{"source":[{"listenurl":"http://h/a"},{"x":1},{"listenurl":"http://h/b"}]}}"#;
        assert_eq!(listen_paths(two), ["/a", "/b"]);
        assert!(
            listen_paths(r#"{"icestats":{"dummy":null}}"#).is_empty() && listen_paths("<html>").is_empty()
        );
    }
}
