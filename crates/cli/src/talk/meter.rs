//! How busy this process and the machine are.

use rustix::time::{ClockId, clock_gettime};
use std::time::Instant;

/// CPU use between two looks.
pub struct Meter {
    process: f64,
    looked: Instant,
    /// All and idle ticks of the machine.
    machine: Option<(u64, u64)>,
}

impl Meter {
    /// Begins now.
    pub fn new() -> Meter {
        Meter { process: process(), looked: Instant::now(), machine: machine() }
    }

    /// Per cent of a core that this process used since the last look, and per cent of the machine that all did.
    pub fn look(&mut self) -> (f64, f64) {
        let now = Meter::new();
        let elapsed = now.looked.duration_since(self.looked).as_secs_f64().max(1e-6);
        let own = 100.0 * (now.process - self.process) / elapsed;
        let all = match (self.machine, now.machine) {
            (Some((all, idle)), Some((all_now, idle_now))) if all_now > all => {
                100.0 * (1.0 - (idle_now.saturating_sub(idle)) as f64 / (all_now - all) as f64)
            }
            _ => 0.0,
        };
        *self = now;
        (own, all)
    }
}

/// Seconds of CPU that this process used.
fn process() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 * 1e-9
}

fn machine() -> Option<(u64, u64)> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<u64> =
        stat.lines().next()?.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    Some((ticks.iter().take(8).sum(), ticks.get(3)? + ticks.get(4)?))
}
