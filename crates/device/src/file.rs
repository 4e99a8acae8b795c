//! Sound from a file, at the rate and with the channels that are wanted.

use crate::{Error, Form};
use levada_media::resample::Resampler;
use std::fs;
use std::path::Path;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as Trouble;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;

/// A sound file, decoded as it is read.
pub struct File {
    reader: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    channels: usize,
    /// None where the rate is the wanted one.
    resampler: Option<Resampler>,
    decoded: Vec<f32>,
    /// What is ready, with the wanted channels, and how much of it was read.
    ready: Vec<f32>,
    read: usize,
    ended: bool,
    flushed: bool,
}

impl File {
    /// # Errors
    /// That it cannot be read or is no sound.
    pub fn open(name: &str, form: Form) -> Result<File, Error> {
        let file = fs::File::open(name).map_err(Error::file(name))?;
        let bad = |why: String| Error::Format { name: name.into(), why };
        let mut hint = Hint::new();
        if let Some(end) = Path::new(name).extension().and_then(|end| end.to_str()) {
            hint.with_extension(end);
        }
        let stream = MediaSourceStream::new(Box::new(file), Default::default());
        let probe = symphonia::default::get_probe();
        let reader = probe.probe(&hint, stream, Default::default(), Default::default());
        let reader = reader.map_err(|why| bad(why.to_string()))?;
        let track = reader.default_track(TrackType::Audio).ok_or_else(|| bad("no sound in it".into()))?;
        let params = track.codec_params.as_ref().and_then(|params| params.audio());
        let params = params.ok_or_else(|| bad("no sound in it".into()))?;
        let rate = params.sample_rate.filter(|rate| *rate > 0).ok_or_else(|| bad("no sample rate".into()))?;
        let decoder =
            symphonia::default::get_codecs().make_audio_decoder(params, &AudioDecoderOptions::default());
        let decoder = decoder.map_err(|why| bad(why.to_string()))?;
        let resampler = (rate != form.rate).then(|| Resampler::new(form.channels, rate, form.rate));
        Ok(File {
            track: track.id,
            reader,
            decoder,
            channels: form.channels.max(1),
            resampler,
            decoded: Vec::new(),
            ready: Vec::new(),
            read: 0,
            ended: false,
            flushed: false,
        })
    }

    /// Fills a block; what the last one lacks is silence. False when there is nothing any longer.
    pub fn read(&mut self, block: &mut [i16]) -> bool {
        while self.ready.len() - self.read < block.len() && !(self.ended && self.flushed) {
            self.more();
        }
        let there = (self.ready.len() - self.read).min(block.len());
        let samples = &self.ready[self.read..self.read + there];
        block.iter_mut().zip(samples).for_each(|(out, x)| *out = (x * 32_768.0).round() as i16);
        block[there..].fill(0);
        self.read += there;
        there > 0
    }

    /// Decodes another packet.
    fn more(&mut self) {
        self.ready.drain(..self.read);
        self.read = 0;
        if !self.ended {
            self.decode();
        } else if let Some(resampler) = &mut self.resampler {
            resampler.push(&vec![0.0; 1_024 * self.channels]); // what the filter holds back
            self.flushed = true;
        } else {
            self.flushed = true;
        }
        let Some(resampler) = &mut self.resampler else { return };
        loop {
            let old = self.ready.len();
            self.ready.resize(old + 1_024 * self.channels, 0.0);
            let frames = resampler.pull(&mut self.ready[old..]);
            self.ready.truncate(old + frames * self.channels);
            if frames < 1_024 {
                return;
            }
        }
    }

    fn decode(&mut self) {
        let packet = match self.reader.next_packet() {
            Ok(Some(packet)) if packet.track_id == self.track => packet,
            Ok(Some(_)) => return,
            Ok(None) | Err(_) => return self.ended = true,
        };
        let has = match self.decoder.decode(&packet) {
            Ok(buffer) => {
                let has = buffer.spec().channels().count();
                self.decoded.resize(buffer.samples_interleaved(), 0.0);
                buffer.copy_to_slice_interleaved(&mut self.decoded);
                has.max(1)
            }
            Err(Trouble::DecodeError(_)) => return, // the next packet may be good
            Err(_) => return self.ended = true,
        };
        let wanted = self.channels;
        let frame = |frame: &[f32], channel: usize| match wanted {
            1 => frame.iter().sum::<f32>() / frame.len() as f32,
            _ => frame[channel.min(frame.len() - 1)],
        };
        let frames = self.decoded.chunks_exact(has);
        let samples = frames.flat_map(|samples| (0..wanted).map(move |channel| frame(samples, channel)));
        match &mut self.resampler {
            None => self.ready.extend(samples),
            Some(resampler) => resampler.push(&samples.collect::<Vec<f32>>()),
        }
    }
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File").field("track", &self.track).field("ended", &self.ended).finish_non_exhaustive()
    }
}
