//! The very same machines in virtual time: a scenario is run, measured and judged.
//!
//! Everything follows from the scenario and its seed; two runs of one have the same [trace hash](Report::hash). Chunks
//! carry their number, so that a forged or misplaced one is seen wherever it is played.

mod book;
mod cast;
mod histogram;
mod node;
mod report;
mod run;
mod scenario;
mod teams;

pub use book::Second;
pub use histogram::Histogram;
pub use report::{Curve, Report, Verdict, worst};
pub use run::Simulation;
pub use scenario::{
    Amount, Bridges, ConductKind, Event, Expect, Join, Latency, Nat, Peers, Scenario, ScenarioError,
    SealKind, Span, Stay, Stream, Team, Upload,
};
