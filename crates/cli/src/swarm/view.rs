//! A team in a terminal, live: who has the stream from whom, and how it goes for each; of a splitter and of a peer.

use super::{dealer, member};
use crate::exit::{Exit, USAGE};
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
    net::{Ipv4Addr, SocketAddr},
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, watch};

/// What is shown: one in the middle, and others around it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    title: String,
    line: String,
    /// What the columns are called, from the second on.
    columns: Vec<&'static str>,
    peers: Vec<Peer>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Peer {
    endpoint: String,
    /// Whether the one in the middle gives it chunks: then it is their origin.
    origin: bool,
    /// Whether it gives the one in the middle some.
    gives: bool,
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
    /// What there is to see of a splitter's team now.
    pub fn see(&mut self, title: &str, stats: &dealer::Stats, now: Instant) -> View {
        let columns = vec!["peer", "", "", "upload", "lag", "lost", "owes"];
        let peers = match stats {
            dealer::Stats::Old { members, .. } => members.iter().map(Peer::of_old).collect(),
            dealer::Stats::Native { members, .. } => {
                let at =
                    |endpoint: &SocketAddr| members.iter().position(|member| member.endpoint == *endpoint);
                let peers = members
                    .iter()
                    .map(|member| Peer {
                        endpoint: member.endpoint.to_string(),
                        origin: member.origin > 0,
                        gives: false,
                        parents: member.parents.keys().filter_map(at).collect(),
                        cells: vec![
                            match (member.monitor, member.origin) {
                                (true, _) => "monitor".into(),
                                (false, origin) => format!("origin of {origin}"),
                            },
                            format!("gives to {}", member.children),
                            self.rate(member.endpoint, member.sent_bytes, now),
                            member.lag_ms.map_or("–".into(), |lag| format!("{lag} ms")),
                            member.lost.to_string(),
                            member.debt.to_string(),
                        ],
                    })
                    .collect();
                self.sent = members.iter().map(|member| (member.endpoint, member.sent_bytes)).collect();
                peers
            }
        };
        self.seen = Some(now);
        View { title: title.to_owned(), line: stats.line(), columns, peers }
    }

    /// What there is to see of a member and its neighbours now.
    pub fn see_member(&mut self, title: &str, players: usize, stats: &member::Stats, now: Instant) -> View {
        let columns = vec!["neighbour", "gives", "gets", "owes"];
        let part = |count: usize| if count == 0 { "–".into() } else { format!("{count} stripes") };
        let is_native = matches!(stats, member::Stats::Native { .. });
        let cells = |neighbor: &member::Neighbor| match is_native {
            true => vec![part(neighbor.gives), part(neighbor.gets), neighbor.debt.to_string()],
            false => vec!["its own".into(), "our own".into(), neighbor.debt.to_string()],
        };
        let peers = stats.team().iter().map(|neighbor| Peer {
            endpoint: neighbor.endpoint.to_string(),
            origin: !is_native || neighbor.gets > 0,
            gives: !is_native || neighbor.gives > 0,
            parents: Vec::new(),
            cells: cells(neighbor),
        });
        let peers = peers.collect();
        let upload = self.rate(MYSELF, stats.sent_bytes(), now);
        self.sent = BTreeMap::from([(MYSELF, stats.sent_bytes())]);
        self.seen = Some(now);
        let line = format!("{players} players, {}, uploading {upload}", stats.line());
        View { title: title.to_owned(), line, columns, peers }
    }

    fn rate(&self, endpoint: SocketAddr, sent: u64, now: Instant) -> String {
        let time = self.seen.map_or(1.0, |seen| now.duration_since(seen).as_secs_f64().max(0.1));
        let before = self.sent.get(&endpoint).copied().unwrap_or(sent);
        format!("{:.0} kbit/s", sent.saturating_sub(before) as f64 * 8.0 / time / 1_000.0)
    }
}

impl Peer {
    fn of_old(member: &levada_swarm::splitter::Member) -> Peer {
        Peer {
            endpoint: member.endpoint.to_string(),
            origin: true,
            gives: false,
            parents: Vec::new(),
            cells: vec![
                if member.monitor { "monitor".into() } else { "peer".into() },
                format!("{} dealt", member.dealt),
                "–".into(),
                "–".into(),
                member.losses.to_string(),
                "–".into(),
            ],
        }
    }
}

/// A terminal that shows views until somebody leaves it with `q`, or it is dropped; it is as before then.
pub struct Screen {
    views: Option<watch::Sender<View>>,
    thread: Option<JoinHandle<()>>,
}

