//! Another configuration while the server runs: all of it or none of it, and nobody is dropped.

use crate::{
    Config, Station,
    access::AccessLog,
    config::Change,
    doors::Doors,
    front::Door,
    room,
    tls::{BadTls, Files, Renewal},
};
use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::AbortHandle,
    time::{MissedTickBehavior, interval},
};

/// Reads the configuration again, from wherever it was read the first time. An error is one line for each mistake,
/// with its place.
pub type Load = Box<dyn FnMut() -> Result<Config, String> + Send>;

/// Asks for the configuration to be read again. [`WAITING`] may ask at once; more are told to come later.
pub struct Reloads {
    asks: mpsc::Sender<Ask>,
    inbox: Mutex<Option<mpsc::Receiver<Ask>>>,
}

type Ask = oneshot::Sender<Result<Vec<Change>, CannotServe>>;

/// Why a configuration cannot be put in force. If another one is, that one stays, all of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CannotServe {
    /// The new one is wrong: one line for each mistake, with its place.
    #[error("{0}")]
    Wrong(String),
    /// An address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Address(SocketAddr, io::Error),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] BadTls),
    /// The access log cannot be opened.
    #[error("{0} cannot be written: {1}")]
    Log(PathBuf, io::Error),
    /// The system has no threads or event queues for us.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
    /// Others ask for the same at this moment, or the server stops.
    #[error("the server is busy with the configuration already")]
    Busy,
}

impl Default for Reloads {
    fn default() -> Reloads {
        let (asks, inbox) = mpsc::channel(WAITING);
        Reloads { asks, inbox: Mutex::new(Some(inbox)) }
    }
}

impl Station {
    /// Reads the configuration again and puts it in force; returns what changed. Nobody is dropped.
    ///
    /// # Errors
    /// When the new one is wrong in any way; the old one stays in force.
    pub async fn reload(&self) -> Result<Vec<Change>, CannotServe> {
        let (answer, answered) = oneshot::channel();
        self.reloads.asks.try_send(answer).map_err(|_| CannotServe::Busy)?;
        answered.await.unwrap_or(Err(CannotServe::Busy))
    }
}

/// What a server holds besides its station, and how it gets from one configuration to the next.
pub struct Keeper {
    station: Arc<Station>,
    load: Load,
    doors: Doors,
    renewal: Option<AbortOnDrop>,
    stamp: Option<[Option<SystemTime>; 2]>,
}

/// Everything of a new configuration that can fail, done before anything changes.
struct Prepared {
    tls: Secrecy,
    access: AccessLog,
    rooms: room::Prepared,
}

/// Where certificates come from.
enum Secrecy {
    None,
    Files(Files, Arc<tokio_rustls::rustls::ServerConfig>),
    Acme(Box<Renewal>),
    /// By ACME as before; what runs goes on.
    Same,
}

impl Keeper {
    /// Puts the station's first configuration in force: doors open, certificates are read.
    ///
    /// # Errors
    /// When anything it names cannot be had.
    pub async fn open(station: Arc<Station>, load: Load) -> Result<Keeper, CannotServe> {
        let config = station.config();
        let mut keeper =
            Keeper { doors: Doors::new(station.clone()), station, load, renewal: None, stamp: None };
        let prepared = keeper.prepare(&config, None)?;
        keeper.doors.change(&config).await?;
        keeper.commit(&config, prepared);
        Ok(keeper)
    }

    /// What is awaited where, with the ports that were chosen for port 0.
    pub fn doors(&self) -> Vec<(Door, SocketAddr)> {
        self.doors.open()
    }

