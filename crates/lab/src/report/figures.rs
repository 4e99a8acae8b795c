//! The figures of a report.

use super::{Subject, rate_of};
use crate::plot::{Axis, Figure, Ink, Layer, Panel, Point, Unit};
use levada_capture::metrics::{Rate, gaps};
use levada_capture::path::{Event, Level, Path};
use levada_capture::rtmp_lane::Kind;
use std::time::Duration;

/// The figures of what is looked at, and of RTMP's messages where there are any.
pub(super) fn all(subject: &Subject<'_>, paths: &[Path]) -> Vec<Figure> {
    let Some(path) = paths.iter().find(|path| path.level == subject.level) else { return Vec::new() };
    let (Some(begin), Some(end)) = (path.begin(), path.end()) else { return Vec::new() };
    let span = Span { begin, seconds: end.saturating_sub(begin).as_secs_f64() };
    let ground = Ground { subject, path, span, sides: sides(subject, path) };
    let mut figures = vec![
        ground.histogram("gaps-log", true),
        ground.histogram("gaps-linear", false),
        ground.ecdf(),
        ground.gaps_over_time(),
    ];
    if subject.client.is_some() {
        figures.push(ground.delay());
    }
    figures.push(ground.rates());
    if subject.client.is_some() || path.sent.iter().any(|event| event.again) {
        figures.push(ground.fates());
    }
    figures.extend(ground.jitter());
    let messages = paths.iter().find(|path| path.level == Level::Messages && !path.sent.is_empty());
    figures.extend(messages.map(|messages| ground.messages(messages)));
    figures
}

/// What all figures stand on.
struct Ground<'a> {
    subject: &'a Subject<'a>,
    path: &'a Path,
    span: Span,
    sides: Vec<Side<'a>>,
}

/// One end of the stream: its ink, name and events; and what lies between these, in seconds, by when they end.
struct Side<'a> {
    ink: Ink,
    name: String,
    events: &'a [Event],
    gaps: Vec<f64>,
}

#[derive(Clone, Copy)]
struct Span {
    begin: Duration,
    seconds: f64,
}

impl Span {
    fn at(self, at: Duration) -> f64 {
        if at >= self.begin { (at - self.begin).as_secs_f64() } else { -(self.begin - at).as_secs_f64() }
    }
}

fn sides<'a>(subject: &Subject<'_>, path: &'a Path) -> Vec<Side<'a>> {
    let [first, second] = &subject.names;
    let (sender, receiver) = if path.turned { (second, first) } else { (first, second) };
    let side = |ink, verb: &str, name: &String, events: &'a [Event]| Side {
        ink,
        name: if verb.is_empty() { name.clone() } else { format!("{verb} {name}") },
        events,
        gaps: gaps(events.iter().map(|event| event.at)).map(|gap| gap as f64 / 1e9).collect(),
    };
    match subject.client {
        None => vec![side(Ink::Server, "", first, &path.sent)],
        Some(_) => vec![
            side(Ink::Server, "sent by", sender, &path.sent),
            side(Ink::Client, "arriving at", receiver, &path.arrived),
        ],
    }
}

