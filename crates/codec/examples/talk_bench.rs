//! What the codecs of `talk` do with a sound: bytes, loss, time. `bench/talk.py` calls it and prints the tables.
//!
//! ```text
//! talk_bench bits CLIP.wav                          bytes at the SNR of the seminar's best layer, and lossless
//! talk_bench through CODEC FRAMES KBPS IN.wav OUT.wav   encodes and decodes a whole file, delay removed
//! talk_bench time CLIP.wav [CODEC]                  microseconds a block
//! talk_bench deflate CLIP.wav                       bytes of InterCom's quantized layers, by how zlib streams are made
//! talk_bench scene OUT.y4m                          ten seconds of a still camera, 320 by 240, thirty a second
//! talk_bench video CLIP.y4m KBPS                    bytes, PSNR and time of the video codec
//! ```
#![allow(clippy::disallowed_methods, reason = "it measures time")]

use levada_codec::compat::{self, Effort, Layer, Packer, Rebuild, Unpacker};
use levada_codec::native::{self, Goal};
use levada_codec::packet::{Codec, Decoder, Encoder};
use levada_codec::video::{self, Scene, y4m};
use levada_codec::{lossless, opus, wavelet};
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["bits", clip] => bits(&read(clip)),
        ["through", codec, frames, kbps, from, to] => {
            let (frames, kbps) = (frames.parse().expect("frames"), kbps.parse().expect("kbit/s"));
            through(codec.parse().expect("a codec"), frames, kbps, &read(from), to.as_ref());
        }
        ["time", clip] => time(&read(clip), ""),
        ["time", clip, only] => time(&read(clip), only),
        ["deflate", clip] => deflate(&read(clip)),
        ["scene", to] => scene(to.as_ref()),
        ["video", clip, kbps] => video(clip, kbps.parse().expect("kbit/s")),
        _ => eprintln!(
            "talk_bench bits CLIP | through CODEC FRAMES KBPS IN OUT | time CLIP | deflate CLIP | scene OUT | video CLIP KBPS"
        ),
    }
}

/// The seminar's best layer in both its qualities, and what reaches these with how many bytes.
fn bits(sound: &[i16]) {
    for q in [128, 512] {
        let (bytes, snr) = seminar(sound, q);
        let at = |frames| bytes_at(frames, sound, snr) / bytes as f64;
        let wavelet = of_wavelet(sound, q as u16) as f64 / bytes as f64;
        println!(
            "q{q} kbps={:.1} snr={snr:.2} n1024={:.4} n480={:.4} n240={:.4} n120={:.4} wavelet={wavelet:.4}",
            kbps(bytes, sound),
            at(1_024),
            at(480),
            at(240),
            at(120)
        );
    }
    for frames in [1_024, 256] {
        let (mut encoder, mut bytes) = (lossless::Encoder::new(frames), 0);
        let mut decoder = lossless::Decoder::new(frames);
        for block in sound.chunks_exact(2 * frames) {
            let (mut packet, mut out) = (Vec::new(), vec![0; 2 * frames]);
            encoder.encode(block, usize::MAX, &mut packet);
            decoder.decode(&packet, &mut out).expect("it is ours");
            assert_eq!(out, block, "nothing is lost");
            bytes += packet.len();
        }
        println!("lossless{frames} bytes={bytes}");
    }
}

/// Bytes and SNR of the overlapped wavelet layer under its own decoder's rules, the whole datagram counted.
fn seminar(sound: &[i16], q: u32) -> (usize, f64) {
    let config = compat::Config {
        effort: Effort::Zlib,
        rebuild: Rebuild::Edge,
        ..compat::Config::new(Layer::OverlappedDwt)
    };
    let mut packer = Packer::new(config).expect("defaults fit");
    let mut unpacker = Unpacker::new(config).expect("defaults fit");
    let (mut values, mut out, mut bytes, mut heard) = (vec![0; 2048], vec![0; 2048], 0, Vec::new());
    for block in sound.chunks_exact(2048) {
        let mut packet = Vec::new();
        packer.pack(1, q, block, &mut packet);
        unpacker.read(&packet, &mut values).expect("it is ours");
        unpacker.render(Some(&values), q, &mut out);
        bytes += packet.len();
        heard.extend(out.iter().map(|x| (*x).clamp(-32_768, 32_767) as i16));
    }
    (bytes, snr(sound, &heard[2 * 2048..]))
}

fn of_wavelet(sound: &[i16], q: u16) -> usize {
    let mut encoder = wavelet::Encoder::new(1_024).expect("it has 1024");
    let mut packet = Vec::new();
    sound.chunks_exact(2_048).for_each(|block| encoder.encode(block, wavelet::Goal::Step(q), &mut packet));
    packet.len()
}

