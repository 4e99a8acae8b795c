//! `compat = netem` against a second model of the kernel's arithmetic, written apart from it.

use levada_link::{Chance, Distribution, Link, LinkConfig, Loss, Outcome, Pause, Room};
use proptest::prelude::*;
use std::time::Duration;

/// L'Ecuyer's LFSR113 as its paper writes it, one line a component.
struct Lfsr113(u32, u32, u32, u32);

impl Lfsr113 {
    fn new(seed: u64) -> Lfsr113 {
        let i = ((seed >> 32) ^ (seed << 10) ^ seed) as u32;
        let at_least = |m: u32| if i < m { i + m } else { i };
        Lfsr113(at_least(2), at_least(8), at_least(16), at_least(128))
    }

    fn next(&mut self) -> u32 {
        let b = ((self.0 << 6) ^ self.0) >> 13;
        self.0 = ((self.0 & 4_294_967_294) << 18) ^ b;
        let b = ((self.1 << 2) ^ self.1) >> 27;
        self.1 = ((self.1 & 4_294_967_288) << 2) ^ b;
        let b = ((self.2 << 13) ^ self.2) >> 21;
        self.2 = ((self.2 & 4_294_967_280) << 7) ^ b;
        let b = ((self.3 << 3) ^ self.3) >> 12;
        self.3 = ((self.3 & 4_294_967_168) << 13) ^ b;
        self.0 ^ self.1 ^ self.2 ^ self.3
    }
}

/// One correlated source: (share, rho, last).
#[derive(Clone, Copy, Default)]
struct Source {
    share: u32,
    rho: u32,
    last: u32,
}

/// A packet in the model's line: (time to send, order of entry, ticket, copy, corrupted).
type Entry = (i128, u64, u32, bool, bool);

struct Model {
    config: LinkConfig,
    random: Lfsr113,
    delay: Source,
    loss: Source,
    duplicate: Source,
    corrupt: Source,
    reorder: Source,
    loss_state: u32,
    table: Option<Vec<i16>>,
    counter: u32,
    line: Vec<Entry>,
    entered: u64,
    slot_next: i128,
    slot_left: (i64, i64),
    wake: Option<i128>,
    out: Vec<(u32, i128, bool, bool)>,
}

impl Model {
    fn new(config: &LinkConfig, seed: u64) -> Model {
        // What no seed reaches in the kernel, our link draws from its own generator, in this order.
        let mut other = Chance::new(seed, 0);
        let mut source = |share: u32, rho: u32| Source { share, rho, last: (other.bits() >> 32) as u32 };
        let delay = source(0, config.correlation.0);
        let loss = match &config.loss {
            Loss::Random(odds) => source(odds.percent.0, odds.correlation.0),
            Loss::State(_) | Loss::Gemodel(_) => Source::default(),
            _ => source(0, 0),
        };
        let duplicate = source(config.duplicate.percent.0, config.duplicate.correlation.0);
        let corrupt = source(config.corrupt.percent.0, config.corrupt.correlation.0);
        let odds = config.reorder.map(|r| r.odds).unwrap_or_default();
        Model {
            config: config.clone(),
            random: Lfsr113::new(seed),
            delay,
            loss,
            duplicate,
            corrupt,
            reorder: source(odds.percent.0, odds.correlation.0),
            loss_state: 1,
            table: config.distribution.table().map(|table| table.entries().to_vec()),
            counter: 0,
            line: Vec::new(),
            entered: 0,
            slot_next: i128::from(config.slots.is_some()),
            slot_left: config.slots.as_ref().map_or((0, 0), Model::slot_size),
            wake: None,
            out: Vec::new(),
        }
    }

    fn slot_size(slots: &levada_link::Slots) -> (i64, i64) {
        let any = |n: u32| if n == 0 { i64::from(i32::MAX) } else { i64::from(n) };
        (any(slots.packets), any(slots.bytes))
    }

    fn draw(random: &mut Lfsr113, source: &mut Source) -> u32 {
        let value = u128::from(random.next());
        if source.rho == 0 {
            return value as u32;
        }
        let rho = u128::from(source.rho) + 1;
        let answer = (value * ((1u128 << 32) - rho) + u128::from(source.last) * rho) >> 32;
        source.last = answer as u32;
        source.last
    }

