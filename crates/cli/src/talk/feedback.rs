//! What the seminar shows once a second, and at the end.

use super::{Seminar, desk::Desk, meter::Meter, spectrum};
use crate::output::Console;
use levada_talk::compat::Stats;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// The table of statistics.
pub struct Feedback {
    console: Console,
    /// Whether the table is shown at all, and where.
    shown: bool,
    on_stderr: bool,
    spectrum: Option<(usize, u32)>,
    meter: Meter,
    cycle: u64,
    last: Stats,
    averages: Numbers,
    headed: bool,
}

/// What a line shows.
#[derive(Clone, Copy, Debug, Default)]
struct Numbers {
    sent: f64,
    received: f64,
    sent_kbps: f64,
    received_kbps: f64,
    cpu: f64,
    all_cpu: f64,
}

impl Feedback {
    pub fn new(console: Console, on_stderr: bool, said: &Seminar) -> Feedback {
        Feedback {
            console,
            shown: said.show_stats && !console.json(),
            on_stderr,
            spectrum: said.show_spectrum.then_some((said.number_of_channels, said.frames_per_second as u32)),
            meter: Meter::new(),
            cycle: 0,
            last: Stats::default(),
            averages: Numbers::default(),
            headed: false,
        }
    }

    /// A second is over, or the call.
    pub fn cycle(&mut self, stats: Stats, desk: &Desk, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        if seconds < 0.05 {
            return;
        }
        self.cycle += 1;
        let rate = |now: u64, before: u64| (now - before) as f64 * 8.0 / 1_000.0 / seconds;
        let (cpu, all_cpu) = self.meter.look();
        let numbers = Numbers {
            sent: (stats.sent - self.last.sent) as f64,
            received: (stats.received - self.last.received) as f64,
            sent_kbps: rate(stats.sent_bytes, self.last.sent_bytes),
            received_kbps: rate(stats.received_bytes, self.last.received_bytes),
            cpu,
            all_cpu,
        };
        self.averages.follow(numbers, self.cycle);
        self.last = stats;
        if let Some((channels, rate)) = self.spectrum {
            let bars = |block: &[i16]| spectrum::bars(block, channels, rate);
            self.line(&format!("recorded [{}]  played [{}]", bars(&desk.captured), bars(&desk.played)));
        }
        self.json(numbers, stats);
        if self.shown {
            self.table(numbers, stats.q);
        }
    }

    /// The call is over.
    pub fn end(&mut self) {
        if !self.shown {
            return;
        }
        let live = self.console.is_live();
        if live {
            self.line(&"\n".repeat(4));
        } else {
            self.line(&self.averages.line("Avgs:", self.last.q));
        }
        let Numbers { sent_kbps, received_kbps, cpu, .. } = self.averages;
        self.line(&format!("CPU usage average = {cpu:.2} %"));
        self.line(&format!("Payload sent average = {sent_kbps:.1} kilo bits per second"));
        self.line(&format!("Payload received average = {received_kbps:.1} kilo bits per second"));
    }

    fn table(&mut self, numbers: Numbers, q: u32) {
        let q_head = if q > 0 { ("", "Q") } else { ("", "") };
        let first = format!(
            "{:5}{:>8}{:>8}{:>8}{:>9}{:3}{:>6}{:>6}",
            "", "sent", "recv.", "sent", "recv.", "", "Global", q_head.0
        );
        let second = format!(
            "{:5}{:>8}{:>8}{:>8}{:>8}{:>5}{:>5}{:>6}",
            "cycle", "mesgs.", "mesgs.", "KBPS", "KBPS", "%CPU", "%CPU", q_head.1
        );
        let separator = "=".repeat(5 * 3 + 8 * 4);
        if !std::mem::replace(&mut self.headed, true) {
            self.line(&format!("{}\n{}\n{separator}", first.trim_end(), second.trim_end()));
        }
        self.line(&numbers.line(&format!("{:5}", self.cycle), q));
        if self.console.is_live() && std::io::stdout().is_terminal() {
            let averages = self.averages.line("Avgs:", q);
            self.line(&format!("\x1b[7m{averages}\x1b[m\n{separator}\n{second}\n{first}\n\x1b[5A"));
        }
    }

    fn json(&self, numbers: Numbers, stats: Stats) {
        if !self.console.json() {
            return;
        }
        let line = serde_json::json!({
            "cycle": self.cycle,
            "sent": numbers.sent, "received": numbers.received,
            "sent_kbps": numbers.sent_kbps, "received_kbps": numbers.received_kbps,
            "cpu_percent": numbers.cpu, "machine_cpu_percent": numbers.all_cpu,
            "q": stats.q, "refused": stats.refused, "strangers": stats.strangers,
            "heard": stats.blocks.heard, "missing": stats.blocks.missing, "late": stats.blocks.late,
            "resyncs": stats.blocks.resyncs,
        });
        self.console.statistics(&line, self.on_stderr);
    }

    fn line(&self, line: &str) {
        let _closed = match self.on_stderr {
            true => writeln!(std::io::stderr(), "{line}"),
            false => writeln!(std::io::stdout(), "{line}"),
        };
    }
}

impl Numbers {
    /// Lets these averages follow the numbers of the `n`th cycle.
    fn follow(&mut self, new: Numbers, n: u64) {
        let share = 1.0 / n as f64;
        for (old, new) in [
            (&mut self.sent, new.sent),
            (&mut self.received, new.received),
            (&mut self.sent_kbps, new.sent_kbps),
            (&mut self.received_kbps, new.received_kbps),
            (&mut self.cpu, new.cpu),
            (&mut self.all_cpu, new.all_cpu),
        ] {
            *old += (new - *old) * share;
        }
    }

    fn line(&self, head: &str, q: u32) -> String {
        let Numbers { sent, received, sent_kbps, received_kbps, cpu, all_cpu } = self;
        let mut line = format!(
            "{head:5}{sent:8.0}{received:8.0}{sent_kbps:8.0}{received_kbps:8.0}{cpu:5.0}{all_cpu:5.0}"
        );
        if q > 0 {
            let _fits = write!(line, "{q:6}");
        }
        line
    }
}
