//! What trees keep to, whoever comes and goes.

use super::*;

fn at(n: u32) -> SocketAddr {
    let [_, a, b, c] = n.to_be_bytes();
    ([10, a, b, c], 1).into()
}

fn depth(trees: &Trees) -> u32 {
    trees.stripes.iter().flat_map(|tree| tree.nodes.values().map(|node| node.depth)).max().unwrap_or(0)
}

fn used(trees: &Trees) -> usize {
    trees.members.values().map(|slots| slots.used).sum()
}

#[test]
fn trees_stay_flat_and_nobody_uploads_more_than_its_slots() {
    let mut trees = Trees::new(8, 1, 8);
    for n in 0..5_000 {
        trees.add(at(n), 10);
        let fed: usize = (0..8).map(|stripe| trees.roots(stripe).count()).sum();
        assert!(fed <= 10, "the splitter feeds {fed} where there are {n}");
    }
    assert!(depth(&trees) <= 10, "{}", depth(&trees));
    assert!(trees.members.values().all(|slots| slots.used <= 10));
}

#[test]
fn all_are_seated_again_after_many_are_gone_or_may_not_give() {
    let mut trees = Trees::new(8, 1, 8);
    (0..600).for_each(|n| drop(trees.add(at(n), 10)));
    (0..600).filter(|n| n % 10 < 3).for_each(|n| drop(trees.remove(at(n))));
    let blamed: Vec<_> = (0..600).filter(|n| n % 10 > 6).collect();
    blamed.iter().for_each(|n| drop(trees.allow(at(*n), 0)));
    (0..100).for_each(|_| drop(trees.seat()));
    let still = trees.waiting();
    blamed.iter().for_each(|n| drop(trees.allow(at(*n), 10)));
    (0..100).for_each(|_| drop(trees.seat()));
    assert_eq!(trees.waiting(), 0, "{still} were, {} in {:?}", used(&trees), trees.room);
    (0..100).for_each(|_| drop(trees.tuck_in()));
    assert!(trees.stripes.iter().all(|tree| tree.roots == 1), "the splitter feeds one in each again");
}

#[test]
fn who_gives_nothing_waits_where_there_is_not_enough_for_all() {
    let mut trees = Trees::new(8, 1, 8);
    (0..40).for_each(|n| drop(trees.add(at(n), if n < 20 { 0 } else { 10 })));
    (0..10).for_each(|_| drop(trees.seat()));
    let waits = |n: u32| trees.stripes.iter().filter(|tree| tree.waiting.contains(&at(n))).count();
    assert_eq!((20..40).map(waits).sum::<usize>(), 0, "who gives has all of it");
    assert!((0..20).map(waits).sum::<usize>() > 0, "200 places are not enough for 320");
    assert!(trees.stripes.iter().map(|tree| tree.roots).sum::<usize>() <= 16);
}

#[test]
fn who_gives_more_carries_more_and_stripes_have_alike_room() {
    let mut trees = Trees::new(8, 1, 8);
    (0..80).for_each(|n| drop(trees.add(at(n), if n % 4 == 0 { 34 } else { 2 })));
    assert!(trees.room.iter().all(|room| (80..=130).contains(room)), "{:?}", trees.room);
    let children = |n: u32| trees.stripes.iter().map(|tree| tree.nodes[&at(n)].children.len()).sum::<usize>();
    let (strong, weak): (Vec<u32>, Vec<u32>) = (0..80).partition(|n| n % 4 == 0);
    let sum = |of: Vec<u32>| of.into_iter().map(children).sum::<usize>();
    assert!(sum(strong) > 3 * sum(weak));
}

#[test]
fn nobody_hangs_on_one_that_may_have_a_single_child() {
    let mut trees = Trees::new(1, 1, 0);
    (0..3).for_each(|n| drop(trees.add(at(n), 2)));
    drop(trees.allow(at(1), 1));
    drop(trees.add(at(3), 2));
    let parents: Vec<_> = (0..4).map(|n| trees.parent(0, at(n))).collect();
    assert_eq!(parents[1..], [Some(at(0)), Some(at(0)), Some(at(1))], "{parents:?}");
    drop(trees.add(at(4), 2));
    assert_eq!(trees.parent(0, at(4)), Some(at(2)));
    drop(trees.remove(at(3)));
    drop(trees.add(at(5), 2));
    assert_eq!(trees.parent(0, at(5)), Some(at(1)), "a leaf may");
    drop(trees.add(at(6), 2));
    let above = trees.parent(0, at(6));
    assert_eq!(above, Some(at(2)));
    drop(trees.allow(at(2), 0));
    assert!(trees.children(at(2)).next().is_none());
}

#[test]
fn everybody_keeps_a_way_to_the_splitter_while_members_come_and_go() {
    let mut trees = Trees::new(8, 2, 16);
    let mut chance = 1u64;
    let mut next = |end: u64| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (chance >> 33) % end
    };
    for _ in 0..3_000 {
        let member = at(next(300) as u32);
        match next(3) {
            0 => drop(trees.remove(member)),
            1 if trees.members.contains_key(&member) => match next(4) {
                0 => drop(trees.allow(member, 0)),
                1 => drop(trees.allow(member, next(12) as usize)),
                2 => drop(trees.relay(next(8) as usize, member, 5)),
                _ => drop(trees.change(next(8) as usize, member)),
            },
            2 if next(5) == 0 => drop(trees.seat()),
            _ if !trees.members.contains_key(&member) => drop(trees.add(member, next(12) as usize)),
            _ => {}
        }
        for stripe in 0..8 {
            let tree = &trees.stripes[stripe];
            assert_eq!(tree.nodes.len(), trees.members.len());
            let roots = tree.nodes.values().filter(|node| node.parent.is_none()).count();
            let relayed = trees.relayed.iter().filter(|(at, _)| *at == stripe).count();
            assert_eq!(roots, tree.roots + relayed + tree.waiting.len());
            for (member, node) in &tree.nodes {
                let above = node.parent.map_or(0, |parent| tree.nodes[&parent].depth);
                let waits = tree.waiting.contains(member) || above == NOWHERE;
                assert_eq!(node.depth, if waits { NOWHERE } else { above + 1 }, "{member}");
            }
        }
        let fed: usize = trees.stripes.iter().map(|tree| tree.fed.len()).sum();
        let waiting: usize = trees.stripes.iter().map(|tree| tree.waiting.len()).sum();
        assert!(fed <= 8 * 2 + 16 + 5, "{fed} are fed");
        assert_eq!(used(&trees) + fed + waiting, 8 * trees.members.len());
        let room: Vec<usize> = (0..8)
            .map(|stripe| trees.members.values().filter(move |slots| slots.stripe == stripe))
            .map(|carriers| carriers.map(|slots| slots.most).sum())
            .collect();
        assert_eq!(room, trees.room);
    }
}