    fn is_lost(&mut self) -> bool {
        let r = &mut self.random;
        match self.config.loss {
            Loss::State(p) => {
                let x = r.next();
                let (p13, p31, p32, p23, p14) = (p.p13.0, p.p31.0, p.p32.0, p.p23.0, p.p14.0);
                match self.loss_state {
                    1 => {
                        if x < p14 {
                            self.loss_state = 4;
                            return true;
                        }
                        if p14 < x && x < p13.wrapping_add(p14) {
                            self.loss_state = 3;
                            return true;
                        }
                    }
                    2 if x < p23 => {
                        self.loss_state = 3;
                        return true;
                    }
                    3 => {
                        if x < p32 {
                            self.loss_state = 2;
                        } else if p32 < x && x < p31.wrapping_add(p32) {
                            self.loss_state = 1;
                        } else if p31.wrapping_add(p32) < x {
                            return true;
                        }
                    }
                    4 => self.loss_state = 1,
                    _ => {}
                }
                false
            }
            Loss::Gemodel(g) => {
                if self.loss_state == 1 {
                    if r.next() < g.p.0 {
                        self.loss_state = 2;
                    }
                    return r.next() < g.good.0;
                }
                if r.next() < g.r.0 {
                    self.loss_state = 1;
                }
                r.next() > u32::MAX - g.bad.0
            }
            _ => self.loss.share != 0 && self.loss.share >= Model::draw(r, &mut self.loss),
        }
    }

    fn spread(mu: i128, sigma: i128, x: u32, table: Option<&[i16]>) -> i128 {
        let Some(table) = table else { return i128::from(x) % (2 * sigma) + mu - sigma };
        let t = i128::from(table[x as usize % table.len()]);
        // Rounded half away from zero in 8192ths of the remainder, exactly in the whole part.
        let part = (sigma % 8192) * t;
        let rounded = (part.abs() + 4096) / 8192 * part.signum();
        rounded + (sigma / 8192) * t + mu
    }

    fn push(&mut self, now: i128, ticket: u32, length: u32, may_copy: bool) {
        if may_copy {
            self.run_until(now);
        }
        let copied = may_copy
            && self.duplicate.share != 0
            && self.duplicate.share >= Model::draw(&mut self.random, &mut self.duplicate);
        let lost = self.is_lost() && !self.config.ecn;
        if lost && !copied {
            return;
        }
        if copied && !lost {
            self.push(now, ticket, length, false);
        }
        self.enter(now, ticket, length, !may_copy);
        if may_copy {
            self.dequeue(now);
        }
    }

    fn enter(&mut self, now: i128, ticket: u32, length: u32, copy: bool) {
        let corrupted =
            self.corrupt.share != 0 && self.corrupt.share >= Model::draw(&mut self.random, &mut self.corrupt);
        let Room::Packets(limit) = self.config.queue else { panic!("netem counts packets") };
        if self.line.len() >= limit as usize {
            return;
        }
        self.entered += 1;
        let gap = self.config.reorder.map_or(0, |r| r.gap);
        if gap != 0
            && self.counter >= gap - 1
            && self.reorder.share >= Model::draw(&mut self.random, &mut self.reorder)
        {
            self.counter = 0;
            // At the very head, before anything with a time.
            self.line.push((i128::MIN, u64::MAX - self.entered, ticket, copy, corrupted));
            return;
        }
        let latency = self.config.delay.as_nanos() as i128;
        let jitter = (self.config.jitter.as_nanos() as i128).min(i128::from(i32::MAX));
        let mut delay = latency;
        if jitter != 0 {
            let x = Model::draw(&mut self.random, &mut self.delay);
            delay = Model::spread(latency, jitter, x, self.table.as_deref());
        }
        let mut from = now;
        if let Some(rate) = self.config.rate {
            let last = self.line.iter().map(|entry| if entry.0 == i128::MIN { now } else { entry.0 }).max();
            if let Some(last) = last {
                delay = (delay - (last - now)).max(0);
                from = last;
            }
            let mut bytes = i128::from(length) + i128::from(self.config.overhead.packet);
            if self.config.overhead.cell != 0 {
                let cell = i128::from(self.config.overhead.cell);
                bytes = (bytes + cell - 1) / cell * (cell + i128::from(self.config.overhead.per_cell));
            }
            delay += bytes * 1_000_000_000 / i128::from(rate.0 / 8);
        }
        self.counter += 1;
        self.line.push(((from + delay).max(0), self.entered, ticket, copy, corrupted));
    }

