//! Notices that two ends howl at each other, and turns the microphone down.

use levada_codec::Fft;
use std::collections::VecDeque;

/// Listens to what is sent and to what is played for a narrow tone that grows in both.
///
/// A loop of loudspeakers and microphones makes one frequency louder by the same factor each time round, up to full scale. A tone of music
/// that is in both, as an echo is, either begins at once and stays or changes in jumps, or has harmonics beside it. (The criteria are those of
/// van Waterschoot and Moonen, "Fifty Years of Acoustic Feedback Control", 2011: the peak's share of the power, and its slope; that both ends
/// show them is what a call adds.) Interleaved stereo.
#[derive(Debug)]
pub struct Howl {
    rate: u32,
    fourier: Fft,
    window: Vec<f32>,
    /// The last frames: what is sent as a real part, what is played as an imaginary one.
    frames: VecDeque<[f32; 2]>,
    points: Vec<[f32; 2]>,
    /// Power spectra of the last second, the newest first: of what is sent and of what is played.
    spectra: VecDeque<Vec<[f32; 2]>>,
    /// Looks in a row that saw one loud tone at both ends.
    loud: u32,
    /// What the microphone is turned down to, what it is at, and how many frames it stays there.
    aim: f32,
    gain: f32,
    hold: usize,
}

impl Howl {
    /// For sound of so many frames a second.
    pub fn new(rate: u32) -> Howl {
        let hann = |n: usize| 0.5 - 0.5 * (std::f32::consts::TAU * n as f32 / WINDOW as f32).cos();
        Howl {
            rate,
            fourier: Fft::new(WINDOW).expect("a power of two"),
            window: (0..WINDOW).map(hann).collect(),
            frames: VecDeque::with_capacity(WINDOW + 1),
            points: vec![[0.0; 2]; WINDOW],
            spectra: VecDeque::new(),
            loud: 0,
            aim: 1.0,
            gain: 1.0,
            hold: 0,
        }
    }

    /// Whether the microphone is turned down.
    pub fn is_soft(&self) -> bool {
        self.gain < 1.0
    }

    /// This was captured, and this is played at the same time: the frequency of what howls, in hertz, when it is noticed. The microphone is a
    /// quarter as loud from then on, and as before some seconds after that.
    pub fn listen(&mut self, near: &[i16], far: &[i16]) -> Option<f64> {
        let mut found = None;
        for (near, far) in near.chunks_exact(2).zip(far.chunks_exact(2)) {
            let mono = |frame: &[i16]| (f32::from(frame[0]) + f32::from(frame[1])) / 65_536.0;
            self.frames.push_back([mono(near), mono(far)]);
            if self.frames.len() == WINDOW {
                found = self.look().or(found);
                self.frames.drain(..HOP);
            }
        }
        if found.is_some() {
            (self.aim, self.hold) = ((self.aim * SOFTER).max(SOFTEST), 3 * self.rate as usize);
            self.spectra.clear();
            self.loud = 0;
        }
        found
    }

    /// Makes what was captured as loud as it may be now: unchanged to the last bit where nothing howls.
    pub fn soften(&mut self, near: &mut [i16]) {
        for frame in near.chunks_exact_mut(2) {
            if self.hold > 0 {
                self.hold -= 1;
            } else if self.aim < 1.0 {
                self.aim = (self.aim * (1.0 + RECOVERS / self.rate as f32)).min(1.0);
            }
            if self.gain == 1.0 && self.aim == 1.0 {
                continue;
            }
            // down within some milliseconds, up with the aim
            let toward = self.gain + (self.aim - self.gain) * (300.0 / self.rate as f32);
            self.gain = if (toward - self.aim).abs() < 1e-4 { self.aim } else { toward };
            frame.iter_mut().for_each(|x| *x = (f32::from(*x) * self.gain).round() as i16);
        }
    }

    fn look(&mut self) -> Option<f64> {
        for ((point, frame), window) in self.points.iter_mut().zip(&self.frames).zip(&self.window) {
            *point = frame.map(|x| x * window);
        }
        // two real signals as one complex one: their spectra are its even and its odd part
        let spectrum = self.fourier.transform(&self.points);
        let scale = (4.0 / WINDOW as f32).powi(2); // a sine at full scale has power 1
        let power = |bin: usize| {
            let ([a, b], [c, d]) = (spectrum[bin], spectrum[WINDOW - bin]);
            let square = |x: f32, y: f32| (x * x + y * y) * 0.25 * scale;
            [square(a + c, b - d), square(b + d, c - a)]
        };
        let mut spectra = if self.spectra.len() == LOOKS {
            self.spectra.pop_back().unwrap_or_default()
        } else {
            Vec::new()
        };
        spectra.clear();
        spectra.extend((0..BINS).map(|bin| if bin == 0 { [0.0; 2] } else { power(bin) }));
        self.spectra.push_front(spectra);
        let bin = self.peaks().find(|bin| self.howls(*bin));
        let loud = self.peaks().next().filter(|bin| self.both(|end| self.level(0, *bin, end) > -8.0));
        self.loud = if loud.is_some() { self.loud + 1 } else { 0 };
        let bin = bin.or(loud.filter(|_| self.loud >= LOUD))?;
        Some(bin as f64 * f64::from(self.rate) / WINDOW as f64)
    }

