use super::*;
use crate::Topology;
use crate::topology::mac;

fn fabric(core: &str) -> Fabric {
    let lab = Topology::seminar(levada_link::Profile::both(core.parse().unwrap()));
    let wires: Vec<LinkConfig> =
        lab.links().iter().flat_map(|link| [link.profile.down.clone(), link.profile.up.clone()]).collect();
    Fabric::new(Paths::of(&lab), &wires, 7).unwrap()
}

fn frame(to: [u8; 6], length: usize) -> Vec<u8> {
    let mut frame = vec![0; length];
    frame[..6].copy_from_slice(&to);
    frame
}

fn client() -> [u8; 6] {
    mac([10, 0, 0, 2].into())
}

const MS: Duration = Duration::from_millis(1);

#[test]
fn packets_cross_the_bottleneck_at_its_rate_and_delay() {
    let mut fabric = fabric("rate=8mbit delay=10ms");
    for n in 0..3 {
        fabric.arrive(0, n * MS / 10, &frame(client(), 1000));
    }
    assert_eq!(fabric.due(), Some(11 * MS));
    fabric.run(20 * MS);
    let out: Vec<_> = fabric.out.iter().map(|leaving| (leaving.port, leaving.at, leaving.id)).collect();
    assert_eq!(out, [(1, 11 * MS, 1), (1, 12 * MS, 2), (1, 13 * MS, 3)]);
    let sum = 11_000_000 + 11_900_000 + 12_800_000;
    let carried =
        Totals { packets: 3, bytes: 3000, delivered: 3, delivered_bytes: 3000, ..Totals::default() };
    assert_eq!(fabric.totals()[2], Totals { delay_ns: sum, ..carried });
    assert_eq!(fabric.totals()[3], Totals::default());
}

#[test]
fn a_change_loses_nothing_and_holds_from_its_moment_on() {
    let mut fabric = fabric("rate=8mbit");
    for _ in 0..10 {
        fabric.arrive(0, Duration::ZERO, &frame(client(), 1000));
    }
    // Five have left; of the sixth the half.
    fabric.change(5 * MS + MS / 2, &[(2, "rate=4mbit".parse().unwrap())]).unwrap();
    fabric.run(100 * MS);
    let last = fabric.out.back().map(|leaving| leaving.at);
    assert_eq!((fabric.out.len(), last), (10, Some(5 * MS + MS / 2 + MS + 4 * 2 * MS)));
}

#[test]
fn stages_come_before_the_wire_and_go_without_a_loss() {
    let mut fabric = fabric("delay=10ms");
    let netem = "netem delay 100ms".parse().unwrap();
    fabric.stages(MS, &[2], std::slice::from_ref(&netem)).unwrap();
    fabric.arrive(0, 2 * MS, &frame(client(), 100));
    fabric.stages(3 * MS, &[2], &[]).unwrap();
    fabric.arrive(0, 4 * MS, &frame(client(), 100));
    fabric.run(1000 * MS);
    let out: Vec<_> = fabric.out.iter().map(|leaving| leaving.at).collect();
    assert_eq!(out, [14 * MS, 112 * MS]);
}

#[test]
fn one_stage_for_both_directions_is_one_queue() {
    let mut fabric = fabric("perfect");
    fabric.stages(Duration::ZERO, &[2, 3], &["rate=8mbit".parse().unwrap()]).unwrap();
    fabric.arrive(0, Duration::ZERO, &frame(client(), 1000));
    fabric.arrive(1, Duration::ZERO, &frame(mac([10, 0, 0, 1].into()), 1000));
    fabric.run(10 * MS);
    let out: Vec<_> = fabric.out.iter().map(|leaving| (leaving.port, leaving.at)).collect();
    assert_eq!(out, [(1, MS), (0, 2 * MS)]);
}

#[test]
fn what_is_dropped_is_seen_with_its_reason() {
    let mut fabric = fabric("rate=8mbit queue=1p");
    fabric.watched[2] = true;
    for _ in 0..3 {
        fabric.arrive(0, Duration::ZERO, &frame(client(), 1000));
    }
    fabric.run(10 * MS);
    let fates: Vec<_> = fabric.seen.iter().map(|seen| (seen.packet, seen.fate)).collect();
    let expected = [
        (1, Fate::Sent),
        (2, Fate::Sent),
        (3, Fate::Sent),
        (3, Fate::Dropped(Why::Full)),
        (1, Fate::Arrived),
        (2, Fate::Arrived),
    ];
    assert_eq!(fates, expected);
    assert_eq!(fabric.totals()[2].queue, 1);
}

#[test]
fn groups_get_only_to_their_members() {
    let lab = Topology::star(3, Default::default()).unwrap();
    let wires = vec![LinkConfig::default(); 6];
    let mut fabric = Fabric::new(Paths::of(&lab), &wires, 1).unwrap();
    let mut join = frame([1, 0, 0x5e, 0, 0, 22], 14 + 24 + 16);
    join[12..14].copy_from_slice(&[8, 0]);
    join[14] = 0x46;
    join[14 + 9] = 2;
    join[14 + 16..14 + 20].copy_from_slice(&[224, 0, 0, 22]);
    join[38] = 0x22;
    join[38 + 7] = 1;
    join[46] = 4;
    join[50..54].copy_from_slice(&[239, 1, 1, 1]);
    fabric.arrive(1, Duration::ZERO, &join);
    fabric.out.clear();
    let mut packet = frame([1, 0, 0x5e, 1, 1, 1], 60);
    packet[12..15].copy_from_slice(&[8, 0, 0x45]);
    packet[30..34].copy_from_slice(&[239, 1, 1, 1]);
    fabric.arrive(0, MS, &packet);
    assert_eq!(fabric.out.iter().map(|leaving| leaving.port).collect::<Vec<_>>(), [1]);
    // Another group has no members known, so everybody gets it.
    packet[33] = 2;
    fabric.arrive(0, 2 * MS, &packet);
    assert_eq!(fabric.out.len(), 3);
}
