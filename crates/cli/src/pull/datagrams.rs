//! Receives a transport stream from datagrams into a file or a pipe.

use super::sink::Sink;
use crate::{
    exit::{Exit, TIMEOUT},
    output::{self, Console},
    run::{self, Ended},
};
use anyhow::{Context, Result};
use levada_serve::multicast::{Session, inlet, receive::Receiver};
use serde::Serialize;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// What is received, where to, for how long.
pub(super) struct Job {
    pub(super) session: Session,
    pub(super) sink: Sink,
    pub(super) lasts: Option<Duration>,
    /// How long nothing may come.
    pub(super) silence: Duration,
}

/// What `--json` tells at the end.
#[derive(Debug, Serialize)]
struct Statistics {
    from: String,
    content_type: &'static str,
    name: String,
    seconds: f64,
    first_byte_ms: Option<u64>,
    bytes: u64,
    kbit_per_s: f64,
    #[serde(flatten)]
    network: inlet::Stats,
    ended: Ended,
}

impl Job {
    /// Receives until the time or somebody's patience ends, or nothing comes any more.
    ///
    /// # Errors
    /// When the group cannot be joined, nothing comes at all, or the file cannot be written.
    pub(super) async fn run(mut self, console: Console) -> Result<()> {
        let from = self.session.at.clone();
        let receiver = Receiver::open(&from, self.session.payload);
        let mut receiver = receiver.with_context(|| format!("cannot listen to {from}"))?;
        console.say(format!("listening to {from}"));
        let (began, onto_stdout) = (Instant::now(), self.sink.is_stdout());
        let (mut bytes, mut first) = (0, None);
        let received = {
            let receive =
                receive(&mut receiver, &mut self.sink, self.silence, console, &mut bytes, &mut first);
            tokio::select! {
                received = receive => received,
                () = run::after(self.lasts) => Ok(Ended::Time),
                () = run::stopped_or_q() => Ok(Ended::Stopped),
            }
        };
        let written = self.sink.finish().await;
        console.clear();
        let (time, network) = (began.elapsed(), receiver.stats());
        console.say(format!(
            "received {} in {}, {} datagram(s) lost, {} of junk",
            output::bytes(bytes),
            output::clock(time),
            network.lost,
            network.junk
        ));
        let statistics = Statistics {
            from: from.to_string(),
            content_type: "video/mp2t",
            name: self.session.name,
            seconds: time.as_secs_f64(),
            first_byte_ms: first.map(|first: Instant| first.duration_since(began).as_millis() as u64),
            bytes,
            kbit_per_s: output::kbit_per_s(bytes, time),
            network,
            ended: received.as_ref().map_or(Ended::Failed, |ended| *ended),
        };
        console.statistics(&statistics, onto_stdout);
        received?;
        written?;
        if bytes == 0 {
            return Err(Exit(TIMEOUT, format!("no stream came from {from} in that time")).into());
        }
        Ok(())
    }
}

async fn receive(
    receiver: &mut Receiver,
    sink: &mut Sink,
    silence: Duration,
    console: Console,
    bytes: &mut u64,
    first: &mut Option<Instant>,
) -> Result<Ended> {
    let (began, mut shown) = (Instant::now(), Instant::now());
    loop {
        let Ok(received) = timeout(silence, receiver.next()).await else { return Ok(Ended::Finished) };
        let received = received.context("the network failed")?;
        first.get_or_insert_with(Instant::now);
        sink.write(&received).await?;
        *bytes += received.len() as u64;
        if shown.elapsed() > PROGRESS {
            shown = Instant::now();
            let (time, lost) = (began.elapsed(), receiver.stats().lost);
            let (rate, clock, got) =
                (output::kbit_per_s(*bytes, time), output::clock(time), output::bytes(*bytes));
            console.progress(&format!("{clock}  {rate:>6.0} kbit/s  {got:>9}  {lost} lost"));
        }
    }
}

const PROGRESS: Duration = Duration::from_millis(500);