    fn both(&self, holds: impl Fn(usize) -> bool) -> bool {
        holds(0) && holds(1)
    }

    /// The bins in which most of what is sent lies now, the first three, where they are narrow peaks at both ends.
    fn peaks(&self) -> impl Iterator<Item = usize> {
        let now = &self.spectra[0];
        let is_top = |bin: &usize| around(*bin).all(|other| now[other][0] <= now[*bin][0]);
        let mut tops: Vec<usize> = (LOWEST..BINS - 4).filter(is_top).collect();
        tops.sort_by(|a, b| now[*b][0].total_cmp(&now[*a][0]));
        let all = [0, 1].map(|end| now[LOWEST..].iter().map(|power| power[end]).sum::<f32>() + 1e-12);
        tops.truncate(3);
        let is_narrow = |bin: &usize| {
            self.both(|end| {
                let own: f32 = around(*bin).map(|bin| now[bin][end]).sum();
                let beside = now[(bin + 4).min(BINS - 1)][end].max(now[bin.saturating_sub(4)][end]);
                own > ALONE * all[end] && now[*bin][end] > 15.0 * beside
            })
        };
        tops.retain(is_narrow);
        tops.into_iter()
    }

    /// Whether a tone is loud enough to be heard and grows at both ends.
    fn howls(&self, bin: usize) -> bool {
        self.both(|end| self.level(0, bin, end) > -42.0) && self.both(|end| self.grows(bin, end))
    }

    /// Decibels below full scale around a bin, so many looks ago.
    fn level(&self, ago: usize, bin: usize, end: usize) -> f32 {
        let power: f32 = around(bin).map(|bin| self.spectra[ago][bin][end]).sum();
        // the window spreads a tone over bins whose powers sum up to one and a half
        10.0 * (power / 1.5 + 1e-9).log10()
    }

    /// Whether the tone grew to what it is by going up only, and by no single jump.
    fn grows(&self, bin: usize, end: usize) -> bool {
        let levels: Vec<f32> = (0..self.spectra.len()).map(|ago| self.level(ago, bin, end)).collect();
        let (mut lowest, mut fallen, mut began) = (levels[0], 0.0, 0);
        for (ago, pair) in levels.windows(2).enumerate() {
            fallen += (pair[1] - pair[0]).max(0.0);
            if fallen > 2.5 {
                break;
            }
            if pair[1] < lowest {
                (lowest, began) = (pair[1], ago + 1);
            }
        }
        let rise = levels[0] - lowest;
        let jump = levels[..=began].windows(4).map(|part| part[0] - part[3]).fold(0.0, f32::max);
        // a factor each time round is a straight line in decibels; whoever turns a knob evenly is quicker at first
        let grown = levels[..=began].iter().take_while(|level| **level > levels[0] - 1.0).count();
        let middle = levels[(grown + began) / 2];
        let straight = levels[0] - middle > 0.4 * rise;
        rise > 11.0 && jump < 0.6 * rise && began >= 6 && grown <= 12 && straight
    }
}

fn around(bin: usize) -> std::ops::Range<usize> {
    bin.saturating_sub(3).max(1)..(bin + 4).min(BINS)
}

/// Frames that are looked at together, and from one look to the next.
const WINDOW: usize = 2_048;
const HOP: usize = 1_024;
/// Bins that are looked at: up to 13 kHz, and those where tones howl.
const BINS: usize = 600;
const LOWEST: usize = 4;
/// Looks that are remembered: about a second.
const LOOKS: usize = 44;
/// A tone of such a share of the power is no other's harmonic.
const ALONE: f32 = 0.15;
/// So many looks at a loud tone at both ends, half a second: it has long stopped growing.
const LOUD: u32 = 20;
/// By what a microphone is turned down, and to what at last.
const SOFTER: f32 = 0.25;
const SOFTEST: f32 = 0.03;
/// Of its gain, so much more a second afterwards: 2 dB.
const RECOVERS: f32 = 0.26;
