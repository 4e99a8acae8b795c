//! Networks made of namespaces, with emulated links, captures and reports.
//!
//! Labs themselves need Linux. [`proxy`], [`replay`], [`report`] and [`plot`] are everywhere.

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
mod keeper;
#[cfg(target_os = "linux")]
mod lab;
mod lateness;
#[cfg(target_os = "linux")]
pub mod nat;
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

pub use journal::{At, Journal};
pub use lateness::{Lateness, Summary};
#[cfg(target_os = "linux")]
pub use {
    core::{CoreError, Sight, Stats},
    engine::Priority,
    fabric::{Fate, Seen, Totals},
    keeper::allowed as allowed_priority,
    lab::{Lab, LabError, Options, has_program},
    ping::{Answers, Ping, Pong},
    publish::Publish,
    record::{Capture, CaptureError, Recorded, Recording},
    run::{Compared, Finding, Place, Report, RunError, Verdict, compare, spread},
    scenario::{Amount, Expect, Override, Ready, Scenario, ScenarioError, Span, Step},
    throughput::{Estimate, Transfer},
    topology::{Interface, Link, Router, Topology, TopologyError},
};

/// `; did you mean "server"?`, or nothing.
#[cfg(target_os = "linux")]
pub(crate) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |nearest| format!("; did you mean {nearest:?}?"))
}

/// Names the descriptor by which process 1 of a lab knows that who started it is still there.
pub const LIFELINE: &str = "LEVADA_LAB_LIFELINE";

/// An error with its causes.
#[cfg(target_os = "linux")]
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
