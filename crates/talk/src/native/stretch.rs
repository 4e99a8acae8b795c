//! Makes sound longer or shorter by a period of itself, so that the delay changes and nothing jumps.

/// Holds what is about to be played, with what was played just before. Interleaved stereo.
#[derive(Debug)]
pub struct Stretch {
    sound: Vec<f32>,
    /// Frames in front that were played.
    played: usize,
    longest: usize,
    shortest: usize,
}

impl Stretch {
    /// For sound of this rate.
    pub fn new(rate: u32) -> Stretch {
        let (longest, shortest) = (rate as usize * 15 / 1_000, rate as usize / 400); // 67 to 400 Hz
        Stretch { sound: vec![0.0; 2 * 2 * longest], played: 2 * longest, longest, shortest }
    }

    /// Appends what is to be played.
    pub fn push(&mut self, block: &[i16]) {
        self.sound.extend(block.iter().map(|x| f32::from(*x)));
    }

    /// Frames that were not played.
    pub fn waiting(&self) -> usize {
        self.sound.len() / 2 - self.played
    }

    /// What is to be played, which then was.
    pub fn take(&mut self, play: impl FnOnce(&[f32])) {
        play(&self.sound[2 * self.played..]);
        let keep = 2 * self.longest;
        let frames = self.sound.len() / 2;
        self.sound.drain(..2 * (frames - keep));
        self.played = keep;
    }

    /// Says some of what waits twice, `by` seconds or a little more: so many frames more, none where nothing resembles it enough. `urgent`:
    /// whatever resembles it most.
    pub fn lengthen(&mut self, urgent: bool, by: f64) -> usize {
        let blend = self.waiting().min(self.shortest);
        let at = self.played;
        let reach = self.reach(by).min(at);
        let Some(lag) = self.resembling(at, blend, urgent, |lag| at.checked_sub(lag), reach) else {
            return 0;
        };
        // from here on: a cross-fade to what came a period before, which leads here again
        let mut made = Vec::with_capacity(2 * (lag + blend));
        self.blend(at, at - lag, blend, &mut made);
        made.extend_from_slice(&self.sound[2 * (at - lag + blend)..2 * at]);
        // blend ≤ lag, so that all of the repetition is there; then all that waits
        self.sound.splice(2 * at..2 * at, made);
        lag
    }

    /// Leaves some of what waits out: so many frames less, none where nothing resembles it enough or too little waits.
    pub fn shorten(&mut self, urgent: bool, by: f64) -> usize {
        let blend = self.waiting().min(self.shortest);
        let at = self.played;
        let reach = self.waiting().saturating_sub(blend).min(self.reach(by));
        let Some(lag) = self.resembling(at, blend, urgent, |lag| Some(at + lag), reach) else { return 0 };
        let mut made = Vec::with_capacity(2 * blend);
        self.blend(at, at + lag, blend, &mut made);
        self.sound.splice(2 * at..2 * (at + lag + blend), made);
        lag
    }

    /// How many frames a change by so many seconds may be at most.
    fn reach(&self, by: f64) -> usize {
        let frames = (by.max(0.0) * 66.7 * self.longest as f64) as usize; // the longest is 15 ms
        (frames + self.shortest + self.shortest / 2).min(self.longest)
    }

    /// `frames` frames of the sound at `from` that give way to that at `to`.
    fn blend(&self, from: usize, to: usize, frames: usize, out: &mut Vec<f32>) {
        for n in 0..frames {
            let share = (n as f32 + 0.5) / frames as f32;
            for channel in 0..2 {
                let (a, b) = (self.sound[2 * (from + n) + channel], self.sound[2 * (to + n) + channel]);
                out.push(a + (b - a) * share);
            }
        }
    }

    /// The distance, up to `reach`, at which the sound resembles that at `at` most.
    fn resembling(
        &self,
        at: usize,
        length: usize,
        urgent: bool,
        place: impl Fn(usize) -> Option<usize>,
        reach: usize,
    ) -> Option<usize> {
        let mono = |frame: usize| self.sound[2 * frame] + self.sound[2 * frame + 1];
        let here: Vec<f32> = (at..at + length).map(mono).collect();
        let loud = here.iter().map(|x| x * x).sum::<f32>() + 1.0;
        let mut best = None;
        for lag in (self.shortest..=reach).filter(|lag| *lag >= length) {
            let from = place(lag)?;
            let (mut product, mut energy) = (0.0, 1.0);
            for (n, x) in here.iter().enumerate() {
                let y = mono(from + n);
                (product, energy) = (product + x * y, energy + y * y);
            }
            let alike = product / (loud * energy).sqrt();
            if best.is_none_or(|(most, _)| alike > most) {
                best = Some((alike, lag));
            }
        }
        let quiet = loud < 2_000.0 * length as f32; // some 60 dB below the loudest
        best.filter(|(alike, _)| urgent || quiet || *alike > 0.8).map(|(_, lag)| lag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone of 210 frames a period.
    fn tone(frames: std::ops::Range<usize>) -> Vec<i16> {
        frames
            .flat_map(|n| [((n as f32 / 210.0 * std::f32::consts::TAU).sin() * 9_000.0) as i16; 2])
            .collect()
    }

    fn jump(sound: &[f32]) -> f32 {
        sound
            .chunks_exact(2)
            .zip(sound.chunks_exact(2).skip(1))
            .map(|(a, b)| (a[0] - b[0]).abs())
            .fold(0.0, f32::max)
    }

    #[test]
    fn a_tone_stays_smooth_while_its_length_changes() {
        for shorter in [false, true] {
            let mut stretch = Stretch::new(44_100);
            let (mut out, mut changed, mut began) = (Vec::new(), 0_i64, 0);
            for block in 0..200 {
                stretch.push(&tone(block * 240..(block + 1) * 240));
                if block % 4 != 0 {
                    continue;
                }
                if block > 20 {
                    changed += match shorter {
                        true => -(stretch.shorten(false, 0.01) as i64),
                        false => stretch.lengthen(false, 0.01) as i64,
                    };
                }
                stretch.take(|sound| out.extend_from_slice(sound));
                began += usize::from(block == 0);
            }
            assert!(changed.abs() > 40 * 200 && changed.abs() % 210 < 45 * 3, "{changed}");
            assert_eq!(out.len() as i64 / 2, 197 * 240 + changed);
            assert!(jump(&out[1_000..]) < 400.0, "{}, {began}", jump(&out[1_000..]));
        }
    }

    #[test]
    fn noise_is_left_alone_until_it_is_urgent() {
        let mut state = 1_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as i16
        };
        let mut stretch = Stretch::new(44_100);
        stretch.push(&(0..4_000).map(|_| noise()).collect::<Vec<i16>>());
        stretch.take(|_| ());
        stretch.push(&(0..480).map(|_| noise()).collect::<Vec<i16>>());
        assert_eq!(stretch.lengthen(false, 0.01), 0);
        let more = stretch.lengthen(true, 0.01);
        assert!(more > 0 && stretch.waiting() == 240 + more);
    }
}
