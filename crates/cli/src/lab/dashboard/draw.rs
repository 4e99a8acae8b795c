//! The dashboard on a screen: sliders at the left, the last minute at the right.

use super::desk::{Curve, Desk, SPAN, Way};
use super::slider::Slider;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType, Paragraph};

/// Draws all of it.
pub fn draw(desk: &Desk, frame: &mut Frame<'_>) {
    let [top, middle, bottom] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(2)])
            .areas(frame.area());
    frame.render_widget(Paragraph::new(links(desk)), top);
    frame.render_widget(Paragraph::new(footer(desk)), bottom);
    // On a narrow screen the sliders stand above one plot.
    if middle.width < 2 * SLIDERS {
        let [above, below] = Layout::vertical([Constraint::Length(12), Constraint::Min(0)]).areas(middle);
        sliders(desk, frame, above);
        return plot(desk, frame, below, &PLOTS[0]);
    }
    let [left, right] = Layout::horizontal([Constraint::Length(SLIDERS), Constraint::Min(0)]).areas(middle);
    sliders(desk, frame, left);
    let rows: [Rect; 3] = Layout::vertical([Constraint::Fill(1); 3]).areas(right);
    for (row, what) in rows.into_iter().zip(&PLOTS) {
        plot(desk, frame, row, what);
    }
}

/// The names of the links, with the one that is looked at.
fn links(desk: &Desk) -> Line<'_> {
    let mut spans = vec![Span::raw(" levada lab  ")];
    // Those before it leave where there are many.
    for (number, link) in desk.links.iter().enumerate().skip(desk.link.saturating_sub(3)) {
        let chosen = number == desk.link;
        let style = if chosen { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
        spans.push(Span::styled(format!(" {} ", link.name), style));
    }
    Line::from(spans)
}

fn sliders(desk: &Desk, frame: &mut Frame<'_>, area: Rect) {
    let (Some(link), Some(config)) = (desk.links.get(desk.link), desk.config()) else { return };
    let arrow = match desk.way {
        Way::Both => "both ways",
        Way::Down => "down only",
        Way::Up => "up only",
    };
    let mut lines = vec![Line::raw(format!("{} → {}, {arrow}", link.ends[0], link.ends[1])), Line::raw("")];
    let width = usize::from(area.width.saturating_sub(4)).max(2);
    for (number, slider) in Slider::ALL.into_iter().enumerate() {
        let held = number == desk.slider;
        let style =
            if held { Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD) } else { Style::new() };
        let mark = if held { "▶" } else { " " };
        lines.push(Line::styled(format!("{mark} {:<6}{}", slider.key(), slider.shown(config)), style));
        let knob = (slider.place(config) * (width - 1) as f64).round() as usize;
        let knob = knob.min(width - 1);
        lines.push(Line::styled(format!("  {}●{}", "━".repeat(knob), "─".repeat(width - 1 - knob)), style));
    }
    lines.push(Line::raw(""));
    lines.extend(counts(desk));
    frame.render_widget(Paragraph::new(lines), area);
}

/// What each direction has carried.
fn counts(desk: &Desk) -> Vec<Line<'_>> {
    let (Some(stats), Some(both)) = (desk.stats(), desk.both()) else { return Vec::new() };
    let mut lines = Vec::new();
    for (side, word) in ["down", "up"].into_iter().enumerate() {
        let Some(totals) = stats.directions.get(2 * desk.link + side) else { continue };
        lines.push(Line::styled(format!("{word}: {}", both[side]), Style::new().fg(COLORS[side])));
        let dropped = totals.queue + totals.other;
        lines.push(Line::raw(format!(
            "  {} sent, {} there, {} lost, {dropped} dropped",
            totals.packets, totals.delivered, totals.lost
        )));
    }
    lines
}

/// The last change or what is being typed; the engine and the keys.
fn footer(desk: &Desk) -> Vec<Line<'_>> {
    let first = match (&desk.typed, &desk.said) {
        (Some(text), _) => Line::styled(format!(" change: {text}▏"), Style::new().fg(Color::Yellow)),
        (None, Ok(said)) => Line::raw(format!(" {said}")),
        (None, Err(why)) => Line::styled(format!(" {why}"), Style::new().fg(Color::Red)),
    };
    let late = desk.stats().map_or(0.0, |stats| stats.lateness.p99_ns as f64 / 1e3);
    let priority = desk.priority.map_or(String::new(), super::super::up::priority);
    let keys = " ↑↓ slider  ←→ change (shift: more)  Tab link  d direction  e type  q leave";
    let engine = format!("   lateness p99 {late:.0} µs, {priority}");
    vec![first, Line::from(vec![Span::raw(keys), Span::styled(engine, Style::new().fg(Color::DarkGray))])]
}

