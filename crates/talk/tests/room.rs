//! A virtual room between loudspeaker and microphone: echo is cancelled, voices are kept, howling is noticed, music is left alone.
#![allow(clippy::unwrap_used)] // a test may fail so

use levada_talk::{Echo, Howl, Near, Place};
use std::f32::consts::TAU;

/// Numbers that look like chance, between -1 and 1.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32) / (1 << 23) as f32 - 1.0
    }
}

/// Somebody speaks: syllables of a buzz with formants that change, and of noise, with pauses.
fn voice(rate: u32, seconds: f32, seed: u64, pitch: f32) -> Vec<f32> {
    let (mut dice, rate) = (Dice(seed), rate as f32);
    let mut out = Vec::new();
    while (out.len() as f32) < seconds * rate {
        let (frames, buzzes) = ((rate * (0.16 + 0.06 * dice.roll())) as usize, dice.roll() > -0.6);
        let hertz = pitch * (1.0 + 0.2 * dice.roll());
        let formants =
            [500.0 + 250.0 * dice.roll(), 1_500.0 + 600.0 * dice.roll(), 2_600.0 + 300.0 * dice.roll()];
        let (mut state, mut phase) = ([[0.0_f32; 2]; 3], 0.0_f32);
        for n in 0..frames {
            phase += hertz / rate;
            let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
            phase = phase.fract();
            let drive = if buzzes { pulse + 0.01 * dice.roll() } else { 0.12 * dice.roll() };
            let mut sound = 0.0;
            for (formant, state) in formants.iter().zip(&mut state) {
                let (r, w) = (0.985_f32, TAU * formant / rate);
                let y = drive + 2.0 * r * w.cos() * state[0] - r * r * state[1];
                *state = [y, state[0]];
                sound += y * w.sin();
            }
            out.push(sound * (TAU / 2.0 * n as f32 / frames as f32).sin() * 0.12);
        }
        let pause = if dice.roll() > 0.5 { rate * 0.25 } else { rate * 0.03 };
        out.extend(std::iter::repeat_n(0.0, pause as usize));
    }
    out
}

/// A loudspeaker and a microphone, which like one frequency most.
#[derive(Default)]
struct Resonance {
    state: [f32; 2],
}

impl Resonance {
    /// Three times as loud at 1,150 Hz, a quarter of an octave wide, than elsewhere.
    fn next(&mut self, rate: u32, x: f32) -> f32 {
        let (r, w) = (1.0 - 300.0 / rate as f32, TAU * 1_150.0 / rate as f32);
        let y = x + 2.0 * r * w.cos() * self.state[0] - r * r * self.state[1];
        let [last, before] = self.state;
        self.state = [y, last];
        x / 3.0 + (y - before) * (1.0 - r) * 0.67
    }
}

/// Walls: what was played comes back for a tenth of a second, after so many seconds, at such a gain.
struct Room {
    echoes: Vec<(usize, f32)>,
    played: Vec<f32>,
}

impl Room {
    fn new(rate: u32, delay: f32, gain: f32) -> Room {
        let mut dice = Dice(99);
        let first = (delay * rate as f32) as usize;
        let wall = |n: usize| {
            let after = (n * n) as f32 / 2_000.0 * rate as f32 / 1_000.0; // denser at first
            (first + after as usize, gain * dice.roll() * (-(n as f32) / 6.0).exp())
        };
        let mut echoes: Vec<_> = (1..18).map(wall).collect();
        echoes.push((first, gain));
        Room { echoes, played: Vec::new() }
    }

    /// What the microphone hears of the loudspeaker while this is played.
    fn hear(&mut self, played: &[i16]) -> Vec<f32> {
        let before = self.played.len();
        self.played.extend(played.chunks_exact(2).map(|frame| f32::from(frame[0]) / 32_768.0));
        let at = |n: usize| {
            let heard = self.echoes.iter().map(|(delay, gain)| {
                let place = n.checked_sub(*delay);
                place.map_or(0.0, |place| gain * self.played[place])
            });
            heard.sum::<f32>()
        };
        (before..self.played.len()).map(at).collect()
    }
}

fn block(sound: &[f32], n: usize, frames: usize) -> Vec<i16> {
    (n * frames..(n + 1) * frames)
        .flat_map(|frame| {
            [(sound.get(frame).unwrap_or(&0.0) * 32_000.0).clamp(-32_768.0, 32_767.0) as i16; 2]
        })
        .collect()
}

fn sum(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

fn stereo(sound: &[f32]) -> Vec<i16> {
    sound.iter().flat_map(|x| [(x * 32_768.0).clamp(-32_768.0, 32_767.0) as i16; 2]).collect()
}

fn left(block: &[i16]) -> impl Iterator<Item = f32> + '_ {
    block.chunks_exact(2).map(|frame| f32::from(frame[0]) / 32_768.0)
}

fn power(sound: &[f32]) -> f64 {
    sound.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / sound.len().max(1) as f64
}

fn db(ratio: f64) -> f64 {
    10.0 * ratio.log10()
}

