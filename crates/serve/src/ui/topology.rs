//! Who relays whom, drawn as a small tree: origins above, this server, its relays below.

use crate::api::{ChildView, ParentView, RelaysView};
use maud::{Markup, html};

/// One server of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    name: String,
    /// What flows, in a few words.
    about: String,
    depth: usize,
    /// The rows from which it takes streams.
    from: Vec<usize>,
    here: bool,
}

/// The tree as SVG, one row a server, which needs no script; `None` where nobody relays.
pub(super) fn draw(view: &RelaysView, host: &str) -> Option<Markup> {
    let nodes = nodes(view, host)?;
    let height = nodes.len() * ROW + 8;
    let spoken = format!("Relays: {} servers, from the origin down", nodes.len());
    Some(html! {
        svg.tree xmlns="http://www.w3.org/2000/svg" role="list" aria-label=(spoken) width="100%" height=(height) {
            @for (row, node) in nodes.iter().enumerate() {
                @for from in &node.from {
                    path.link d=(bend(place(*from, nodes[*from].depth), place(row, node.depth))) {}
                }
            }
            @for (row, node) in nodes.iter().enumerate() { (dot(node, place(row, node.depth))) }
        }
    })
}

fn dot(node: &Node, (x, y): (usize, usize)) -> Markup {
    let spoken = format!("{}: {}", node.name, node.about);
    html! {
        g.node.here[node.here] role="listitem" tabindex="0" aria-label=(spoken) {
            title { (spoken) }
            rect.touch x=(x - 14) y=(y - 20) width="100%" height="44" rx="8" {}
            circle cx=(x) cy=(y) r=(if node.here { 8 } else { 6 }) {}
            text.name x=(x + 20) y=(y) { (node.name) }
            text.what x=(x + 20) y=(y + 17) { (node.about) }
        }
    }
}

/// Where the dot of a row is.
fn place(row: usize, depth: usize) -> (usize, usize) {
    (18 + depth * STEP, 24 + row * ROW)
}

/// Down, then round the corner.
fn bend((x, y): (usize, usize), (to_x, to_y): (usize, usize)) -> String {
    let corner = to_y - STEP / 2;
    format!("M{x} {y}V{corner}Q{x} {to_y} {} {to_y}H{to_x}", (x + STEP / 2).min(to_x))
}

/// The servers row by row, at most [`MOST`].
fn nodes(view: &RelaysView, host: &str) -> Option<Vec<Node>> {
    if view.parents.is_empty() && view.children.is_empty() {
        return None;
    }
    let mut nodes: Vec<Node> = Vec::new();
    let mut ends = Vec::new();
    for (chain, mounts) in chains(&view.parents) {
        let mut before: Option<usize> = None;
        for (depth, name) in chain.iter().enumerate() {
            let same = |node: &Node| {
                node.depth == depth && node.name == *name && node.from.first() == before.as_ref()
            };
            let row = nodes.iter().position(same).unwrap_or_else(|| {
                let from = before.into_iter().collect();
                nodes.push(Node { name: name.clone(), about: String::new(), depth, from, here: false });
                nodes.len() - 1
            });
            before = Some(row);
        }
        let Some(end) = before else { continue };
        nodes[end].about = mounts;
        ends.push(end);
    }
    for node in nodes.iter_mut().filter(|node| node.about.is_empty()) {
        node.about = if node.depth == 0 { "origin".into() } else { "relay".into() };
    }
    nodes.truncate(MOST);
    ends.retain(|end| *end < nodes.len());
    ends.dedup();
    let depth = ends.iter().map(|end| nodes[*end].depth + 1).max().unwrap_or(0);
    let here = nodes.len();
    let about = count(view.parents.len(), "stream from others", "streams from others");
    nodes.push(Node {
        name: short(host),
        about: format!("this server · {about}"),
        depth,
        from: ends,
        here: true,
    });
    let relays = relays(&view.children);
    let (shown, rest) = (relays.len().min(MOST), relays.len().saturating_sub(MOST));
    for (name, about) in relays.into_iter().take(shown) {
        nodes.push(Node { name, about, depth: depth + 1, from: vec![here], here: false });
    }
    if rest > 0 {
        let about = "not drawn".into();
        nodes.push(Node {
            name: format!("{rest} more"),
            about,
            depth: depth + 1,
            from: vec![here],
            here: false,
        });
    }
    Some(nodes)
}

