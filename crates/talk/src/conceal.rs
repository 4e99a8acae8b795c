//! Makes up what was lost: the last period of what was heard goes on, fades, and gives way to what comes again.

/// Follows what is played and fills its gaps.
#[derive(Clone, Debug)]
pub struct Conceal {
    channels: usize,
    rate: u32,
    /// The end of what was played, interleaved.
    history: Vec<f32>,
    /// Frames made up since the last real one.
    made_up: usize,
    /// Frames of the period that is repeated.
    period: usize,
}

impl Conceal {
    /// For interleaved blocks of `channels` channels at `rate`; the first follows silence.
    pub fn new(channels: usize, rate: u32) -> Conceal {
        let channels = channels.max(1);
        let frames = (2 * longest(rate) + template(rate)).max(8);
        Conceal { channels, rate, history: vec![0.0; frames * channels], made_up: 0, period: 1 }
    }

    /// A block that came is about to be played; after a gap its beginning is blended with what was made up.
    pub fn heard(&mut self, block: &mut [i16]) {
        if self.made_up > 0 {
            let fade = (self.rate as usize / 200).min(block.len() / self.channels); // 5 ms
            let made_up = self.continuation(fade);
            for (frame, made) in made_up.chunks_exact(self.channels).enumerate() {
                let share = (frame + 1) as f32 / (fade + 1) as f32;
                let out = &mut block[frame * self.channels..][..self.channels];
                for (out, made) in out.iter_mut().zip(made) {
                    *out = saturate(f32::from(*out) * share + made * (1.0 - share));
                }
            }
            self.made_up = 0;
        }
        self.remember(block);
    }

    /// Makes up a block.
    pub fn lost(&mut self, block: &mut [i16]) {
        if self.made_up == 0 {
            self.period = self.find_period();
        }
        let made_up = self.continuation(block.len() / self.channels);
        block.iter_mut().zip(&made_up).for_each(|(out, made)| *out = saturate(*made));
        self.made_up += block.len() / self.channels;
        if self.made_up >= self.silent_after() {
            self.remember(block); // silence, which has no period
        }
    }

    /// Whether what is played is made up.
    pub fn is_making_up(&self) -> bool {
        self.made_up > 0
    }

    /// What would follow, were the last period repeated and faded. Where one copy meets the next they are blended.
    fn continuation(&self, frames: usize) -> Vec<f32> {
        let (channels, period) = (self.channels, self.period);
        let total = self.history.len() / channels;
        let blend = (period / 4).max(1);
        let at = |frame: usize, channel: usize| self.history[frame * channels + channel];
        let mut out = Vec::with_capacity(frames * channels);
        for n in self.made_up..self.made_up + frames {
            let phase = n % period;
            let gain = self.gain(n);
            for channel in 0..channels {
                let mut x = at(total - period + phase, channel);
                if phase >= period - blend {
                    let share = (phase - (period - blend) + 1) as f32 / (blend + 1) as f32;
                    // what came before the period leads into it
                    x += (at(total - 2 * period + phase, channel) - x) * share;
                }
                out.push(x * gain);
            }
        }
        out
    }

    /// How loud the `n`th frame is that is made up: ten milliseconds as before, then less.
    fn gain(&self, n: usize) -> f32 {
        let (full, end) = (self.rate as usize / 100, self.silent_after());
        if n <= full { 1.0 } else { (end.saturating_sub(n)) as f32 / (end - full) as f32 }
    }

    fn silent_after(&self) -> usize {
        self.rate as usize * 12 / 100
    }

    /// The lag at which the last milliseconds resemble what came before most.
    fn find_period(&self) -> usize {
        let total = self.history.len() / self.channels;
        let mono: Vec<f32> =
            self.history.chunks_exact(self.channels).map(|frame| frame.iter().sum::<f32>()).collect();
        let template_frames = template(self.rate);
        let end = &mono[total - template_frames..];
        let alike = |lag: usize| {
            let before = &mono[total - template_frames - lag..total - lag];
            let (mut product, mut energy) = (0.0, 1.0);
            for (a, b) in end.iter().zip(before).step_by(2) {
                product += a * b;
                energy += b * b;
            }
            product / energy.sqrt()
        };
        let lags = shortest(self.rate)..=longest(self.rate);
        lags.max_by(|a, b| alike(*a).total_cmp(&alike(*b))).unwrap_or(1)
    }

    fn remember(&mut self, block: &[i16]) {
        let keep = self.history.len();
        let new = block.len().min(keep);
        self.history.copy_within(new.., 0);
        let end = &mut self.history[keep - new..];
        end.iter_mut().zip(&block[block.len() - new..]).for_each(|(x, sample)| *x = f32::from(*sample));
    }
}

fn saturate(x: f32) -> i16 {
    x.round() as i16
}

/// 2.5 ms, a voice of 400 Hz.
fn shortest(rate: u32) -> usize {
    (rate as usize / 400).max(2)
}

/// 16 ms, a voice of 62 Hz.
fn longest(rate: u32) -> usize {
    (rate as usize * 16 / 1000).max(3)
}

/// 12 ms.
fn template(rate: u32) -> usize {
    (rate as usize * 12 / 1000).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(frames: std::ops::Range<usize>) -> Vec<i16> {
        let sample = |n: usize| (std::f32::consts::TAU * 220.0 * n as f32 / 44_100.0).sin() * 8_000.0;
        frames.flat_map(|n| [sample(n) as i16; 2]).collect()
    }

    #[test]
    fn a_tone_goes_on_through_a_short_gap() {
        let mut conceal = Conceal::new(2, 44_100);
        (0..8).for_each(|block| conceal.heard(&mut tone(block * 512..(block + 1) * 512)));
        let mut gap = vec![0; 1024];
        conceal.lost(&mut gap);
        let truth = tone(8 * 512..9 * 512);
        let noise: f64 = gap.iter().zip(&truth).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        let signal: f64 = truth.iter().map(|x| f64::from(*x).powi(2)).sum();
        assert!(noise < signal / 30.0, "{:.1} dB", 10.0 * (signal / noise).log10());
        let mut next = tone(9 * 512..10 * 512);
        conceal.heard(&mut next);
        let jump = (i32::from(next[0]) - i32::from(gap[1022])).abs();
        assert!(jump < 1_500, "{jump}");
    }

    #[test]
    fn a_long_gap_falls_silent_and_stays_so() {
        let mut conceal = Conceal::new(2, 44_100);
        (0..8).for_each(|block| conceal.heard(&mut tone(block * 512..(block + 1) * 512)));
        let mut gap = vec![0; 1024];
        (0..20).for_each(|_| conceal.lost(&mut gap));
        assert!(gap.iter().all(|sample| *sample == 0));
    }
}
