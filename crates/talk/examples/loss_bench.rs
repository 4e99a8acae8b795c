//! What is heard of a clip through a native call over a link that loses datagrams, in virtual time: concealment, copies of older
//! frames, jitter buffer and rate control as they are. `bench/talk.py --part loss` calls it and judges what it writes.
//!
//! ```text
//! loss_bench IN.wav OUT.wav LINK FRAMES BITRATE     LINK as in `lab`: "loss=5% delay=10ms"; 240 frames at most
//! ```
//! The clip is said again and again; the first 15 seconds of the call are not judged.
#![allow(clippy::disallowed_methods, reason = "a world begins at some instant")]

use levada_codec::packet::Codec;
use levada_link::world::{Access, HostId, World};
use levada_talk::native::{Config, NativeCall};
use levada_talk::secure::{self, Identity, Secret};
use levada_talk::{Paced, Sound};
use std::time::{Duration, Instant};

/// A microphone that says a clip, and a loudspeaker that remembers.
#[derive(Debug, Default)]
struct Desk {
    clip: Vec<i16>,
    said: usize,
    heard: Vec<i16>,
}

impl Sound for Desk {
    fn waiting(&self) -> Option<usize> {
        None
    }

    fn capture(&mut self, block: &mut [i16]) -> bool {
        for sample in block {
            *sample = self.clip.get(self.said % self.clip.len().max(1)).copied().unwrap_or(0);
            self.said += 1;
        }
        true
    }

    fn play(&mut self, block: &[i16]) {
        self.heard.extend_from_slice(block);
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, link, frames, bitrate] = &words[..] else {
        return eprintln!("loss_bench IN.wav OUT.wav LINK FRAMES BITRATE");
    };
    let wav = std::fs::read(from).expect("the clip can be read");
    let clip: Vec<i16> = wav[44..].as_chunks::<2>().0.iter().map(|x| i16::from_le_bytes(*x)).collect();
    let (frames, bitrate) = (frames.parse().expect("frames"), bitrate.parse().expect("bits a second"));
    let mut world = World::new(Instant::now(), 11);
    let mut add = |seed: u8, peer: u32, clip: Vec<i16>, access: Access| {
        let identity = Identity::new([seed; 32]);
        let peer = Some(HostId(peer).address());
        let secure = secure::Config { peer, secret: Secret::none(), identity, known: None, hello: [0; 4] };
        let mut config = Config::new(secure);
        config.rendition.frames = frames;
        config.bitrate = Some(bitrate);
        if clip.is_empty() {
            // it is not listened to, and samples as they are need no work; more than 240 frames of them fit into no datagram,
            // and nothing would be reported
            (config.rendition.codec, config.bitrate, config.most) = (Codec::Pcm, None, 2_000_000);
        }
        let call = NativeCall::new(config, [seed; 32]).expect("such a rendition is known");
        let machine = Paced::new(call, Desk { clip, ..Desk::default() });
        world.add(machine, &access).expect("two hosts fit");
    };
    add(1, 1, clip.clone(), Access::both(&link.parse().expect("a link")));
    add(2, 0, Vec::new(), Access::default());
    let length = clip.len() / 2;
    world.run(Duration::from_secs_f64(length as f64 / 44_100.0 * 5.0 + 1.0), |_, _, _| {});
    let end = world.machine(HostId(1)).expect("it was added");
    let heard = &end.devices().heard;
    let begin = 3 * length;
    let delay = delay(&clip, &heard[2 * begin..]);
    let part = &heard[2 * (begin + delay)..][..clip.len()];
    let mut out = wav[..44].to_vec();
    out.extend(part.iter().flat_map(|x| x.to_le_bytes()));
    std::fs::write(to, out).expect("the result can be written");
    let stats = end.look().stats();
    let sent = world.machine(HostId(0)).expect("it was added").look().stats();
    let counts = stats.frames;
    println!(
        "delay={:.1} made_up={:.4} kbps={:.1}",
        delay as f64 / 44.1,
        counts.missing as f64 / (counts.missing + counts.heard).max(1) as f64,
        sent.sent_bytes as f64 * 8.0 / 1_000.0 / (length as f64 / 44_100.0 * 5.0 + 1.0)
    );
}

/// The delay in frames at which the clip's loudest second is most like what was heard.
fn delay(clip: &[i16], heard: &[i16]) -> usize {
    let sum = |x: &[i16]| x.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>();
    let second = 2 * 44_100;
    let begins = (0..clip.len() - second).step_by(second / 4);
    let begin =
        begins.max_by(|a, b| sum(&clip[*a..a + second]).total_cmp(&sum(&clip[*b..b + second]))).unwrap_or(0);
    let like = |delay: usize| {
        let there = &heard[begin + 2 * delay..][..second];
        let product =
            clip[begin..begin + second].iter().zip(there).map(|(a, b)| f64::from(*a) * f64::from(*b));
        product.sum::<f64>() / sum(there).sqrt().max(1.0)
    };
    (0..44_100 / 5).max_by(|a, b| like(*a).total_cmp(&like(*b))).unwrap_or(0)
}
