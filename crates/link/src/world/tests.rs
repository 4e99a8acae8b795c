use super::*;
use crate::machine::{STREAM_BUFFER, StreamId, StreamInput, StreamOutput};
use crate::trace::Fate;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// A machine that does what its script says, and tells all that happens to it.
#[derive(Default)]
struct Scripted {
    outputs: VecDeque<Output<Input>>,
    /// Sends each datagram back so many times.
    echoes: u32,
    wake: Option<Instant>,
}

impl Scripted {
    fn sends(outputs: impl IntoIterator<Item = Transmit>) -> Scripted {
        Scripted { outputs: outputs.into_iter().map(Output::Send).collect(), ..Scripted::default() }
    }

    fn echo(times: u32) -> Scripted {
        Scripted { echoes: times, ..Scripted::default() }
    }
}

impl Machine for Scripted {
    type Event = Input;

    fn handle(&mut self, _: Instant, input: Input) {
        if let Input::Datagram { from, bytes } = &input
            && self.echoes > 0
        {
            self.echoes -= 1;
            self.outputs.push_back(Output::Send(datagram(*from, bytes.clone())));
        }
        self.outputs.push_back(Output::Event(input));
    }

    fn poll(&mut self, _: Instant) -> Output<Input> {
        self.outputs.pop_front().unwrap_or(Output::Wait(self.wake))
    }
}

fn datagram(to: SocketAddr, bytes: impl Into<Bytes>) -> Transmit {
    Transmit::Datagram { to, bytes: bytes.into() }
}

fn on_stream(n: u32, what: StreamOutput) -> Transmit {
    Transmit::Stream { id: StreamId::ours(n), what }
}

// The only clock of these tests: where time begins does not matter.
#[allow(clippy::disallowed_methods)]
fn world(seed: u64) -> World<Scripted> {
    World::new(Instant::now(), seed)
}

