//! Teams whose members come, leave and die at random: whatever happens, those who stay play in order.

mod kit;

use kit::{Team, ms};
use levada_link::Chance;
use levada_swarm::Wire;

/// Six seeds a wire; `LEVADA_SEEDS` says another number.
#[test]
fn random_churn_breaks_no_invariant() {
    let seeds = std::env::var("LEVADA_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(6);
    for wire in [Wire::A, Wire::B] {
        for seed in 0..seeds {
            churn(wire, seed);
        }
    }
}

fn churn(wire: Wire, seed: u64) {
    let mut chance = Chance::new(seed, 3);
    let mut team = Team::over(wire, "rate=20mbit delay=10ms±5ms loss=1%", seed);
    let monitor = team.monitor();
    let mut here = vec![monitor];
    for _ in 0..30 {
        match chance.below(5) {
            0 if here.len() > 3 => {
                let gone = here.remove(1 + chance.below(here.len() as u32 - 1) as usize);
                team.world.remove(gone);
            }
            1 if here.len() > 3 => {
                let gone = here.remove(1 + chance.below(here.len() as u32 - 1) as usize);
                let now = team.world.instant();
                team.peer_at(gone).leave(now);
            }
            _ if here.len() < 12 => here.push(team.peer()),
            _ => {}
        }
        team.play(ms(u64::from(chance.below(800))), ms(20));
    }
    team.play(ms(12_000), ms(20));
    let members = team.splitter().members().len();
    assert!(members == here.len(), "{wire:?} seed {seed}: {members} members, {} are there", here.len());
    for host in &here {
        let numbers = team.numbers(*host);
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{wire:?} seed {seed}: out of order");
        assert!(
            *numbers.last().unwrap_or(&0) + 140 > team.fed,
            "{wire:?} seed {seed}: {host:?} stands still"
        );
    }
}
