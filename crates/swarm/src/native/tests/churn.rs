//! Native teams whose members come, leave, die, lie and idle at random: whatever happens, those who stay play in order.

use super::*;
use proptest::{prelude::*, test_runner::RngSeed};

/// Something that happens, after so many chunks.
#[derive(Clone, Copy, Debug)]
struct Step {
    after: u8,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Join { conduct: u8, slots: u16 },
    Leave(u8),
    Vanish(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let what = prop_oneof![
        4 => (0u8..10, 0u16..16).prop_map(|(conduct, slots)| What::Join { conduct, slots }),
        1 => any::<u8>().prop_map(What::Leave),
        2 => any::<u8>().prop_map(What::Vanish),
    ];
    prop::collection::vec((1u8..60, what).prop_map(|(after, what)| Step { after, what }), 4..24)
}

/// Two dozen teams; `LEVADA_SEEDS` says another number.
fn config() -> ProptestConfig {
    let seeds = std::env::var("LEVADA_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(24);
    ProptestConfig {
        cases: seeds,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(6),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn random_churn_breaks_no_invariant(steps in steps(), lossy in any::<bool>()) {
        let access = if lossy { "rate=20mbit delay=10ms±5ms loss=1%" } else { "rate=20mbit delay=10ms±5ms" };
        churn(access, &steps);
    }
}

fn churn(access: &str, steps: &[Step]) {
    let mut team = Team::over(access, Seal::StandIn);
    // Three who stay and have room for all.
    let mut here: Vec<_> = (0..3).map(|_| (team.join_with(Conduct::Honest, 60), Conduct::Honest)).collect();
    let stay: Vec<_> = here.iter().map(|(host, _)| *host).collect();
    for step in steps {
        team.play(Duration::from_millis(10) * u32::from(step.after));
        match step.what {
            What::Join { conduct, slots } if here.len() < 12 => {
                let conduct = match conduct {
                    0 => Conduct::FreeRider,
                    1 => Conduct::Polluter,
                    _ => Conduct::Honest,
                };
                here.push((team.join_with(conduct, slots), conduct));
            }
            What::Leave(which) if here.len() > 3 => {
                let (gone, _) = here.remove(3 + usize::from(which) % (here.len() - 3));
                if let Some(Node::Peer(peer)) = team.world.machine_mut(gone) {
                    peer.leave();
                }
            }
            What::Vanish(which) if here.len() > 3 => {
                let (gone, _) = here.remove(3 + usize::from(which) % (here.len() - 3));
                team.world.remove(gone);
            }
            _ => {}
        }
    }
    team.play(6 * S);
    assert_eq!(team.splitter().peers, here.len(), "who is gone is known to be");
    let settled = team.fed;
    team.play(4 * S);
    for (host, played) in &team.played {
        assert!(played.windows(2).all(|pair| pair[0].0 < pair[1].0), "{host:?} plays in order");
        assert!(played.iter().all(|(n, data)| data[..8] == n.to_be_bytes()), "{host:?} plays no forgery");
    }
    let honest = here.iter().filter(|(_, conduct)| *conduct == Conduct::Honest);
    for (host, _) in honest {
        let last = team.played.get(host).and_then(|played| played.last()).map_or(0, |(number, _)| *number);
        assert!(last + 200 > team.fed, "{host:?} stands still at {last} of {}", team.fed);
    }
    for host in stay {
        let late = team.lost.get(&host).map_or(0, |lost| lost.iter().filter(|n| **n > settled).count());
        assert!(late <= 40, "{host:?} lost {late} of the last 400");
    }
    let stats = team.splitter();
    assert!(stats.waiting == 0, "there is room for all");
}