impl Ground<'_> {
    fn time_axis(&self) -> Axis {
        Axis::exact("time", Unit::Seconds, 0.0, self.span.seconds)
    }

    fn marks(&self) -> Vec<(f64, String)> {
        let notes = self.subject.notes.iter().map(|(at, note)| (self.span.at(*at), note.clone()));
        // What was so from the beginning on is no change.
        notes.filter(|(at, _)| *at > 0.0).collect()
    }

    fn figure(&self, name: &'static str, title: &str, x: Axis, panels: Vec<Panel>, marked: bool) -> Figure {
        let marks = if marked { self.marks() } else { Vec::new() };
        let level = match self.path.level {
            Level::Packets => "packets",
            Level::Data => "data",
            Level::Chunks => "chunks",
            Level::Messages => "messages",
        };
        Figure { name, title: format!("{title} ({level})"), x, panels, marks }
    }

    fn legend(&self) -> Vec<(Ink, String)> {
        self.sides.iter().map(|side| (side.ink, format!("{}: {}", side.name, side.events.len()))).collect()
    }

    /// The shortest positive and the longest gap.
    fn extremes(&self) -> (f64, f64) {
        let all = || self.sides.iter().flat_map(|side| side.gaps.iter().copied());
        let low = all().filter(|gap| *gap > 0.0).fold(f64::INFINITY, f64::min);
        let high = all().fold(0.0, f64::max);
        if low.is_finite() { (low.max(1e-6), high) } else { (1e-6, 1e-3) }
    }

    fn histogram(&self, name: &'static str, log: bool) -> Figure {
        let (low, high) = self.extremes();
        let (x, edges) = if log {
            let x = Axis::log("time between neighbours", Unit::Seconds, low, high);
            let (from, decades) = (x.range.0, (x.range.1 / x.range.0).log10());
            let bins = (decades * BINS_A_DECADE).round() as usize;
            let edges =
                (0..=bins).map(|bin| from * 10f64.powf(bin as f64 / BINS_A_DECADE)).collect::<Vec<_>>();
            (x, edges)
        } else {
            // What is rare would squeeze the rest.
            let longest = self.sides.iter().map(|side| quantile(&side.gaps, 0.995)).fold(0.0, f64::max);
            let x = Axis::linear("time between neighbours", Unit::Seconds, 0.0, longest.max(1e-6) * 1.05);
            let width = x.range.1 / 120.0;
            (x, (0..=120).map(|bin| f64::from(bin) * width).collect())
        };
        let counts: Vec<Vec<Point>> =
            self.sides.iter().map(|side| counted(&side.gaps, &edges, log)).collect();
        let most = counts.iter().flatten().map(|(_, count)| *count).fold(1.0, f64::max);
        let y = if log {
            Axis::log("count", Unit::Count, 1.0, most)
        } else {
            Axis::linear("count", Unit::Count, 0.0, most * 1.08)
        };
        let mut layers: Vec<Layer> = self
            .sides
            .iter()
            .zip(counts)
            .map(|(side, points)| Layer::Steps { ink: side.ink, points, fill: true })
            .collect();
        layers.extend(self.serialisation());
        let panel = Panel { y, height: 260.0, layers, legend: self.legend() };
        self.figure(name, "Inter-sending and interarrival times", x, vec![panel], false)
    }

    /// How long the link takes for a packet of the usual size, where it has one rate all the time.
    fn serialisation(&self) -> Option<Layer> {
        if !matches!(self.path.level, Level::Packets | Level::Data) {
            return None;
        }
        let rates: Vec<f64> = self.link_rates().iter().filter_map(|(_, rate)| *rate).collect();
        let rate = rates.first().filter(|rate| rates.iter().all(|other| other == *rate))?;
        let sizes: Vec<f64> = self.path.sent.iter().map(|event| f64::from(event.size)).collect();
        let size = quantile(&sizes, 0.5);
        Some(Layer::Place(Ink::Link, size * 8.0 / rate, format!("{size:.0} bytes on the link")))
    }

    fn ecdf(&self) -> Figure {
        let (low, high) = self.extremes();
        let x = Axis::log("time between neighbours", Unit::Seconds, low, high);
        let mut below = Vec::new();
        let mut above = Vec::new();
        let mut least: f64 = 0.1;
        for side in &self.sides {
            let mut sorted: Vec<f64> = side.gaps.iter().map(|gap| gap.max(x.range.0)).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            let count = sorted.len().max(1) as f64;
            // a thousand steps, and every one of the last thousand
            let stride = (sorted.len() / 1000).max(1);
            let kept = |index: &usize| index.is_multiple_of(stride) || index + 1000 > sorted.len();
            let part: Vec<Point> = (0..sorted.len())
                .filter(kept)
                .map(|index| (sorted[index], (index + 1) as f64 / count))
                .collect();
            least = least.min(1.0 / count);
            let rest: Vec<Point> = part.iter().map(|(gap, part)| (*gap, 1.0 - part + 0.5 / count)).collect();
            below.push(Layer::Steps { ink: side.ink, points: part, fill: false });
            above.push(Layer::Steps { ink: side.ink, points: rest, fill: false });
        }
        for (part, word) in [(0.5, "p50"), (0.95, "p95")] {
            below.push(Layer::Level(Ink::Muted, part, word.into()));
        }
        for (part, word) in [(0.01, "p99"), (0.001, "p99.9")] {
            above.push(Layer::Level(Ink::Muted, part, word.into()));
        }
        let panels = vec![
            Panel {
                y: Axis::exact("part that is shorter", Unit::Part, 0.0, 1.0),
                height: 190.0,
                layers: below,
                legend: self.legend(),
            },
            Panel {
                y: Axis::log("part that is longer", Unit::Part, least, 1.0),
                height: 150.0,
                layers: above,
                legend: Vec::new(),
            },
        ];
        self.figure("ecdf", "Distribution of these times", x, panels, false)
    }

    fn gaps_over_time(&self) -> Figure {
        let (low, high) = self.extremes();
        let panels = self
            .sides
            .iter()
            .map(|side| {
                let times = side.events.iter().skip(1).map(|event| self.span.at(event.at));
                Panel {
                    y: Axis::log(
                        if side.ink == Ink::Server { "gap" } else { "gap on arrival" },
                        Unit::Seconds,
                        low,
                        high,
                    ),
                    height: 150.0,
                    layers: vec![Layer::Dots {
                        ink: side.ink,
                        points: times.zip(side.gaps.iter().copied()).collect(),
                        radius: 1.1,
                    }],
                    legend: vec![(side.ink, side.name.clone())],
                }
            })
            .collect();
        self.figure("gaps-over-time", "Times between neighbours as they came", self.time_axis(), panels, true)
    }

    fn delay(&self) -> Figure {
        let points: Vec<Point> =
            self.path.delays().map(|(sent, delay)| (self.span.at(sent.at), delay as f64 / 1e9)).collect();
        let high = points.iter().map(|(_, delay)| *delay).fold(1e-6, f64::max);
        let lost: Vec<f64> =
            self.path.lost.iter().map(|index| self.span.at(self.path.sent[*index as usize].at)).collect();
        let mut legend = vec![(Ink::Client, format!("arrived: {}", points.len()))];
        if !lost.is_empty() {
            legend.push((Ink::Lost, format!("lost: {}", lost.len())));
        }
        let under_way = self.under_way();
        let most = under_way.iter().map(|(_, count)| *count).fold(1.0, f64::max);
        let panels = vec![
            Panel {
                y: Axis::linear("one-way delay", Unit::Seconds, 0.0, high * 1.12),
                height: 210.0,
                layers: vec![
                    Layer::Dots { ink: Ink::Client, points, radius: 1.1 },
                    Layer::Ticks(Ink::Lost, lost),
                ],
                legend,
            },
            Panel {
                y: Axis::linear("under way", Unit::Count, 0.0, most * 1.1),
                height: 90.0,
                layers: vec![Layer::Steps { ink: Ink::Link, points: under_way, fill: true }],
                legend: vec![(Ink::Link, "sent and not there yet: in queue and on the line".into())],
            },
        ];
        self.figure("delay", "One-way delay of each", self.time_axis(), panels, true)
    }

    /// How many of what arrived were between the two ends, whenever that changes.
    fn under_way(&self) -> Vec<Point> {
        let mut changes: Vec<(f64, i32)> = Vec::with_capacity(self.path.pairs.len() * 2);
        let correction = self.path.clocks.correction as f64 / 1e9;
        for (sent, arrived) in &self.path.pairs {
            changes.push((self.span.at(self.path.sent[*sent as usize].at), 1));
            changes.push((self.span.at(self.path.arrived[*arrived as usize].at) + correction, -1));
        }
        changes.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        let mut count = 0;
        changes
            .into_iter()
            .map(|(at, change)| {
                count += change;
                (at, f64::from(count.max(0)))
            })
            .collect()
    }

    /// The rate of the link from the beginning on, and at each change that says something of it.
    fn link_rates(&self) -> Vec<(f64, Option<f64>)> {
        let first = self.subject.speed.map(|speed| (0.0, Some(speed as f64)));
        let known = self
            .subject
            .notes
            .iter()
            .filter_map(|(at, note)| Some((self.span.at(*at), note, rate_of(note)?)));
        // of several links, the first that has a rate
        let name = |note: &str| note.rsplit_once(": ").map(|(name, _)| name.to_string());
        let link = known.clone().find(|(_, _, rate)| rate.is_some()).map(|(_, note, _)| name(note));
        let later = known.filter(|(_, note, _)| Some(name(note)) == link).map(|(at, _, rate)| (at, rate));
        first.into_iter().chain(later).collect()
    }

    fn rates(&self) -> Figure {
        let bin = Rate::bin_for(Duration::from_secs_f64(self.span.seconds.clamp(0.0, 1e9)));
        let mut layers = Vec::new();
        let mut high: f64 = 1000.0;
        for side in &self.sides {
            let begin = self.span.begin;
            let rate =
                Rate::of(side.events.iter().map(|event| (event.at.saturating_sub(begin), event.size)), bin);
            let last = rate.bits.len() as f64 * bin.as_secs_f64();
            let mut points: Vec<Point> = rate
                .bits
                .iter()
                .enumerate()
                .map(|(index, bits)| (index as f64 * bin.as_secs_f64(), *bits))
                .collect();
            points.extend(rate.bits.last().map(|bits| (last.min(self.span.seconds), *bits)));
            high = rate.bits.iter().copied().fold(high, f64::max);
            layers.push(Layer::Steps { ink: side.ink, points, fill: false });
        }
        let mut legend = self.legend();
        let names = if self.subject.client.is_some() { vec!["offered", "delivered"] } else { vec!["rate"] };
        legend.iter_mut().zip(names).for_each(|((_, word), name)| *word = name.into());
        let rates = self.link_rates();
        let known: Vec<f64> = rates.iter().filter_map(|(_, rate)| *rate).collect();
        // a link much faster than what is on it is not worth the paper
        if !known.is_empty() && known.iter().any(|rate| *rate < 8.0 * high) {
            let mut line = Vec::new();
            for (index, (at, rate)) in rates.iter().enumerate() {
                let until = rates.get(index + 1).map_or(self.span.seconds, |(next, _)| *next);
                if let Some(rate) = rate {
                    line.extend([(at.max(0.0), *rate), (until, *rate)]);
                }
            }
            high = known.iter().copied().filter(|rate| *rate < 8.0 * high).fold(high, f64::max);
            layers.push(Layer::Dashed(Ink::Link, line));
            legend.push((Ink::Link, "link".into()));
        }
        let y = Axis::linear("rate", Unit::Bits, 0.0, high * 1.1);
        let title = format!("Rate in bins of {} ms", bin.as_millis());
        let panel = Panel { y, height: 220.0, layers, legend };
        self.figure("rate", &title, self.time_axis(), vec![panel], true)
    }

    /// What was lost, late, doubled or sent again, when it was.
    fn fates(&self) -> Figure {
        let at = |events: &[Event], indices: &[u32]| -> Vec<f64> {
            indices.iter().map(|index| self.span.at(events[*index as usize].at)).collect()
        };
        let path = self.path;
        let (dropped, vanished): (Vec<u32>, Vec<u32>) =
            path.lost.iter().partition(|index| path.sent[**index as usize].dropped);
        let again = |events: &[Event]| -> Vec<f64> {
            events.iter().filter(|event| event.again).map(|event| self.span.at(event.at)).collect()
        };
        let mut rows = vec![
            ("dropped", Ink::Lost, at(&path.sent, &dropped)),
            ("lost", Ink::Lost, at(&path.sent, &vanished)),
            ("reordered", Ink::Client, at(&path.arrived, &path.late)),
            ("extra", Ink::Other, at(&path.arrived, &path.extra)),
            ("sent again", Ink::Server, again(&path.sent)),
        ];
        rows.retain(|(name, _, places)| !places.is_empty() || *name != "dropped");
        let count = rows.len();
        let layers = rows
            .into_iter()
            .enumerate()
            .map(|(row, (name, ink, at))| {
                let name = format!("{name} {}", at.len());
                Layer::Row { ink, row, rows: count, name, at }
            })
            .collect();
        let y = Axis::exact("", Unit::None, 0.0, 1.0);
        let panel = Panel { y, height: 26.0 * count as f64, layers, legend: Vec::new() };
        self.figure("fates", "Loss and reordering", self.time_axis(), vec![panel], true)
    }

    fn jitter(&self) -> Option<Figure> {
        let jitter = self.path.jitter();
        let points: Vec<Point> =
            jitter.iter().map(|(at, jitter)| (self.span.at(*at), jitter / 1e9)).collect();
        let high = points.iter().map(|(_, jitter)| *jitter).fold(0.0, f64::max);
        if points.len() < 2 {
            return None;
        }
        let panel = Panel {
            y: Axis::linear("jitter", Unit::Seconds, 0.0, (high * 1.1).max(1e-6)),
            height: 150.0,
            layers: vec![Layer::Line(Ink::Client, points)],
            legend: Vec::new(),
        };
        Some(self.figure("jitter", "Interarrival jitter of RFC 3550", self.time_axis(), vec![panel], true))
    }

    /// Each RTMP message by what it carries: how long it took, or where there is one side only, how long it is.
    fn messages(&self, path: &Path) -> Figure {
        let kinds = [
            (Ink::Audio, "audio", &[Kind::Audio][..], 1.4),
            (Ink::Video, "video", &[Kind::Video], 1.8),
            (Ink::Key, "key pictures", &[Kind::Key], 3.4),
            (Ink::Other, "other", &[Kind::Data, Kind::Command, Kind::Control], 2.2),
        ];
        let correction = path.clocks.correction as f64 / 1e9;
        let mut events: Vec<(Kind, Point, u32)> = Vec::new();
        if path.pairs.is_empty() {
            events.extend(path.sent.iter().filter_map(|event| {
                Some((
                    event.kind?,
                    (self.span.at(event.at), (event.at - event.began.min(event.at)).as_secs_f64()),
                    event.size,
                ))
            }));
        } else {
            events.extend(path.pairs.iter().filter_map(|(sent, arrived)| {
                let (sent, arrived) = (&path.sent[*sent as usize], &path.arrived[*arrived as usize]);
                let took = self.span.at(arrived.at) + correction - self.span.at(sent.began);
                Some((sent.kind?, (self.span.at(sent.began), took), sent.size))
            }));
        }
        let high = events.iter().map(|(_, (_, took), _)| *took).fold(1e-6, f64::max);
        let (mut layers, mut sizes, mut legend) = (Vec::new(), Vec::new(), Vec::new());
        for (ink, name, kinds, radius) in kinds {
            let of = || events.iter().filter(|(kind, ..)| kinds.contains(kind));
            if of().next().is_none() {
                continue;
            }
            legend.push((ink, format!("{name}: {}", of().count())));
            layers.push(Layer::Dots { ink, points: of().map(|(_, point, _)| *point).collect(), radius });
            let size = of().map(|(_, (at, _), size)| (*at, f64::from((*size).max(1)))).collect();
            sizes.push(Layer::Dots { ink, points: size, radius: radius.min(2.4) });
        }
        let most = events.iter().map(|(.., size)| f64::from(*size)).fold(10.0, f64::max);
        let what = if path.pairs.is_empty() { "first to last byte" } else { "sent to there" };
        let panels = vec![
            Panel { y: Axis::linear(what, Unit::Seconds, 0.0, high * 1.15), height: 190.0, layers, legend },
            Panel {
                y: Axis::log("bytes", Unit::Count, 1.0, most),
                height: 110.0,
                layers: sizes,
                legend: Vec::new(),
            },
        ];
        let title = if path.pairs.is_empty() {
            "Each message"
        } else {
            "Each message, from its first byte sent to its last byte there"
        };
        let mut figure = self.figure("rtmp", title, self.time_axis(), panels, true);
        figure.title = format!("{title} (RTMP messages)");
        figure
    }
}

/// How many values are in each bin, at its lower edge, and nothing behind the last. What is below the first bin is in it
/// where the axis is logarithmic, as it has no zero; what is above the last is left out.
fn counted(values: &[f64], edges: &[f64], clamp: bool) -> Vec<Point> {
    let mut counts = vec![0.0; edges.len()];
    for value in values {
        let bin = edges.partition_point(|edge| edge <= value);
        match bin {
            0 if clamp => counts[0] += 1.0,
            0 => {}
            bin if bin < edges.len() => counts[bin - 1] += 1.0,
            _ => {}
        }
    }
    edges.iter().copied().zip(counts).collect()
}

/// The value that the part `part` of all is at most as large as.
fn quantile(values: &[f64], part: f64) -> f64 {
    let mut values = values.to_vec();
    if values.is_empty() {
        return 0.0;
    }
    let index = ((values.len() - 1) as f64 * part) as usize;
    *values.select_nth_unstable_by(index, f64::total_cmp).1
}

const BINS_A_DECADE: f64 = 12.0;
