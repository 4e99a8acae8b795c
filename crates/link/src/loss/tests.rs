use super::*;

const PACKETS: usize = 4_000_000;
const LENGTHS: usize = 60;

fn draw(loss: Loss) -> Vec<bool> {
    let mut losses = Losses::new(&loss, Chance::new(9, 1)).unwrap();
    (0..PACKETS).map(|_| losses.next()).collect()
}

fn share(lost: &[bool]) -> f64 {
    lost.iter().filter(|lost| **lost).count() as f64 / lost.len() as f64
}

/// How many runs of each length (from one) there are.
fn runs(lost: &[bool]) -> Vec<usize> {
    let mut counts = vec![0; LENGTHS];
    for run in lost.split(|lost| !lost).map(<[bool]>::len).filter(|run| *run > 0) {
        counts[run.min(LENGTHS) - 1] += 1;
    }
    counts
}

/// Pearson's χ² of `counts` against a geometric distribution that ends each run with probability `end`, and how many
/// classes it has: those with at least 50 expected, the rest taken together.
fn chi_square(counts: &[usize], end: f64) -> (f64, usize) {
    let total: usize = counts.iter().sum();
    let (mut sum, mut classes, mut rest) = (0.0, 0, (total as f64, total as f64));
    for (length, count) in counts.iter().enumerate() {
        let expected = total as f64 * end * (1.0 - end).powi(length as i32);
        if expected < 50.0 {
            break;
        }
        sum += (*count as f64 - expected).powi(2) / expected;
        rest = (rest.0 - *count as f64, rest.1 - expected);
        classes += 1;
    }
    (sum + (rest.0 - rest.1).powi(2) / rest.1.max(1.0), classes + 1)
}

#[test]
fn the_share_lost_is_right_to_a_hundredth_with_and_without_correlation() {
    for percent in [1.0, 5.0, 10.0] {
        for correlation in [0.0, 25.0, 50.0] {
            let odds = Odds { percent: Percent::of(percent), correlation: Percent::of(correlation) };
            let lost = draw(Loss::Random(odds));
            let relative = share(&lost) * 100.0 / percent;
            assert!((relative - 1.0).abs() < 0.01, "{percent} % {correlation} %: {relative}");
            let both = lost.windows(2).filter(|pair| pair[0] && pair[1]).count() as f64 / PACKETS as f64;
            let p = share(&lost);
            let tie = (both - p * p) / (p * (1.0 - p));
            assert!((tie - correlation / 100.0).abs() < 0.01, "{percent} % {correlation} %: {tie}");
        }
    }
}

#[test]
fn gilbert_bursts_are_geometric() {
    let gilbert = Gilbert { r: Percent::of(30.0), ..Gilbert::from_p(Percent::of(1.0)) };
    let lost = draw(Loss::Gemodel(gilbert));
    let expected = 0.01 / 0.31;
    assert!((share(&lost) / expected - 1.0).abs() < 0.01, "{} not {expected}", share(&lost));
    let (chi, classes) = chi_square(&runs(&lost), 0.3);
    // The 99.9 % point of χ² is below this line for 10 to 40 degrees.
    assert!(chi < 12.0 + 1.6 * classes as f64, "χ² {chi} over {classes}");
}

#[test]
fn gilbert_elliott_loses_what_theory_says() {
    let gilbert =
        Gilbert { p: Percent::of(2.0), r: Percent::of(20.0), bad: Percent::of(70.0), good: Percent::of(0.5) };
    // π_bad = p / (p + r).
    let expected = (0.02 * 0.7 + 0.2 * 0.005) / 0.22;
    let lost = share(&draw(Loss::Gemodel(gilbert)));
    assert!((lost / expected - 1.0).abs() < 0.01, "{lost} not {expected}");
}

#[test]
fn four_states_lose_what_theory_says() {
    let states = FourStates {
        p13: Percent::of(2.0),
        p31: Percent::of(20.0),
        p32: Percent::of(30.0),
        p23: Percent::of(40.0),
        p14: Percent::of(1.0),
    };
    let lost = draw(Loss::State(states));
    // Balance: π3 p31 = π1 p13, π2 p23 = π3 p32, π4 = π1 p14.
    let (one, three) = (1.0, 0.02 / 0.20);
    let (two, four) = (three * 0.30 / 0.40, 0.01);
    let expected = (three + four) / (one + two + three + four);
    assert!((share(&lost) / expected - 1.0).abs() < 0.01, "{} not {expected}", share(&lost));
    // A run within a bad time ends with p31 + p32; a lost packet of state 4 is alone. Runs per good packet: 0.02 + 0.01
    // from state 1, and π2 p23 come back from state 2.
    let counts = runs(&lost);
    let starts_in_three = one * 0.02 + two * 0.40;
    let alone = (four + starts_in_three * 0.5) / (four + starts_in_three);
    let seen = counts[0] as f64 / counts.iter().sum::<usize>() as f64;
    assert!((seen / alone - 1.0).abs() < 0.01, "{seen} not {alone}");
    let longer: f64 = counts[1..].iter().enumerate().map(|(i, n)| (i + 2) as f64 * *n as f64).sum();
    let mean = longer / counts[1..].iter().sum::<usize>() as f64;
    // Given that it goes on, a run of state 3 has one more and then 1/0.5 on average.
    assert!((mean - 3.0).abs() < 0.03, "{mean}");
}

#[test]
fn the_lists_of_lost_packets_are_exact() {
    let lost = draw(Loss::List(PacketList::new([(7, 9), (3, 3), (2_000_000, 2_000_001), (9, 4)])));
    let places: Vec<usize> = lost.iter().enumerate().filter(|(_, lost)| **lost).map(|(i, _)| i + 1).collect();
    assert_eq!(places, [3, 7, 8, 9, 2_000_000, 2_000_001]);
}

#[test]
fn everything_and_nothing_are_exact() {
    assert!(draw(Loss::Random(Odds::independent(Percent::ALL))).iter().all(|lost| *lost));
    assert!(draw(Loss::Random(Odds::independent(Percent::ZERO))).iter().all(|lost| !lost));
    assert!(Losses::new(&Loss::None, Chance::new(0, 0)).is_none());
}