/// What a microphone in such a room hears, and what becomes of it, when the far end says `far` and the near end `near`.
fn talk(rate: u32, frames: usize, delay: f32, far: &[f32], near: &[f32]) -> (Vec<f32>, Vec<f32>, f64) {
    let (mut room, mut echo) = (Room::new(rate, delay, 0.35), Echo::new(rate, frames));
    let (mut heard, mut sent, mut hiss) = (Vec::new(), Vec::new(), Dice(5));
    let mut microphone = vec![0.0; frames];
    for n in 0..far.len() / frames {
        let near = &near[n * frames..(n + 1) * frames];
        let said: Vec<f32> = sum(&microphone, near).iter().map(|x| x + 0.0003 * hiss.roll()).collect();
        heard.extend_from_slice(&said);
        let mut captured = stereo(&said);
        echo.captured(&mut captured);
        sent.extend(left(&captured));
        let played = block(far, n, frames);
        echo.played(&played);
        microphone = room.hear(&played);
    }
    (heard, sent, echo.delay())
}

#[test]
fn echo_is_gone_by_twenty_decibels_once_the_room_is_known() {
    for (rate, frames, delay) in [(44_100, 240, 0.040), (48_000, 480, 0.120), (44_100, 1_024, 0.012)] {
        let far = voice(rate, 9.0, 1, 120.0);
        let (heard, sent, _) = talk(rate, frames, delay, &far, &vec![0.0; far.len()]);
        let from = 5 * rate as usize;
        let erle = db(power(&heard[from..]) / power(&sent[from..]).max(1e-12));
        println!("{rate} {frames} {delay}: {erle:.1} dB");
        assert!(erle > 20.0, "{rate}, {frames}, {delay}: {erle:.1} dB");
    }
}

/// How much of `sent` is `near`, some time later: the share of its loudness that resembles it, and the lag.
fn kept(near: &[f32], sent: &[f32], most: usize) -> (f64, usize) {
    let alike = |lag: usize| {
        let pairs = near.iter().zip(&sent[lag..]);
        pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
    };
    let lag = (0..most).max_by(|a, b| alike(*a).total_cmp(&alike(*b))).unwrap();
    let sent = &sent[lag..lag + near.len()];
    (alike(lag) / (power(near) * power(sent)).sqrt() / near.len() as f64, lag)
}

#[test]
fn when_both_speak_the_near_voice_is_kept() {
    let (rate, frames) = (44_100, 240);
    let far = voice(rate, 9.0, 1, 120.0);
    let from = 5 * rate as usize;
    let mut near = vec![0.0; far.len()];
    let said = voice(rate, 9.0, 7, 210.0);
    let most = far.len().min(said.len());
    near[from..most].copy_from_slice(&said[from..most]);
    let (heard, sent, delay) = talk(rate, frames, 0.04, &far, &near);
    let until = near.len() - 4_000;
    let (share, lag) = kept(&near[from..until], &sent[from..], 2_000);
    let alone = talk(rate, frames, 0.04, &vec![0.0; far.len()], &near).1;
    let before = kept(&near[from..until], &heard[from..], 2_000).0;
    // with nobody at the far end: what noise suppression and gain do to it
    let (same, apart) = kept(&alone[from..until], &sent[from..], 100);
    println!("like alone by {same:.3}, {apart}, {:.1} dB", db(power(&sent[from..]) / power(&alone[from..])));
    let louder = db(power(&sent[from..]) / power(&near[from..]));
    println!(
        "resembles by {before:.3} before, by {share:.3} after, {louder:.1} dB, {lag} frames; {delay:.4} s said"
    );
    assert!(share > 0.6 && same > 0.8 && louder.abs() < 8.0, "{share:.3}, {same:.3}, {louder:.1} dB");
    // it says how much later it makes sound
    assert!((lag as f64 / f64::from(rate) - delay).abs() < 0.002, "{lag} frames, {delay} s");
}

#[test]
fn where_it_is_off_every_sample_stays_as_it_is() {
    let mut near = Near::new(Place { echo: false, feedback: true }, 44_100, 240);
    let sound = voice(44_100, 3.0, 3, 150.0);
    for n in 0..sound.len() / 240 {
        let captured = block(&sound, n, 240);
        assert_eq!(near.captured(&captured), captured);
        assert_eq!(near.played(&block(&sound, n / 2, 240)), None);
    }
    assert!(near.delay() == 0.0);
}

