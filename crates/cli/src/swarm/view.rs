//! The team in a terminal, live: who has the stream from whom, and how it goes for each.

use super::dealer::Stats;
use ratatui::{
    Frame,
    crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
    layout::{Constraint, Layout},
    style::{Color, Modifier, Style},
    symbols::Marker,
    widgets::{
        Block, Paragraph, Row, Table,
        canvas::{Canvas, Circle, Line},
    },
};
use std::{
    collections::BTreeMap,
    io::{self, IsTerminal},
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, watch};

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    title: String,
    line: String,
    peers: Vec<Peer>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Peer {
    endpoint: String,
    /// Whether the splitter itself gives it chunks.
    origin: bool,
    parents: Vec<usize>,
    cells: Vec<String>,
}

/// Makes views of statistics; needs the ones before for rates.
#[derive(Default)]
pub struct Eye {
    sent: BTreeMap<SocketAddr, u64>,
    seen: Option<Instant>,
}

impl Eye {
    /// What there is to see of a team now.
    pub fn see(&mut self, title: &str, stats: &Stats, now: Instant) -> View {
        let peers = match stats {
            Stats::Old { members, .. } => members
                .iter()
                .map(|member| Peer {
                    endpoint: member.endpoint.to_string(),
                    origin: true,
                    parents: Vec::new(),
                    cells: vec![
                        if member.monitor { "monitor".into() } else { String::new() },
                        format!("{} dealt", member.dealt),
                        "–".into(),
                        "–".into(),
                        member.losses.to_string(),
                    ],
                })
                .collect(),
            Stats::Native { members, .. } => {
                let at =
                    |endpoint: &SocketAddr| members.iter().position(|member| member.endpoint == *endpoint);
                let time = self.seen.map_or(1.0, |seen| now.duration_since(seen).as_secs_f64().max(0.1));
                let peer = |member: &levada_swarm::native::splitter::TeamMember| {
                    let before = self.sent.get(&member.endpoint).copied().unwrap_or(member.sent_bytes);
                    let rate = member.sent_bytes.saturating_sub(before) as f64 * 8.0 / time / 1_000.0;
                    Peer {
                        endpoint: member.endpoint.to_string(),
                        origin: member.origin > 0,
                        parents: member.parents.keys().filter_map(at).collect(),
                        cells: vec![
                            format!("origin of {}", member.origin),
                            format!("gives to {}", member.children),
                            format!("{rate:.0} kbit/s"),
                            member.lag_ms.map_or("–".into(), |lag| format!("{lag} ms")),
                            member.lost.to_string(),
                        ],
                    }
                };
                let peers = members.iter().map(peer).collect();
                self.sent = members.iter().map(|member| (member.endpoint, member.sent_bytes)).collect();
                peers
            }
        };
        self.seen = Some(now);
        View { title: title.to_owned(), line: stats.line(), peers }
    }
}

/// Shows what comes until somebody leaves it with `q`, or there is no more; then `left` is told.
///
/// # Errors
/// When there is no terminal.
pub fn show(views: watch::Receiver<View>, left: mpsc::Sender<()>) -> io::Result<()> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(io::Error::other("a view needs a terminal; --json has the same as data"));
    }
    let mut terminal = ratatui::try_init()?;
    std::thread::Builder::new().name("view".into()).spawn(move || {
        let watched = watch(&mut terminal, &views);
        ratatui::restore();
        if let Err(why) = watched {
            tracing::warn!(%why, "the view is over");
        }
        let _told = left.try_send(());
    })?;
    Ok(())
}

