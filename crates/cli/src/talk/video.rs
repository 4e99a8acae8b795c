//! The pictures of a call, from what was typed to what is seen.

mod cells;
mod film;
mod page;
mod raw;
mod shown;
mod studio;
mod viewer;

pub use raw::{Options as RawOptions, Raw};
pub use shown::Shown;
pub use studio::Lens;

use crate::{exit::Exit, output::Console};
use anyhow::Result;
use levada_codec::video::Picture;
use levada_talk::native::NativeCall;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use studio::Studio;
use viewer::{Seen, Viewer};

/// Options of pictures.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Pictures")]
#[group(id = "pictures of a call")]
pub struct Options {
    /// Send pictures: of the camera (a test picture where there is none), of a /dev/video0, a FILE.y4m, or `test`
    #[arg(long, value_name = "camera|FILE.y4m|test", num_args = 0..=1, default_missing_value = "auto")]
    video: Option<String>,
    /// Bits a second of pictures, at most; they get what sound leaves
    #[arg(long, value_name = "RATE", value_parser = super::native::bits, default_value = "1000k")]
    video_bitrate: u32,
    /// Pictures are made smaller until they fit
    #[arg(long, value_name = "WxH", value_parser = size, default_value = "480x360")]
    video_size: (usize, usize),
    /// Write the other end's pictures into a file, as long as the sound
    #[arg(long, value_name = "FILE.y4m")]
    video_output: Option<PathBuf>,
    #[command(flatten)]
    shown: shown::Options,
}

impl Options {
    /// Bits a second that pictures may take, where they are sent.
    pub fn bitrate(&self) -> Option<u32> {
        self.video.as_ref().map(|_| self.video_bitrate)
    }

    /// Where pictures come from, where they are sent.
    pub fn lens(&self, console: Console) -> Result<Option<Lens>> {
        let Some(name) = &self.video else { return Ok(None) };
        Ok(Some(Lens::open(name, self.video_size, console)?))
    }

    /// Where pictures go to.
    pub fn outputs(&self, sends: bool, console: Console) -> Result<Shown> {
        Shown::open(&self.shown, self.video_output.as_deref(), sends, console)
    }
}

/// The pictures of a native call. Twelve that are too early wait in the viewer, 120 to be seen; the oldest leave first.
pub struct Video {
    studio: Option<Studio>,
    viewer: Option<Viewer>,
    shown: Shown,
    /// Pictures that are not due yet: when, by the other end's sound.
    early: VecDeque<(u32, Seen)>,
    /// Pictures seen.
    seen: u64,
    /// By how much the last one was later than its sound, in seconds.
    off: f64,
    size: Option<(usize, usize)>,
}

impl Video {
    /// What is asked for; to be called when the sound begins.
    pub fn begin(options: &Options, console: Console) -> Result<Video> {
        let shown = options.outputs(options.video.is_some(), console)?;
        let lens = options.lens(console)?;
        Ok(Video {
            studio: lens.map(|lens| Studio::start(lens, options.video_size, console)),
            viewer: shown.is_any().then(Viewer::start),
            shown,
            early: VecDeque::new(),
            seen: 0,
            off: 0.0,
            size: None,
        })
    }

    /// No pictures.
    pub fn none() -> Video {
        Video {
            studio: None,
            viewer: None,
            shown: Shown::nothing(),
            early: VecDeque::new(),
            seen: 0,
            off: 0.0,
            size: None,
        }
    }

    /// Carries pictures to and from the call; to be called every few milliseconds.
    pub fn turn(&mut self, call: &mut NativeCall) {
        if let Some(studio) = &self.studio {
            for (captured, coded) in studio.made() {
                let captured = call.clock(captured);
                call.pictures().send(captured, coded);
            }
            studio.ask(call.see().ask());
        }
        if self.viewer.is_some() {
            self.view(call);
        }
    }

    fn view(&mut self, call: &mut NativeCall) {
        let Some(viewer) = &mut self.viewer else { return };
        call.pictures().watch(true);
        while viewer.has_room() {
            let Some(coded) = call.pictures().take() else { break };
            viewer.give(coded);
        }
        for seen in viewer.seen() {
            match seen {
                Some(seen) => self.early.push_back((seen.time, seen)),
                None => call.pictures().lost(),
            }
        }
        while self.early.len() > EARLY {
            self.early.pop_front();
        }
        let now = call.clock(Instant::now());
        let position = call.see().position();
        while let Some((time, _)) = self.early.front() {
            let until = call.see().until(now, *time).unwrap_or(0.0);
            // what would be that far off is of another time
            if until > 0.002 && until < 3.0 {
                break;
            }
            let Some((_, seen)) = self.early.pop_front() else { break };
            self.off = -until;
            self.seen += 1;
            self.size = Some((seen.picture.width, seen.picture.height));
            self.shown.show(&seen.picture, f64::from(seen.rate), position + until.clamp(-0.5, 0.0));
        }
    }

    /// What became of pictures; nothing where there are none.
    pub fn statistics(&self, call: &NativeCall) -> Value {
        let (sent, received, ask) = (call.see().sent(), call.see().received(), call.see().ask());
        let sends = self.studio.as_ref().map(|studio| {
            json!({ "pictures": sent.pictures, "keys": sent.keys, "bytes": sent.bytes, "sent_again": sent.again, "dropped": sent.dropped,
                "captured": studio.captured(), "left_out": studio.left_out(), "watched": ask.watched, "may_send_kbps": ask.bits / 1e3,
                "size": studio.size().map(|(width, height)| format!("{width}x{height}")) })
        });
        let sees = self.viewer.as_ref().map(|_| {
            json!({ "pictures": received.pictures, "keys": received.keys, "bytes": received.bytes, "shown": self.seen,
                "asked_again": received.asked, "lost": received.lost, "breaks": received.breaks, "late_by": self.off,
                "size": self.size.map(|(width, height)| format!("{width}x{height}")) })
        });
        match (&sends, &sees) {
            (None, None) => Value::Null,
            _ => json!({ "sent": sends, "received": sees }),
        }
    }

    /// Ends it well: a file has as many pictures as the sound is long.
    pub fn finish(self, position: f64) -> Result<()> {
        drop(self.studio);
        drop(self.viewer);
        self.shown.finish(position)
    }
}

/// `640x480`: even.
fn size(typed: &str) -> Result<(usize, usize), String> {
    let sides = typed.split_once(['x', 'X']).and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    let sides = sides.filter(|(width, height)| Picture::new(*width, *height).is_some());
    sides.ok_or_else(|| "a size is WIDTHxHEIGHT, both even and at most 1920".into())
}

/// What is wrong with what was typed.
fn usage(why: impl Into<String>) -> anyhow::Error {
    Exit(crate::exit::USAGE, why.into()).into()
}

/// A picture that is shared by all who show it.
type Shared = Arc<Picture>;

/// Pictures that wait for their sound.
const EARLY: usize = 120;