/// A plot: its title and unit, and how curves become numbers in it.
struct Plot {
    title: &'static str,
    curve: fn(&Desk, usize) -> Curve,
    /// A line to compare with.
    bound: Option<fn(&Desk, usize) -> Curve>,
    shown: fn(f64) -> String,
    /// At least so high.
    least: f64,
}

const PLOTS: [Plot; 3] = [
    Plot {
        title: "throughput",
        curve: Desk::throughput,
        bound: Some(Desk::rate),
        shown: super::super::words::rate,
        least: 10_000.0,
    },
    Plot {
        title: "queue, packets",
        curve: Desk::queue,
        bound: None,
        shown: |value| format!("{value:.0}"),
        least: 10.0,
    },
    Plot {
        title: "one-way delay",
        curve: Desk::delay,
        bound: None,
        shown: |value| format!("{:.1} ms", value * 1e3),
        least: 0.001,
    },
];

fn plot(desk: &Desk, frame: &mut Frame<'_>, area: Rect, plot: &Plot) {
    let curves = [0, 1].map(|side| (plot.curve)(desk, side));
    let bounds = plot.bound.map(|bound| [0, 1].map(|side| bound(desk, side)));
    let highest = curves.iter().flatten().map(|(_, value)| *value).fold(plot.least, f64::max);
    // A limit far above what flows would press that flat.
    let near = |value: f64| if value < 4.0 * highest { value } else { highest };
    let limits = bounds.iter().flatten().flatten().map(|(_, value)| near(*value)).fold(highest, f64::max);
    let top = limits * 1.1;
    let mut sets = Vec::new();
    for (side, curve) in bounds.iter().flatten().enumerate() {
        sets.push(set(curve, Style::new().fg(COLORS[side]).add_modifier(Modifier::DIM), Marker::Dot));
    }
    for (side, curve) in curves.iter().enumerate() {
        sets.push(set(curve, Style::new().fg(COLORS[side]), Marker::Braille));
    }
    let last = |side: usize| curves[side].last().map_or("–".into(), |(_, value)| (plot.shown)(*value));
    let title = Line::from(vec![
        Span::raw(format!(" {}: ", plot.title)),
        Span::styled(format!("down {}", last(0)), Style::new().fg(COLORS[0])),
        Span::raw(", "),
        Span::styled(format!("up {} ", last(1)), Style::new().fg(COLORS[1])),
    ]);
    let chart = Chart::new(sets)
        .block(Block::bordered().title(title))
        .x_axis(Axis::default().bounds([-SPAN, 0.0]).labels(["-60 s", "-30 s", "now"]))
        .y_axis(Axis::default().bounds([0.0, top]).labels(["0".to_owned(), (plot.shown)(top)]))
        .legend_position(None);
    frame.render_widget(chart, area);
}

fn set(curve: &Curve, style: Style, marker: Marker) -> Dataset<'_> {
    Dataset::default().data(curve).graph_type(GraphType::Line).marker(marker).style(style)
}

/// The width of the sliders' column.
const SLIDERS: u16 = 46;
/// Of the two directions.
const COLORS: [Color; 2] = [Color::Cyan, Color::Magenta];

#[cfg(test)]
mod tests {
    use super::super::desk::tests::glimpse;
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn screen(desk: &Desk, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(desk, frame)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn sliders_plots_and_keys_are_on_the_screen() {
        let mut desk = Desk::new();
        (0..=300).for_each(|tenth| desk.see(glimpse(f64::from(tenth) / 10.0)));
        let shown = screen(&desk, 110, 30);
        for part in [
            "▶ rate  1mbit",
            "delay 20ms±5ms",
            "loss  0",
            "throughput: down 800.",
            "queue, packets: down 7, up 0",
            "one-way delay: down 30.0 ms, up –",
            "3000 sent, 3000 there, 0 lost",
            "q leave",
        ] {
            assert!(shown.contains(part), "no {part:?} in\n{shown}");
        }
        assert!(
            shown.chars().filter(|c| ('\u{2801}'..='\u{28ff}').contains(c)).count() > 50,
            "curves: {shown}"
        );
        desk.said = Err("loss: \"x\" is not a share".into());
        assert!(screen(&desk, 110, 30).contains("is not a share"));
    }

    #[test]
    fn any_size_of_screen_is_drawn_on() {
        let mut desk = Desk::new();
        for (width, height) in [(1, 1), (10, 4), (45, 13), (80, 24), (300, 100)] {
            screen(&desk, width, height);
        }
        desk.see(glimpse(1.0));
        for (width, height) in [(1, 1), (2, 9), (10, 4), (45, 13), (80, 24), (92, 3), (300, 100)] {
            screen(&desk, width, height);
        }
    }
}
