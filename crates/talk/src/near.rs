//! What the microphone hears, on its way to be sent.

use crate::{Echo, Howl};

/// Whether a person sits before loudspeaker and microphone, and what is done for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Echo is cancelled, noise suppressed and loudness kept. Default: no, every sample is sent as it is.
    pub echo: bool,
    /// It is noticed when the two ends howl at each other, and the microphone turned down. Default: no.
    pub feedback: bool,
}

/// Makes of what was captured what is to be sent.
#[derive(Debug, Default)]
pub struct Near {
    echo: Option<Echo>,
    howl: Option<Howl>,
    muted: bool,
    block: Vec<i16>,
}

impl Near {
    /// For blocks of so many frames, so many a second, in stereo.
    pub fn new(place: Place, rate: u32, block: usize) -> Near {
        Near {
            echo: place.echo.then(|| Echo::new(rate, block)),
            howl: place.feedback.then(|| Howl::new(rate)),
            muted: false,
            block: Vec::with_capacity(2 * block),
        }
    }

    /// Seconds by which it makes sound later.
    pub fn delay(&self) -> f64 {
        self.echo.as_ref().map_or(0.0, Echo::delay)
    }

    /// Lets silence be sent.
    pub fn mute(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// Whether silence is sent.
    pub fn is_muted(&self) -> bool {
        self.muted
    }

    /// Whether the microphone is turned down since something howled.
    pub fn is_soft(&self) -> bool {
        self.howl.as_ref().is_some_and(Howl::is_soft)
    }

    /// What is to be sent of what was captured.
    pub fn captured(&mut self, captured: &[i16]) -> &[i16] {
        self.block.clear();
        self.block.extend_from_slice(captured);
        if let Some(echo) = &mut self.echo {
            echo.captured(&mut self.block);
        }
        if let Some(howl) = &mut self.howl {
            howl.soften(&mut self.block);
        }
        if self.muted {
            self.block.fill(0);
        }
        &self.block
    }

    /// This is played while what was captured last is sent: the frequency of what howls, in hertz, when it is noticed.
    pub fn played(&mut self, played: &[i16]) -> Option<f64> {
        if let Some(echo) = &mut self.echo {
            echo.played(played);
        }
        self.howl.as_mut()?.listen(&self.block, played)
    }
}