/// Bytes of the native codec at a ratio, between the two nearest steps.
fn bytes_at(frames: usize, sound: &[i16], wanted: f64) -> f64 {
    let step = |eighths: i32| (f64::from(eighths) / 8.0).exp2() as f32;
    let measure = |eighths: i32| by_step(frames, sound, step(eighths));
    // a step of 6 dB an octave, about: begin near
    let mut eighths = 48;
    let mut here = measure(eighths);
    loop {
        let next = if here.1 > wanted { eighths + 4 } else { eighths - 4 };
        let there = measure(next);
        if (there.1 > wanted) != (here.1 > wanted) || !(-8..140).contains(&next) {
            let share = (wanted - here.1) / (there.1 - here.1);
            return here.0 as f64 * (there.0 as f64 / here.0 as f64).powf(share);
        }
        (eighths, here) = (next, there);
    }
}

fn by_step(frames: usize, sound: &[i16], step: f32) -> (usize, f64) {
    let mut encoder = native::Encoder::new(frames).expect("this size is meant");
    let mut decoder = native::Decoder::new(frames).expect("this size is meant");
    let (mut bytes, mut heard, mut out) = (0, Vec::new(), vec![0; 2 * frames]);
    for block in sound.chunks_exact(2 * frames) {
        let mut packet = Vec::new();
        encoder.encode(block, Goal::Step(step), &mut packet);
        decoder.decode(&packet, &mut out).expect("it is ours");
        bytes += packet.len();
        heard.extend_from_slice(&out);
    }
    (bytes, snr(sound, &heard[2 * frames..]))
}

fn through(codec: Codec, frames: usize, wanted: f64, sound: &[i16], to: &Path) {
    let mut encoder = Encoder::new(codec, frames).expect("it has this size");
    let mut decoder = Decoder::new(codec, frames).expect("it has this size");
    // what a steady rate leaves over in one block is for the next
    let (mut bytes, mut due, mut most, mut heard) = (0, 0.0, 0, Vec::new());
    let late = codec.delay(frames);
    let mut padded = sound.to_vec();
    padded.resize(sound.len() + 2 * late + 2 * frames, 0);
    for block in padded.chunks_exact(2 * frames) {
        due += wanted * 125.0 * frames as f64 / RATE;
        let (mut packet, mut out) = (Vec::new(), vec![0; 2 * frames]);
        encoder.encode(block, due as usize - bytes, &mut packet);
        (bytes, most) = (bytes + packet.len(), most.max(packet.len()));
        if decoder.decode(&packet, &mut out).is_err() {
            decoder.lost(&mut out);
        }
        heard.extend(out);
    }
    let heard = &heard[2 * late..2 * late + sound.len()];
    write(to, heard);
    println!("kbps={:.2} most={most} snr={:.2}", kbps(bytes, &padded), snr(sound, heard));
}

fn time(sound: &[i16], only: &str) {
    for (name, codec, frames) in [
        ("native", Codec::Native, 1_024),
        ("native480", Codec::Native, 480),
        ("native120", Codec::Native, 120),
        ("opus960", Codec::Opus, 960),
        ("wavelet", Codec::Wavelet, 1_024),
        ("lossless", Codec::Lossless, 1_024),
    ] {
        if !name.starts_with(only) {
            continue;
        }
        let budget = if codec == Codec::Lossless { usize::MAX } else { 96_000 * frames / 44_100 / 8 };
        let (mut said, mut heard) = (Least::default(), Least::default());
        for _ in 0..PASSES {
            let mut encoder = Encoder::new(codec, frames).expect("it has this size");
            let mut decoder = Decoder::new(codec, frames).expect("it has this size");
            let (mut packet, mut out) = (Vec::with_capacity(8 * frames), vec![0; 2 * frames]);
            for (number, block) in sound.chunks_exact(2 * frames).enumerate() {
                packet.clear();
                said.time(number, || encoder.encode(black_box(block), budget, &mut packet));
                heard.time(number, || decoder.decode(&packet, black_box(&mut out)).expect("ours"));
            }
        }
        let (said, heard) = (said.mean(), heard.mean());
        println!(
            "{name} encode={said:.1} decode={heard:.1} per1024={:.1}",
            (said + heard) * 1_024.0 / frames as f64
        );
    }
    if "compat".starts_with(only) {
        time_compat(sound);
    }
    if !"opusmusic".starts_with(only) {
        return;
    }
    // a broadcast's Opus, as WebRTC's mounts use it
    let mut encoder =
        opus::Encoder::new(opus::Settings { bitrate: 96_000, ..opus::Settings::music() }).expect("fine");
    let began = Instant::now();
    let blocks = sound.chunks_exact(2 * opus::BLOCK);
    let count = blocks.len() as f64;
    blocks.for_each(|block| drop(black_box(encoder.encode_i16(block))));
    let said = began.elapsed().as_secs_f64() * 1e6 / count;
    println!("opusmusic encode={said:.1} decode=0 per1024={:.1}", said * 1_024.0 / 960.0);
}

/// The overlapped wavelet layer.
fn time_compat(sound: &[i16]) {
    let config = compat::Config::new(Layer::OverlappedDwt);
    let (mut said, mut heard) = (Least::default(), Least::default());
    for _ in 0..PASSES {
        let mut packer = Packer::new(config).expect("defaults fit");
        let mut unpacker = Unpacker::new(config).expect("defaults fit");
        let (mut packet, mut values, mut out) = (Vec::with_capacity(8_192), vec![0; 2048], vec![0; 2048]);
        for (number, block) in sound.chunks_exact(2_048).enumerate() {
            packet.clear();
            said.time(number, || packer.pack(1, 128, black_box(block), &mut packet));
            heard.time(number, || {
                unpacker.read(&packet, &mut values).expect("it is ours");
                unpacker.render(Some(&values), 128, black_box(&mut out));
            });
        }
    }
    let (said, heard) = (said.mean(), heard.mean());
    println!("compat encode={said:.1} decode={heard:.1} per1024={:.1}", said + heard);
}

