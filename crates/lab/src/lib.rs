//! Networks made of namespaces, with emulated links, captures and reports.

#[cfg(target_os = "linux")]
mod core;
#[cfg(target_os = "linux")]
mod engine;
#[cfg(target_os = "linux")]
mod fabric;
#[cfg(target_os = "linux")]
pub mod house;
mod journal;
#[cfg(target_os = "linux")]
mod lab;
mod lateness;
#[cfg(target_os = "linux")]
pub mod netlink;
#[cfg(target_os = "linux")]
pub mod netns;
#[cfg(target_os = "linux")]
mod ping;
pub mod plot;
pub mod proxy;
#[cfg(target_os = "linux")]
mod publish;
#[cfg(target_os = "linux")]
mod record;
pub mod replay;
pub mod report;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod scenario;
#[cfg(target_os = "linux")]
mod throughput;
#[cfg(target_os = "linux")]
mod topology;

pub use core::{CoreError, Sight, Stats};
pub use engine::Priority;
pub use fabric::{Fate, Seen, Totals};
pub use journal::{At, Journal};
pub use lab::{Lab, LabError, Options, has_program};
pub use lateness::{Lateness, Summary};
pub use ping::{Answers, Ping, Pong};
pub use publish::Publish;
pub use record::{Capture, CaptureError, Recorded, Recording};
pub use run::{Compared, Finding, Place, Report, RunError, Verdict, compare, spread};
pub use scenario::{Amount, Expect, Override, Ready, Scenario, ScenarioError, Span, Step};
pub use throughput::{Estimate, Transfer};
pub use topology::{Interface, Link, Topology, TopologyError};

/// `; did you mean "server"?`, or nothing.
pub(crate) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |nearest| format!("; did you mean {nearest:?}?"))
}

/// Names the descriptor by which process 1 of a lab knows that who started it is still there.
pub const LIFELINE: &str = "LEVADA_LAB_LIFELINE";

/// An error with its causes.
pub(crate) fn told(why: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(why.source(), |cause| cause.source());
    causes.fold(why.to_string(), |told, cause| format!("{told}: {cause}"))
}

/// A number in three digits, as ping shows its times.
pub(crate) fn three_digits(value: f64) -> String {
    let decimals = match value {
        ..1.0 => 3,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}
