//! One execution of a scenario: programs and measurements in their order, changes at their times, and what came of it.

use crate::core::Stats;
use crate::fabric::Totals;
use crate::journal::{At, Journal};
use crate::lab::{Lab, LabError, Options};
use crate::record::{Capture, CaptureError, Recorded};
use crate::report::{Captures, Choice};
use crate::scenario::{Scenario, Step};
use levada_link::Library;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

mod board;
mod folder;
mod judge;
mod program;
mod steps;
use board::{Board, State};
pub use folder::{Finding, Report, Verdict};
pub use judge::{Compared, compare, spread};

/// What a run needs to know beside its scenario.
pub struct Place<'a> {
    /// Where its files go.
    pub folder: &'a Path,
    /// Where the scenario's own files are: `$LAB`.
    pub base: PathBuf,
    /// Told of what happens.
    pub say: &'a (dyn Fn(&str) + Sync),
    /// Set when somebody wants it to stop.
    pub stop: &'a AtomicBool,
    /// In place of the scenario's bound of lateness.
    pub fidelity: Option<Duration>,
}

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// There is no such lab.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// Nothing can be captured.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The output folder cannot be written to.
    #[error("cannot write to {folder}")]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        #[source]
        why: io::Error,
    },
    /// Somebody stopped it.
    #[error("stopped")]
    Stopped,
}

/// What links had carried at a moment.
struct Sample {
    at: Duration,
    totals: Vec<Totals>,
}

/// What happened, before it is judged.
struct Happened {
    /// When everything was ready, since the lab began.
    start: Duration,
    samples: Vec<Sample>,
    stats: Stats,
    metrics: BTreeMap<String, f64>,
    failures: Vec<Finding>,
    journal: Journal,
    recorded: Option<Recorded>,
}

impl Scenario {
    /// Runs it once, in a process that [`enter`](crate::netns::enter) has prepared, and writes `scenario.lock.toml`,
    /// `metrics.json`, `junit.xml`, `changes.toml`, logs and captures.
    ///
    /// # Errors
    /// That it cannot be run at all; what fails in it is in the report.
    pub fn run(&self, resolved: &toml::Table, place: &Place<'_>) -> Result<Report, RunError> {
        let topology = self.topology().map_err(LabError::from)?;
        let options = Options { seed: self.seed, compat: self.compat(), ..Options::default() };
        folder::prepare(place.folder)?;
        let lab = Arc::new(Lab::build(topology, &options)?);
        for publish in &self.publish {
            let outside = lab.publish(publish)?;
            (place.say)(&format!("port {} of {} is {outside} outside", publish.inside, publish.host));
        }
        let happened = self.play(&lab, place)?;
        let captures = happened.recorded.is_some().then(|| captures(place.folder)).transpose();
        let captures = captures.map_err(CaptureError::from)?;
        let report = judge::judge(self, &lab, &happened, place, captures.as_ref());
        if let Some(captures) = &captures {
            folder::draw(&report, captures, place)?;
        }
        folder::write(self, resolved, &lab, &report, &happened.journal, place)?;
        Ok(report)
    }

    fn play(&self, lab: &Lab, place: &Place<'_>) -> Result<Happened, RunError> {
        let recording = match &self.capture {
            Some(table) => {
                let capture = Capture {
                    points: table.points.clone(),
                    filter: table.filter.clone(),
                    snaplen: table.snaplen,
                    comment: format!("{}, seed {}", self.name, self.seed),
                };
                Some(lab.record(&capture, place.folder)?)
            }
            None => None,
        };
        let board = Board::new(&self.run);
        let ended = AtomicBool::new(false);
        let mut start = Duration::ZERO;
        let began = lab.began().0;
        let (samples, result) = thread::scope(|scope| {
            let sampler = scope.spawn(|| sample(lab, &ended));
            for (index, step) in self.run.iter().enumerate() {
                for host in hosts_of(step) {
                    let board = &board;
                    scope.spawn(move || steps::run(lab, step, index, host, board, place));
                }
            }
            let result = self.conduct(lab, &board, place, &mut start, began);
            self.wind_up(&board);
            ended.store(true, Ordering::Relaxed);
            (sampler.join().unwrap_or_default(), result)
        });
        let recorded =
            recording.map(|recording| recording.finish()).transpose().map_err(CaptureError::from)?;
        result?;
        let (metrics, failures) = board.into_findings();
        let mut journal = lab.journal();
        journal.at.iter_mut().for_each(|at| at.t = at.t.saturating_sub(start));
        Ok(Happened { start, samples, stats: lab.stats()?, metrics, failures, journal, recorded })
    }