impl Screen {
    /// Takes the terminal. Who leaves it is told to `left`.
    ///
    /// # Errors
    /// When there is no terminal.
    pub fn open(left: mpsc::Sender<()>) -> io::Result<Screen> {
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return Err(io::Error::other("a view needs a terminal; --json has the same as data"));
        }
        let (views, seen) = watch::channel(View::default());
        let mut terminal = ratatui::try_init()?;
        let thread = std::thread::Builder::new().name("view".into()).spawn(move || {
            let watched = watch(&mut terminal, &seen);
            ratatui::restore();
            if let Err(why) = watched {
                tracing::warn!(%why, "the view is over");
            }
            let _told = left.try_send(());
        })?;
        Ok(Screen { views: Some(views), thread: Some(thread) })
    }

    /// Shows this from now on.
    pub fn show(&self, view: View) {
        if let Some(views) = &self.views {
            views.send_replace(view);
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.views = None;
        // It looks every 200 milliseconds whether there will be more.
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

/// Who wants a view needs a terminal.
pub fn no_view(why: io::Error) -> Exit {
    Exit(USAGE, why.to_string())
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
    let widths = [3, 21, 11, 11, 12, 8, 6, 5].map(Constraint::Length);
    let header = Row::new(std::iter::once("").chain(view.columns.iter().copied()));
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
                let parents = peer.parents.iter().filter(|from| **from < count);
                for (from_x, from_y) in parents.map(|from| place(*from, count)) {
                    context.draw(&Line { x1: from_x, y1: from_y, x2: x, y2: y, color: Color::DarkGray });
                }
                if peer.gives {
                    context.draw(&Line { x1: 0.0, y1: 0.0, x2: x, y2: y, color: Color::Green });
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

/// On a circle around the middle.
fn place(at: usize, of: usize) -> (f64, f64) {
    let angle = at as f64 / of.max(1) as f64 * std::f64::consts::TAU;
    (angle.sin(), angle.cos())
}

/// The member whose view it is.
const MYSELF: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
const EVERY: Duration = Duration::from_millis(200);
/// A graph of more is a tangle.
const MOST: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;
    use levada_swarm::{
        native,
        native::splitter::{Stats as Counts, TeamMember},
        peer,
    };
    use ratatui::{Terminal, backend::TestBackend};

    fn shown(view: &View) -> String {
        let mut terminal = Terminal::new(TestBackend::new(140, 20)).unwrap();
        terminal.draw(|frame| draw(view, frame)).unwrap();
        terminal.backend().to_string()
    }

    fn shows(view: &View, wanted: &[&str]) {
        let shown = shown(view);
        for wanted in wanted {
            assert!(shown.contains(wanted), "{wanted} in\n{shown}");
        }
    }

    #[test]
    fn a_view_shows_who_is_origin_and_what_each_uploads() {
        let member = |port: u16, sent_bytes, origin| TeamMember {
            endpoint: ([10, 0, 0, 1], port).into(),
            monitor: port == 2,
            origin,
            parents: BTreeMap::new(),
            relayed: 0,
            children: 3,
            depth: 1,
            sent_bytes,
            lost: 4,
            lag_ms: Some(77),
            debt: if port == 1 { 3 } else { 0 },
        };
        let stats = |sent| dealer::Stats::Native {
            splitter: Counts { peers: 2, ..Counts::default() },
            members: vec![member(1, sent, 8), member(2, 0, 0)],
            follows: None,
            bridge: None,
            quic: None,
        };
        let (mut eye, now) = (Eye::default(), Instant::now());
        eye.see("team", &stats(0), now);
        let view = eye.see("team of tea", &stats(125_000), now + Duration::from_secs(1));
        shows(
            &view,
            &[
                "team of tea",
                "10.0.0.1:1",
                "origin of 8",
                "monitor",
                "gives to 3",
                "1000 kbit/s",
                "77 ms",
                "owes",
                "4      3",
                "2 peers",
            ],
        );
    }

    #[test]
    fn a_peer_shows_its_neighbours_its_upload_and_what_they_owe() {
        let neighbor = |port: u16, gives, gets, debt| member::Neighbor {
            endpoint: ([10, 0, 0, 2], port).into(),
            gives,
            gets,
            debt,
        };
        let native = |sent_bytes| member::Stats::Native {
            peer: native::peer::Stats { sent_bytes, played: 9, lost: 1, ..Default::default() },
            children: 4,
            quic: None,
            team: vec![neighbor(1, 3, 0, -250), neighbor(2, 0, 4, 331)],
        };
        let (mut eye, now) = (Eye::default(), Instant::now());
        eye.see_member("me", 1, &native(0), now);
        let view = eye.see_member("peer of tea", 1, &native(250_000), now + Duration::from_secs(1));
        shows(
            &view,
            &["peer of tea", "10.0.0.2:2", "3 stripes", "4 stripes", "2000 kbit/s", "1 lost", "-250", "331"],
        );
        let stats = peer::Stats { played: 9, ..peer::Stats::default() };
        let old = member::Stats::Old {
            peer: stats,
            complaints: 0,
            team: vec![neighbor(7, 0, 0, -12), neighbor(8, 0, 0, 5)],
        };
        shows(&eye.see_member("old", 0, &old, now), &["10.0.0.2:7", "owes", "-12", "9 played"]);
    }
}
