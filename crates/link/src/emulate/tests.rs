use super::*;
use proptest::prelude::*;

pub(crate) mod odd;

const MS: u64 = 1_000_000;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn link(text: &str) -> Link {
    Link::new(&text.parse().unwrap(), 7).unwrap()
}

fn send(link: &mut Link, now: Duration, ticket: u32, length: u32) {
    let _ = link.push(now, ticket, length);
}

/// All that comes out until nothing is in the link, asked for only when it is due.
fn drain(link: &mut Link) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    while let Some(due) = link.due() {
        outcomes.extend(std::iter::from_fn(|| link.poll(due)));
    }
    outcomes
}

/// When each packet was there, by ticket; drops left out.
fn arrivals(outcomes: &[Outcome]) -> Vec<(u32, u64)> {
    let delivered = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Delivered(d) => Some((d.ticket, d.at.as_nanos() as u64)),
        Outcome::Dropped(_) => None,
    });
    delivered.collect()
}

#[test]
fn a_rate_is_kept_to_a_hundredth_of_a_percent_and_without_bursts() {
    for (text, bits) in [
        ("rate=200kbit", 200e3),
        ("rate=10mbit", 10e6),
        ("rate=100mbit", 100e6),
        ("rate=7777777bit", 7_777_777.0),
    ] {
        // One packet in the queue, one being sent: offered at twice the rate.
        let mut link = link(&format!("{text} queue=1p"));
        let offered = 1458.0 * 8.0 / bits / 2.0;
        let mut times = Vec::new();
        for i in 0..20_000u32 {
            let now = Duration::from_secs_f64(offered * f64::from(i));
            times.extend(std::iter::from_fn(|| link.poll(now)));
            link.push(now, i, 1_458);
        }
        let times = arrivals(&times);
        let (first, last) = (times[0].1, times[times.len() - 1].1);
        let sent = 1458.0 * 8.0 * (times.len() - 1) as f64;
        let error = sent / ((last - first) as f64 / 1e9) / bits - 1.0;
        assert!(error.abs() < 1e-4, "{text}: {error}");
        assert!(error.abs() < 1e-8, "{text}: integers do not drift, yet {error}");
        let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1].1 - pair[0].1).collect();
        assert!(gaps.iter().max().unwrap() - gaps.iter().min().unwrap() <= 1, "{text}");
    }
}

#[test]
fn a_full_queue_refuses_the_newest_in_packets_bytes_and_time() {
    for (queue, fits) in [("3p", 3), ("3500b", 3), ("30ms", 3), ("0p", 0)] {
        // 1000 bytes take 10 ms.
        let mut link = link(&format!("rate=800kbit queue={queue}"));
        let taken = (0..10).filter(|i| link.push(ms(0), *i, 1_000).taken == 1).count();
        assert_eq!(taken, 1 + fits, "{queue}");
        assert_eq!(link.push(ms(0), 10, 1_000), Entry { taken: 0, refused: Some(Why::Full) });
        assert_eq!(arrivals(&drain(&mut link)).len(), 1 + fits);
    }
}

#[test]
fn drophead_lets_the_oldest_go() {
    let mut link = link("rate=800kbit queue=2p aqm=drophead");
    assert!((0..6).all(|i| link.push(ms(0), i, 1_000).taken == 1));
    let outcomes = drain(&mut link);
    assert_eq!(arrivals(&outcomes), [(0, 10 * MS), (4, 20 * MS), (5, 30 * MS)]);
    assert_eq!(link.counts().queue, 3);
}

#[test]
fn codel_keeps_the_wait_short_where_droptail_fills_up() {
    let waits = |aqm: &str| {
        let mut link = link(&format!("rate=8mbit queue=1000p aqm={aqm}"));
        let mut waits = Vec::new();
        // 5 % too many for 20 s.
        for i in 0..21_000u32 {
            let now = Duration::from_nanos(u64::from(i) * 952_381);
            while let Some(Outcome::Delivered(packet)) = link.poll(now) {
                waits.push(packet.at.as_nanos() as u64 - u64::from(packet.ticket) * 952_381);
            }
            link.push(now, i, 1_000);
        }
        let mut late = waits.split_off(waits.len() / 2);
        late.sort_unstable();
        late[late.len() / 2]
    };
    let (managed, full) = (waits("codel"), waits("droptail"));
    assert!(managed < 30 * MS && full > 10 * managed, "{managed} {full}");
}

#[test]
fn jitter_overtakes_where_order_is_free_and_not_where_it_is_kept() {
    for (order, sorted) in [("keep", true), ("free", false)] {
        let mut link = link(&format!("delay=50ms±20ms order={order}"));
        (0..200).for_each(|i| send(&mut link, ms(i), i as u32, 100));
        let times = arrivals(&drain(&mut link));
        assert_eq!(times.is_sorted_by_key(|(ticket, _)| *ticket), sorted);
        assert!(times.is_sorted_by_key(|(_, at)| *at));
    }
    // netem's own rule: with a rate, order is kept.
    let mut link = link("rate=100mbit delay=50ms±20ms");
    (0..200).for_each(|i| send(&mut link, ms(i), i as u32, 100));
    assert!(arrivals(&drain(&mut link)).is_sorted_by_key(|(ticket, _)| *ticket));
}

