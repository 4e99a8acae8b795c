//! A named place on the server, with a policy and at most one source.

use crate::{
    Meter, MountName, Piece, Rendition, Source,
    config::MountPolicy,
    demand::Demand,
    places::{Place, Places, Stay},
    refresh::Refresh,
};
use levada_channel::Publisher;
use levada_media::{Codec, Cut, Format, Kind, Page, Role, Tags, TrackInfo, container::ogg};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A mount. Sources come and go; its listeners hang on its [`Rendition`], which stays.
pub struct Mount {
    /// Its name.
    pub name: MountName,
    /// The source's own format, byte for byte, as all listeners share it.
    pub rendition: Arc<Rendition>,
    /// What it counts.
    pub stats: MountStats,
    /// Who would feed it if somebody listened.
    pub demand: Demand,
    /// Who would like a picture that one can begin with.
    pub refresh: Refresh,
    policy: Mutex<Arc<MountPolicy>>,
    live: Mutex<Live>,
    listeners: watch::Sender<usize>,
}

/// The source side of a mount, all that changes while one feeds it.
#[derive(Default)]
struct Live {
    epoch: u64,
    stage: Option<Stage>,
    last_source: Option<Arc<Source>>,
    gone_since: Option<Instant>,
    places: Places,
}

struct Stage {
    source: Arc<Source>,
    /// What this source sent, and when it came.
    intake: Arc<Intake>,
    publisher: Publisher<Piece>,
    cutter: Box<dyn Cut>,
    /// What Ogg needs on the way.
    ogg: Option<OggStage>,
    tags: Arc<Tags>,
    let_go: CancellationToken,
    /// The codecs that its tracks may have, where a clip stands in for it.
    expected: Option<Vec<Codec>>,
}

/// What one source has sent.
#[derive(Debug)]
pub struct Intake {
    /// Bytes.
    pub received: AtomicU64,
    /// Pages, and the time between what came at once and the next.
    pub meter: Meter,
    /// When it came.
    pub began: Instant,
}

/// Counters of a mount; they only grow, except for what `peak` says.
#[derive(Debug, Default)]
pub struct MountStats {
    /// Bytes that sources sent.
    pub received: AtomicU64,
    /// Bytes of finished listener sessions.
    pub sent: AtomicU64,
    /// Bytes of answers to players of HLS.
    pub segments: AtomicU64,
    /// Segments that a store took.
    pub stored: AtomicU64,
    /// Segments that a store did not take in time.
    pub unstored: AtomicU64,
    /// Bytes of the source that were no part of its format.
    pub skipped: AtomicU64,
    /// Most listeners at once.
    pub peak: AtomicUsize,
    /// Listeners that ever came.
    pub connections: AtomicU64,
    /// Moves forward of listeners that read too slowly, counted when they leave.
    pub skips: AtomicU64,
    /// Listeners that were dropped because they read too slowly.
    pub slow: AtomicU64,
    /// Sources that ever came.
    pub sources: AtomicU64,
    /// Titles that were told, by sources and by administrators.
    pub titles: AtomicU64,
    /// Pages that sources sent, and the time between what came at once and the next.
    pub arrivals: Meter,
    /// What listeners that have left were sent.
    pub sends: Meter,
}

/// Why a mount cannot be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Another source feeds it, and the policy does not let a second one take over.
    #[error("Mountpoint in use")]
    InUse,
    /// The clip that stands in for it is of another container, between which players cannot change.
    #[error("this mount's always_on clip is {0}; a source must be the same")]
    Unlike(&'static str),
    /// The server has as many sources as it takes.
    #[error("too many sources connected")]
    TooManySources,
}

/// The claim was lost: another source took over, or an administrator ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mount was taken from this source")]
pub struct LetGo;