/// How often each block is timed; the least counts, since other programs only ever add to it.
const PASSES: usize = 9;

/// The least time of each block, in microseconds.
#[derive(Default)]
struct Least(Vec<f64>);

impl Least {
    fn time(&mut self, number: usize, work: impl FnOnce()) {
        let began = Instant::now();
        work();
        let took = began.elapsed().as_secs_f64() * 1e6;
        match self.0.get_mut(number) {
            Some(least) => *least = least.min(took),
            None => self.0.push(took),
        }
    }

    fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }
}

/// Bytes of the layers that transform, beside those of zlib's best level.
fn deflate(sound: &[i16]) {
    for q in [32, 128, 512] {
        for layer in [Layer::Dwt, Layer::OverlappedDwt, Layer::OverlappedWpt, Layer::ToH] {
            let bytes = |effort| {
                let mut packer = Packer::new(compat::Config { effort, ..compat::Config::new(layer) })
                    .expect("defaults fit");
                let mut packet = Vec::new();
                sound.chunks_exact(2_048).take(60).for_each(|block| packer.pack(1, q, block, &mut packet));
                packet.len() as f64
            };
            let [zlib, quick, thorough] = [Effort::Zlib, Effort::Quick, Effort::Thorough].map(bytes);
            println!("{layer}.{q} quick={:.4} thorough={:.4}", quick / zlib, thorough / zlib);
        }
    }
}

fn scene(to: &Path) {
    let (scene, mut out) = (Scene::new(320, 240, 1), Vec::new());
    y4m::write_head(&scene.picture(0), 30, &mut out);
    (0..300).for_each(|number| y4m::write(&scene.picture(number), &mut out));
    std::fs::write(to, out).expect("the clip can be written");
}

/// All pictures, the first and whatever it costs included.
fn video(clip: &str, wanted: f64) {
    let file = std::io::BufReader::new(std::fs::File::open(clip).expect("the clip can be read"));
    let mut reader = y4m::Reader::new(file).expect("it is y4m");
    let (width, height) = reader.size();
    let mut encoder = video::Encoder::new(width, height).expect("this size fits");
    let mut decoder = video::Decoder::new(width, height).expect("this size fits");
    let budget = wanted * 125.0 / reader.rate();
    let (mut bytes, mut count, mut errors, mut said, mut drawn) = (0, 0.0, 0.0, 0.0, 0.0);
    while let Some(picture) = reader.picture().expect("the clip can be read") {
        let began = Instant::now();
        let slices = encoder.encode(&picture, budget as usize);
        said += began.elapsed().as_secs_f64();
        let began = Instant::now();
        for slice in &slices {
            decoder.decode(slice).expect("it is ours");
        }
        drawn += began.elapsed().as_secs_f64();
        bytes += slices.iter().map(Vec::len).sum::<usize>();
        errors += 10_f64.powf(-picture.psnr(decoder.picture()) / 10.0);
        count += 1.0;
    }
    println!(
        "kbps={:.1} psnr={:.2} encode={:.2} decode={:.2}",
        bytes as f64 * 8.0 / 1_000.0 * reader.rate() / count,
        -10.0 * (errors / count).log10(),
        said / count * 1e3,
        drawn / count * 1e3
    );
}

fn snr(said: &[i16], heard: &[i16]) -> f64 {
    let (mut signal, mut noise) = (0.0, 1e-9);
    for (said, heard) in said.iter().zip(heard) {
        signal += f64::from(*said).powi(2);
        noise += (f64::from(*said) - f64::from(*heard)).powi(2);
    }
    10.0 * f64::log10(signal / noise)
}

fn kbps(bytes: usize, sound: &[i16]) -> f64 {
    bytes as f64 * 8.0 / (sound.len() as f64 / 2.0 / RATE) / 1_000.0
}

/// Samples of a WAV file with the plain header that `clips.py` writes.
fn read(path: &str) -> Vec<i16> {
    let bytes = std::fs::read(path).expect("the clip can be read");
    assert_eq!(&bytes[36..40], b"data", "a plain header");
    bytes[44..].as_chunks::<2>().0.iter().map(|x| i16::from_le_bytes(*x)).collect()
}

fn write(path: &Path, sound: &[i16]) {
    let size = 2 * sound.len() as u32;
    let mut bytes = Vec::with_capacity(44 + size as usize);
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + size).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x02\0\x44\xac\0\0\x10\xb1\x02\0\x04\0\x10\0data");
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.extend(sound.iter().flat_map(|x| x.to_le_bytes()));
    std::fs::write(path, bytes).expect("the result can be written");
}

/// Frames a second.
const RATE: f64 = 44_100.0;
