//! Takes what the loudspeaker plays out of what the microphone hears, and noise, and keeps voices at one loudness.

use sonora::config::{
    AdaptiveDigital, EchoCanceller, GainController2, HighPassFilter, MaxProcessingRate, NoiseSuppression,
    Pipeline,
};
use sonora::{AudioProcessing, Config, StreamConfig};
use std::collections::VecDeque;

/// WebRTC's processing (AEC3, noise suppression, adaptive gain; sonora) between blocks of any length. Interleaved stereo.
///
/// It works in pieces of 10 ms, so that blocks that are no multiple of these come out up to 10 ms later, and 16 ms for its filters. It finds
/// out by itself how long sound takes from the loudspeaker to the microphone, up to a quarter of a second.
pub struct Echo {
    processing: AudioProcessing,
    /// Samples of a piece.
    piece: usize,
    /// What was played and not yet compared; what was captured and not yet cleaned; what is clean and not yet taken.
    far: VecDeque<i16>,
    near: VecDeque<i16>,
    clean: VecDeque<i16>,
    given: Vec<i16>,
    made: Vec<i16>,
    delay: usize,
    rate: u32,
}

impl Echo {
    /// For blocks of so many frames at so many a second.
    pub fn new(rate: u32, block: usize) -> Echo {
        let stream = StreamConfig::new(rate, 2);
        let gain = AdaptiveDigital { max_gain_db: 24.0, initial_gain_db: 0.0, ..AdaptiveDigital::default() };
        let config = Config {
            pipeline: Pipeline {
                maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz,
                ..Pipeline::default()
            },
            high_pass_filter: Some(HighPassFilter::default()),
            echo_canceller: Some(EchoCanceller::default()),
            noise_suppression: Some(NoiseSuppression::default()),
            gain_controller2: Some(GainController2 {
                adaptive_digital: Some(gain),
                ..GainController2::default()
            }),
            ..Config::default()
        };
        let processing =
            AudioProcessing::builder().config(config).capture_config(stream).render_config(stream).build();
        let frames = stream.num_frames();
        // so much waits at first that whole blocks can always be taken
        let delay = frames - gcd(frames, block.max(1));
        let piece = 2 * frames;
        Echo {
            processing,
            piece,
            far: VecDeque::new(),
            near: VecDeque::new(),
            clean: vec![0; 2 * delay].into(),
            given: Vec::with_capacity(piece),
            made: vec![0; piece],
            delay,
            rate,
        }
    }

    /// Seconds by which sound is later for it.
    pub fn delay(&self) -> f64 {
        self.delay as f64 / f64::from(self.rate) + FILTERS
    }

    /// This goes to the loudspeaker. Holds half a second; the oldest leave first.
    pub fn played(&mut self, block: &[i16]) {
        self.far.extend(block);
        let surplus = self.far.len().saturating_sub(50 * self.piece);
        self.far.drain(..surplus);
    }

    /// Cleans what was captured: the block becomes one of a little earlier.
    pub fn captured(&mut self, block: &mut [i16]) {
        self.near.extend(block.iter());
        while self.near.len() >= self.piece {
            if self.far.len() >= self.piece {
                take(&mut self.far, self.piece, &mut self.given);
                let _fits = self.processing.process_render_i16(&self.given, &mut self.made);
            }
            take(&mut self.near, self.piece, &mut self.given);
            if self.processing.process_capture_i16(&self.given, &mut self.made).is_err() {
                self.made.copy_from_slice(&self.given);
            }
            self.clean.extend(&self.made);
        }
        block.iter_mut().for_each(|x| *x = self.clean.pop_front().unwrap_or(0));
    }
}

impl std::fmt::Debug for Echo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Echo").field("delay", &self.delay()).finish_non_exhaustive()
    }
}

fn take(from: &mut VecDeque<i16>, samples: usize, into: &mut Vec<i16>) {
    into.clear();
    into.extend(from.drain(..samples));
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Seconds that its filters take; seen, not promised.
const FILTERS: f64 = 0.0155;
