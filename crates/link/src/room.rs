//! Rooms: a server passes what its participants say on to each other, without knowing what that is.
//!
//! A [`Hub`] holds the rooms of a server, [`wire`] is what is said to it and by it. Members come by datagrams, or by a handle of the program
//! around, which speaks for them over something else (a data channel). What they say to each other is sealed by them, so the hub cannot listen in.

mod cookies;
mod hub;
mod member;
mod name;
pub mod wire;

pub use hub::{Config, Deliver, Entrant, Event, Hub, Pass, Seated, Stats, Why};
pub use name::{BadName, DisplayName, RoomName};
pub use wire::{Mode, PARTICIPANTS, Participant, Refusal, Roster};
