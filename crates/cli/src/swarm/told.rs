//! What happens to a splitter, in words.

use super::{
    dealer::Told,
    token::{other_version, refusal},
};
use levada_swarm::{
    native::{self, wire::Refusal},
    splitter::Event,
    tracker::{Refused, wire},
};

/// A line of it, by one that stands by for another or not, in a private team or not.
pub fn words(event: Told, standby_of: Option<&str>, private: bool) -> String {
    match (event, standby_of) {
        (Told::Peer(Event::Joined(peer)), _) => format!("{peer} joined"),
        (Told::Peer(Event::Left(peer)), _) => format!("{peer} left"),
        (Told::Peer(Event::Expelled(peer)), _) => {
            format!("{peer} was let go: it does not pass chunks on")
        }
        (Told::Peer(Event::Died(peer)), _) => format!("{peer} is dead"),
        (Told::StandsBy(here), Some(other)) => format!("standing by for {other} as {here}"),
        (Told::StandsBy(other), None) => format!("{other} stands by"),
        (Told::StoodDown(other), _) => format!("{other} stands by no longer"),
        (Told::TookOver(peers), _) => {
            format!("the other splitter is dead: taking over its {peers} peers")
        }
        (Told::Inside, _) => "in the team that is the source".into(),
        (Told::Above(by), _) => format!("the splitter there is dead; {by} goes on"),
        (Told::NotLetIn(Refusal::Full), _) => "the team there is full; trying again".into(),
        (Told::NotLetIn(_), _) => "not let into the team that is the source".into(),
        (Told::NotAnnounced(Refused::Token), _) => refusal("the tracker", private).to_string(),
        (Told::NotAnnounced(Refused::Version(version)), _) => {
            other_version("the tracker", version, wire::VERSION).to_string()
        }
        (Told::OtherVersion(version), other) => {
            let who = format!("the splitter at {}", other.unwrap_or_default());
            other_version(&who, version, native::wire::VERSION).to_string()
        }
    }
}
