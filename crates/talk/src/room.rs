//! A participant of a room: everybody hears everybody, and the server that passes it on hears nobody.
//!
//! Who is there is told by the server ([`levada_link::room`]). Each two participants shake hands through it (`pair`: Noise with the room's
//! name and, if there is one, its passphrase) and tell each other the keys of what they say (`seal`), which the server so never has. A
//! [`Member`] is all of that, with a jitter buffer for each of the others, whose sounds it adds up.
//!
//! All participants have the key of what one of them says, so that it is sealed once for all: together with the server, one could speak as
//! another. Whoever leaves takes keys along that nobody speaks with any longer.

mod join;
mod member;
mod noise;
mod other;
mod pair;
mod report;
mod seal;
mod speak;
mod told;

pub use member::{Config, Member};
pub use noise::Psk;
pub use pair::Reason;
pub use speak::RATE;
pub use told::{Person, Stats, Told, Voice};
