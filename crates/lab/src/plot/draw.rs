//! Draws figures: frames, grids, words, and what is in them.

use super::{Anchor, Axis, Figure, Ink, Layer, Panel, Point, Style, Surface, Unit, thin};

/// Where a panel is on the paper, and by which axes.
struct Frame<'a> {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    x: &'a Axis,
    y: &'a Axis,
}

/// How high a figure is.
pub(super) fn height(figure: &Figure) -> f64 {
    let panels: f64 = figure.panels.iter().map(|panel| panel.height).sum();
    TOP + panels + GAP * figure.panels.len().saturating_sub(1) as f64 + BOTTOM
}

pub(super) fn figure(figure: &Figure, surface: &mut impl Surface, width: f64) {
    surface.text((LEFT, 20.0), &figure.title, Ink::Text, 14, Anchor::Start, false);
    let mut top = TOP;
    let inner = width - LEFT - RIGHT;
    let last = figure.panels.len().saturating_sub(1);
    for (index, panel) in figure.panels.iter().enumerate() {
        let frame = Frame { left: LEFT, top, width: inner, height: panel.height, x: &figure.x, y: &panel.y };
        draw_panel(surface, &frame, panel, index == last);
        top += panel.height + GAP;
    }
    marks(surface, figure, inner);
}

fn draw_panel(surface: &mut impl Surface, frame: &Frame<'_>, panel: &Panel, is_last: bool) {
    let (x, y) = (frame.x.range, frame.y.range);
    let attributes = format!(
        "data-box=\"{} {} {} {}\" data-x=\"{} {} {:?} {:?}\" data-y=\"{} {} {:?} {:?}\"",
        frame.left,
        frame.top,
        frame.width,
        frame.height,
        x.0,
        x.1,
        frame.x.scale,
        frame.x.unit,
        y.0,
        y.1,
        frame.y.scale,
        frame.y.unit
    );
    surface.begin("panel", &attributes, None);
    grid(surface, frame, is_last);
    for layer in &panel.layers {
        surface.begin("layer", &format!("data-ink=\"{:?}\"", ink_of(layer)), None);
        draw_layer(surface, frame, layer);
        surface.end();
    }
    let (right, bottom) = (frame.left + frame.width, frame.top + frame.height);
    let corners = [(frame.left, frame.top), (right, frame.top), (right, bottom), (frame.left, bottom)];
    let closed: Vec<Point> = corners.into_iter().chain([corners[0]]).collect();
    surface.polyline(&closed, Style { ink: Ink::Muted, width: 1.0, dashes: "" });
    legend(surface, frame, &panel.legend);
    surface.end();
}

fn grid(surface: &mut impl Surface, frame: &Frame<'_>, is_last: bool) {
    let bottom = frame.top + frame.height;
    for (value, word) in frame.x.ticks() {
        let at = frame.left + frame.x.place(value) * frame.width;
        let width = if word.is_some() { 1.0 } else { 0.5 };
        surface.line((at, frame.top), (at, bottom), Style { ink: Ink::Grid, width, dashes: "" });
        if let Some(word) = word.filter(|_| is_last) {
            surface.text((at, bottom + 16.0), &word, Ink::Muted, 11, Anchor::Middle, false);
        }
    }
    if frame.y.unit != Unit::None {
        for (value, word) in frame.y.ticks() {
            let at = bottom - frame.y.place(value) * frame.height;
            let width = if word.is_some() { 1.0 } else { 0.5 };
            let right = frame.left + frame.width;
            surface.line((frame.left, at), (right, at), Style { ink: Ink::Grid, width, dashes: "" });
            if let Some(word) = word {
                surface.text((frame.left - 7.0, at + 4.0), &word, Ink::Muted, 11, Anchor::End, false);
            }
        }
    }
    if is_last {
        let middle = frame.left + frame.width / 2.0;
        surface.text((middle, bottom + 34.0), &frame.x.caption(), Ink::Text, 12, Anchor::Middle, false);
    }
    let middle = frame.top + frame.height / 2.0;
    surface.text((16.0, middle), &frame.y.caption(), Ink::Text, 12, Anchor::Middle, true);
}

fn draw_layer(surface: &mut impl Surface, frame: &Frame<'_>, layer: &Layer) {
    let stroke = |ink| Style { ink, width: 1.3, dashes: "" };
    match layer {
        Layer::Line(ink, points) => lines(surface, frame, points, stroke(*ink)),
        Layer::Dashed(ink, points) => {
            lines(surface, frame, points, Style { ink: *ink, width: 1.5, dashes: "6,4" });
        }
        Layer::Steps { ink, points, fill } => steps(surface, frame, points, *ink, *fill),
        Layer::Dots { ink, points, radius } => {
            let inside: Vec<Point> = points.iter().filter_map(|point| frame.inside(*point)).collect();
            surface.dots(&thin::dots(&inside, *radius), *radius, *ink, 0.75);
        }
        Layer::Ticks(ink, places) => strokes(surface, frame, places, *ink, frame.top, 9.0),
        Layer::Row { ink, row, rows, name, at } => {
            let height = frame.height / *rows as f64;
            let top = frame.top + height * *row as f64;
            surface.text((frame.left - 7.0, top + height / 2.0 + 4.0), name, *ink, 11, Anchor::End, false);
            strokes(surface, frame, at, *ink, top + height * 0.15, height * 0.7);
        }
        Layer::Level(ink, value, word) => {
            if let Some((_, at)) = frame.inside((frame.x.range.0, *value)) {
                let right = frame.left + frame.width;
                let style = Style { ink: *ink, width: 1.0, dashes: "2,3" };
                surface.line((frame.left, at), (right, at), style);
                let above = if at - frame.top < 14.0 { 12.0 } else { -4.0 };
                surface.text((right - 5.0, at + above), word, *ink, 10, Anchor::End, false);
            }
        }
        Layer::Place(ink, value, word) => {
            if let Some((at, _)) = frame.inside((*value, frame.y.range.0)) {
                let style = Style { ink: *ink, width: 1.0, dashes: "2,3" };
                surface.line((at, frame.top), (at, frame.top + frame.height), style);
                surface.text(
                    (at + 4.0, frame.top + frame.height - 6.0),
                    word,
                    *ink,
                    10,
                    Anchor::Start,
                    false,
                );
            }
        }
    }
}