fn watch(terminal: &mut ratatui::DefaultTerminal, views: &watch::Receiver<View>) -> io::Result<()> {
    while views.has_changed().is_ok() {
        let view = views.borrow().clone();
        terminal.draw(|frame| draw(&view, frame))?;
        if !event::poll(EVERY)? {
            continue;
        }
        if let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
        {
            let control = key.modifiers.contains(KeyModifiers::CONTROL);
            if matches!(
                (key.code, control),
                (KeyCode::Char('q') | KeyCode::Esc, _) | (KeyCode::Char('c'), true)
            ) {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn draw(view: &View, frame: &mut Frame<'_>) {
    let [top, middle] = Layout::vertical([Constraint::Length(2), Constraint::Min(5)]).areas(frame.area());
    let [left, right] = Layout::horizontal([Constraint::Ratio(2, 5), Constraint::Ratio(3, 5)]).areas(middle);
    let head = Paragraph::new(format!("{}\n{}  (q leaves)", view.title, view.line));
    frame.render_widget(head, top);
    frame.render_widget(graph(view), left);
    let rows = view.peers.iter().enumerate().map(|(at, peer)| {
        let style = if peer.origin { Style::new().fg(Color::Cyan) } else { Style::new() };
        let first = [(at + 1).to_string(), peer.endpoint.clone()];
        Row::new(first.into_iter().chain(peer.cells.iter().cloned())).style(style)
    });
    let widths = [3, 22, 12, 12, 12, 9, 6].map(Constraint::Length);
    let header = Row::new(["", "peer", "", "", "upload", "lag", "lost"]);
    let header = header.style(Style::new().add_modifier(Modifier::BOLD));
    frame.render_widget(Table::new(rows, widths).header(header), right);
}

fn graph(view: &View) -> impl ratatui::widgets::Widget + '_ {
    let count = view.peers.len().min(MOST);
    Canvas::default()
        .block(Block::bordered().title("team"))
        .marker(Marker::Braille)
        .x_bounds([-1.3, 1.3])
        .y_bounds([-1.3, 1.3])
        .paint(move |context| {
            for (at, peer) in view.peers.iter().enumerate().take(count) {
                let (x, y) = place(at, count);
                for (from_x, from_y) in
                    peer.parents.iter().filter(|from| **from < count).map(|from| place(*from, count))
                {
                    context.draw(&Line { x1: from_x, y1: from_y, x2: x, y2: y, color: Color::DarkGray });
                }
                if peer.origin {
                    context.draw(&Line { x1: 0.0, y1: 0.0, x2: x, y2: y, color: Color::Cyan });
                }
            }
            context.draw(&Circle { x: 0.0, y: 0.0, radius: 0.08, color: Color::Cyan });
            for at in 0..count {
                let (x, y) = place(at, count);
                context.print(x * 1.15, y * 1.15, (at + 1).to_string());
            }
        })
}

/// On a circle around the splitter.
fn place(at: usize, of: usize) -> (f64, f64) {
    let angle = at as f64 / of.max(1) as f64 * std::f64::consts::TAU;
    (angle.sin(), angle.cos())
}

const EVERY: Duration = Duration::from_millis(200);
/// A graph of more is a tangle.
const MOST: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;
    use levada_swarm::native::splitter::{Stats as Counts, TeamMember};
    use ratatui::{Terminal, backend::TestBackend};

    #[test]
    fn a_view_shows_who_is_origin_and_what_each_uploads() {
        let member = |port: u16, sent_bytes, origin| TeamMember {
            endpoint: ([10, 0, 0, 1], port).into(),
            monitor: false,
            origin,
            parents: BTreeMap::new(),
            relayed: 0,
            children: 3,
            depth: 1,
            sent_bytes,
            lost: 4,
            lag_ms: Some(77),
        };
        let stats = |sent| Stats::Native {
            splitter: Counts { peers: 2, ..Counts::default() },
            members: vec![member(1, sent, 8), member(2, 0, 0)],
            follows: None,
            quic: None,
        };
        let (mut eye, now) = (Eye::default(), Instant::now());
        eye.see("team", &stats(0), now);
        let view = eye.see("team of tea", &stats(125_000), now + Duration::from_secs(1));
        let mut terminal = Terminal::new(TestBackend::new(140, 20)).unwrap();
        terminal.draw(|frame| draw(&view, frame)).unwrap();
        let shown = terminal.backend().to_string();
        for wanted in
            ["team of tea", "10.0.0.1:1", "origin of 8", "gives to 3", "1000 kbit/s", "77 ms", "2 peers"]
        {
            assert!(shown.contains(wanted), "{wanted} in\n{shown}");
        }
    }
}