impl Mount {
    /// A mount without a source.
    pub fn new(name: MountName, policy: Arc<MountPolicy>, rendition: Arc<Rendition>) -> Mount {
        Mount {
            name,
            rendition,
            stats: MountStats::default(),
            demand: Demand::default(),
            refresh: Refresh::default(),
            policy: Mutex::new(policy),
            live: Mutex::default(),
            listeners: watch::Sender::new(0),
        }
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<MountPolicy> {
        self.policy.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another policy in force; who is here stays.
    pub fn set_policy(&self, policy: Arc<MountPolicy>) {
        *self.policy.lock().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    /// Makes `source` the one that feeds this mount; returns its claim's number and the sign that it was let go.
    ///
    /// # Errors
    /// When there is one already and the policy says so.
    pub fn claim(&self, source: Source) -> Result<(u64, CancellationToken), Refused> {
        let mut live = self.live();
        if let Some(stage) = &live.stage {
            if self.policy().takeover == crate::config::Takeover::Deny {
                return Err(Refused::InUse);
            }
            stage.let_go.cancel();
        }
        let let_go = CancellationToken::new();
        let source = Arc::new(source);
        let seed = self.rendition.id.0 << 32 | (live.epoch & 0xffff_ffff);
        live.stage = None;
        live.stage = Some(Stage {
            publisher: self.rendition.open(),
            cutter: source.format.cutter(),
            ogg: (source.format == Format::Ogg).then(|| OggStage::new(seed)),
            tags: Arc::default(),
            let_go: let_go.clone(),
            expected: None,
            source: source.clone(),
            intake: Arc::new(Intake { received: 0.into(), meter: Meter::default(), began: Instant::now() }),
        });
        live.epoch += 1;
        live.last_source = Some(source);
        live.gone_since = None;
        self.stats.sources.fetch_add(1, Relaxed);
        Ok((live.epoch, let_go))
    }

    /// Lets the claim numbered `epoch` have tracks of these codecs only: those of the clip that stands in for it, since
    /// players cannot change.
    pub fn expect(&self, epoch: u64, codecs: Vec<Codec>) {
        let mut live = self.live();
        let Live { stage: Some(stage), epoch: current, .. } = &mut *live else { return };
        if *current == epoch {
            stage.expected = Some(codecs);
        }
    }

    /// Takes the next bytes of the claim numbered `epoch`.
    ///
    /// # Errors
    /// When the mount is no longer this source's.
    pub fn feed(&self, epoch: u64, bytes: &[u8]) -> Result<(), LetGo> {
        let mut live = self.live();
        if live.epoch != epoch {
            return Err(LetGo);
        }
        let stage = live.stage.as_mut().ok_or(LetGo)?;
        self.stats.received.fetch_add(bytes.len() as u64, Relaxed);
        stage.intake.received.fetch_add(bytes.len() as u64, Relaxed);
        if let Some(gap) = stage.intake.meter.beat(stage.intake.began.elapsed()) {
            self.stats.arrivals.gap(gap);
        }
        let skipped = stage.cutter.skipped();
        stage.cutter.push(bytes);
        let Sent { pages, titles } = stage.send_all();
        stage.intake.meter.pages(pages, 0);
        self.stats.arrivals.pages(pages, 0);
        self.stats.titles.fetch_add(titles, Relaxed);
        self.stats.skipped.fetch_add(stage.cutter.skipped() - skipped, Relaxed);
        let Some(stranger) = stage.stranger() else { return Ok(()) };
        tracing::warn!(
            mount = %self.name,
            codec = stranger.name(),
            "source refused: the mount's always_on clip has other codecs, between which players cannot change"
        );
        live.stage = None;
        live.gone_since = Some(Instant::now());
        Err(LetGo)
    }

    /// Ends the claim numbered `epoch`; nothing happens when the mount is no longer that source's.
    pub fn release(&self, epoch: u64, now: Instant) {
        let mut live = self.live();
        if live.epoch == epoch {
            if let Some(mut stage) = live.stage.take() {
                stage.cutter.finish();
                stage.send_all();
            }
            live.gone_since = Some(now);
        }
    }

    /// Ends whatever feeds this mount; false when nothing did.
    pub fn evict(&self, now: Instant) -> bool {
        let mut live = self.live();
        let Some(stage) = live.stage.take() else { return false };
        stage.let_go.cancel();
        live.epoch += 1;
        live.gone_since = Some(now);
        true
    }

    /// Tells listeners what is playing from now on; false when there is no source.
    pub fn retitle(&self, tags: Tags) -> bool {
        let mut live = self.live();
        let Some(stage) = live.stage.as_mut() else { return false };
        self.stats.titles.fetch_add(1, Relaxed);
        stage.retitle(tags);
        true
    }

    /// The source that feeds it now.
    pub fn source(&self) -> Option<Arc<Source>> {
        self.live().stage.as_ref().map(|stage| stage.source.clone())
    }

    /// What the source that feeds it now has sent.
    pub fn intake(&self) -> Option<Arc<Intake>> {
        self.live().stage.as_ref().map(|stage| stage.intake.clone())
    }

    /// The source that feeds it now, or the one that did last.
    pub fn last_source(&self) -> Option<Arc<Source>> {
        self.live().last_source.clone()
    }

    /// What is playing; nothing without a source.
    pub fn tags(&self) -> Arc<Tags> {
        self.live().stage.as_ref().map(|stage| stage.tags.clone()).unwrap_or_default()
    }

    /// The tracks inside the stream, as far as its container said.
    pub fn tracks(&self) -> Vec<TrackInfo> {
        self.live().stage.as_ref().map(|stage| stage.cutter.tracks().to_vec()).unwrap_or_default()
    }

    /// How long it has had no source at `now`; `None` while it has one or never had.
    pub fn silent_for(&self, now: Instant) -> Option<Duration> {
        self.live().gone_since.map(|since| now.saturating_duration_since(since))
    }

    /// Listeners here now, fallbacks' guests not included.
    pub fn listeners(&self) -> usize {
        *self.listeners.borrow()
    }

    /// Where its listeners were let in or moved to last; at the mount itself until a fallback took over.
    pub fn place(&self) -> Place {
        self.live().places.newest().cloned().unwrap_or_else(|| Place::of(self))
    }

    /// Bytes that its listeners got, in its own format and by HLS.
    pub fn sent(&self, served: &crate::egress::Stats) -> u64 {
        let own = served.renditions.get(&self.rendition.id).map_or(0, |rendition| rendition.bytes);
        own + self.stats.segments.load(Relaxed)
    }

    /// All places where listeners of it may be, besides those that hear it in another format.
    pub fn stays(&self) -> Vec<Stay> {
        self.live().places.all().to_vec()
    }

    /// Notes that listeners of it are at `target` from now on, `sent` there or of their own will.
    pub fn play_at(&self, target: &Mount, sent: bool) {
        self.live().places.note(Place::of(target), sent);
    }

    /// Notes that nobody is at `stay` any more.
    pub fn leave(&self, stay: &Stay) {
        self.live().places.leave(stay);
    }

    /// Follows the number of listeners, for relays on demand.
    pub fn watch_listeners(&self) -> watch::Receiver<usize> {
        self.listeners.subscribe()
    }

    /// Counts a listener in.
    pub fn joined(&self) {
        self.listeners.send_modify(|count| *count += 1);
        self.stats.peak.fetch_max(self.listeners(), Relaxed);
        self.stats.connections.fetch_add(1, Relaxed);
    }

    /// Counts a listener out, with the bytes it got.
    pub fn left(&self, sent: u64) {
        self.listeners.send_modify(|count| *count = count.saturating_sub(1));
        self.stats.sent.fetch_add(sent, Relaxed);
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much was cut and sent.
#[derive(Default)]
struct Sent {
    pages: u64,
    titles: u64,
}

impl Stage {
    /// A codec of its tracks that the clip that stands in for it does not have.
    fn stranger(&self) -> Option<Codec> {
        let expected = self.expected.as_ref()?;
        let codecs = self.cutter.tracks().iter().map(|track| track.codec);
        codecs.filter(|codec| codec.kind() != Kind::Data).find(|codec| !expected.contains(codec))
    }

    /// Sends what the cutter has.
    fn send_all(&mut self) -> Sent {
        let mut sent = Sent::default();
        while let Some(mut page) = self.cutter.poll() {
            sent.titles += u64::from(page.tags.is_some());
            sent.pages += u64::from(!page.bytes.is_empty());
            if page.role == Role::Header {
                page.set = self.cutter.header_set();
            }
            self.send(page);
        }
        sent
    }

    fn send(&mut self, page: Page) {
        if let Some(tags) = &page.tags {
            self.tags = tags.clone();
        }
        let Some(ogg) = &mut self.ogg else { return self.publisher.send(Piece(page)) };
        ogg.push(page, |page| self.publisher.send(Piece(page)));
    }

    fn retitle(&mut self, tags: Tags) {
        self.tags = Arc::new(tags.clone());
        match &mut self.ogg {
            Some(ogg) if ogg.retitle.can() => ogg.retitle.set(tags),
            _ => self.publisher.send(Piece(Page::tags(tags))),
        }
    }
}

/// Some sources put a key frame into the middle of a page, where nobody can begin; and Ogg has its titles in its
/// headers. Both are set right on the way.
struct OggStage {
    align: ogg::Align,
    retitle: ogg::Retitle,
}

impl OggStage {
    fn new(seed: u64) -> OggStage {
        OggStage { align: ogg::Align::new(), retitle: ogg::Retitle::new(seed) }
    }

    fn push(&mut self, page: Page, mut sink: impl FnMut(Page)) {
        self.align.push(page);
        while let Some(page) = self.align.poll() {
            self.retitle.push(page);
            while let Some(page) = self.retitle.poll() {
                sink(page);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Origin, RenditionId};
    use levada_channel::Start;
    use std::time::SystemTime;

    /// An FLV tag: kind, milliseconds, body.
    fn tag(kind: u8, at: u8, body: &[u8]) -> Vec<u8> {
        let size = body.len() as u8;
        [&[kind, 0, 0, size, 0, 0, at, 0, 0, 0, 0], body, &[0, 0, 0, 11 + size]].concat()
    }

    #[test]
    fn a_source_whose_codecs_are_not_the_slates_is_let_go() {
        let rendition = Rendition::new(RenditionId(1));
        let mount = Mount::new("/a.flv".parse().unwrap(), Arc::default(), rendition);
        let file = [&b"FLV\x01\x05\0\0\0\x09"[..], &[0; 4]].concat();
        let avc = tag(9, 0, &[0x17, 0, 0, 0, 0, 1, 66, 0, 30, 0xff, 0xe0, 0]);
        let aac = tag(8, 0, &[0xaf, 0, 0x12, 0x10]);
        for (codecs, fits) in [(vec![Codec::H264, Codec::Aac], true), (vec![Codec::H265, Codec::Aac], false)]
        {
            let (epoch, _) =
                mount.claim(Source::new(Origin::Rtmp, "video/x-flv", SystemTime::UNIX_EPOCH)).unwrap();
            mount.expect(epoch, codecs);
            let fed = mount.feed(epoch, &[file.clone(), aac.clone(), avc.clone(), aac.clone()].concat());
            assert_eq!(fed.is_ok(), fits);
            assert_eq!(mount.source().is_some(), fits);
            mount.release(epoch, Instant::now());
        }
    }

    #[test]
    fn who_comes_after_a_new_configuration_gets_the_whole_header_set() {
        let rendition = Rendition::new(RenditionId(1));
        let mount = Mount::new("/a.flv".parse().unwrap(), Arc::default(), rendition.clone());
        let source = Source::new(Origin::Icecast, "video/x-flv", SystemTime::UNIX_EPOCH);
        let (epoch, _) = mount.claim(source).unwrap();
        let file = [&b"FLV\x01\x05\0\0\0\x09"[..], &[0; 4]].concat();
        let avc = |version| tag(9, 0, &[0x17, 0, 0, 0, 0, 1, 66, 0, version, 0xff, 0xe0, 0]);
        let aac = tag(8, 0, &[0xaf, 0, 0x12, 0x10]);
        let picture = |at| tag(9, at, &[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65]);
        let first = [file.clone(), avc(30), aac.clone(), picture(0)].concat();
        mount.feed(epoch, &[first, avc(31), picture(40), picture(80)].concat()).unwrap();
        let newcomer = rendition.channel().unwrap().subscribe(Start::Entry);
        let set: Vec<u8> = newcomer.header().iter().flat_map(|piece| piece.0.bytes.to_vec()).collect();
        assert_eq!(set, [file, avc(31), aac].concat());
    }
}