#[test]
fn copies_come_as_often_as_asked_and_are_marked() {
    let mut link = link("duplicate=10% delay=1ms");
    let taken: u32 = (0..100_000).map(|i| u32::from(link.push(ms(0), i, 100).taken)).sum();
    let outcomes = drain(&mut link);
    let copies = outcomes.iter().filter(|o| matches!(o, Outcome::Delivered(d) if d.copy)).count();
    assert_eq!((outcomes.len() as u32, copies as u32), (taken, taken - 100_000));
    assert!((copies as f64 / 10_000.0 - 1.0).abs() < 0.03, "{copies}");
}

#[test]
fn a_flipped_bit_lies_within_the_packet() {
    let mut link = link("corrupt=50%");
    (0..10_000).for_each(|i| send(&mut link, ms(0), i, 3));
    let flipped: Vec<u32> = drain(&mut link)
        .iter()
        .filter_map(|o| if let Outcome::Delivered(d) = o { d.flipped } else { None })
        .collect();
    assert!((4_800..5_200).contains(&flipped.len()));
    assert_eq!((flipped.iter().min(), flipped.iter().max()), (Some(&0), Some(&23)));
}

#[test]
fn marks_replace_losses_where_ecn_is_on() {
    let mut link = link("loss=20% ecn=yes");
    (0..10_000).for_each(|i| send(&mut link, ms(0), i, 100));
    let outcomes = drain(&mut link);
    let marked = outcomes.iter().filter(|o| matches!(o, Outcome::Delivered(d) if d.marked)).count();
    assert_eq!(outcomes.len(), 10_000);
    assert!((1_900..2_100).contains(&marked), "{marked}");
}

#[test]
fn every_fifth_packet_skips_the_delay_where_the_gap_is_five() {
    let mut link = link("delay=100ms reorder=100%/5");
    (0..20).for_each(|i| send(&mut link, ms(i), i as u32, 100));
    let early: Vec<u32> = arrivals(&drain(&mut link)).iter().take(4).map(|(ticket, _)| *ticket).collect();
    assert_eq!(early, [4, 9, 14, 19]);
}

#[test]
fn an_outage_holds_packets_or_loses_them() {
    let leave = |text: &str| {
        let mut link = link(text);
        (0..5).for_each(|i| send(&mut link, ms(i * 10), i as u32, 1_000));
        arrivals(&drain(&mut link)).iter().map(|(ticket, at)| (*ticket, at / MS)).collect::<Vec<_>>()
    };
    assert_eq!(leave("outage=15ms..35ms"), [(0, 0), (1, 10), (2, 35), (3, 35), (4, 40)]);
    assert_eq!(leave("outage=15ms..35ms,lose"), [(0, 0), (1, 10), (4, 40)]);
    // 10 ms each: the second is cut in two by the outage.
    assert_eq!(leave("rate=800kbit outage=15ms..35ms"), [(0, 10), (1, 40), (2, 50), (3, 60), (4, 70)]);
}

#[test]
fn a_bucket_passes_its_burst_and_then_its_rate() {
    let mut link = link("tbf rate 200kbit burst 1024kbit limit 1024kbit");
    let taken = (0..400).filter(|i| link.push(ms(0), *i, 1_024).taken == 1).count();
    // 128 KiB at once, one waiting for tokens, 128 KiB behind it.
    assert_eq!(taken, 128 + 1 + 128);
    let times: Vec<u64> = arrivals(&drain(&mut link)).iter().map(|(_, at)| *at).collect();
    assert!(times[..128].iter().all(|at| *at == 0));
    assert!(times[128..].iter().enumerate().all(|(i, at)| *at == (i as u64 + 1) * 40_960_000));
    assert_eq!(link.push(ms(60_000), 0, 131_073).refused, Some(Why::TooLong));
}

#[test]
fn a_recorded_link_sends_at_its_opportunities() {
    let replay = crate::Replay::parse("t", "2\n4\n10\n").unwrap();
    let config = LinkConfig { trace: Some(replay), delay: ms(5), ..LinkConfig::default() };
    let mut link = Link::new(&config, 1).unwrap();
    (0..5).for_each(|i| send(&mut link, ms(0), i, 1_500));
    let times: Vec<u64> = arrivals(&drain(&mut link)).iter().map(|(_, at)| at / MS).collect();
    assert_eq!(times, [7, 9, 15, 17, 19]);
}

#[test]
fn packets_are_released_in_slots() {
    let mut link = link("delay=1ms slot=10ms,packets=2");
    (0..5).for_each(|i| send(&mut link, ms(0), i, 100));
    let times: Vec<u64> = arrivals(&drain(&mut link)).iter().map(|(_, at)| at / MS).collect();
    assert_eq!(times, [10, 10, 20, 20, 30]);
}

