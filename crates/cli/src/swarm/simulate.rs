//! `levada swarm simulate`: a team in virtual time, from a scenario to figures, a page, and whether it is as expected.

use crate::{
    exit::{CONFIG, Exit, FAILED},
    output::Console,
};
use anyhow::{Context, Result};
use levada_lab::plot::{Axis, Figure, Ink, Layer, Panel, Unit};
use levada_swarm::simulate::{Report, Scenario, Simulation, Verdict};
use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

/// Run a team in virtual time, by a scenario; exit status 1 if it is not as the scenario expects
#[derive(Debug, clap::Args)]
pub struct Simulate {
    /// The scenario (TOML), as those in bench/swarm/
    scenario: PathBuf,
    /// Another seed than the scenario's
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Write metrics.json, report.html and its figures into this folder
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

impl Simulate {
    /// Runs it.
    ///
    /// # Errors
    /// A scenario that cannot be read or makes no sense; a folder that cannot be written; expectations not met.
    pub fn run(self, console: Console) -> Result<()> {
        let scenario = self.read().map_err(|error| Exit(CONFIG, format!("{error:#}")))?;
        let (began, duration) = (Instant::now(), scenario.duration);
        let mut simulation = Simulation::new(began, scenario)?;
        while let Some(passed) = simulation.step() {
            console.progress(&format!(
                "{} s of {} s, {} peers, {:.1} s taken",
                passed.as_secs(),
                duration.as_secs(),
                simulation.present(),
                began.elapsed().as_secs_f64()
            ));
        }
        let report = simulation.finish();
        console.clear();
        if let Some(folder) = &self.output {
            write(folder, &report).with_context(|| format!("cannot write into {}", folder.display()))?;
        }
        console.statistics(&report, false);
        if !console.json() {
            let took = began.elapsed().as_secs_f64();
            print!("{}", words(&report));
            console.say(format!("{took:.1} s taken; trace hash {}", report.hash));
        }
        if report.holds() {
            return Ok(());
        }
        Err(Exit(FAILED, format!("{} is not as expected", report.name)).into())
    }

    fn read(&self) -> Result<Scenario> {
        let path = self.scenario.display();
        let text = fs::read_to_string(&self.scenario).with_context(|| path.to_string())?;
        let mut scenario: Scenario = text.parse().with_context(|| path.to_string())?;
        let folder = self.scenario.parent().unwrap_or(Path::new("."));
        scenario.load(|name| fs::read_to_string(folder.join(name)))?;
        scenario.seed = self.seed.unwrap_or(scenario.seed);
        Ok(scenario)
    }
}

/// The figures and verdicts for a terminal.
fn words(report: &Report) -> String {
    let mut text = format!("{}\n", report.name);
    for (name, figure) in &report.figures {
        let _fits = writeln!(text, "  {name:<22} {}", number(*figure));
    }
    for verdict in &report.verdicts {
        let _fits = writeln!(text, "  {} {}", if verdict.holds { "ok  " } else { "FAIL" }, sentence(verdict));
    }
    text
}

fn sentence(verdict: &Verdict) -> String {
    let is = verdict.is.map_or("not a figure of this report".into(), number);
    let [min, max] = verdict.bounds;
    let least = min.map_or(String::new(), |min| format!(", at least {}", number(min)));
    let most = max.map_or(String::new(), |max| format!(", at most {}", number(max)));
    format!("{} is {is}{least}{most}", verdict.metric)
}

fn number(figure: f64) -> String {
    match figure {
        figure if figure == figure.trunc() && figure.abs() < 1e15 => format!("{figure}"),
        figure if figure.abs() < 1e-3 => format!("{figure:.2e}"),
        figure => format!("{figure:.4}"),
    }
}

fn write(folder: &Path, report: &Report) -> Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("metrics.json"), serde_json::to_vec_pretty(report)?)?;
    let mut figures = String::new();
    for figure in drawn(report) {
        let svg = figure.sheet().svg();
        fs::write(folder.join(format!("{}.svg", figure.name)), &svg)?;
        let _fits = write!(figures, "<figure>{svg}</figure>");
    }
    let rows: String = report
        .figures
        .iter()
        .map(|(name, figure)| format!("<tr><td>{name}</td><td>{}</td></tr>", number(*figure)))
        .collect();
    let verdicts: String = report
        .verdicts
        .iter()
        .map(|verdict| {
            let class = if verdict.holds { "good" } else { "bad" };
            format!("<li class={class}>{}</li>", escaped(&sentence(verdict)))
        })
        .collect();
    let page = format!(
        "<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'><title>{name}</title>\
         <style>body{{font:16px/1.5 sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}}svg{{max-width:100%;height:auto}}\
         td:last-child{{text-align:right;font-variant-numeric:tabular-nums;padding-left:2rem}}.bad{{color:#c4161c;font-weight:bold}}</style>\
         <h1>{name}</h1><p>{about}</p><p>Seed {seed}, trace hash <code>{hash}</code>.</p><ul>{verdicts}</ul>{figures}<table>{rows}</table>",
        name = escaped(&report.name),
        about = escaped(&report.about),
        seed = report.seed,
        hash = report.hash,
    );
    fs::write(folder.join("report.html"), page)?;
    Ok(())
}

