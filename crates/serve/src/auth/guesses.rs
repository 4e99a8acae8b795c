//! How many wrong passwords came from where, so that guessing ends before it costs anything.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// Wrong passwords by address; an IPv6 neighbourhood of 64 bits counts as one.
///
/// Holds [`MOST`] addresses; when full, those with the fewest recent failures are forgotten first, so that a swarm of
/// fresh addresses cannot wash out a guilty one.
#[derive(Default)]
pub struct Guesses {
    seats: Mutex<HashMap<IpAddr, Seat>>,
}

/// One address.
struct Seat {
    /// Failures that count, at `at`; they fade evenly over a minute.
    failures: f64,
    at: Instant,
    gate: Arc<Semaphore>,
}

impl Guesses {
    /// How long `from` has to wait before another password of it is looked at; `None` when it need not wait.
    /// `limit` is failures a minute; 0 is no limit.
    pub fn wait(&self, from: IpAddr, limit: u32, now: Instant) -> Option<Duration> {
        let seats = self.seats();
        let failures = seats.get(&neighbourhood(from))?.faded(limit, now);
        let over = failures - (f64::from(limit) - 1.0);
        (limit > 0 && over > 0.0).then(|| Duration::from_secs_f64(over * 60.0 / f64::from(limit)))
    }

    /// Counts a wrong password.
    pub fn wrong(&self, from: IpAddr, limit: u32, now: Instant) {
        let mut seats = self.seats();
        let seat = seats.entry(neighbourhood(from)).or_insert_with(|| Seat::new(now));
        seat.failures = seat.faded(limit, now) + 1.0;
        seat.at = now;
        if seats.len() > MOST {
            forget(&mut seats, limit, now);
        }
    }

    /// What lets one costly check of an address run at a time. `None` when too many of its checks wait already.
    pub fn gate(&self, from: IpAddr, limit: u32, now: Instant) -> Option<Arc<Semaphore>> {
        let mut seats = self.seats();
        let gate = seats.entry(neighbourhood(from)).or_insert_with(|| Seat::new(now)).gate.clone();
        if seats.len() > MOST {
            forget(&mut seats, limit, now);
        }
        (Arc::strong_count(&gate) <= WAITING + 1).then_some(gate)
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<IpAddr, Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    fn new(now: Instant) -> Seat {
        Seat { failures: 0.0, at: now, gate: Arc::new(Semaphore::new(1)) }
    }

    fn faded(&self, limit: u32, now: Instant) -> f64 {
        let minutes = now.saturating_duration_since(self.at).as_secs_f64() / 60.0;
        (self.failures - minutes * f64::from(limit)).max(0.0)
    }
}

/// Keeps the guilty half.
fn forget(seats: &mut HashMap<IpAddr, Seat>, limit: u32, now: Instant) {
    let mut weights: Vec<f64> = seats.values().map(|seat| seat.faded(limit, now)).collect();
    let (_, median, _) = weights.select_nth_unstable_by(MOST / 2, f64::total_cmp);
    let mut spare = MOST / 2;
    let median = *median;
    seats.retain(|_, seat| {
        let keep = seat.faded(limit, now) > median || (seat.faded(limit, now) == median && spare > 0);
        spare = spare.saturating_sub(usize::from(keep));
        keep
    });
}

fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

/// Addresses remembered.
const MOST: usize = 16_384;
/// Checks of one address that may wait for its gate.
const WAITING: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn v4(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(number))
    }

    #[test]
    fn the_limit_is_reached_fades_and_is_the_addresss_own() {
        let (guesses, start) = (Guesses::default(), Instant::now());
        for _ in 0..20 {
            assert_eq!(guesses.wait(v4(1), 20, start), None);
            guesses.wrong(v4(1), 20, start);
        }
        let wait = guesses.wait(v4(1), 20, start).unwrap();
        assert!((2.9..3.1).contains(&wait.as_secs_f64()), "{wait:?}");
        assert_eq!(guesses.wait(v4(2), 20, start), None);
        assert_eq!(guesses.wait(v4(1), 20, start + wait + Duration::from_millis(1)), None);
        assert_eq!(guesses.wait(v4(1), 0, start), None, "no limit");
    }

    #[test]
    fn an_ipv6_neighbourhood_is_one_and_mapped_v4_is_v4() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        guesses.wrong("2001:db8::1".parse().unwrap(), 1, now);
        assert!(guesses.wait("2001:db8::ffff:2".parse().unwrap(), 1, now).is_some());
        assert!(guesses.wait("2001:db8:0:1::1".parse().unwrap(), 1, now).is_none());
        guesses.wrong("::ffff:127.0.0.1".parse().unwrap(), 1, now);
        assert!(guesses.wait("127.0.0.1".parse().unwrap(), 1, now).is_some());
    }

    #[test]
    fn a_swarm_of_addresses_does_not_wash_out_the_guilty_and_is_bounded() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        for _ in 0..20 {
            guesses.wrong(v4(0), 20, now);
        }
        for address in 1..60_000 {
            guesses.wrong(v4(address), 20, now);
        }
        assert!(guesses.wait(v4(0), 20, now).is_some());
        assert!(guesses.seats().len() <= MOST + 1);
    }
}