fn access(text: &str) -> Access {
    Access::both(&text.parse().unwrap())
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What is told until `until`, without the first waking of each.
fn run(world: &mut World<Scripted>, until: Duration) -> Vec<(u64, u32, Input)> {
    let mut told = Vec::new();
    world.run(until, |at, host, input| {
        if input != Input::Wake {
            told.push((at.as_millis() as u64, host.0, input));
        }
    });
    told
}

fn second() -> SocketAddr {
    HostId(1).address()
}

#[test]
fn ping_pong_takes_both_links_and_the_core() {
    let mut world = world(1);
    world.core(|_, _| ms(5));
    // 100 bytes and 28 of headers: 1.024 ms at 1 Mbit/s.
    world.add(Scripted::sends([datagram(second(), vec![7; 100])]), &access("rate=1mbit delay=10ms")).unwrap();
    world.add(Scripted::echo(1), &Access::default()).unwrap();
    let told = run(&mut world, ms(1_000));
    let times: Vec<(u64, u32)> = told.iter().map(|(at, host, _)| (*at, *host)).collect();
    assert_eq!(times, [(16, 1), (32, 0)]);
    assert!(matches!(&told[1].2, Input::Datagram { from, bytes } if *from == second() && bytes.len() == 100));
    assert_eq!(world.now(), ms(1_000));
}

#[test]
fn a_machine_is_woken_when_it_asked_and_not_again() {
    let mut world = world(1);
    let start = world.start;
    let host = world
        .add(Scripted { wake: Some(start + ms(50)), ..Scripted::default() }, &Access::default())
        .unwrap();
    let mut times = Vec::new();
    world.run(ms(10), |at, _, _| times.push(at));
    // It changes its mind twice before the time has come.
    world.machine_mut(host).unwrap().wake = Some(start + ms(80));
    world.run(ms(20), |at, _, _| times.push(at));
    world.machine_mut(host).unwrap().wake = Some(start + ms(30));
    world.run(ms(29), |at, _, _| times.push(at));
    world.machine_mut(host).unwrap().wake = None;
    world.run(ms(500), |at, _, _| times.push(at));
    assert_eq!(times, [ms(0), ms(10), ms(20), ms(29)]);
}

/// Twenty hosts that send each other what they get, over bad links; two streams among it.
fn busy(seed: u64) -> World<Scripted> {
    let mut world = world(seed);
    let bad = access(
        "rate=2mbit queue=20p delay=20ms±10ms~30% distribution=pareto loss=2%~20% duplicate=2% corrupt=1%",
    );
    for host in 0..20u32 {
        let to = HostId((host * 7 + 1) % 20).address();
        let mut machine = Scripted::sends((0..10u8).map(|n| datagram(to, vec![n; 400 + usize::from(n)])));
        machine.echoes = 300;
        if host < 2 {
            let stream = [
                StreamOutput::Open { to },
                StreamOutput::Bytes(vec![9; 200_000].into()),
                StreamOutput::Close,
            ];
            machine.outputs.extend(stream.map(|what| Output::Send(on_stream(0, what))));
        }
        world.add(machine, &bad).unwrap();
    }
    world
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let outcome = |seed| {
        let mut world = busy(seed);
        let told = run(&mut world, Duration::from_secs(20));
        (world.trace_hash(), world.stats(), told)
    };
    let (once, again, other) = (outcome(3), outcome(3), outcome(4));
    assert_eq!((once.0, once.1), (again.0, again.1));
    assert_eq!(once.2, again.2);
    assert_ne!(once.0, other.0);
    let stats = once.1;
    assert!(stats.dropped > 10 && stats.corrupted > 10 && stats.delivered > 1_000, "{stats:?}");
    assert_eq!((stats.under_way, stats.stream_bytes), (0, 400_000));
    // Pinned: neither a version nor a machine may change it.
    assert_eq!(once.0, PINNED);
}
const PINNED: u64 = 6_048_224_443_960_179_733;

#[test]
fn a_run_in_steps_is_the_same_run() {
    let mut whole = busy(5);
    run(&mut whole, ms(3_000));
    let mut steps = busy(5);
    (0..=300).for_each(|step| drop(run(&mut steps, ms(step * 10))));
    assert_eq!((whole.trace_hash(), whole.stats()), (steps.trace_hash(), steps.stats()));
}

/// The bytes that `host` got on its stream, and how it ended.
fn received(told: &[(u64, u32, Input)], host: u32) -> (Vec<u8>, Option<Closed>) {
    let (mut all, mut end) = (Vec::new(), None);
    for (_, _, input) in told.iter().filter(|(_, who, _)| *who == host) {
        match input {
            Input::Stream { what: StreamInput::Bytes(bytes), .. } => all.extend_from_slice(bytes),
            Input::Stream { what: StreamInput::Closed(why), .. } => end = Some(*why),
            _ => {}
        }
    }
    (all, end)
}

#[test]
fn streams_arrive_whole_and_in_order_over_lossy_links() {
    let mut world = world(2);
    let bytes: Vec<u8> = (0..500_000u32).map(|i| (i.wrapping_mul(i) >> 5) as u8).collect();
    let cuts = bytes.chunks(9_999).map(|cut| on_stream(4, StreamOutput::Bytes(Bytes::copy_from_slice(cut))));
    let open = on_stream(4, StreamOutput::Open { to: second() });
    let script = std::iter::once(open).chain(cuts).chain([on_stream(4, StreamOutput::Close)]);
    let bad = access(
        "rate=10mbit queue=5p delay=10ms±10ms order=free loss=30% duplicate=10% corrupt=10% reorder=50%",
    );
    world.add(Scripted::sends(script), &bad).unwrap();
    world.add(Scripted::default(), &bad).unwrap();
    let told = run(&mut world, Duration::from_secs(10));
    assert!(matches!(told[0].2, Input::Stream { what: StreamInput::Opened { .. }, id } if !id.is_ours()));
    let (got, end) = received(&told, 1);
    assert!(got == bytes);
    assert_eq!(end, Some(Closed::ByPeer));
    // 500 kB and headers at 10 Mbit/s, and a few round trips to start.
    let last = told.last().unwrap().0;
    assert!((411..700).contains(&last), "{last}");
    assert_eq!(world.stats().under_way, 0);
}

#[test]
fn a_stream_is_no_faster_than_its_window_in_a_round_trip() {
    let mut world = world(2);
    let script = [
        StreamOutput::Open { to: second() },
        StreamOutput::Bytes(vec![1; 1 << 20].into()),
        StreamOutput::Close,
    ];
    world.add(Scripted::sends(script.map(|what| on_stream(0, what))), &access("delay=100ms")).unwrap();
    world.add(Scripted::default(), &Access::default()).unwrap();
    let told = run(&mut world, Duration::from_secs(10));
    // Four windows of 256 KiB, each after the round trip of the one before, after the opening's 100 ms.
    let last = told.iter().rfind(|(_, host, _)| *host == 1).unwrap().0;
    assert_eq!(last, 100 + 3 * 200);
}

#[test]
fn an_answer_comes_back_on_the_same_stream() {
    struct Server(VecDeque<Output<Input>>);
    impl Machine for Server {
        type Event = Input;
        fn handle(&mut self, _: Instant, input: Input) {
            if let Input::Stream { id, what: StreamInput::Bytes(bytes) } = input {
                let what = StreamOutput::Bytes(bytes.to_ascii_uppercase().into());
                self.0.push_back(Output::Send(Transmit::Stream { id, what }));
                self.0.push_back(Output::Send(Transmit::Stream { id, what: StreamOutput::Close }));
            }
        }
        fn poll(&mut self, _: Instant) -> Output<Input> {
            self.0.pop_front().unwrap_or(Output::Wait(None))
        }
    }
    let mut world: World<Box<dyn Machine<Event = Input>>> = World::new(world(0).start, 0);
    let script = [StreamOutput::Open { to: second() }, StreamOutput::Bytes(Bytes::from_static(b"hello"))];
    world
        .add(Box::new(Scripted::sends(script.map(|what| on_stream(0, what)))), &access("delay=5ms"))
        .unwrap();
    world.add(Box::new(Server(VecDeque::new())), &Access::default()).unwrap();
    let mut told = Vec::new();
    world.run(ms(100), |at, host, input| told.push((at.as_millis() as u64, host.0, input)));
    assert_eq!(received(&told, 0), (b"HELLO".to_vec(), Some(Closed::ByPeer)));
}

#[test]
fn nobody_there_refuses_streams_and_swallows_datagrams() {
    let mut world = world(1);
    let nowhere = HostId(77).address();
    let script = [
        on_stream(0, StreamOutput::Open { to: nowhere }),
        datagram(nowhere, "x"),
        datagram("192.0.2.1:9".parse().unwrap(), "x"),
    ];
    world.add(Scripted::sends(script), &Access::default()).unwrap();
    let told = run(&mut world, ms(10));
    assert_eq!(received(&told, 0).1, Some(Closed::Refused));
    assert_eq!(world.stats().nobody, 2);
}

#[test]
fn a_removed_host_is_gone_and_its_streams_are_lost() {
    let mut world = world(1);
    let script = [on_stream(0, StreamOutput::Open { to: second() }), datagram(second(), "late")];
    world.add(Scripted::sends(script), &access("delay=20ms")).unwrap();
    let gone = world.add(Scripted::default(), &Access::default()).unwrap();
    let told = run(&mut world, ms(25));
    assert_eq!(told.len(), 2);
    world.machine_mut(HostId(0)).unwrap().outputs.push_back(Output::Send(datagram(second(), "later")));
    run(&mut world, ms(30));
    assert!(world.remove(gone).is_some() && world.remove(gone).is_none());
    let told = run(&mut world, ms(100));
    assert_eq!(received(&told, 0).1, Some(Closed::Lost));
    assert_eq!((world.stats().nobody, world.stats().under_way), (1, 0));
    assert!(world.machine(gone).is_none() && world.hosts().count() == 1);
}

#[test]
fn a_stream_written_faster_than_it_leaves_is_closed() {
    let mut world = world(1);
    let script = [
        StreamOutput::Open { to: second() },
        StreamOutput::Bytes(vec![0; STREAM_BUFFER].into()),
        StreamOutput::Bytes(Bytes::from_static(b"!")),
    ];
    world.add(Scripted::sends(script.map(|what| on_stream(0, what))), &access("rate=1mbit")).unwrap();
    world.add(Scripted::default(), &Access::default()).unwrap();
    let told = run(&mut world, ms(60_000));
    assert_eq!(received(&told, 0).1, Some(Closed::Overflow));
    assert_eq!(world.stats().under_way, 0);
}

#[test]
fn links_change_while_packets_are_in_them() {
    let mut world = world(1);
    let script = (0..10).map(|_| datagram(second(), vec![0; 972]));
    // 100 ms a packet.
    let host = world.add(Scripted::sends(script), &access("rate=80kbit")).unwrap();
    world.add(Scripted::default(), &Access::default()).unwrap();
    assert_eq!(run(&mut world, ms(250)).len(), 2);
    world.change(host, Way::Up, &"rate=800kbit".parse().unwrap()).unwrap();
    assert_eq!(world.backlog(host, Way::Up), (8, 8_000));
    let told = run(&mut world, ms(400));
    let times: Vec<u64> = told.iter().map(|(at, ..)| *at).collect();
    assert_eq!(times, [255, 265, 275, 285, 295, 305, 315, 325]);
    world.change(HostId(1), Way::Down, &"delay=1s".parse().unwrap()).unwrap();
    assert!(
        world
            .change(host, Way::Up, &LinkConfig { rate: Some(crate::Bitrate(0)), ..LinkConfig::default() })
            .is_err()
    );
}

#[test]
fn a_watcher_sees_every_fate() {
    let mut world = world(8);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    world.watch(move |record, bytes| sink.lock().unwrap().push((*record, bytes.clone())));
    let script = (0..2_000u32).map(|n| datagram(second(), n.to_be_bytes().to_vec()));
    world.add(Scripted::sends(script), &access("loss=10% duplicate=10% corrupt=10%")).unwrap();
    world.add(Scripted::default(), &Access::default()).unwrap();
    let told = run(&mut world, ms(1_000));
    let seen = seen.lock().unwrap();
    let count = |wanted: fn(&Fate) -> bool| seen.iter().filter(|(record, _)| wanted(&record.fate)).count();
    let stats = world.stats();
    assert_eq!(count(|fate| *fate == Fate::Sent), 2_000);
    assert_eq!(count(|fate| matches!(fate, Fate::Arrived { .. })), told.len());
    assert_eq!(count(|fate| *fate == Fate::Corrupted), stats.corrupted as usize);
    let copies = count(|fate| matches!(fate, Fate::Arrived { copy: true, .. }));
    assert!(copies > 100, "{copies}");
    let (sent, bytes) = &seen[5];
    assert_eq!((sent.packet, sent.length, bytes.as_ref()), (6, 32, &5u32.to_be_bytes()[..]));
}

#[test]
fn a_host_behind_a_nat_is_seen_at_its_ports_and_gets_what_that_lets_in() {
    for class in nat::Class::ALL {
        let mut world = world(1);
        let inside =
            world.add(Scripted::sends([datagram(HostId(1).address(), "out")]), &Access::default()).unwrap();
        world.add(Scripted::echo(1), &Access::default()).unwrap();
        let stranger = world.add(Scripted::default(), &Access::default()).unwrap();
        world.behind(inside, class);
        let mut seen = Vec::new();
        world.run(Duration::from_secs(1), |_, host, input| {
            seen.extend((input != Input::Wake).then_some((host, input)));
        });
        let Input::Datagram { from, .. } = seen[0].1 else { panic!("{seen:?}") };
        assert_eq!((seen[0].0, from.ip()), (HostId(1), inside.address().ip()));
        assert_eq!(from == inside.address(), class != nat::Class::Symmetric);
        assert!(matches!(seen[1], (host, Input::Datagram { .. }) if host == inside), "the answer comes in");
        world.machine_mut(stranger).unwrap().outputs.push_back(Output::Send(datagram(from, "in")));
        seen.clear();
        world.run(Duration::from_secs(2), |_, host, input| seen.push((host, input)));
        let came =
            seen.iter().any(|(host, input)| *host == inside && matches!(input, Input::Datagram { .. }));
        assert_eq!(came, class == nat::Class::FullCone, "{class:?}");
        assert_eq!(world.stats().nobody, u64::from(!came));
    }
}

#[test]
fn hosts_behind_one_nat_reach_each_other_inside_and_are_one_host_to_others() {
    let mut world = world(1);
    let [one, other, outside, stranger] =
        [(); 4].map(|()| world.add(Scripted::default(), &Access::default()).unwrap());
    let router = world.together(&[one, other], nat::Class::PortRestricted);
    let mut say = |from: HostId, to: std::net::SocketAddr| {
        world.machine_mut(from).unwrap().outputs.push_back(Output::Send(datagram(to, "word")));
        let mut came = Vec::new();
        let until = world.now() + Duration::from_millis(10);
        world.run(until, |_, host, input| {
            if let Input::Datagram { from, .. } = input {
                came.push((host, from));
            }
        });
        came
    };
    assert_eq!(say(one, other.address()), [(other, one.address())]);
    let seen = say(one, outside.address())[0].1;
    assert_eq!(seen.ip(), router.address().ip());
    let others = say(other, outside.address())[0].1;
    assert!(others.ip() == seen.ip() && others.port() != seen.port());
    assert_eq!(say(outside, seen), [(one, outside.address())]);
    // Nobody else, nobody by an inside address, and nobody of the inside by the outside.
    assert_eq!(say(stranger, seen), []);
    assert_eq!(say(outside, one.address()), []);
    assert_eq!(say(other, seen), []);
}
