//! Pictures beside the sound: in sync with it, whole or not at all, with what it leaves of the rate.

use crate::ends::{End, config, end, stats};
use crate::kit::{self, access, ends, secs};
use levada_codec::packet::Codec;
use levada_codec::video::{Decoder, Encoder, Picture, Scene};
use levada_link::world::{Access, HostId, World};
use levada_talk::native::{Coded, Form, NativeCall};
use std::collections::HashMap;

/// Somebody before a camera at the first end, somebody who looks at the second.
struct Show {
    world: World<End>,
    scene: Scene,
    encoder: Encoder,
    decoder: Decoder,
    number: u32,
    /// What was sent, as the encoder saw it, by its time.
    sent: HashMap<u32, (u32, Picture)>,
    /// Pictures that were seen: when, which, and how alike they are to what the camera saw.
    seen: Vec<(f64, u32, f64)>,
}

const SIZE: (usize, usize) = (128, 96);

impl Show {
    fn over(link: &str) -> Show {
        let (first, second) = ends();
        let mut world = kit::world(5);
        let mut near = config(Some(second), 1);
        near.pictures = Some(600_000);
        let mut far = config(Some(first), 2);
        (far.rendition.codec, far.most) = (Codec::Pcm, 2_000_000);
        world.add(end(near, 1), &access(link)).unwrap();
        world.add(end(far, 2), &Access::default()).unwrap();
        world.machine_mut(HostId(1)).unwrap().call().pictures().watch(true);
        Show {
            world,
            scene: Scene::new(SIZE.0, SIZE.1, 3),
            encoder: Encoder::new(SIZE.0, SIZE.1).unwrap(),
            decoder: Decoder::new(SIZE.0, SIZE.1).unwrap(),
            number: 0,
            sent: HashMap::new(),
            seen: Vec::new(),
        }
    }

    fn call(&mut self, host: u32) -> &mut NativeCall {
        self.world.machine_mut(HostId(host)).unwrap().call()
    }

    fn run(&mut self, until: f64) {
        let mut now = self.world.now().as_secs_f64();
        while now < until {
            now += 0.005;
            self.world.run(secs(now), |_, _, _| {});
            if now * 30.0 >= f64::from(self.number) {
                self.capture();
                self.number += 1;
            }
            self.look(now);
        }
    }

    fn capture(&mut self) {
        let instant = self.world.instant();
        let number = self.number;
        let ask = self.call(0).pictures().ask();
        if !ask.watched || ask.waiting > 0.08 {
            return;
        }
        if ask.refresh {
            self.encoder.refresh();
        }
        let slices = self.encoder.encode(&self.scene.picture(number), (ask.bits * 0.8 / 240.0) as usize);
        let form = Form { width: SIZE.0 as u16, height: SIZE.1 as u16, rate: 30 };
        let slices = slices.into_iter().map(Into::into).collect();
        let coded = Coded { time: 0, form, key: ask.refresh, slices };
        let call = self.call(0);
        let captured = call.clock(instant);
        if call.pictures().send(captured, coded) {
            let time = (captured * 44_100.0).round() as u32;
            self.sent.insert(time, (number, self.encoder.picture().clone()));
        }
    }

    fn look(&mut self, now: f64) {
        while let Some(coded) = self.call(1).pictures().take() {
            for slice in &coded.slices {
                self.decoder.decode(slice).unwrap();
            }
            let near = |time: &&u32| time.abs_diff(coded.time) < 300;
            let time = *self.sent.keys().find(near).expect("times are those that were sent");
            let (number, drawn) = &self.sent[&time];
            assert!(!self.decoder.broken() && self.decoder.picture() == drawn, "picture {number} is garbage");
            let alike = self.scene.picture(*number).psnr(drawn);
            self.seen.push((now, *number, alike));
        }
    }

    /// Pictures a second from a time on, the longest time without one, and the mean of their likeness.
    fn judge(&self, from: f64) -> (f64, f64, f64) {
        let seen: Vec<_> = self.seen.iter().filter(|(at, ..)| *at >= from).collect();
        let now = self.world.now().as_secs_f64();
        let gap = seen.windows(2).map(|pair| pair[1].0 - pair[0].0).fold(0.0, f64::max);
        let alike = seen.iter().map(|(.., alike)| alike).sum::<f64>() / seen.len() as f64;
        (seen.len() as f64 / (now - from), gap, alike)
    }
}

