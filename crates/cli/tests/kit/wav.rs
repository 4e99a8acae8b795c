//! Sounds that tests make, and the files they lie in.

use anyhow::{Result, ensure};
use std::path::Path;

/// Tones that glide, different for each seed: no part of them sounds like another.
pub fn song(seed: f64, seconds: usize) -> Vec<i16> {
    let frame = |n: usize| {
        let t = n as f64 / 44_100.0;
        let tone = |hertz: f64, phase: f64| {
            6_000.0
                * (std::f64::consts::TAU * hertz * t + 2_000.0 * (t * (0.3 + seed * 0.1) + phase).sin()).sin()
        };
        [tone(330.0 + 50.0 * seed, 0.0) as i16, tone(660.0 - 40.0 * seed, 1.0) as i16]
    };
    (0..seconds * 44_100).flat_map(frame).collect()
}

/// Writes `samples`, left and right in turn, as a file of 44.1 kHz.
pub fn write_wav(path: &Path, samples: &[i16]) -> Result<()> {
    let bytes: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
    let length = bytes.len() as u32;
    let mut wav = b"RIFF".to_vec();
    wav.extend((length + 36).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0\x44\xac\0\0\x10\xb1\x02\0\x04\0\x10\0data");
    wav.extend(length.to_le_bytes());
    wav.extend(bytes);
    Ok(std::fs::write(path, wav)?)
}

/// The samples of such a file; its head must say how long it is.
pub fn read_wav(path: &Path) -> Result<Vec<i16>> {
    let bytes = std::fs::read(path)?;
    ensure!(bytes.len() > 44 && &bytes[36..40] == b"data", "{} is no WAV file", path.display());
    let length = u32::from_le_bytes(bytes[40..44].try_into()?) as usize;
    ensure!(length == bytes.len() - 44, "{}: {length} of {}", path.display(), bytes.len());
    Ok(bytes[44..].as_chunks::<2>().0.iter().map(|x| i16::from_le_bytes(*x)).collect())
}
