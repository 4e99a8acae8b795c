//! The figures that a team promises, at sizes that every commit can afford: scenarios of `bench/swarm`, judged by themselves.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // Where virtual time begins does not matter.

use levada_swarm::simulate::{Report, Scenario, Simulation};
use std::time::Instant;

fn run(name: &str) -> Report {
    let path = format!("{}/../../bench/swarm/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let scenario: Scenario = std::fs::read_to_string(path).unwrap().parse().unwrap();
    Simulation::new(Instant::now(), scenario).unwrap().finish()
}

fn holds(name: &str) {
    let report = run(name);
    let broken: Vec<_> = report.verdicts.iter().filter(|verdict| !verdict.holds).collect();
    assert!(!report.verdicts.is_empty() && broken.is_empty(), "{name}: {broken:?}");
}

#[test]
fn two_hundred_peers_play_all_of_it_in_time_and_upload_what_they_download() {
    holds("steady");
}

#[test]
fn a_small_flash_crowd_begins_within_three_seconds_and_harms_nobody() {
    holds("crowd");
}

#[test]
fn a_splitter_dies_and_the_one_that_stands_by_goes_on_within_two_seconds() {
    holds("standby");
}

#[test]
fn four_teams_are_fed_one_teams_worth_and_who_moves_between_them_misses_nothing() {
    holds("teams");
}

#[test]
fn a_bridge_dies_and_its_team_goes_on_elsewhere_within_three_seconds() {
    holds("bridge-dies");
}

#[test]
fn a_run_is_the_same_for_the_same_seed_and_another_for_another() {
    assert_eq!(run("crowd").hash, run("crowd").hash);
    assert_eq!(run("bridge-dies").hash, run("bridge-dies").hash);
}

#[test]
fn every_scenario_reads() {
    let folder = format!("{}/../../bench/swarm", env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let scenario = std::fs::read_to_string(&path).unwrap().parse::<Scenario>();
            assert!(scenario.is_ok_and(|scenario| !scenario.expect.is_empty()), "{}", path.display());
        }
    }
}