    /// Follows requests to reload and changed certificates until the server stops.
    pub async fn run(mut self) {
        let inbox = self.station.reloads.inbox.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut inbox) = inbox else { return };
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stop = self.station.stop.clone();
        loop {
            tokio::select! {
                ask = inbox.recv() => {
                    let Some(ask) = ask else { break };
                    let _nobody_waits = ask.send(self.reload().await);
                }
                _ = looks.tick() => self.look(),
                () = stop.cancelled() => break,
            }
        }
        self.doors.closed().await;
    }

    async fn reload(&mut self) -> Result<Vec<Change>, CannotServe> {
        let outcome = self.try_reload().await;
        match &outcome {
            Ok(changes) => {
                changes.iter().for_each(|change| tracing::info!(%change, "configuration"));
                for change in changes.iter().filter(|change| AT_START.contains(&change.key.as_str())) {
                    tracing::warn!(key = change.key, "this takes effect at the next start only");
                }
                tracing::info!(changes = changes.len(), "configuration read again");
            }
            Err(why) => {
                why.to_string().lines().for_each(|line| tracing::error!(why = %line, "configuration"));
                tracing::error!("the new configuration is wrong; the old one stays in force");
            }
        }
        outcome
    }

    async fn try_reload(&mut self) -> Result<Vec<Change>, CannotServe> {
        let before = self.station.config();
        let config = Arc::new((self.load)().map_err(CannotServe::Wrong)?);
        let prepared = self.prepare(&config, Some(&before))?;
        self.doors.change(&config).await?;
        self.station.set_config(Config::clone(&config));
        self.commit(&config, prepared);
        Ok(before.changes(&config))
    }

    fn prepare(&self, config: &Config, before: Option<&Config>) -> Result<Prepared, CannotServe> {
        let http = &config.http;
        let path = http.access_log.as_deref();
        let access = AccessLog::open(path)
            .map_err(|why| CannotServe::Log(path.map(PathBuf::from).unwrap_or_default(), why))?;
        let tls = match (Files::of(http), &http.acme) {
            (Some(files), _) => {
                let read = files.read()?;
                Secrecy::Files(files, read)
            }
            (None, Some(_)) if before.is_some_and(|before| before.http.acme == http.acme) => Secrecy::Same,
            (None, Some(acme)) => {
                let folder = config.server.state.clone().unwrap_or_default().join("acme");
                Secrecy::Acme(Box::new(Renewal::new(acme, &folder)?))
            }
            (None, None) => Secrecy::None,
        };
        let rooms = self.station.rooms.prepare(config)?;
        Ok(Prepared { tls, access, rooms })
    }

    /// Cannot fail: what could was prepared.
    fn commit(&mut self, config: &Config, prepared: Prepared) {
        self.station.access.replace(prepared.access);
        self.station.rooms.commit(&config.rooms, prepared.rooms);
        for name in config.named_mounts() {
            self.station.mounts.open(&name, config);
        }
        self.stamp = None;
        match prepared.tls {
            Secrecy::Same => return,
            Secrecy::None => self.station.tls.replace(None),
            Secrecy::Files(files, read) => {
                self.stamp = Some(files.stamp());
                self.station.tls.replace(Some(read));
            }
            Secrecy::Acme(renewal) => {
                self.station.tls.replace(Some(renewal.config()));
                self.renewal = Some(AbortOnDrop(tokio::spawn(renewal.run()).abort_handle()));
                return;
            }
        }
        self.renewal = None;
    }

    /// Takes a new certificate when its files changed; a bad one is told once and the old one stays.
    fn look(&mut self) {
        let Some(known) = self.stamp else { return };
        let Some(files) = Files::of(&self.station.config().http) else { return };
        let stamp = files.stamp();
        if stamp == known {
            return;
        }
        self.stamp = Some(stamp);
        match files.read() {
            Ok(read) => {
                self.station.tls.replace(Some(read));
                tracing::info!("certificate read again");
            }
            Err(why) => tracing::error!(%why, "the new certificate is wrong; the old one stays in use"),
        }
    }
}

/// A task that ends with its owner.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

const WAITING: usize = 8;
/// What cannot change while a server runs.
const AT_START: [&str; 4] = ["limits.reactors", "server.state", "webrtc.listen", "webrtc.tcp"];
/// How often files of certificates are looked at.
const LOOK: Duration = Duration::from_secs(1);
