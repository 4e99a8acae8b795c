//! AAC made into Opus, for viewers who know no AAC.

use levada_codec::opus::{BLOCK, Encoder, RATE, Settings};
use levada_media::{codec::aac::Config, resample::Resampler};
use symphonia_codec_aac::AacDecoder;
use symphonia_core::{
    codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions, well_known::CODEC_ID_AAC},
    packet::PacketRef,
    units,
};

/// One track's transcoder.
pub(super) struct Transcoder {
    decoder: AacDecoder,
    /// None where the rate is Opus's own.
    resampler: Option<Resampler>,
    encoder: Encoder,
    channels: usize,
    decoded: Vec<f32>,
    /// Sound that does not fill a block yet, interleaved; less than a block between calls.
    waiting: Vec<f32>,
    /// Samples at 48 kHz, a channel, that were given away since the beginning.
    given: u64,
}

/// A packet of what came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sounding {
    /// Samples at 48 kHz since the transcoder's first frame; below zero for what the encoder needs to begin.
    pub(super) at: i64,
    /// The packet.
    pub(super) packet: Vec<u8>,
}

impl Transcoder {
    /// For AAC with this configuration; `None` for kinds that no decoder of ours knows.
    pub(super) fn new(setup: &[u8]) -> Option<Transcoder> {
        // a lower rate would make much of little
        let config = Config::parse(setup).filter(|config| config.rate >= 7_350)?;
        let mut params = AudioCodecParameters::new();
        params.for_codec(CODEC_ID_AAC).with_sample_rate(config.rate).with_extra_data(setup.into());
        let decoder = AacDecoder::try_new(&params, &AudioDecoderOptions::default()).ok()?;
        let encoder = Encoder::new(Settings::music()).ok()?;
        let resampler = (config.rate != RATE).then(|| Resampler::new(CHANNELS, config.rate, RATE));
        Some(Transcoder {
            decoder,
            resampler,
            encoder,
            channels: CHANNELS,
            decoded: Vec::new(),
            waiting: Vec::new(),
            given: 0,
        })
    }

    /// The packets that are whole when `frame` has come. A frame that cannot be decoded is silent.
    pub(super) fn push(&mut self, frame: &[u8]) -> Vec<Sounding> {
        self.decode(frame);
        match &mut self.resampler {
            Some(resampler) => {
                resampler.push(&self.decoded);
                resampler.append_to(&mut self.waiting);
            }
            None => self.waiting.extend_from_slice(&self.decoded),
        }
        let block = BLOCK * self.channels;
        let mut out = Vec::new();
        let mut used = 0;
        while let Some(samples) = self.waiting.get(used..used + block) {
            let shift = -(self.encoder.delay() as i64);
            let at = i64::try_from(self.given).unwrap_or(i64::MAX).saturating_add(shift);
            if let Ok(packet) = self.encoder.encode(samples) {
                out.push(Sounding { at, packet });
            }
            self.given += BLOCK as u64;
            used += block;
        }
        self.waiting.drain(..used);
        out
    }

    /// Leaves the frame's samples, in stereo, in `decoded`.
    fn decode(&mut self, frame: &[u8]) {
        self.decoded.clear();
        let packet = PacketRef::new(0, units::Timestamp::new(0), units::Duration::new(1024), frame);
        let Ok(sound) = self.decoder.decode_ref(&packet) else {
            self.decoded.resize(FRAME * CHANNELS, 0.0);
            return;
        };
        let channels = sound.spec().channels().count();
        sound.copy_to_vec_interleaved(&mut self.decoded);
        match channels {
            CHANNELS => {}
            1 => self.decoded = self.decoded.iter().flat_map(|sample| [*sample; CHANNELS]).collect(),
            0 => self.decoded.clear(),
            // left and right are the first two after the centre (ISO 14496-3, table 1.19); the centre is in both
            more => {
                let both = |all: &[f32]| [all[1] + 0.7 * all[0], all[2] + 0.7 * all[0]].map(|s| s * 0.6);
                self.decoded = self.decoded.chunks_exact(more).flat_map(both).collect();
            }
        }
    }
}

/// Everything is made stereo, as the answer to a viewer's offer says.
const CHANNELS: usize = 2;
/// Samples of a frame (ISO 14496-3 §4.5.1.1).
const FRAME: usize = 1_024;
