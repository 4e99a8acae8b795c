//! Devices that are files, tones and pipes.
#![allow(clippy::unwrap_used)] // a test may fail so

use levada_device::{Error, Form, Pipe, Sink, Source};
use std::path::{Path, PathBuf};

const FORM: Form = Form { rate: 44_100, channels: 2, block: 1024 };

fn clip(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../media").join(name).display().to_string()
}

/// A file that is gone when the test is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        Scratch(std::env::temp_dir().join(format!("levada-device-{}-{name}", std::process::id())))
    }

    fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}

fn all(source: &mut Source) -> Vec<i16> {
    let (mut all, mut block) = (Vec::new(), vec![0; 2048]);
    while source.read(&mut block) {
        all.extend_from_slice(&block);
        assert!(all.len() < 1 << 25, "no file is so long");
    }
    all
}

fn loudness(samples: &[i16]) -> f64 {
    let sum: f64 = samples.iter().map(|x| f64::from(*x).powi(2)).sum();
    (sum / samples.len() as f64).sqrt()
}

#[test]
fn what_is_written_as_wav_is_read_again() {
    let scratch = Scratch::new("tone.wav");
    let mut sink = Sink::open(scratch.name(), FORM).unwrap();
    let mut tone = Source::open("tone:440", FORM).unwrap();
    let (mut said, mut block) = (Vec::new(), vec![0; 2048]);
    for _ in 0..50 {
        assert!(tone.read(&mut block));
        sink.write(&block).unwrap();
        said.extend_from_slice(&block);
    }
    sink.finish().unwrap();
    let heard = all(&mut Source::open(scratch.name(), FORM).unwrap());
    assert_eq!(heard, said);
}

#[test]
fn compressed_files_come_at_the_rate_that_is_wanted() {
    for (name, rates) in [("chords.ogg", [44_100, 8_000]), ("chords.mp3", [44_100, 48_000])] {
        let lengths: Vec<f64> = rates
            .into_iter()
            .map(|rate| {
                let form = Form { rate, ..FORM };
                let heard = all(&mut Source::open(&clip(name), form).unwrap());
                assert!(loudness(&heard) > 300.0, "{name} at {rate}");
                heard.len() as f64 / 2.0 / f64::from(rate)
            })
            .collect();
        assert!(lengths.iter().all(|length| (length - lengths[0]).abs() < 0.2), "{name}: {lengths:?}");
    }
}

#[test]
fn a_pipe_gives_what_comes_and_ends() {
    let said: Vec<i16> = (0..4096).collect();
    let bytes: Vec<u8> = said.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut pipe = Pipe::new(std::io::Cursor::new(bytes), FORM);
    let (mut heard, mut block) = (Vec::new(), vec![0; 2048]);
    while pipe.read(&mut block) {
        heard.extend(block.iter().copied().filter(|x| *x != 0));
    }
    assert_eq!(heard, said[1..]);
}

#[test]
fn what_is_no_device_says_so() {
    let said = |name: &str| Source::open(name, FORM).map(drop).unwrap_err().to_string();
    assert!(said("tone:-1").contains("tone:-1"));
    assert!(said(&clip("../Cargo.toml")).contains("WAV, FLAC, MP3"));
    assert!(matches!(Sink::open("/nowhere/at/all.wav", FORM), Err(Error::File { .. })));
}
