//! Egress over loopback: every byte that a listener gets is accounted for.

mod crowded;
pub(super) mod deframed;
mod joining;
mod moving;
pub(super) mod numbered;
mod slow;
mod stage;
mod titles;
