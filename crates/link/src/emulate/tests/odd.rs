//! Links of any parameters, asked at any times.

use super::*;
use crate::chance::Odds;
use crate::{
    Bitrate, Bucket, Discipline, Distribution, FourStates, Gilbert, Loss, Order, Outages, Overhead,
    PacketList, Pause, Peak, Percent, Reorder, Replay, Room, Size, Slots, Spans, When,
};

fn any_time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        3 => (0u64..50_000_000).prop_map(Duration::from_nanos),
        1 => any::<u64>().prop_map(Duration::from_nanos),
        1 => Just(Duration::MAX),
    ]
}

fn any_percent() -> impl Strategy<Value = Percent> {
    prop_oneof![Just(Percent::ZERO), Just(Percent::ALL), any::<u32>().prop_map(Percent)]
}

fn any_odds() -> impl Strategy<Value = Odds> {
    (any_percent(), any_percent()).prop_map(|(percent, correlation)| Odds { percent, correlation })
}

fn any_rate() -> impl Strategy<Value = Bitrate> {
    prop_oneof![3 => (10_000u64..100_000_000).prop_map(Bitrate), 1 => any::<u64>().prop_map(Bitrate)]
}

fn any_distribution() -> impl Strategy<Value = Distribution> {
    prop_oneof![
        Just(Distribution::Uniform),
        Just(Distribution::Normal),
        Just(Distribution::Pareto),
        Just(Distribution::ParetoNormal),
    ]
}

fn any_overhead() -> impl Strategy<Value = Overhead> {
    prop_oneof![
        Just(Overhead::default()),
        (any::<i32>(), any::<u32>(), any::<i32>()).prop_map(|(packet, cell, per_cell)| Overhead {
            packet,
            cell,
            per_cell
        }),
    ]
}

fn any_bucket() -> impl Strategy<Value = Bucket> {
    let peak = prop_oneof![
        Just(None),
        (any_rate(), any::<u64>()).prop_map(|(rate, mtu)| Some(Peak { rate, mtu: Size(mtu) }))
    ];
    (any_rate(), any::<u64>(), peak, any_overhead(), any::<u32>()).prop_map(
        |(rate, burst, peak, overhead, mpu)| Bucket { peak, overhead, mpu, ..Bucket::new(rate, Size(burst)) },
    )
}

fn any_loss() -> impl Strategy<Value = Loss> {
    let p = any_percent;
    prop_oneof![
        Just(Loss::None),
        any_odds().prop_map(Loss::Random),
        (p(), p(), p(), p(), p()).prop_map(|(p13, p31, p32, p23, p14)| Loss::State(FourStates {
            p13,
            p31,
            p32,
            p23,
            p14
        })),
        (p(), p(), p(), p()).prop_map(|(p, r, bad, good)| Loss::Gemodel(Gilbert { p, r, bad, good })),
        proptest::collection::vec(any::<(u64, u64)>(), 0..4)
            .prop_map(|list| Loss::List(PacketList::new(list))),
    ]
}

fn any_outages() -> impl Strategy<Value = Outages> {
    let spans = proptest::collection::vec((any_time(), any_time()), 0..4);
    let when = prop_oneof![
        4 => Just(When::Never),
        1 => spans.prop_map(|spans| When::Spans(Spans::new(spans))),
        1 => (any_time(), any_time()).prop_map(|(down, period)| When::Every { down, period }),
    ];
    (when, any::<bool>()).prop_map(|(when, lose)| Outages { when, lose })
}

fn any_slots() -> impl Strategy<Value = Option<Slots>> {
    let pause = prop_oneof![
        (any_time(), any_time()).prop_map(|(a, b)| Pause::Between(a.min(b), a.max(b))),
        (any_time(), any_time(), any_distribution())
            .prop_map(|(delay, jitter, distribution)| Pause::Scattered { delay, jitter, distribution }),
    ];
    let slots =
        (pause, 0u32..4, 0u32..4_000).prop_map(|(pause, packets, bytes)| Slots { pause, packets, bytes });
    prop_oneof![2 => Just(None), 1 => slots.prop_map(Some)]
}

fn any_queue() -> impl Strategy<Value = (Room, Discipline)> {
    let room = prop_oneof![
        any::<u32>().prop_map(Room::Packets),
        (0u32..20).prop_map(Room::Packets),
        any::<u64>().prop_map(|bytes| Room::Bytes(Size(bytes))),
        any_time().prop_map(Room::Time),
    ];
    let discipline = prop_oneof![
        Just(Discipline::DropTail),
        Just(Discipline::DropHead),
        (any_time(), any_time(), any::<bool>()).prop_map(|(target, interval, ecn)| Discipline::Codel {
            target,
            interval,
            ecn
        }),
    ];
    (room, discipline)
}

pub(super) fn any_config() -> impl Strategy<Value = LinkConfig> {
    let trace = prop_oneof![3 => Just(None), 1 => Just(Some(Replay::parse("t", "0\n1\n1\n7\n").unwrap()))];
    let bucket = prop_oneof![2 => Just(None), 1 => any_bucket().prop_map(Some)];
    let rate = prop_oneof![Just(None), any_rate().prop_map(Some)];
    let shape = (rate, any_overhead(), bucket, trace, any_queue(), any_outages());
    let delay = (any_time(), any_time(), any_percent(), any_distribution(), any_slots());
    let order = prop_oneof![Just(None), Just(Some(Order::Keep)), Just(Some(Order::Free))];
    let reorder = prop_oneof![
        Just(None),
        (any_odds(), any::<u32>()).prop_map(|(odds, gap)| Some(Reorder { odds, gap }))
    ];
    let chance = (any_loss(), any::<bool>(), any_odds(), any_odds(), reorder, order);
    let compat = prop_oneof![Just(Compat::Physical), Just(Compat::Netem)];
    (shape, delay, chance, compat).prop_map(|(shape, delay, chance, compat)| LinkConfig {
        rate: shape.0,
        overhead: shape.1,
        bucket: shape.2,
        trace: shape.3,
        queue: shape.4.0,
        discipline: shape.4.1,
        outages: shape.5,
        delay: delay.0,
        jitter: delay.1,
        correlation: delay.2,
        distribution: delay.3,
        slots: delay.4,
        loss: chance.0,
        ecn: chance.1,
        duplicate: chance.2,
        corrupt: chance.3,
        reorder: chance.4,
        order: chance.5,
        compat,
        seed: None,
    })
}

