//! Blocks to coefficients and back, with or without their neighbours' help.

use super::{dwt::Dwt, octaves, wpt::Wpt};

/// Which transform, of each channel by itself.
#[derive(Debug)]
pub enum Kind {
    /// Octave bands.
    Dwt(Dwt),
    /// Bands of equal width.
    Wpt(Wpt),
}

impl Kind {
    fn analyze(&mut self, signal: &[f64], bands: &mut [f64]) {
        match self {
            Kind::Dwt(dwt) => dwt.analyze(signal, bands),
            Kind::Wpt(wpt) => wpt.analyze(signal, bands),
        }
    }

    fn synthesize(&mut self, bands: &[f64], signal: &mut [f64]) {
        match self {
            Kind::Dwt(dwt) => dwt.synthesize(bands, signal),
            Kind::Wpt(wpt) => wpt.synthesize(bands, signal),
        }
    }
}

/// A transform of blocks of one channel. With an overlap, the block before the one that was pushed is transformed between its
/// neighbours' edges, and of each band the middle is kept, which is what a transform of the endless signal would have there.
#[derive(Debug)]
pub struct Transform {
    kind: Kind,
    /// First and one past last place of each band in a block.
    bands: Vec<(usize, usize)>,
    frames: usize,
    /// Samples taken from each neighbour; nothing without overlap.
    overlap: usize,
    /// The last three blocks, oldest first: samples where blocks are analyzed, coefficients where they are synthesized.
    memory: [Vec<f64>; 3],
    long: Vec<f64>,
    long_bands: Vec<f64>,
    /// The same faster, where bands are octaves.
    endless: Option<(octaves::Analysis, octaves::Synthesis)>,
}

impl Transform {
    /// For blocks of `frames`, which both transforms and the overlap must fit.
    pub fn new(kind: Kind, frames: usize, levels: u32, overlap: usize) -> Transform {
        let mut transform = Transform::edged(kind, frames, levels, overlap);
        if let (Kind::Dwt(dwt), true) = (&transform.kind, overlap > 0) {
            let analysis = octaves::Analysis::new(dwt.wavelet(), levels, frames);
            transform.endless = Some((analysis, octaves::Synthesis::new(dwt.wavelet(), levels, frames)));
        }
        transform
    }

    /// The same, by the definition: each block between its neighbours' edges.
    pub(super) fn edged(kind: Kind, frames: usize, levels: u32, overlap: usize) -> Transform {
        let bands = match kind {
            Kind::Wpt(_) => {
                let width = frames >> levels;
                (0..1 << levels).map(|band| (band * width, (band + 1) * width)).collect()
            }
            Kind::Dwt(_) => {
                let first = (0, frames >> levels);
                let details = (1..=levels).rev().map(|level| (frames >> level, frames >> (level - 1)));
                std::iter::once(first).chain(details).collect()
            }
        };
        let long = frames + 2 * overlap;
        let memory = [vec![0.0; frames], vec![0.0; frames], vec![0.0; frames]];
        let zeros = vec![0.0; long];
        Transform {
            kind,
            bands,
            frames,
            overlap,
            memory,
            long: zeros.clone(),
            long_bands: zeros,
            endless: None,
        }
    }

    /// Coefficients: of `block`, or with an overlap of the one before it.
    pub fn analyze(&mut self, block: &[f64], bands: &mut [f64]) {
        if self.overlap == 0 {
            return self.kind.analyze(block, bands);
        }
        if let Some((analysis, _)) = &mut self.endless {
            return analysis.push(block, bands);
        }
        self.remember(block);
        let Transform { long, memory: [before, here, after], frames, overlap, .. } = self;
        long[..*overlap].copy_from_slice(&before[*frames - *overlap..]);
        long[*overlap..*overlap + *frames].copy_from_slice(here);
        long[*overlap + *frames..].copy_from_slice(&after[..*overlap]);
        self.kind.analyze(&self.long, &mut self.long_bands);
        for &(start, end) in &self.bands {
            let (width, at, edge) = self.long_band(start, end);
            bands[start..end].copy_from_slice(&self.long_bands[at + edge..at + edge + width]);
        }
    }

    /// Samples: of `bands`, or with an overlap of those before them.
    pub fn synthesize(&mut self, bands: &[f64], block: &mut [f64]) {
        if self.overlap == 0 {
            return self.kind.synthesize(bands, block);
        }
        if let Some((_, synthesis)) = &mut self.endless {
            return synthesis.push(bands, block);
        }
        self.remember(bands);
        for &(start, end) in &self.bands {
            let (width, at, edge) = self.long_band(start, end);
            let [before, here, after] = &self.memory;
            let to = &mut self.long_bands[at..at + width + 2 * edge];
            to[..edge].copy_from_slice(&before[end - edge..end]);
            to[edge..edge + width].copy_from_slice(&here[start..end]);
            to[edge + width..].copy_from_slice(&after[start..start + edge]);
        }
        self.kind.synthesize(&self.long_bands, &mut self.long);
        block.copy_from_slice(&self.long[self.overlap..self.overlap + self.frames]);
    }

    fn remember(&mut self, block: &[f64]) {
        self.memory.rotate_left(1);
        self.memory[2].copy_from_slice(block);
    }

    /// A band's width, where it begins in the long transform, and how much wider it is there at either end.
    fn long_band(&self, start: usize, end: usize) -> (usize, usize, usize) {
        let width = end - start;
        let scale = self.frames / width;
        let edge = self.overlap / scale;
        (width, start + 2 * self.overlap * start / self.frames, edge)
    }
}
