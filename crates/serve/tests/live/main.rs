//! Live video through a server: encoders and players of our own, which say exactly what a test wants said.

mod drain;
mod enhanced;
mod kit;
mod obs;
mod relays;
mod slow;
mod times;