    /// Waits for everything to be ready, changes what is scheduled, and waits for the end.
    fn conduct(
        &self,
        lab: &Lab,
        board: &Board,
        place: &Place<'_>,
        start: &mut Duration,
        began: Instant,
    ) -> Result<(), RunError> {
        let deadline = Instant::now() + self.timeout;
        let lasting = |step: &Step| step.cmd.is_some() && step.exit.is_none();
        let mut schedule: Vec<&At> = self.at.iter().collect();
        schedule.sort_by_key(|at| at.t);
        let mut schedule = schedule.into_iter().peekable();
        let mut ready: Option<Instant> = None;
        loop {
            if place.stop.load(Ordering::Relaxed) {
                return Err(RunError::Stopped);
            }
            if board.has_failed() {
                return Ok(());
            }
            if Instant::now() > deadline {
                board.fail("time", format!("not over after {:?}", self.timeout));
                return Ok(());
            }
            let all_ready =
                self.run.iter().filter(|step| lasting(step)).all(|step| board.is_ready(&step.name));
            if ready.is_none() && all_ready {
                ready = Some(Instant::now());
                *start = began.elapsed();
            }
            let Some(since) = ready else {
                board.wait(Duration::from_millis(50));
                continue;
            };
            while let Some(at) = schedule.next_if(|at| at.t <= since.elapsed()) {
                if let Err(why) = lab.apply(at, Library::EMPTY) {
                    board.fail("schedule", crate::told(&why));
                }
            }
            let ends = self.run.iter().filter(|step| !lasting(step)).all(|step| board.is_done(&step.name));
            let over = match self.duration {
                Some(duration) => since.elapsed() >= duration,
                None => ends && schedule.peek().is_none(),
            };
            if over {
                return Ok(());
            }
            let next = schedule.peek().map(|at| at.t).into_iter().chain(self.duration).min();
            let left = next.map_or(Duration::from_millis(50), |next| next.saturating_sub(since.elapsed()));
            board.wait(left.min(Duration::from_millis(50)));
        }
    }

    /// Stops what still runs, in the order that is wanted.
    fn wind_up(&self, board: &Board) {
        board.wait_for_what_ends(if board.has_failed() { Duration::ZERO } else { Duration::from_secs(1) });
        let mut orders: Vec<i32> = self.run.iter().map(|step| step.stop.order).collect();
        orders.sort_unstable();
        orders.dedup();
        for order in orders {
            board.stop(order);
            let of_it = self.run.iter().filter(|step| step.stop.order == order);
            let names: Vec<&str> = of_it.map(|step| step.name.as_str()).collect();
            while !names.iter().all(|name| matches!(board.state(name), State::Done | State::Failed)) {
                board.wait(Duration::from_millis(20));
            }
        }
    }
}

/// What was captured, read again.
fn captures(folder: &Path) -> io::Result<Captures> {
    let choice = Choice { server: folder.join("capture.pcapng"), ..Choice::default() };
    let mut captures = Captures::open(&choice)?;
    captures.read()?;
    Ok(captures)
}

/// Where a step is done; changes are done once, nowhere.
fn hosts_of(step: &Step) -> Vec<&str> {
    if step.hosts().is_empty() { vec![""] } else { step.hosts().iter().map(String::as_str).collect() }
}

/// Takes note of what links have carried, ten times a second.
fn sample(lab: &Lab, ended: &AtomicBool) -> Vec<Sample> {
    let mut samples = Vec::new();
    let start = lab.began().0;
    loop {
        let last = ended.load(Ordering::Relaxed);
        if let Ok(stats) = lab.stats() {
            samples.push(Sample { at: start.elapsed(), totals: stats.directions });
        }
        if last || samples.len() >= MOST_SAMPLES {
            return samples;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// Three hours of them.
const MOST_SAMPLES: usize = 108_000;
