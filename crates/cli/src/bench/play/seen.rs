//! What players saw of a stream, all together, and what that cost the server.

use super::{Play, viewer::Diary};
use crate::bench::{
    process::Snapshot,
    samples::{Percentiles, Samples},
};
use serde::Serialize;

/// What one player saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched {
    pub(super) diary: Diary,
    /// The diary when measuring began.
    pub(super) before: Diary,
    pub(super) slow: bool,
    pub(super) over: bool,
    /// Bytes since then.
    pub(super) measured: u64,
}

/// What was seen.
#[derive(Debug, Default, Serialize)]
pub(super) struct Seen {
    pub(super) asked: usize,
    pub(super) alive: usize,
    pub(super) slow: usize,
    /// Connections that ended before the first picture, and after it; the slow ones apart.
    pub(super) refused: usize,
    pub(super) ended: usize,
    pub(super) slow_ended: usize,
    pub(super) first_media: Percentiles,
    pub(super) join: Percentiles,
    pub(super) behind: Percentiles,
    pub(super) delay: Percentiles,
    pub(super) frames: u64,
    pub(super) lost: u64,
    pub(super) backwards: u64,
    /// Pictures without a mark; if there are any, the stream is not ours and lost ones cannot be told.
    pub(super) bare: u64,
    pub(super) bytes: u64,
    pub(super) mbit_s: f64,
    pub(super) mean_read: f64,
    pub(super) own_cpu_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
    pub(super) server: Option<Cost>,
}

#[derive(Debug, Serialize)]
pub(super) struct Cost {
    pub(super) cpu_s: f64,
    pub(super) cpu_s_per_gb: f64,
    pub(super) rss_kib_per_player: f64,
    pub(super) rss_kib: u64,
    pub(super) threads: usize,
}

impl Seen {
    /// Sums up `elapsed` seconds in which `delay` was measured, in so many `reads`.
    pub(super) fn of<'a>(
        args: &Play,
        players: impl Iterator<Item = &'a Watched>,
        mut delay: Samples,
        elapsed: f64,
        reads: u64,
    ) -> Seen {
        let (mut first, mut join, mut behind) = (Samples::default(), Samples::default(), Samples::default());
        let mut seen = Seen { asked: args.n, ..Seen::default() };
        for Watched { diary, before, slow, over, measured } in players {
            seen.bytes += measured;
            seen.backwards += diary.backwards;
            if *slow {
                seen.slow += 1;
                seen.slow_ended += usize::from(*over);
                continue;
            }
            match (over, diary.frames) {
                (true, 0) => seen.refused += 1,
                (true, _) => seen.ended += 1,
                (false, frames) => seen.alive += usize::from(frames > 0),
            }
            first.extend(diary.first.map(|at| at - diary.began));
            join.extend(diary.key.map(|at| at - diary.began));
            behind.extend(diary.behind);
            seen.frames += diary.frames - before.frames;
            seen.lost += diary.lost;
            seen.bare += diary.bare;
        }
        seen.mbit_s = seen.bytes as f64 * 8e-6 / elapsed;
        seen.mean_read = seen.bytes as f64 / reads.max(1) as f64;
        seen.first_media = first.percentiles();
        seen.join = join.percentiles();
        seen.behind = behind.percentiles();
        seen.delay = delay.percentiles();
        seen
    }

    /// What the server cost: before the players came, when measuring began, and at its end.
    pub(super) fn cost(&mut self, snapshots: [Option<Snapshot>; 3]) {
        let [Some(idle), Some(before), Some(after)] = snapshots else { return };
        let cpu_s = after.cpu_s - before.cpu_s;
        self.server = Some(Cost {
            cpu_s,
            cpu_s_per_gb: cpu_s / (self.bytes.max(1) as f64 / 1e9),
            rss_kib_per_player: (after.rss_kib as f64 - idle.rss_kib as f64) / self.asked.max(1) as f64,
            rss_kib: after.rss_kib,
            threads: after.threads,
        });
    }
}

/// The same for people.
pub(super) fn table(seen: &Seen) -> String {
    let two = |times: &Percentiles| format!("{:.2} / {:.2} ms", times.p50_ms, times.p99_ms);
    let mut rows = vec![
        ("players", format!("{} of {}", seen.alive, seen.asked - seen.slow)),
        ("join to key p50/p99", two(&seen.join)),
        ("behind live after 1 s", two(&seen.behind)),
        ("frame delay p50/p99", two(&seen.delay)),
        ("frames", format!("{}, lost {}, times backwards {}", seen.frames, seen.lost, seen.backwards)),
        ("delivered", format!("{:.1} Mbit/s, {:.0} bytes a read", seen.mbit_s, seen.mean_read)),
    ];
    if seen.slow > 0 {
        rows.push(("slow players", format!("{}, of which {} were ended", seen.slow, seen.slow_ended)));
    }
    if let Some(server) = &seen.server {
        rows.push(("server CPU", format!("{:.3} s/GB", server.cpu_s_per_gb)));
        rows.push(("server memory", format!("{:.2} KiB per player", server.rss_kib_per_player)));
    }
    rows.iter().map(|(name, value)| format!("{name:>22}  {value}\n")).collect()
}