/// A curve: its ink, its points, and what it is called.
type Line<'a> = (Ink, Vec<(f64, f64)>, &'a str);

/// What happened each second, and how what counts is distributed.
fn drawn(report: &Report) -> Vec<Figure> {
    let end = report.seconds.last().map_or(1.0, |second| second.time);
    let over = |of: fn(&levada_swarm::simulate::Second) -> f64| -> Vec<(f64, f64)> {
        report.seconds.iter().map(|second| (second.time, of(second))).collect()
    };
    let most = |points: &[(f64, f64)]| points.iter().map(|point| point.1).fold(0.0, f64::max);
    let panel = |label: &str, unit, lines: Vec<Line<'_>>| Panel {
        y: Axis::linear(label, unit, 0.0, lines.iter().map(|line| most(&line.1)).fold(0.0, f64::max)),
        height: 110.0,
        legend: lines
            .iter()
            .filter(|line| !line.2.is_empty())
            .map(|(ink, _, name)| (*ink, (*name).into()))
            .collect(),
        layers: lines.into_iter().map(|(ink, points, _)| Layer::Line(ink, points)).collect(),
    };
    let time = Figure {
        name: "time",
        title: format!("{}: second by second", report.name),
        x: Axis::exact("time", Unit::Seconds, 0.0, end),
        panels: vec![
            panel(
                "lag",
                Unit::Seconds,
                vec![
                    (Ink::Server, over(|s| s.lag_p50), "half"),
                    (Ink::Client, over(|s| s.lag_p99), "99 in 100"),
                ],
            ),
            panel("missed", Unit::Count, vec![(Ink::Lost, over(|s| s.lost as f64), "")]),
            panel("peers", Unit::Count, vec![(Ink::Server, over(|s| s.peers as f64), "")]),
            panel("source upload", Unit::Part, vec![(Ink::Link, over(|s| s.source_upload), "")]),
        ],
        marks: Vec::new(),
    };
    let curves = report.curves.iter().filter(|curve| !curve.points.is_empty()).map(|curve| {
        let unit = if curve.name == "upload" { Unit::Part } else { Unit::Seconds };
        let last = curve.points.last().map_or(1.0, |point| point.0);
        let label = if unit == Unit::Part { "upload, times the stream" } else { curve.name };
        Figure {
            name: curve.name,
            title: format!("{}: share of all with at most so much {}", report.name, curve.name),
            x: Axis::linear(label, unit, 0.0, last),
            panels: vec![Panel {
                y: Axis::exact("share", Unit::Part, 0.0, 1.0),
                height: 180.0,
                layers: vec![Layer::Steps { ink: Ink::Server, points: curve.points.clone(), fill: false }],
                legend: Vec::new(),
            }],
            marks: Vec::new(),
        }
    });
    std::iter::once(time).chain(curves).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