/// Two rooms whose loudspeakers and microphones make a loop, with somebody who speaks in one: seconds until it is noticed at both ends
/// after it was loud at both, negative where before, and the loudest that the last half second is.
fn howls(gain: f32, network: f32) -> (Option<f32>, f32) {
    let (rate, frames) = (44_100, 240);
    let mut ends: Vec<_> = (0..2)
        .map(|n| {
            let near = Near::new(Place { echo: false, feedback: true }, rate, frames);
            (near, Room::new(rate, 0.012 + 0.003 * n as f32, 0.2), Resonance::default())
        })
        .collect();
    let said = voice(rate, 8.0, 4, 130.0);
    let on_way = (network * rate as f32 / frames as f32) as usize;
    let mut ways =
        [(); 2].map(|()| std::collections::VecDeque::from(vec![vec![0_i16; 2 * frames]; on_way.max(1)]));
    let mut microphones = [vec![0.0; frames], vec![0.0; frames]];
    let (mut noticed, mut loudest, mut loud) = (None, 0.0_f32, [None; 2]);
    let began = 2.0;
    for n in 0..8 * rate as usize / frames {
        let now = n as f32 * frames as f32 / rate as f32;
        for end in 0..2 {
            let (near, room, resonance) = &mut ends[end];
            let louder = if now < began { 0.5 } else { gain };
            let mut heard: Vec<f32> = microphones[end].iter().map(|x| x * louder).collect();
            if end == 0 {
                heard = sum(&heard, &said[n * frames..(n + 1) * frames]);
            }
            let sent = near.captured(&stereo(&heard)).to_vec();
            let played = ways[end].pop_front().unwrap();
            ways[1 - end].push_back(sent);
            if near.played(&played).is_some() {
                assert!(now > began, "it did not howl yet");
                noticed = noticed.or(Some(now));
            }
            if left(&played).any(|x| x.abs() > 0.3) {
                loud[end] = loud[end].or(Some(now));
            }
            microphones[end] = room.hear(&played).iter().map(|x| resonance.next(rate, *x)).collect();
            if now > 7.5 {
                loudest = loudest.max(left(&played).fold(0.0, |a, b| a.max(b.abs())));
            }
        }
    }
    let since = loud[0].zip(loud[1]).map_or(8.0, |(a, b): (f32, f32)| a.max(b));
    (noticed.map(|noticed| noticed - since), loudest)
}

#[test]
fn howling_is_noticed_within_a_second_of_being_heard_and_stops() {
    for (gain, network) in [(6.0, 0.02), (8.0, 0.08), (14.0, 0.02), (9.0, 0.15)] {
        let (noticed, loudest) = howls(gain, network);
        println!("gain {gain}, {network} s: noticed {noticed:?} s after it was loud, then {loudest:.3}");
        assert!(noticed.is_some_and(|after| after < 1.0), "gain {gain}, {network} s: {noticed:?}");
        assert!(loudest < 0.6, "gain {gain}, {network} s: {loudest}");
    }
}

/// Notes of an instrument: harmonics with these gains, an attack and a swell.
fn music(rate: u32, harmonics: &[f32], attack: f32, swell: f32, vibrato: f32) -> Vec<f32> {
    let mut out = Vec::new();
    for (note, hertz) in [220.0, 392.0, 880.0, 1_318.5, 587.3].into_iter().enumerate() {
        let (rate, mut phase) = (rate as f32, 0.0_f32);
        let frames = (rate * 1.7) as usize;
        for n in 0..frames {
            let t = n as f32 / rate;
            phase += hertz * (1.0 + vibrato * (TAU * 5.5 * t).sin()) / rate;
            let loud = (t / attack).min(1.0) * (0.25 + swell * t) * ((1.7 - t) / 0.08).min(1.0);
            let tone: f32 = harmonics
                .iter()
                .enumerate()
                .map(|(k, gain)| gain * (TAU * (k + 1) as f32 * phase).sin())
                .sum();
            out.push(loud * tone * if note % 2 == 0 { 1.0 } else { 0.6 });
        }
    }
    out
}

#[test]
fn music_with_long_tones_is_not_taken_for_howling() {
    let rate = 44_100;
    let kinds: [(&str, &[f32], f32, f32, f32); 6] = [
        ("a pure organ", &[1.0], 0.03, 0.0, 0.0),
        ("strings that swell", &[0.6, 0.4, 0.3, 0.2, 0.1], 0.3, 0.3, 0.004),
        ("a flute", &[0.9, 0.15, 0.05], 0.12, 0.15, 0.006),
        ("whistling", &[1.0], 0.1, 0.1, 0.01),
        ("a theremin that swells slowly", &[1.0], 0.8, 0.3, 0.008),
        ("a synthesizer", &[0.5, 0.0, 0.3, 0.0, 0.2], 0.005, 0.0, 0.0),
    ];
    for (name, harmonics, attack, swell, vibrato) in kinds {
        let sound = music(rate, harmonics, attack, swell, vibrato);
        // it is played, and the microphone hears it; or a musician plays, and it comes back from the other end
        for echo in [0.05, 0.6] {
            let (mut howl, mut room) = (Howl::new(rate), Room::new(rate, 0.03, echo));
            for n in 0..sound.len() / 240 {
                let played = block(&sound, n, 240);
                let heard = stereo(&room.hear(&played));
                let found = howl.listen(&heard, &played);
                assert_eq!(found, None, "{name} at {:.2} s, echo {echo}", n as f32 * 240.0 / 44_100.0);
            }
        }
    }
}
