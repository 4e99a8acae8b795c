//! Who comes and goes in a scenario, and when: all of it follows from the seed before anything runs.

use super::scenario::{Latency, Peers, Scenario, Stay};
use levada_link::{Chance, world::HostId};
use std::time::Duration;

/// One peer's stay, from when it comes to when it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Session {
    /// In nanoseconds.
    pub(super) comes: u64,
    /// Nothing where it stays to the end.
    pub(super) leaves: Option<u64>,
    /// Whether it leaves without a word.
    pub(super) silent: bool,
    /// Which of the scenario's groups it is of.
    pub(super) group: usize,
}

/// Everybody, in the order in which they come; the `n`th is the world's host `n` + `first`.
pub(super) fn cast(scenario: &Scenario) -> Vec<Session> {
    let mut sessions = Vec::new();
    for (group, peers) in scenario.peers.iter().enumerate() {
        let mut chance = Chance::new(scenario.seed, 100 + group as u64);
        match &peers.stay {
            Some(stay) if stay.trace.is_some() => of_trace(stay, group, &mut chance, &mut sessions),
            _ => of_group(scenario, peers, group, &mut chance, &mut sessions),
        }
    }
    sessions.retain(|session| session.comes < nanos(scenario.duration));
    sessions.sort_by_key(|session| session.comes);
    sessions
}

fn of_trace(stay: &Stay, group: usize, chance: &mut Chance, sessions: &mut Vec<Session>) {
    sessions.extend(stay.sessions.iter().map(|(comes, leaves)| Session {
        comes: nanos(*comes),
        leaves: Some(nanos(*leaves)),
        silent: chance.happens(stay.silent.share()),
        group,
    }));
}

fn of_group(
    scenario: &Scenario,
    peers: &Peers,
    group: usize,
    chance: &mut Chance,
    sessions: &mut Vec<Session>,
) {
    let end = nanos(scenario.duration);
    let (from, over) = (nanos(peers.join.from), nanos(peers.join.over));
    for at in 0..u64::from(peers.count) {
        let mut comes = from + (u128::from(over) * u128::from(at) / u128::from(peers.count)) as u64;
        loop {
            let Some(stay) = peers.stay.as_ref().filter(|stay| !stay.mean.is_zero()) else {
                sessions.push(Session { comes, leaves: None, silent: false, group });
                break;
            };
            let leaves = comes.saturating_add(weibull(stay, chance));
            let silent = chance.happens(stay.silent.share());
            sessions.push(Session { comes, leaves: Some(leaves), silent, group });
            if !stay.replaced || leaves >= end {
                break;
            }
            comes = leaves;
        }
    }
}

/// At least a millisecond, so that replacements come to an end.
fn weibull(stay: &Stay, chance: &mut Chance) -> u64 {
    let shape = stay.shape.clamp(0.1, 20.0);
    let scale = stay.mean.as_secs_f64() / libm::tgamma(1.0 + 1.0 / shape);
    let seconds = scale * libm::pow(-libm::log(chance.unit()), 1.0 / shape);
    ((seconds * 1e9) as u64).max(1_000_000)
}

/// How long the ways between hosts are: by a number made of the two, and by where they are.
pub(super) fn ways(
    scenario: &Scenario,
    region: Vec<u8>,
) -> impl Fn(HostId, HostId) -> Duration + Send + 'static {
    let Latency { mean, spread, regions } = &scenario.latency;
    let names = region_names(scenario);
    let between = |a: &str, b: &str| {
        let found = |a: &str, b: &str| regions.get(a).and_then(|row| row.get(b)).map(|span| span.0);
        nanos(found(a, b).or_else(|| found(b, a)).unwrap_or_default())
    };
    let table: Vec<Vec<u64>> = names.iter().map(|a| names.iter().map(|b| between(a, b)).collect()).collect();
    let (mean, spread, seed) = (nanos(*mean), nanos(*spread) as f64, scenario.seed);
    move |a, b| {
        let pair = u64::from(a.0.min(b.0)) << 32 | u64::from(a.0.max(b.0));
        let part = (scramble(pair ^ seed) >> 11) as f64 / (1u64 << 52) as f64 - 1.0;
        let at = |host: HostId| usize::from(region.get(host.0 as usize).copied().unwrap_or_default());
        let regions = table.get(at(a)).and_then(|row| row.get(at(b))).copied().unwrap_or_default();
        Duration::from_nanos((mean as f64 + spread * part).max(0.0) as u64 + regions)
    }
}

/// The names of all regions, the splitter's first, which has none.
pub(super) fn region_names(scenario: &Scenario) -> Vec<&str> {
    let mut names = vec![""];
    for peers in &scenario.peers {
        if !names.contains(&peers.region.as_str()) && names.len() < 256 {
            names.push(&peers.region);
        }
    }
    names
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// SplitMix64's finish.
fn scramble(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(rest: &str) -> Scenario {
        format!("swarm = 1\nname = \"x\"\nduration = \"60s\"\n{rest}").parse().unwrap()
    }

    #[test]
    fn those_who_leave_are_replaced_and_stay_as_long_as_said() {
        let scenario = scenario("[[peers]]\ncount = 2000\nstay = { mean = \"20s\" }\n");
        let cast = cast(&scenario);
        let mean = cast.len() as f64 / 2_000.0 - 1.0;
        assert!((2.7..3.3).contains(&mean), "each place changes hands 60/20 times: {mean}");
        let there = |at: u64| {
            cast.iter().filter(|s| s.comes <= at && s.leaves.is_none_or(|leaves| leaves > at)).count()
        };
        assert_eq!([there(1), there(30_000_000_000), there(59_000_000_000)], [2_000; 3]);
    }

    #[test]
    fn ways_lie_around_their_mean_and_are_as_long_back() {
        let text = "[latency]\nmean = \"50ms\"\nspread = \"30ms\"\nregions.eu.us = \"40ms\"\n\
                    [[peers]]\ncount = 1\nregion = \"eu\"\n[[peers]]\ncount = 1\nregion = \"us\"\n";
        let ways = ways(&scenario(text), vec![0, 1, 2]);
        assert_eq!(ways(HostId(1), HostId(2)), ways(HostId(2), HostId(1)));
        assert!(ways(HostId(1), HostId(2)) >= Duration::from_millis(60));
        let mean: f64 = (3..1_003).map(|at| ways(HostId(0), HostId(at)).as_secs_f64()).sum::<f64>() / 1e3;
        assert!((0.048..0.052).contains(&mean), "{mean}");
    }
}