    fn run_until(&mut self, now: i128) {
        while let Some(at) = self.wake.filter(|at| *at <= now) {
            self.dequeue(at);
        }
    }

    fn dequeue(&mut self, now: i128) {
        self.wake = None;
        loop {
            self.line.sort_unstable();
            let Some(first) = self.line.first().copied() else { return };
            let (time, _, ticket, copy, corrupted) = first;
            if time == i128::MIN {
                self.line.remove(0);
                self.out.push((ticket, now, copy, corrupted));
                continue;
            }
            if self.slot_next != 0 && self.slot_next < time {
                self.next_slot(now);
            }
            if time > now || self.slot_next > now {
                self.wake = Some(time.max(self.slot_next));
                return;
            }
            self.line.remove(0);
            self.out.push((ticket, now, copy, corrupted));
            if self.slot_next != 0 {
                self.slot_left.0 -= 1;
                self.slot_left.1 -= LENGTH as i64;
                if self.slot_left.0 <= 0 || self.slot_left.1 <= 0 {
                    self.next_slot(now);
                }
            }
        }
    }

    fn next_slot(&mut self, now: i128) {
        let slots = self.config.slots.clone().expect("there are slots");
        let pause = match &slots.pause {
            Pause::Between(least, _) => least.as_nanos() as i128,
            Pause::Scattered { delay, jitter, distribution } => {
                let table = distribution.table();
                let table = table.as_ref().map(|table| table.entries());
                let x = self.random.next();
                Model::spread(delay.as_nanos() as i128, jitter.as_nanos() as i128, x, table)
            }
        };
        self.slot_next = (now + pause).max(1);
        self.slot_left = Model::slot_size(&slots);
    }
}

/// All packets of the differential runs are this long: slots that count bytes need no length in the model's line.
const LENGTH: u32 = 700;

fn compare(text: &str, seed: u64, packets: u32, gap: u64) {
    let mut config: LinkConfig = text.parse().unwrap_or_else(|why| panic!("{text}: {why}"));
    config.compat = levada_link::Compat::Netem;
    let mut link = Link::new(&config, seed).expect("the generator makes only good ones");
    let mut model = Model::new(&config, seed);
    let mut seen = Vec::new();
    let mut note = |outcome: Outcome| {
        let Outcome::Delivered(d) = outcome else { panic!("netem drops only on entry") };
        seen.push((d.ticket, d.at.as_nanos() as i128, d.copy, d.flipped.is_some()));
    };
    for ticket in 0..packets {
        let now = Duration::from_nanos(u64::from(ticket) * gap);
        std::iter::from_fn(|| link.poll(now)).for_each(&mut note);
        link.push(now, ticket, LENGTH);
        model.push(now.as_nanos() as i128, ticket, LENGTH, true);
    }
    while let Some(due) = link.due() {
        std::iter::from_fn(|| link.poll(due)).for_each(&mut note);
    }
    model.run_until(i128::MAX);
    assert_eq!(seen.len(), model.out.len(), "{text}");
    for (ours, theirs) in seen.iter().zip(&model.out) {
        assert_eq!(ours, theirs, "{text}");
    }
}

