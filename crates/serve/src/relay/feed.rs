//! One stream that is pulled from a parent into a mount.

use super::intake::Intake;
use crate::{
    Claim, Mount, MountName, Source, Station,
    client::{
        Client,
        backoff::Backoff,
        http::{Error, Patience},
        rtmp,
    },
    demand::{self, Demand},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};
use url::Url;

/// A mount of ours that is fed from mounts of others, in order of preference.
pub(super) struct Feed {
    station: Arc<Station>,
    name: MountName,
    parents: Vec<Url>,
    on_demand: bool,
    client: Client,
}

/// Why a feed goes on to the next parent.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error(transparent)]
    Network(#[from] Error),
    #[error(transparent)]
    Rtmp(#[from] rtmp::Error),
    #[error(transparent)]
    Unfit(crate::client::hls::Unfit),
    #[error("the stream has passed this server already")]
    Circle,
    #[error("the mount is fed by somebody else")]
    Taken,
}

impl Feed {
    pub(super) fn new(station: Arc<Station>, name: MountName, parents: Vec<Url>, on_demand: bool) -> Feed {
        let client = Client::new(crate::SERVER, patience(parents.len()));
        Feed { station, name, parents, on_demand, client }
    }

    /// Pulls until it is dropped; on demand only while somebody listens, and half a minute longer.
    pub(super) async fn run(self) {
        if !self.on_demand {
            return self.pull(&self.station.mounts.open(&self.name, &self.station.config())).await;
        }
        let mount = Demand::arm(&self.name, &self.station);
        loop {
            demand::wanted(&mount).await;
            tokio::select! {
                () = self.pull(&mount) => {}
                () = demand::unwanted(&mount, LINGER) => tracing::info!(mount = %self.name, "relay rests"),
            }
        }
    }

    /// Goes from parent to parent for ever. The mount is kept for a second while the next one is asked.
    async fn pull(&self, mount: &Mount) {
        let mut backoff = Backoff::default();
        let mut held = Held { claim: None, until: Instant::now() };
        loop {
            let mut played = false;
            for rank in 0..self.parents.len() {
                let began = Instant::now();
                let why = self.play(rank, mount, &mut held).await;
                tracing::info!(mount = %self.name, %why, "relay lost");
                played |= mount.source().is_some();
                if began.elapsed() > STEADY {
                    backoff.reset();
                }
            }
            if !played {
                mount.demand.fail();
            }
            held.during(sleep(backoff.wait())).await;
        }
    }

    /// Plays the stream of the parent at `rank`, and of any better one that has it again meanwhile, until it is lost.
    async fn play(&self, mut rank: usize, mount: &Mount, held: &mut Held) -> Lost {
        let mut asked = match held.during(self.ask(&self.parents[rank], mount)).await {
            Ok(asked) => asked,
            Err(why) => return why,
        };
        loop {
            let (intake, source) = asked;
            held.claim = None;
            let Ok(claim) = self.station.mounts.claim(&self.name, source, &self.station.config()) else {
                return Lost::Taken;
            };
            tracing::info!(mount = %self.name, from = %shown(&self.parents[rank]), "relay plays");
            let why = tokio::select! {
                why = intake.carry(&claim) => why,
                better = self.better(rank, mount) => {
                    *held = Held { claim: Some(claim), until: Instant::now() + HOLD };
                    (rank, asked) = better;
                    continue;
                }
            };
            if !matches!(why, Lost::Taken) {
                *held = Held { claim: Some(claim), until: Instant::now() + HOLD };
            }
            return why;
        }
    }

    /// Waits until a parent before `rank` has the stream again.
    async fn better(&self, rank: usize, mount: &Mount) -> (usize, (Intake, Source)) {
        loop {
            sleep(if rank == 0 { NEVER } else { RETURN }).await;
            for better in 0..rank {
                if let Ok(asked) = self.ask(&self.parents[better], mount).await {
                    return (better, asked);
                }
            }
        }
    }

    /// Asks one parent for the stream.
    async fn ask(&self, parent: &Url, mount: &Mount) -> Result<(Intake, Source), Lost> {
        let via = mount.demand.via().with(&self.station.id).to_string();
        Intake::ask(&self.client, parent, &via, &self.station.id).await
    }
}

/// A mount that is kept although its stream is lost, so that listeners do not move to a fallback and back.
struct Held {
    claim: Option<Claim>,
    until: Instant,
}

impl Held {
    /// Does `work`, and gives the mount back when its time is over meanwhile.
    async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        if self.claim.is_some() {
            tokio::select! {
                done = &mut work => return done,
                () = sleep_until(self.until) => self.claim = None,
            }
        }
        work.await
    }
}

/// How long a parent may take: little where there is another one.
pub(super) fn patience(parents: usize) -> Patience {
    let ms = Duration::from_millis;
    match parents {
        0 | 1 => Patience { connect: ms(5_000), answer: ms(12_000), silence: ms(10_000) },
        _ => Patience { connect: ms(800), answer: ms(4_000), silence: ms(2_500) },
    }
}

/// An address without its secrets, for the log.
pub(super) fn shown(url: &Url) -> Url {
    let mut url = url.clone();
    if matches!(url.scheme(), "rtmp" | "rtmps") {
        url.set_query(None);
    }
    let _cannot = url.set_password(None);
    url
}

/// While a relay plays a parent's stream, those that it would rather have are asked this often.
const RETURN: Duration = Duration::from_secs(5);
/// Longer than any stream.
const NEVER: Duration = Duration::from_secs(86_400 * 365);
/// So long a relay goes on after the last listener.
const LINGER: Duration = Duration::from_secs(30);
/// So long listeners are kept from the fallback while another parent is asked.
const HOLD: Duration = Duration::from_secs(1);
/// A stream that came for so long was a good one.
const STEADY: Duration = Duration::from_secs(10);
