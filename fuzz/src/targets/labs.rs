//! What a person writes for the lab.

use levada_lab::{Journal, Scenario, ScenarioError};

/// A scenario file: refused with a place in it, or one whose lab can be.
pub fn scenario(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.parse::<Scenario>() {
        Ok(scenario) => {
            let topology = scenario.topology().expect("what was read can be");
            assert!(topology.hosts().iter().all(|host| topology.address(host).is_some()));
            assert!(!scenario.combinations().is_empty() || scenario.matrix.values().any(Vec::is_empty));
        }
        Err(ScenarioError::Text { line, column, what }) => {
            assert!(line >= 1 && column >= 1 && !what.is_empty());
            assert!(line <= text.matches('\n').count() + 1, "line {line} of {text:?}");
        }
        Err(_) => {}
    }
    if let Ok(journal) = toml::from_str::<Journal>(text) {
        let again: Journal = toml::from_str(&journal.to_toml()).expect("what is written can be read");
        assert_eq!(again, journal);
    }
}