#[test]
fn a_change_loses_nothing_and_retimes_what_waits() {
    let mut link = link("rate=80kbit delay=5ms");
    // 100 ms each.
    (0..10).for_each(|i| send(&mut link, ms(0), i, 1_000));
    link.change(ms(150), &"rate=800kbit delay=20ms".parse().unwrap()).unwrap();
    let times: Vec<(u32, u64)> = arrivals(&drain(&mut link)).iter().map(|(t, at)| (*t, at / MS)).collect();
    // The first had left; of the second half was out, the rest takes 5 ms; then 10 ms each.
    let expected: Vec<(u32, u64)> =
        std::iter::once((0, 105)).chain((1..10).map(|i| (i, 165 + 10 * u64::from(i)))).collect();
    assert_eq!(times, expected);
}

#[test]
fn a_change_of_bucket_or_outage_frees_a_packet_that_waits_for_it() {
    let mut slow = link("bucket=1kbit:1000b");
    slow.push(ms(0), 0, 1_000);
    slow.push(ms(0), 1, 1_000);
    assert_eq!(arrivals(&[slow.poll(ms(0)).unwrap()]), [(0, 0)]);
    slow.change(ms(1_000), &"bucket=1mbit:1000b".parse().unwrap()).unwrap();
    // 125 bytes had come in a second; 875 come in 7 ms.
    assert_eq!(arrivals(&drain(&mut slow)), [(1, 1_007 * MS)]);

    let mut down = link("outage=0s..3600s");
    down.push(ms(0), 0, 1_000);
    down.change(ms(10), &"delay=5ms".parse().unwrap()).unwrap();
    assert_eq!(arrivals(&drain(&mut down)), [(0, 15 * MS)]);
}

#[test]
fn a_change_between_the_kernels_arithmetic_and_ours_loses_nothing() {
    let mut link = link("compat=netem delay=50ms±10ms");
    (0..50).for_each(|i| send(&mut link, ms(0), i, 100));
    link.change(ms(10), &"rate=1mbit delay=5ms".parse().unwrap()).unwrap();
    (50..60).for_each(|i| send(&mut link, ms(10), i, 100));
    link.change(ms(11), &"compat=netem delay=1ms".parse().unwrap()).unwrap();
    (60..70).for_each(|i| send(&mut link, ms(11), i, 100));
    let mut tickets: Vec<u32> = arrivals(&drain(&mut link)).iter().map(|(ticket, _)| *ticket).collect();
    tickets.sort_unstable();
    assert_eq!(tickets, (0..70).collect::<Vec<_>>());
}

#[test]
fn sure_packets_are_spared_and_stay_in_order() {
    let mut link = link("rate=800kbit queue=0p delay=20ms±20ms loss=100% order=free");
    (0..50).for_each(|i| link.push_sure(0, i, 100));
    let times = arrivals(&drain(&mut link));
    assert_eq!(times.iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>(), (0..50).collect::<Vec<_>>());
}

#[test]
fn the_fates_of_a_seed_are_pinned() {
    // Everything that draws; the digest must not change between versions or machines.
    let text = "rate=9mbit queue=20p delay=20ms±5ms~40% distribution=paretonormal order=free loss=gemodel:1%,20%,80%,0.1% \
                duplicate=2%~30% corrupt=1% reorder=3%~20%/4 slot=1ms..2ms,packets=9";
    let digest = |seed| {
        let mut link = Link::new(&text.parse().unwrap(), seed).unwrap();
        let mut hash = 0u64;
        for i in 0..20_000u32 {
            let now = Duration::from_micros(u64::from(i) * 900);
            let entry = link.push(now, i, 200 + i % 1_300);
            hash = crate::chance::mix(hash, u64::from(entry.taken));
            while let Some(Outcome::Delivered(d)) = link.poll(now) {
                let bits = u64::from(d.flipped.unwrap_or(99_999)) << 1 | u64::from(d.copy);
                hash = crate::chance::mix(hash ^ d.at.as_nanos() as u64, u64::from(d.ticket) << 32 | bits);
            }
        }
        hash
    };
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1), digest(2));
    assert_eq!(digest(42), PINNED);
}
const PINNED: u64 = 12_702_017_125_018_196_764;

#[test]
fn counts_add_up() {
    let mut link = link("rate=1mbit queue=5p loss=10%");
    (0..1_000).for_each(|i| send(&mut link, ms(i), i as u32, 1_000));
    let delivered = drain(&mut link).len() as u64;
    let counts = link.counts();
    assert_eq!(counts.delivered, delivered);
    assert_eq!(counts.arrived, counts.delivered + counts.lost + counts.queue + counts.other);
    assert!(counts.lost > 50 && counts.queue > 500, "{counts:?}");
    assert_eq!(link.backlog(), Backlog::default());
}