/// The same made valid.
pub(crate) fn any_valid() -> impl Strategy<Value = LinkConfig> {
    any_config().prop_map(|mut config| {
        let a_year = Duration::from_secs(366 * 86_400);
        config.delay = config.delay.min(a_year);
        config.jitter = config.jitter.min(a_year);
        config.rate = config.rate.map(|rate| rate.max(Bitrate(1)));
        if let Some(bucket) = &mut config.bucket {
            (bucket.rate, bucket.burst) = (bucket.rate.max(Bitrate(1)), bucket.burst.max(Size(1)));
            bucket.peak = bucket.peak.filter(|peak| peak.rate >= bucket.rate && peak.mtu.0 > 0);
        }
        match config.slots.as_mut().map(|slots| &mut slots.pause) {
            None => {}
            Some(Pause::Between(a, b)) => (*a, *b) = ((*a).min(a_year), (*b).min(a_year)),
            Some(Pause::Scattered { delay, jitter, .. }) => {
                (*delay, *jitter) = ((*delay).min(a_year), (*jitter).min(a_year))
            }
        }
        if let Some(reorder) = &mut config.reorder {
            reorder.gap = reorder.gap.max(1);
            config.delay = config.delay.max(Duration::from_millis(1));
        }
        if !config.is_netem() {
            config.compat = Compat::Physical;
        }
        config.check().expect("all that is refused was mended");
        config
    })
}

/// Steps: so much later, a packet of so many bytes, or a change to another configuration.
type Step = (u64, u32, bool);

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec((0u64..2_000_000, prop_oneof![0u32..2_000, any::<u32>()], any::<bool>()), 1..80)
}

/// Goes through `steps`, asking when `asks` says so, and then until nothing is due within `patience` more questions.
fn fates(
    configs: [&LinkConfig; 2],
    steps: &[Step],
    asks: impl Fn(&Link, Duration) -> Vec<Duration>,
) -> Option<Vec<Outcome>> {
    let mut link = Link::new(configs[0], 3).ok()?;
    let (mut outcomes, mut now, mut taken) = (Vec::new(), Duration::ZERO, 0);
    for (i, (later, length, changes)) in steps.iter().enumerate() {
        let next = now + Duration::from_nanos(*later);
        for at in asks(&link, next) {
            outcomes.extend(std::iter::from_fn(|| link.poll(at)));
        }
        now = next;
        if *changes && i % 16 == 15 {
            link.change(now, configs[i / 16 % 2]).ok()?;
        }
        taken += usize::from(link.push(now, i as u32, *length).taken);
    }
    for _ in 0..400 {
        let Some(due) = link.due() else { break };
        outcomes.extend(std::iter::from_fn(|| link.poll(due)));
    }
    let may_never_end = |config: &LinkConfig| {
        let slow =
            config.bucket.is_some() || config.overhead != Overhead::default() || config.slots.is_some();
        slow || config.outages != Outages::default()
    };
    if link.due().is_none() && !configs.iter().any(|config| may_never_end(config)) {
        assert_eq!((outcomes.len(), link.backlog()), (taken, Backlog::default()));
    }
    Some(outcomes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn odd_links_do_not_panic(config in any_valid(), other in any_config(), steps in any_steps()) {
        let _ = fates([&config, &other], &steps, |_, now| vec![now]);
        if let Ok(mut link) = Link::new(&config, 1) {
            for (i, (_, length, _)) in steps.iter().enumerate() {
                let _ = link.push(Duration::from_nanos(u64::MAX - i as u64), i as u32, *length);
                let _ = (link.poll(Duration::MAX), link.due(), link.backlog());
            }
        }
    }

    #[test]
    fn asking_when_due_is_enough(config in any_valid(), other in any_valid(), steps in any_steps()) {
        // Once at every step, and once at every moment at which something is due.
        let late = fates([&config, &other], &steps, |_, now| vec![now]);
        let timely = fates([&config, &other], &steps, |link, until| {
            let mut link = link.clone();
            let mut times = Vec::new();
            while let Some(due) = link.due().filter(|due| *due <= until) && times.len() < 400 {
                while link.poll(due).is_some() {}
                times.push(due);
            }
            times
        });
        let key = |outcomes: Option<Vec<Outcome>>| outcomes.map(|mut outcomes| {
            outcomes.sort_by_key(|outcome| match outcome {
                Outcome::Delivered(d) => (d.at, d.ticket, d.copy),
                Outcome::Dropped(d) => (d.at, d.ticket, false),
            });
            outcomes
        });
        prop_assert_eq!(key(late), key(timely));
    }

    #[test]
    fn every_valid_link_reads_back_from_what_it_writes(config in any_valid()) {
        if config.trace.is_none() {
            let text = config.to_string();
            let back = text.parse::<LinkConfig>();
            let written = back.map(|back| back.to_string());
            prop_assert_eq!(written, Ok(text));
        }
    }
}
