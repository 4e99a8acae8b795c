//! The team that carries a mount, drawn: who has the stream from whom, and how it goes for each.

use crate::teams::{Team, TeamPeer};
use maud::{Markup, html};

/// The team as a graph and a table, for somebody who knows this server as `host`; needs no script.
pub(super) fn draw(team: &Team, host: &str) -> Markup {
    let ratio = if team.fed_bytes == 0 { 0.0 } else { team.sent_bytes as f64 / team.fed_bytes as f64 };
    html! {
        p.about {
            (count(team.peers.len())) " in the team of this stream; this server uploads it "
            (format!("{ratio:.2}")) " times. Join with " code { "levada pull " (team.address(host)) }
            @if team.private { " and its token" }
        }
        @if !team.peers.is_empty() { (graph(&team.peers)) (table(&team.peers)) }
    }
}

fn graph(peers: &[TeamPeer]) -> Markup {
    let shown = &peers[..peers.len().min(MOST)];
    let spoken = format!("{} peers around this server", peers.len());
    let around = |at: usize| place(at, shown.len());
    html! {
        svg.team xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 320" role="img" aria-label=(spoken) {
            @for (at, peer) in shown.iter().enumerate() {
                @let (x, y) = around(at);
                @if peer.origin > 0 { line.feeds x1="160" y1="160" x2=(x) y2=(y) {} }
                @for from in peer.parents.iter().filter(|from| **from < shown.len()) {
                    @let (from_x, from_y) = around(*from);
                    path.passes d={ "M" (from_x) " " (from_y) "Q160 160 " (x) " " (y) } {}
                }
            }
            circle.here cx="160" cy="160" r="10" {}
            @for (at, peer) in shown.iter().enumerate() {
                @let (x, y) = around(at);
                g.peer.origin[peer.origin > 0] {
                    title { (name(at)) ": " (about(peer)) }
                    circle cx=(x) cy=(y) r="8" {}
                    text x=(x) y=(y) { (at + 1) }
                }
            }
        }
    }
}

fn table(peers: &[TeamPeer]) -> Markup {
    html! {
        table.team {
            thead { tr {
                th scope="col" { "Peer" }
                th scope="col" title="from whom it has the stream: this server in so many parts, and other peers" { "From" }
                th scope="col" title="to how many it gives, summed over the parts" { "To" }
                th scope="col" { "Upload " small { "kbit/s" } }
                th scope="col" { "Lag " small { "ms" } }
                th scope="col" title="chunks that did not come in time" { "Lost" }
                th scope="col" title="complaints that stand against it, of 4; time forgives them" { "Debt" }
            } }
            tbody {
                @for (at, peer) in peers.iter().enumerate().take(MOST_ROWS) {
                    tr {
                        th scope="row" { (at + 1) }
                        td { (from(peer)) }
                        td { (peer.children) }
                        td { (peer.upload_kbit_per_s) }
                        td { @match peer.lag_ms { Some(lag) => { (lag) } None => { "–" } } }
                        td { (peer.lost) }
                        td { (peer.debt) }
                    }
                }
            }
        }
        @if peers.len() > MOST_ROWS { p.about { "and " (peers.len() - MOST_ROWS) " more" } }
    }
}

fn from(peer: &TeamPeer) -> String {
    let server = (peer.origin > 0).then(|| format!("here\u{a0}×{}", peer.origin));
    let others = peer.parents.iter().map(|at| (at + 1).to_string());
    server.into_iter().chain(others).collect::<Vec<_>>().join(", ")
}

fn about(peer: &TeamPeer) -> String {
    let lag = peer.lag_ms.map_or(String::new(), |lag| format!(", {lag} ms late"));
    let debt = if peer.debt == 0 { String::new() } else { format!(", owes {}", peer.debt) };
    let upload = peer.upload_kbit_per_s;
    format!("origin of {}, uploads {upload} kbit/s{lag}, lost {}{debt}", peer.origin, peer.lost)
}

fn name(at: usize) -> String {
    format!("peer {}", at + 1)
}

fn count(peers: usize) -> String {
    if peers == 1 { "1 peer".into() } else { format!("{peers} peers") }
}

/// On a circle around the server.
fn place(at: usize, of: usize) -> (i64, i64) {
    let angle = at as f64 / of.max(1) as f64 * std::f64::consts::TAU;
    let far = |part: f64| (160.0 + 140.0 * part).round() as i64;
    (far(angle.sin()), far(-angle.cos()))
}

/// A graph of more is a tangle.
const MOST: usize = 64;
const MOST_ROWS: usize = 200;
