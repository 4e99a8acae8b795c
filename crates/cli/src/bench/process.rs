//! What a process costs: processor time, memory, threads, as the kernel counts them.

use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use std::{fs, io, time::Duration};

/// A process at one moment.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Snapshot {
    /// Processor time of all its threads so far, in seconds.
    pub cpu_s: f64,
    /// Resident memory in KiB.
    pub rss_kib: u64,
    /// Threads.
    pub threads: usize,
}

impl Snapshot {
    /// Process `pid` now, where one is to be looked at.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn wanted(pid: Option<u32>) -> anyhow::Result<Option<Snapshot>> {
        let of = |pid| Snapshot::of(pid).with_context(|| format!("cannot read what process {pid} costs"));
        pid.map(of).transpose()
    }

    /// Process `pid` now, from `/proc`.
    ///
    /// # Errors
    /// When there is no such process, or no `/proc`.
    pub fn of(pid: u32) -> io::Result<Snapshot> {
        let mut nanos = 0u64;
        let mut threads = 0;
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            nanos += text
                .split_whitespace()
                .next()
                .and_then(|first| first.parse::<u64>().ok())
                .unwrap_or_default();
            threads += 1;
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let rss_kib = rss.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or_default();
        Ok(Snapshot { cpu_s: nanos as f64 / 1e9, rss_kib, threads })
    }
}

/// The monotonic clock, the same in every process of this machine.
pub fn now() -> Duration {
    read(ClockId::Monotonic)
}

/// Processor time of this process so far.
pub fn own_cpu() -> Duration {
    read(ClockId::ProcessCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.try_into().unwrap_or_default(), time.tv_nsec.try_into().unwrap_or_default())
}