#[test]
fn pictures_are_in_sync_with_the_sound_and_hardly_late() {
    let mut show = Show::over("delay=20ms");
    show.run(4.0);
    let (rate, gap, alike) = show.judge(1.0);
    println!("{rate:.1} a second, {gap:.3} s at most between, {alike:.1} dB");
    assert!(rate > 29.0 && gap < 0.08 && alike > 34.0, "{rate} {gap} {alike}");
    let late = show.seen.iter().map(|(at, number, _)| at - f64::from(*number) / 30.0).fold(0.0, f64::max);
    assert!(late < 0.2, "{late} s until it is there");
    // where the sound is that is heard now, by the sound itself and by what pictures are told
    let desk = show.world.machine(HostId(1)).unwrap().devices();
    let end = desk.heard.len() / 2;
    let (delay, snr) = kit::delay(&desk.heard, end - 4_096, 2_048, 8_000, 1);
    let instant = show.world.instant();
    let call = show.call(1);
    let now = call.clock(instant);
    let off = call.pictures().until(now, (end - delay) as u32).unwrap();
    println!(
        "the sound's delay is {:.1} ms ({snr:.1} dB), the pictures are off by {:.1} ms",
        delay as f64 / 44.1,
        1e3 * off
    );
    assert!(off.abs() < 0.008, "off by {off} s");
}

#[test]
fn nobody_is_sent_what_nobody_looks_at() {
    let mut show = Show::over("delay=5ms");
    show.call(1).pictures().watch(false);
    show.run(1.0);
    assert_eq!((show.seen.len(), show.call(0).pictures().sent().bytes), (0, 0));
    show.call(1).pictures().watch(true);
    show.run(2.0);
    assert!(show.judge(1.2).0 > 25.0);
}

#[test]
fn lost_pieces_come_again_and_garbage_is_never_seen() {
    let mut show = Show::over("loss=5% delay=15ms");
    show.run(8.0);
    let (rate, gap, _) = show.judge(2.0);
    let (sent, received) = (show.call(0).pictures().sent(), show.call(1).pictures().received());
    println!("{rate:.1} a second, {gap:.3} s at most between, {sent:?}, {received:?}");
    assert!(rate > 25.0 && gap < 0.5, "{rate} {gap}");
    assert!(sent.again > 10 && received.asked > 10 && received.breaks <= 2);
}

#[test]
fn after_an_outage_a_picture_that_stands_alone_is_asked_for() {
    let mut show = Show::over("delay=15ms");
    show.run(2.0);
    let nothing = "loss=100% delay=15ms".parse().unwrap();
    let all = "delay=15ms".parse().unwrap();
    show.world.change(HostId(0), levada_link::world::Way::Up, &nothing).unwrap();
    show.run(3.0);
    show.world.change(HostId(0), levada_link::world::Way::Up, &all).unwrap();
    show.run(4.5);
    let first = show.seen.iter().find(|(at, ..)| *at > 3.0).unwrap().0;
    let (rate, gap, _) = show.judge(3.7);
    println!("seen again after {:.2} s, {rate:.1} a second", first - 3.0);
    assert!(first < 3.6 && rate > 25.0 && gap < 0.15, "{first} {rate} {gap}");
    assert!(show.call(1).pictures().received().breaks >= 1);
}

#[test]
fn on_a_narrow_link_sound_comes_first_and_pictures_get_the_rest() {
    let mut show = Show::over("delay=15ms");
    let narrow = "rate=250kbit delay=15ms".parse().unwrap();
    show.world.change(HostId(0), levada_link::world::Way::Up, &narrow).unwrap();
    show.run(6.0);
    let before = stats(&show.world).frames;
    show.run(16.0);
    let after = stats(&show.world).frames;
    let (rate, gap, alike) = show.judge(6.0);
    let missing = after.missing - before.missing;
    let kbps = show.call(0).pictures().sent().bytes as f64 * 8.0 / 16e3;
    println!(
        "{rate:.1} a second, {gap:.3} s, {alike:.1} dB, {missing} blocks of sound made up; {kbps:.0} kbit/s"
    );
    assert!(missing <= 5 && rate > 20.0 && gap < 0.5 && kbps > 60.0, "{rate} {gap} {missing}");
}