#[test]
fn every_option_follows_the_kernels_arithmetic() {
    for text in [
        "netem delay 10ms",
        "netem delay 10ms 5ms",
        "netem delay 10ms 20ms 25%",
        "netem delay 100ms 100ms 25% distribution normal",
        "netem delay 20ms 10ms 50% distribution pareto",
        "netem delay 20ms 10ms distribution paretonormal limit 20",
        "netem delay 10ms 3s",
        "netem loss 10%",
        "netem loss 10% 25%",
        "netem loss 60% 90% ecn",
        "netem loss state 2% 30% 20% 40% 1%",
        "netem loss state 60% 90% 60% 40% 70%",
        "netem loss gemodel 2% 20% 70% 1%",
        "netem duplicate 10% 20% delay 1ms",
        "netem duplicate 30% loss 30% limit 3 delay 5ms",
        "netem corrupt 10% 10%",
        "netem delay 10ms reorder 25% 50%",
        "netem delay 10ms reorder 90% gap 5",
        "netem delay 5ms 2ms reorder 60% duplicate 50% rate 10mbit",
        "netem rate 5mbit",
        "netem rate 5mbit 20 48 5 delay 10ms 9ms limit 30",
        "netem rate 8mbit -14 delay 10ms 30ms 10% distribution normal",
        "netem slot 3ms packets 4",
        "netem delay 4ms 4ms slot 3ms bytes 2000",
        "netem slot distribution normal 3ms 1ms packets 5",
        "netem delay 10ms 5ms loss 2% duplicate 3% corrupt 4% reorder 5% gap 3 rate 6mbit limit 40 slot 1ms",
    ] {
        for seed in [0, 1, 42, u64::MAX] {
            compare(text, seed, 3_000, 1_000_000);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_mixture_of_options_follows_the_kernels_arithmetic(
        seed: u64, gap in 1_000u64..5_000_000, delay in 1u32..200, jitter in 0u32..300, tie in 0u32..=100,
        named in 0usize..4, loss in 0u32..=100, twice in 0u32..=100, odd in 0u32..=100, hop in 1u32..=100,
        every in 1u32..6, kbit in 100u32..100_000, limit in 0u32..60, rated: bool,
    ) {
        let name = ["uniform", "normal", "pareto", "paretonormal"][named];
        let spread = if jitter == 0 { String::new() } else { format!("{jitter}ms {tie}% distribution {name}") };
        let rate = if rated { format!("rate {kbit}kbit {every} {limit} 2") } else { String::new() };
        let text = format!(
            "netem limit {limit} delay {delay}ms {spread} loss {loss}% {tie}% duplicate {twice}% {odd}% \
             corrupt {odd}% {loss}% reorder {hop}% {tie}% gap {every} {rate}",
        );
        compare(&text, seed, 300, gap);
    }
}

#[test]
fn the_flaws_are_there() {
    // `loss 1% 25%` loses next to nothing, and the seminar's 25 % does not tie delays (facts of the kernel).
    let lost = |compat: &str, loss: &str| {
        let mut link = Link::new(&format!("loss={loss} compat={compat}").parse().unwrap(), 5).unwrap();
        (0..500_000)
            .filter(|i| link.push(Duration::ZERO, *i, 100).taken == 0 || link.poll(Duration::ZERO).is_none())
            .count()
    };
    assert!(lost("netem", "1%~25%") < 20);
    assert!((4_500..5_500).contains(&lost("physical", "1%~25%")));

    let tie = |compat: &str| {
        let text = format!("delay=500ms±100ms~25% distribution=normal order=free compat={compat}");
        let mut link = Link::new(&text.parse().unwrap(), 5).unwrap();
        let mut delays = vec![0.0; 200_000];
        for (i, delay) in delays.iter_mut().enumerate() {
            let now = Duration::from_secs(i as u64 * 10);
            link.push(now, i as u32, 100);
            let Some(Outcome::Delivered(d)) = link.due().and_then(|due| link.poll(due)) else { panic!() };
            *delay = (d.at - now).as_secs_f64();
        }
        let mean = delays.iter().sum::<f64>() / delays.len() as f64;
        let beside: f64 = delays.windows(2).map(|w| (w[0] - mean) * (w[1] - mean)).sum();
        beside / delays.iter().map(|d| (d - mean).powi(2)).sum::<f64>()
    };
    assert!(tie("netem").abs() < 0.01);
    assert!((tie("physical") - 0.25).abs() < 0.01);
    assert_eq!("uniform", Distribution::Uniform.name());
}
