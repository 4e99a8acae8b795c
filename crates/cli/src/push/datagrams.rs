//! Sends files as a transport stream in datagrams, to a group or a host.

use crate::{
    exit::{Exit, USAGE},
    output::{self, Console},
    run::{self, Ended},
};
use anyhow::{Context, Result};
use levada_serve::{
    client::Player,
    multicast::{Address, Carrier, Herald, Outlet, Session, outlet::PARTIAL, outlet::Stats},
};
use serde::Serialize;
use std::{
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime},
};
use tokio::time::{Instant, timeout};

/// What is sent, where to, for how long.
pub(super) struct Job<'a> {
    pub(super) player: Player,
    pub(super) to: &'a Address,
    pub(super) name: String,
    /// Where a description of the session is written.
    pub(super) sdp: Option<&'a Path>,
    pub(super) lasts: Option<Duration>,
}

/// What `--json` tells at the end.
#[derive(Debug, Serialize)]
struct Statistics {
    to: String,
    seconds: f64,
    bytes: u64,
    kbit_per_s: f64,
    datagrams: u64,
    errors: u64,
    ended: Ended,
}

impl Job<'_> {
    /// Sends until the files, the time or somebody's patience end.
    ///
    /// # Errors
    /// When there is no way there, or nothing of the files can be carried.
    pub(super) async fn run(self, console: Console) -> Result<()> {
        let mut outlet = Outlet::open(self.to).with_context(|| format!("cannot send to {}", self.to))?;
        let id = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let session = Session::new(&self.name, id, outlet.local(), self.to.clone());
        if let Some(path) = self.sdp {
            std::fs::write(path, session.write())
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        let mut herald = Herald::new(&session).with_context(|| format!("cannot announce {}", self.to))?;
        let (began, stats) = (Instant::now(), outlet.stats());
        console.say(format!("sending {} to {}", self.player.kind().content_type, self.to));
        let (ended, failure) = tokio::select! {
            played = play(self.player, &mut outlet) => match played {
                Ok(()) => (Ended::Finished, None),
                Err(why) => (Ended::Failed, Some(why)),
            },
            () = run::after(self.lasts) => (Ended::Time, None),
            () = run::stopped() => (Ended::Stopped, None),
            () = announce(herald.as_mut()) => (Ended::Failed, None),
            () = watch(console, self.to, &stats, began) => (Ended::Failed, None),
        };
        if let Some(herald) = herald {
            herald.end().await;
        }
        console.clear();
        let (time, bytes) = (began.elapsed(), stats.bytes.load(Relaxed));
        let statistics = Statistics {
            to: self.to.to_string(),
            seconds: time.as_secs_f64(),
            bytes,
            kbit_per_s: output::kbit_per_s(bytes, time),
            datagrams: stats.datagrams.load(Relaxed),
            errors: stats.errors.load(Relaxed),
            ended,
        };
        console.say(format!(
            "sent {} in {}, {:.0} kbit/s, {} datagrams",
            output::bytes(bytes),
            output::clock(time),
            statistics.kbit_per_s,
            statistics.datagrams
        ));
        console.statistics(&statistics, false);
        failure.map_or(Ok(()), |why| Err(why.context(format!("sending to {} failed", self.to))))
    }
}

/// Sends every page when it is due.
async fn play(mut player: Player, outlet: &mut Outlet) -> Result<()> {
    let mut carrier = Carrier::default();
    carrier.begin(player.kind().format);
    loop {
        let next = match outlet.holds() {
            false => player.next().await?,
            true => match timeout(PARTIAL, player.next()).await {
                Ok(next) => next?,
                Err(_) => {
                    outlet.flush().await;
                    continue;
                }
            },
        };
        let last = next.is_none();
        match next {
            Some(page) => carrier.push(&page),
            None => carrier.finish(),
        }
        if let Some(why) = carrier.refused() {
            return Err(Exit(USAGE, why.to_string()).into());
        }
        while let Some(page) = carrier.poll() {
            outlet.send(&page).await;
        }
        if last {
            outlet.flush().await;
            return Ok(());
        }
    }
}

async fn announce(herald: Option<&mut Herald>) {
    match herald {
        Some(herald) => herald.run().await,
        None => std::future::pending().await,
    }
}

/// Rewrites the progress line for ever.
async fn watch(console: Console, to: &Address, stats: &Arc<Stats>, began: Instant) {
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    loop {
        tick.tick().await;
        let (time, bytes) = (began.elapsed(), stats.bytes.load(Relaxed));
        let (rate, clock, sent) =
            (output::kbit_per_s(bytes, time), output::clock(time), output::bytes(bytes));
        console.progress(&format!("{clock}  {rate:>6.0} kbit/s  {sent:>9}  → {to}"));
    }
}
