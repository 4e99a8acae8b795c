//! `levada push FILE rtmp://…`: publishes files as an encoder does.

use super::{AGENT, Push, statistics, watch};
use crate::{
    output::{self, Console},
    run::{self, Ended},
    times::Times,
};
use anyhow::{Context, Result};
use levada_rtmp::Address;
use levada_serve::{
    client::{
        Client, Player,
        backoff::Backoff,
        http::Patience,
        medium::Medium,
        player::Options,
        rtmp::{Error, Feeder, Line, Role, sent_to},
        uplink::Stats,
    },
    renditions::{Heard, Maker, Output},
};
use std::{sync::atomic::Ordering::Relaxed, time::Duration};
use tokio::time::Instant;

/// What is needed to go on after a lost connection.
struct Encoder {
    client: Client,
    address: Address,
    /// The server asked for another connection, to `address`; at the next picture that one can begin with.
    moving: bool,
    line: Option<Line>,
    player: Player,
    maker: Maker,
    feeder: Feeder,
    times: Option<Times>,
}

impl Push {
    /// Publishes until the files, the time or somebody's patience end.
    pub(super) async fn publish(
        &self,
        media: Vec<Medium>,
        options: Options,
        address: &Address,
        console: Console,
    ) -> Result<()> {
        // an encoder is not ahead of its time
        let player = Player::open(media, Options { lead: Duration::ZERO, ..options }).await?;
        let mut maker = Maker::new(Output::Flv);
        maker.push(Heard::Source(player.kind().format));
        let client = Client::new(AGENT, Patience::default());
        let times = Times::open(self.times.as_deref())?;
        let feeder = Feeder::default();
        let mut encoder = Encoder {
            client,
            address: address.clone(),
            moving: false,
            line: None,
            player,
            maker,
            feeder,
            times,
        };
        let stats = Stats::default();
        encoder.connect(&stats).await.with_context(|| format!("cannot push to {address}"))?;
        console.say(format!("pushing video/x-flv to {address}"));
        let began = Instant::now();
        let (ended, failure) = tokio::select! {
            played = encoder.run(&stats, self.retry_for) => match played {
                Ok(()) => (Ended::Finished, None),
                Err(why) => (Ended::Failed, Some(why)),
            },
            () = run::after(self.lasts) => (Ended::Time, None),
            () = self.stopped() => (Ended::Stopped, None),
            () = watch(console, address, &stats, began) => (Ended::Failed, None),
        };
        if let Some(line) = encoder.line.take() {
            line.finish().await;
        }
        encoder.times.take().map_or(Ok(()), Times::finish)?;
        console.clear();
        let statistics = statistics(address, &stats, "video/x-flv".into(), began, ended);
        console.say(format!(
            "pushed {} in {}, {:.0} kbit/s, {} connection(s)",
            output::bytes(statistics.bytes),
            output::clock(began.elapsed()),
            statistics.kbit_per_s,
            statistics.connects
        ));
        console.statistics(&statistics, false);
        failure.map_or(Ok(()), |why| Err(why.context(format!("pushing to {address} failed"))))
    }
}

impl Encoder {
    async fn connect(&mut self, stats: &Stats) -> Result<(), Error> {
        (self.line, self.moving) = (None, false);
        self.line = Some(Line::connect(&self.client, &self.address, Role::Publish).await?);
        stats.connects.fetch_add(1, Relaxed);
        self.feeder.restart();
        Ok(())
    }

    /// Publishes every page when it is due; a lost connection is made anew for up to `patience`.
    async fn run(&mut self, stats: &Stats, patience: Duration) -> Result<()> {
        while let Err(why) = self.play(stats).await? {
            tracing::warn!(to = %self.address, %why, "connection lost");
            self.again(why, stats, Instant::now() + patience).await?;
        }
        Ok(())
    }

    async fn play(&mut self, stats: &Stats) -> Result<Result<(), Error>> {
        loop {
            let Some(line) = &mut self.line else { return Ok(Ok(())) };
            let page = tokio::select! {
                page = self.player.next() => page?,
                event = line.next() => match event {
                    Ok(event) => {
                        if let Some(to) = sent_to(&event, &self.address) {
                            (self.address, self.moving) = (to, true);
                        }
                        continue;
                    }
                    Err(why) => return Ok(Err(why)),
                },
            };
            let Some(page) = page else { return Ok(Ok(())) };
            if self.moving && page.role == levada_media::Role::Entry {
                if let Some(line) = self.line.take() {
                    line.finish().await;
                }
                if let Err(why) = self.connect(stats).await {
                    return Ok(Err(why));
                }
            }
            let Some(line) = &mut self.line else { return Ok(Ok(())) };
            self.maker.push(Heard::Page(page));
            while let Some(page) = self.maker.poll() {
                for tag in self.feeder.feed(&page) {
                    match line.send(&tag).await {
                        Ok(sent) => stats.bytes.fetch_add(sent as u64, Relaxed),
                        Err(why) => return Ok(Err(why)),
                    };
                    self.times.as_mut().map_or(Ok(()), |times| times.note_tag(&tag))?;
                }
            }
        }
    }

    async fn again(&mut self, mut why: Error, stats: &Stats, deadline: Instant) -> Result<()> {
        let mut backoff = Backoff::default();
        loop {
            if why.is_final() || Instant::now() >= deadline {
                return Err(why.into());
            }
            tokio::time::sleep(backoff.wait()).await;
            why = match self.connect(stats).await {
                Ok(()) => return Ok(()),
                Err(why) => why,
            };
        }
    }
}