fn lines(surface: &mut impl Surface, frame: &Frame<'_>, points: &[Point], style: Style) {
    let inside: Vec<Point> = points.iter().filter_map(|point| frame.inside(*point)).collect();
    let thin = thin::line(&inside, frame.width, frame.left);
    if thin.len() > 1 {
        surface.polyline(&thin, style);
    }
}

fn steps(surface: &mut impl Surface, frame: &Frame<'_>, points: &[Point], ink: Ink, fill: bool) {
    let mut corners: Vec<Point> = Vec::with_capacity(points.len() * 2);
    for point in points.iter().filter_map(|point| frame.inside(*point)) {
        if let Some((_, before)) = corners.last().copied() {
            corners.push((point.0, before));
        }
        corners.push(point);
    }
    let corners = thin::line(&corners, frame.width, frame.left);
    let (Some(first), Some(last)) = (corners.first(), corners.last()) else { return };
    if fill {
        let bottom = frame.top + frame.height;
        let area: Vec<Point> = [(first.0, bottom)]
            .into_iter()
            .chain(corners.iter().copied())
            .chain([(last.0, bottom)])
            .collect();
        surface.area(&area, ink, 0.18);
    }
    let style = Style { ink, width: 1.4, dashes: "" };
    let bottom = frame.top + frame.height - 1e-6;
    if !fill {
        return surface.polyline(&corners, style);
    }
    // Along the axis there is nothing to outline.
    for run in corners.chunk_by(|a, b| a.1 < bottom || b.1 < bottom).filter(|run| run.len() > 1) {
        surface.polyline(run, style);
    }
}

fn strokes(surface: &mut impl Surface, frame: &Frame<'_>, places: &[f64], ink: Ink, top: f64, height: f64) {
    let inside: Vec<f64> =
        places.iter().filter_map(|at| frame.inside((*at, frame.y.range.0))).map(|(at, _)| at).collect();
    for at in thin::places(&inside) {
        surface.line((at, top), (at, top + height), Style { ink, width: 1.0, dashes: "" });
    }
}

/// What the inks mean: beside the title for the first panel, inside the others.
fn legend(surface: &mut impl Surface, frame: &Frame<'_>, legend: &[(Ink, String)]) {
    let inside = frame.top > TOP;
    let at = if inside { frame.top + 16.0 } else { 20.0 };
    let wide = |word: &str| word.chars().count() as f64 * LETTER + 34.0;
    let mut left = frame.left + frame.width - legend.iter().map(|(_, word)| wide(word)).sum::<f64>();
    for (ink, word) in legend {
        if inside {
            surface.rect((left, at - 12.0), (wide(word), 16.0), Ink::Paper, 0.8);
        }
        surface.rect((left + 8.0, at - 8.0), (12.0, 6.0), *ink, 1.0);
        surface.text((left + 25.0, at), word, Ink::Text, 11, Anchor::Start, false);
        left += wide(word);
    }
}

/// Vertical lines through all panels; what they say stands above, as far as there is room.
fn marks(surface: &mut impl Surface, figure: &Figure, width: f64) {
    let bottom = height(figure) - BOTTOM;
    let mut free = LEFT;
    for (value, word) in &figure.marks {
        let place = figure.x.place(*value);
        if !(0.0..=1.0).contains(&place) {
            continue;
        }
        let at = LEFT + place * width;
        surface.begin("mark", "", Some(word));
        surface.line((at, TOP), (at, bottom), Style { ink: Ink::Mark, width: 1.2, dashes: "5,3" });
        let room = word.chars().count() as f64 * 5.6;
        if at >= free && at + room < LEFT + width + RIGHT {
            surface.text((at, TOP - 5.0), word, Ink::Mark, 10, Anchor::Start, false);
            free = at + room + 8.0;
        }
        surface.end();
    }
}

fn ink_of(layer: &Layer) -> Ink {
    match layer {
        Layer::Line(ink, _)
        | Layer::Dashed(ink, _)
        | Layer::Steps { ink, .. }
        | Layer::Dots { ink, .. }
        | Layer::Ticks(ink, _)
        | Layer::Row { ink, .. }
        | Layer::Level(ink, ..)
        | Layer::Place(ink, ..) => *ink,
    }
}

impl Frame<'_> {
    /// Where a point is on the paper. What is above or below the axis stays at its edge; what is left or right is not there.
    fn inside(&self, (x, y): Point) -> Option<Point> {
        let (x, y) = (self.x.place(x), self.y.place(y));
        let at = (self.left + x * self.width, self.top + self.height * (1.0 - y.clamp(0.0, 1.0)));
        (-1e-9..=1.0 + 1e-9).contains(&x).then_some(at)
    }
}

/// What a letter of a legend takes, more or less.
const LETTER: f64 = 5.9;
const LEFT: f64 = 96.0;
const RIGHT: f64 = 26.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 46.0;
const GAP: f64 = 14.0;
