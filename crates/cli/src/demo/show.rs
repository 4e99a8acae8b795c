//! One clip on its way: published to the origin, relayed, and listened to on both servers.

use super::{
    clips::Clip,
    ledger::Ledger,
    witness::{self, Seen},
};
use anyhow::Result;
use levada_channel::{Bounds, Channel, Publisher};
use levada_serve::{
    Piece,
    client::{
        Client, Player, Target, Uplink, http::Patience, icecast::Introduction, player::Options, uplink::Stats,
    },
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::JoinSet;
use url::Url;

/// A clip that is being shown; it ends when this is dropped.
pub struct Show {
    /// Which.
    pub clip: Clip,
    /// What was published.
    pub ledger: Ledger,
    /// What the source client counts.
    pub sent: Arc<Stats>,
    /// The listeners of the origin.
    pub direct: Vec<Arc<Seen>>,
    /// The listeners of the relay.
    pub relayed: Vec<Arc<Seen>>,
    /// Why it is not published any more.
    ended: Arc<Mutex<Option<String>>>,
    _tasks: JoinSet<()>,
}

impl Show {
    /// Publishes `clip` to the origin and listens to it on both servers.
    pub async fn open(clip: Clip, origin: &Url, relay: &Url, password: &str, listeners: u8) -> Result<Show> {
        let looping = Options { looping: true, ..Options::default() };
        let player = Player::open(vec![clip.medium()], looping).await?;
        let target = at(origin, clip.mount).as_str().parse::<Target>()?.with_password(password);
        let says = Introduction {
            content_type: player.kind().content_type.to_owned(),
            name: format!("levada demo: {}", clip.kind),
            genre: "Synthetic".to_owned(),
            ..Introduction::default()
        };
        let client = Client::new("levada-demo", Patience::default());
        let uplink = Uplink::new(client, target, says, player.kind().format);
        let (sent, ledger) = (uplink.stats(), Ledger::default());
        let first = uplink.connect().await?;

        let mut tasks = JoinSet::new();
        let (publisher, channel) = Channel::new(Bounds::default());
        let ended = Arc::new(Mutex::new(None));
        let (how, book) = (ended.clone(), ledger.clone());
        tasks.spawn(async move {
            let why = tokio::select! {
                played = publish(player, publisher, book) => played.err().map(|why| why.to_string()),
                sent = uplink.run(first, channel, Duration::ZERO) => sent.err().map(|why| why.to_string()),
            };
            let why = why.unwrap_or_else(|| "it came to its end".to_owned());
            *how.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        });
        let mut listen = |server: &Url| -> Vec<Arc<Seen>> {
            let one = |_| {
                let seen = Arc::<Seen>::default();
                tasks.spawn(witness::listen(at(server, clip.mount), ledger.clone(), seen.clone()));
                seen
            };
            (0..listeners).map(one).collect()
        };
        let (direct, relayed) = (listen(origin), listen(relay));
        Ok(Show { clip, ledger, sent, direct, relayed, ended, _tasks: tasks })
    }

    /// All of its listeners.
    pub fn listeners(&self) -> impl Iterator<Item = &Arc<Seen>> {
        self.direct.iter().chain(&self.relayed)
    }

    /// What was lost so far.
    pub fn failures(&self) -> Vec<String> {
        self.told(Seen::failure)
    }

    /// What was lost, and what has fallen silent.
    pub fn troubles(&self) -> Vec<String> {
        self.told(Seen::trouble)
    }

    fn told(&self, of: impl Fn(&Seen) -> Option<String>) -> Vec<String> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let source = ended.map(|why| format!("{}: the source ended: {why}", self.clip.mount));
        let told = |server: &str, listeners: &[Arc<Seen>]| -> Vec<String> {
            let line = |why: String| format!("{} on the {server}: {why}", self.clip.mount);
            listeners.iter().filter_map(|seen| of(seen)).map(line).collect()
        };
        source.into_iter().chain(told("origin", &self.direct)).chain(told("relay", &self.relayed)).collect()
    }
}

/// Notes and publishes every page when it is due.
async fn publish(mut player: Player, mut publisher: Publisher<Piece>, ledger: Ledger) -> Result<()> {
    while let Some(page) = player.next().await? {
        ledger.write(&page);
        publisher.send(Piece(page));
    }
    Ok(())
}

fn at(server: &Url, mount: &str) -> Url {
    let mut url = server.clone();
    url.set_path(mount);
    url
}