/// The ways that streams come, each with its mounts and their rate.
fn chains(parents: &[ParentView]) -> Vec<(Vec<String>, String)> {
    let mut chains: Vec<(Vec<String>, Vec<&str>, f64)> = Vec::new();
    for parent in parents {
        let mut chain: Vec<String> = parent.via.iter().map(|name| short(name)).collect();
        if chain.is_empty() {
            chain.push(short(if parent.agent.is_empty() { "another server" } else { &parent.agent }));
        }
        match chains.iter_mut().find(|(known, ..)| *known == chain) {
            Some((_, mounts, kbits)) => {
                mounts.push(&parent.mount);
                *kbits += parent.kbits;
            }
            None => chains.push((chain, vec![&parent.mount], parent.kbits)),
        }
    }
    let told = |(chain, mounts, kbits): (Vec<String>, Vec<&str>, f64)| {
        let about = format!("{} · {kbits:.0} kbit/s", list(&mounts));
        (chain, about)
    };
    chains.into_iter().map(told).collect()
}

/// The servers that take streams from this one, each with what it takes.
fn relays(children: &[ChildView]) -> Vec<(String, String)> {
    let mut relays: Vec<(&str, &str, Vec<&str>, u64)> = Vec::new();
    for child in children {
        match relays.iter_mut().find(|(id, ..)| *id == child.id && !child.id.is_empty()) {
            Some((.., mounts, sent)) => {
                mounts.push(&child.mount);
                *sent += child.sent;
            }
            None => relays.push((&child.id, &child.agent, vec![&child.mount], child.sent)),
        }
    }
    let told = |(id, agent, mounts, sent): (&str, &str, Vec<&str>, u64)| {
        let name = if id.is_empty() { agent } else { id };
        let about = format!("{} · {:.1} MB", list(&mounts), sent as f64 / 1e6);
        (short(if name.is_empty() { "a relay" } else { name }), about)
    };
    relays.into_iter().map(told).collect()
}

fn list(mounts: &[&str]) -> String {
    match mounts {
        [one] => short(one),
        [first, ..] => format!("{} and {} more", short(first), mounts.len() - 1),
        [] => String::new(),
    }
}

fn count(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// So much of a name as a phone shows.
fn short(name: &str) -> String {
    let mut short: String = name.chars().take(LONGEST).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    short
}

/// Pixels from one row to the next, and from one depth to the next.
const ROW: usize = 54;
const STEP: usize = 30;
/// Servers above, and below, that are drawn.
const MOST: usize = 40;
/// Letters of a name.
const LONGEST: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn parent(mount: &str, via: &[&str]) -> ParentView {
        ParentView {
            mount: mount.into(),
            via: via.iter().map(|name| (*name).into()).collect(),
            agent: "Icecast 2.4.4".into(),
            since: String::new(),
            kbits: 128.0,
            peer: None,
        }
    }

    fn child(id: &str, mount: &str) -> ChildView {
        ChildView {
            mount: mount.into(),
            id: id.into(),
            agent: "levada/1".into(),
            since: String::new(),
            sent: 1_500_000,
            peer: None,
        }
    }

    fn drawn(parents: Vec<ParentView>, children: Vec<ChildView>) -> Vec<(String, usize, Vec<usize>, String)> {
        let view = RelaysView { id: "me".into(), parents, children };
        let nodes = nodes(&view, "here").unwrap_or_default();
        nodes.into_iter().map(|node| (node.name, node.depth, node.from, node.about)).collect()
    }

    #[test]
    fn nobody_relays_nothing_is_drawn() {
        assert!(drawn(vec![], vec![]).is_empty());
    }

    #[test]
    fn chains_that_begin_alike_share_their_origin() {
        let parents = vec![
            parent("/a", &["o", "p"]),
            parent("/b", &["o", "p"]),
            parent("/c", &["o", "q"]),
            parent("/d", &[]),
        ];
        let tree = drawn(parents, vec![child("k", "/a"), child("k", "/b"), child("", "/a")]);
        let shape: Vec<_> =
            tree.iter().map(|(name, depth, from, _)| (name.as_str(), *depth, from.clone())).collect();
        assert_eq!(
            shape,
            [
                ("o", 0, vec![]),
                ("p", 1, vec![0]),
                ("q", 1, vec![0]),
                ("Icecast 2.4.4", 0, vec![]),
                ("here", 2, vec![1, 2, 3]),
                ("k", 3, vec![4]),
                ("levada/1", 3, vec![4]),
            ]
        );
        assert_eq!(tree[1].3, "/a and 1 more · 256 kbit/s");
        assert_eq!(tree[5].3, "/a and 1 more · 3.0 MB");
    }

    #[test]
    fn crowds_are_bounded_and_names_escaped() {
        let children = (0..100).map(|n| child(&format!("<b>{n}"), "/a")).collect();
        let view = RelaysView { id: "me".into(), parents: vec![], children };
        let svg = draw(&view, "here").unwrap().into_string();
        assert!(svg.contains("60 more") && !svg.contains("<b>") && svg.contains("&lt;b&gt;0"), "{svg}");
    }
}
