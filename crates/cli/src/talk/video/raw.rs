//! The pictures of `minimal_video`, from what was typed to what is seen.

use super::{Lens, Shown, usage};
use crate::{exit, output::Console};
use anyhow::{Context, Result};
use bytes::Bytes;
use levada_codec::compat::Layer;
use levada_codec::compat::video::{Cut, Picture};
use levada_device::pictures::{from_bgr, pixels::resized, to_bgr};
use levada_link::drive::{Driver, Running, spawn};
use levada_talk::compat::{PicturesConfig, PicturesStats, RawPictures};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// The seminar's options of pictures.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "pictures of the seminar")]
pub struct Options {
    /// minimal_video: bytes of a datagram, at most (the seminar's -v)
    #[arg(long, value_name = "BYTES", default_value_t = 1_400)]
    video_payload_size: usize,
    /// minimal_video: pixels a row (the seminar's -w)
    #[arg(long, value_name = "PIXELS", default_value_t = 320)]
    width: usize,
    /// minimal_video: rows (the seminar's -g)
    #[arg(long, value_name = "PIXELS", default_value_t = 240)]
    height: usize,
    /// minimal_video: pictures a second (the seminar's -z)
    #[arg(long, value_name = "RATE", default_value_t = 30.0)]
    fps: f64,
    /// minimal_video_TFG: pixels of a block's side
    #[arg(long, value_name = "PIXELS", default_value_t = 16)]
    block_size: usize,
    /// minimal_video: the port that pictures are received at (the seminar's -lvp)
    #[arg(long, value_name = "PORT", default_value_t = 4_445)]
    listening_video_port: u16,
    /// minimal_video: the port that pictures are sent to (the seminar's -dvp)
    #[arg(long, value_name = "PORT", default_value_t = 4_445)]
    destination_video_port: u16,
    /// minimal_video: which camera
    #[arg(long, value_name = "NUMBER")]
    camera_index: Option<u32>,
}

impl Options {
    fn config(&self, layer: Layer, peer: SocketAddr) -> PicturesConfig {
        let cut = match layer {
            Layer::MinimalVideoBlocks => Cut::Squares(self.block_size),
            // two bytes are for the number
            _ => Cut::Runs(self.video_payload_size.min(1_400 - 2)),
        };
        let peer = SocketAddr::new(peer.ip(), self.destination_video_port);
        let picture = Picture { width: self.width, height: self.height };
        PicturesConfig { peer, picture, cut, rate: self.fps }
    }

    /// Says what the seminar's programs say when they begin.
    pub fn opening(&self, console: Console) {
        console.say(format!(
            "video_payload_size={}, width={}, height={}, fps={}, block_size={}, listening_video_port={}, destination_video_port={}",
            self.video_payload_size,
            self.width,
            self.height,
            self.fps,
            self.block_size,
            self.listening_video_port,
            self.destination_video_port,
        ));
    }
}

/// The pictures of such a call. Two that were received wait to be seen; a third is not.
pub struct Raw {
    link: Option<Arc<Running<RawPictures>>>,
    received: Receiver<Bytes>,
    shown: Shown,
    size: (usize, usize),
    rate: f64,
    stop: Arc<AtomicBool>,
    camera: Option<JoinHandle<()>>,
    stats: Arc<Mutex<PicturesStats>>,
    console: Console,
}

impl Raw {
    /// Begins, where the layer has pictures.
    pub fn begin(
        options: &super::Options,
        raw: &Options,
        layer: Layer,
        peer: SocketAddr,
        console: Console,
    ) -> Result<Option<Raw>> {
        if !matches!(layer, Layer::MinimalVideo | Layer::MinimalVideoBlocks) {
            return Ok(None);
        }
        let config = raw.config(layer, peer);
        let size = (config.picture.width, config.picture.height);
        let machine = RawPictures::new(config)
            .filter(|_| size.0.is_multiple_of(2) && size.1.is_multiple_of(2))
            .ok_or_else(|| usage("pictures of that size cannot be cut so: sides are even, pieces fit into datagrams and are at most 65,536"))?;
        let camera = raw.camera_index.map(|index| format!("/dev/video{index}"));
        let name = options.video.clone().or(camera).unwrap_or_else(|| "auto".into());
        let lens = Lens::open(&name, size, console)?;
        let shown = options.outputs(true, console)?;
        let port = raw.listening_video_port;
        let socket = UdpSocket::bind(("0.0.0.0", port)).map_err(|why| {
            exit::Exit(exit::NETWORK, format!("cannot receive pictures at port {port}: {why}"))
        })?;
        let (to, received) = sync_channel(2);
        let told = move |picture: Bytes| drop::<Result<(), _>>(to.try_send(picture));
        let link = spawn(Driver::new(machine, socket), told).context("no thread for pictures")?;
        let link = Arc::new(link);
        let (stop, stats) = (Arc::<AtomicBool>::default(), Arc::<Mutex<PicturesStats>>::default());
        let (stopping, giving, noting) = (stop.clone(), link.clone(), stats.clone());
        let camera = thread::Builder::new().name("pictures".into());
        let camera = camera.spawn(move || work(lens, size, &stopping, &giving, &noting)).ok();
        let rate = raw.fps;
        Ok(Some(Raw { link: Some(link), received, shown, size, rate, stop, camera, stats, console }))
    }

    /// Shows what came; `position` is how many seconds of sound there were.
    pub fn turn(&mut self, position: f64) {
        let Some(pixels) = self.received.try_iter().last() else { return };
        if let Some(picture) = from_bgr(self.size.0, self.size.1, &pixels) {
            self.shown.show(&Arc::new(picture), self.rate, position);
        }
    }

    /// Ends it well.
    pub fn finish(mut self, position: f64) -> Result<()> {
        self.stop.store(true, Relaxed);
        if let Some(camera) = self.camera.take() {
            let _panicked = camera.join();
        }
        self.link = None;
        let stats = *self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        let kbps = |bytes: u64| bytes as f64 / 125.0 / position.max(0.1);
        self.console.say(format!(
            "Video sent average = {:.1} kilo bits per second ({} pictures)\nVideo received average = {:.1} kilo bits per second ({} pictures)",
            kbps(stats.sent_bytes),
            stats.sent,
            kbps(stats.received_bytes),
            stats.received
        ));
        self.shown.finish(position)
    }
}

fn work(
    mut lens: Lens,
    (width, height): (usize, usize),
    stop: &AtomicBool,
    link: &Running<RawPictures>,
    stats: &Arc<Mutex<PicturesStats>>,
) {
    lens.begin(std::time::Instant::now());
    while !stop.load(Relaxed) {
        let pixels = lens.wait().and_then(|(_, picture)| {
            let fitted = match (picture.width, picture.height) == (width, height) {
                true => picture,
                false => resized(&picture, width, height)?,
            };
            let mut pixels = Vec::new();
            to_bgr(&fitted, &mut pixels);
            Some(pixels)
        });
        let noted = stats.clone();
        link.with(move |machine, _| {
            if let Some(pixels) = pixels {
                machine.give(pixels);
            }
            *noted.lock().unwrap_or_else(PoisonError::into_inner) = machine.stats();
        });
    }
}
