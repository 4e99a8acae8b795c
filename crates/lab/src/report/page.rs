//! The page: one file, which needs no other and no network.

use super::table::{self, Table};
use super::{Fidelity, Subject};
use crate::plot::{Figure, Ink, duration};
use levada_capture::path::{Path, Summary};
use std::fmt::Write;

pub(super) fn page(
    subject: &Subject<'_>,
    paths: &[Path],
    summaries: &[Summary],
    figures: &[Figure],
    svgs: &[String],
) -> String {
    let mut page = String::with_capacity(svgs.iter().map(String::len).sum::<usize>() + 20_000);
    let title = escaped(&subject.title);
    page.push_str("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    let _ = write!(page, "<title>{title}</title><style>{STYLE}{}</style></head><body>", inks());
    let _ = write!(
        page,
        "<header><h1>{title}</h1><button id=\"theme\" title=\"light or dark\">◐</button></header>"
    );
    match &subject.fidelity {
        Some(Fidelity::Valid(why)) => {
            let _ = write!(page, "<p class=\"valid\"><b>Valid.</b> {}</p>", escaped(why));
        }
        Some(Fidelity::Invalid(why)) => {
            let _ = write!(page, "<p class=\"invalid\"><b>INVALID.</b> {}</p>", escaped(why));
        }
        None => {}
    }
    facts(&mut page, subject, paths);
    if figures.is_empty() {
        page.push_str(
            "<p>There is nothing to show: the captures have no packets of IP that the filter lets in.</p>",
        );
    }
    draw_table(&mut page, &table::fates(subject, summaries));
    for (figure, svg) in figures.iter().zip(svgs) {
        let _ = write!(page, "<figure id=\"{}\">", figure.name);
        match figure.name {
            "gaps-log" => page.push_str("<button class=\"other\" data-shows=\"gaps-linear\">linear</button>"),
            "gaps-linear" => {
                page.push_str("<button class=\"other\" data-shows=\"gaps-log\">logarithmic</button>")
            }
            _ => {}
        }
        page.push_str(svg);
        page.push_str("<output></output></figure>");
    }
    draw_table(&mut page, &table::percentiles(subject, summaries));
    let _ = writeln!(
        page,
        "<footer>levada {}</footer><script>{SCRIPT}</script></body></html>",
        env!("CARGO_PKG_VERSION")
    );
    page
}

fn facts(page: &mut String, subject: &Subject<'_>, paths: &[Path]) {
    page.push_str("<dl>");
    let mut fact = |name: &str, what: &str| {
        let _ = write!(page, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(what));
    };
    for (name, what) in &subject.about {
        fact(name, what);
    }
    fact("looked at", &subject.level.to_string());
    if let Some(path) = paths.first().filter(|path| path.turned) {
        fact(
            "direction",
            &format!("from {} to {}", subject.names[1], subject.names[if path.turned { 0 } else { 1 }]),
        );
    }
    if let Some(path) = paths.first().filter(|path| path.clocks.correction != 0) {
        let by = duration(path.clocks.correction as f64);
        fact(
            "clocks",
            &format!("differ; {by} were added to every delay, so that the fastest both ways are equal"),
        );
    }
    for (name, trace) in subject.names.iter().zip([Some(subject.server), subject.client]) {
        let Some(trace) = trace else { continue };
        if trace.missed() > 0 {
            fact(name, &format!("the capture missed {} packets", trace.missed()));
        }
        let lanes = trace.flows().all().iter().enumerate().flat_map(|(flow, _)| {
            use levada_capture::flow::{FlowId, Way};
            [Way::Forth, Way::Back].map(|way| trace.lane(FlowId(flow as u32), way))
        });
        let broken = lanes.flatten().filter(|lane| !lane.messages().is_empty()).find_map(|lane| lane.ended());
        if let Some(ended) = broken {
            fact(name, &format!("RTMP could be followed only for a while: {ended}"));
        }
    }
    page.push_str("</dl>");
    if !subject.notes.is_empty() {
        let begin = paths.first().and_then(Path::begin).unwrap_or_default();
        page.push_str("<details><summary>Changes of the link</summary><ol>");
        for (at, note) in subject.notes {
            let at = at.as_secs_f64() - begin.as_secs_f64();
            let _ = write!(page, "<li><b>{at:.3} s</b> {}</li>", escaped(note));
        }
        page.push_str("</ol></details>");
    }
}

fn draw_table(page: &mut String, table: &Table) {
    page.push_str("<div class=\"wide\"><table><tr>");
    for word in &table.head {
        let _ = write!(page, "<th>{}</th>", escaped(word));
    }
    page.push_str("</tr>");
    for row in &table.rows {
        page.push_str("<tr>");
        for word in row {
            let _ = write!(page, "<td>{}</td>", escaped(word));
        }
        page.push_str("</tr>");
    }
    page.push_str("</table></div>");
}

/// The figures are drawn for white paper; in the dark each of its inks is another one.
fn inks() -> String {
    let mut css = String::new();
    let [_, paper] = Ink::Paper.colors();
    let [_, text] = Ink::Text.colors();
    let _ = write!(css, ".dark{{--paper:{paper};--text:{text};--line:{}}}", Ink::Grid.colors()[1]);
    for ink in Ink::ALL {
        let [light, dark] = ink.colors();
        let _ = write!(
            css,
            ".dark svg [fill=\"{light}\"]{{fill:{dark}}}.dark svg [stroke=\"{light}\"]{{stroke:{dark}}}"
        );
    }
    css
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
