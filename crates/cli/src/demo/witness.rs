//! A listener that believes nothing: it compares every byte with what was published.

use super::ledger::{Found, Ledger};
use levada_serve::client::{Client, Received, Receiver, http::Patience};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use url::Url;

/// What a witness has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Bytes that were the right ones.
    pub verified: AtomicU64,
    /// Whether the stream runs.
    pub plays: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lags: Vec<Duration>,
    last: Option<Instant>,
    failure: Option<String>,
}

/// Where in the stream a witness is.
enum Place {
    /// The header set and enough behind it to know where it joined are still coming.
    Joining(Vec<u8>),
    /// The next byte is that of this number.
    At(u64),
}

impl Seen {
    /// How late what came since the last question was.
    pub fn take_lags(&self) -> Vec<Duration> {
        std::mem::take(&mut self.state().lags)
    }

    /// What is wrong, if anything is: a wrong byte, a broken connection, or silence.
    pub fn trouble(&self) -> Option<String> {
        let state = self.state();
        let silence = match state.last {
            None => Some("nothing came"),
            Some(last) => (last.elapsed() > SILENCE).then_some("nothing came for five seconds"),
        };
        state.failure.clone().or_else(|| silence.map(str::to_owned))
    }

    /// The wrong byte or broken connection, if there was one.
    pub fn failure(&self) -> Option<String> {
        self.state().failure.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens to `url` until it is dropped or something is wrong. A mount that is not there yet is waited for.
pub async fn listen(url: Url, ledger: Ledger, seen: Arc<Seen>) {
    let client = Client::new("levada-demo", Patience::default());
    let began = Instant::now();
    let receiver = loop {
        match Receiver::connect(&client, &url, &[]).await {
            Ok(receiver) => break receiver,
            Err(_) if began.elapsed() < JOIN => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(why) => return seen.state().failure = Some(why.to_string()),
        }
    };
    let failure = follow(receiver, &ledger, &seen).await;
    seen.plays.store(false, Relaxed);
    seen.state().failure = Some(failure);
}

async fn follow(mut receiver: Receiver, ledger: &Ledger, seen: &Seen) -> String {
    let mut place = Place::Joining(Vec::new());
    loop {
        let bytes = match receiver.next().await {
            Ok(Some(Received::Bytes(bytes))) => bytes,
            Ok(Some(Received::Title(_))) => continue,
            Ok(None) => return "the stream ended".to_owned(),
            Err(why) => return why.to_string(),
        };
        place = match place.take(&bytes, ledger, seen) {
            Ok(place) => place,
            Err(why) => return why,
        };
    }
}

impl Place {
    fn take(self, bytes: &[u8], ledger: &Ledger, seen: &Seen) -> Result<Place, String> {
        match self {
            Place::At(number) => verify(number, bytes, ledger, seen),
            Place::Joining(mut heard) => {
                heard.extend_from_slice(bytes);
                let header = ledger.header();
                if heard.len() < header.len() + NEEDLE {
                    return Ok(Place::Joining(heard));
                }
                let Some(behind) = heard.strip_prefix(&header[..]) else {
                    return Err("the header set is another than the published one".to_owned());
                };
                let joined = ledger.find(&behind[..NEEDLE]);
                let number = joined.ok_or("what came first was not published, or not from a page on")?;
                seen.verified.fetch_add(header.len() as u64, Relaxed);
                seen.plays.store(true, Relaxed);
                verify(number, behind, ledger, seen)
            }
        }
    }
}

fn verify(number: u64, bytes: &[u8], ledger: &Ledger, seen: &Seen) -> Result<Place, String> {
    match ledger.check(number, bytes) {
        Found::Same(lag) => {
            seen.verified.fetch_add(bytes.len() as u64, Relaxed);
            let mut state = seen.state();
            state.last = Some(Instant::now());
            if state.lags.len() < MOST_LAGS {
                state.lags.push(lag);
            }
            Ok(Place::At(number + bytes.len() as u64))
        }
        Found::Differs(at) => Err(format!("byte {at} is not the one that was published")),
        Found::Unknown(at) => Err(format!("byte {at} was not published")),
    }
}

/// So many bytes say where in a stream they are, also where silence repeats itself.
const NEEDLE: usize = 2_048;
const SILENCE: Duration = Duration::from_secs(5);
/// A relay has found a new mount of its parent by then, on any machine.
const JOIN: Duration = Duration::from_secs(15);
/// Lags kept between two questions; more say nothing new.
const MOST_LAGS: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use levada_media::{Page, Role};

    fn stream() -> (Ledger, Vec<u8>) {
        let ledger = Ledger::default();
        ledger.write(&Page::new(Bytes::from_static(b"HEAD"), Role::Header));
        let body: Vec<u8> = (0..20_000u32).map(|n| ((n * n) >> 5) as u8).collect();
        body.chunks(500).for_each(|page| ledger.write(&Page::new(Bytes::copy_from_slice(page), Role::Entry)));
        (ledger, body)
    }

    fn witness(ledger: &Ledger, pieces: &[&[u8]]) -> Result<u64, String> {
        let (seen, mut place) = (Seen::default(), Place::Joining(Vec::new()));
        for piece in pieces {
            place = place.take(piece, ledger, &seen)?;
        }
        Ok(seen.verified.load(Relaxed))
    }

    #[test]
    fn a_listener_that_joined_late_is_believed() {
        let (ledger, body) = stream();
        assert_eq!(witness(&ledger, &[b"HE", b"AD", &body[1_000..4_000], &body[4_000..9_000]]), Ok(8_004));
    }

    #[test]
    fn a_byte_too_few_a_byte_too_many_and_a_wrong_header_are_noticed() {
        let (ledger, body) = stream();
        assert!(witness(&ledger, &[b"HEAD", &body[1_000..4_000], &body[4_001..9_000]]).is_err());
        assert!(witness(&ledger, &[b"HEAD", &body[1_000..4_000], b"x", &body[4_000..9_000]]).is_err());
        assert!(witness(&ledger, &[b"HEAT", &body[1_000..4_000]]).is_err());
        assert!(witness(&ledger, &[b"HEAD", &body[1_001..4_000]]).is_err(), "no page begins there");
    }
}
