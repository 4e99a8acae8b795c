//! Egress over loopback: every byte that a listener gets is accounted for.

mod joining;
mod moving;
mod slow;
mod stage;
mod titles;
