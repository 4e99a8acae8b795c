//! What a participant tells the program around it.

use super::pair::Reason;
use crate::native::Counts;
use crate::secure::{PublicKey, Words};
use levada_link::room::{DisplayName, Mode, Participant, Refusal};

/// What happens in a room.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// We are in.
    In {
        /// As this number.
        number: u8,
        /// Beside so many.
        others: usize,
        /// We had been in before: the server had forgotten us, or was silent. The others are told anew.
        again: bool,
    },
    /// The server does not let us in; there will be nothing more.
    Refused(Refusal),
    /// Nothing is heard of the server, or it has forgotten us; it is asked on.
    Silent,
    /// Somebody is here.
    Came(Participant),
    /// Somebody here and we know each other: by this key, and both see the same words, or somebody is in between.
    Met(Person, PublicKey, Words),
    /// Somebody here and we do not hear each other.
    Apart(Person, Reason),
    /// Somebody is no longer here.
    Left(Person),
    /// What the room is like is another.
    Mode(Mode),
    /// The microphone hears its own sound from elsewhere in the room; it is turned down.
    Howling {
        /// At this frequency.
        hertz: f64,
    },
}

/// One of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Its number in the room.
    pub number: u8,
    /// How it is called: as it said itself once both have met, before that as the server says.
    pub name: DisplayName,
}

/// What one did so far, and how it is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// Datagrams sent.
    pub sent: u64,
    /// Bytes in them.
    pub sent_bytes: u64,
    /// Datagrams of the server's.
    pub received: u64,
    /// Bytes in them.
    pub received_bytes: u64,
    /// Datagrams and frames that were none, were there before, or did not open.
    pub refused: u64,
    /// Seconds to the server and back.
    pub rtt: f64,
    /// Seconds from a sound's beginning to its datagram: block and codec.
    pub capture: f64,
    /// Bits a second of sound that are said: as much as comes through to all.
    pub rate: f64,
    /// The loudest sample of the last block captured, and played: 1 is full scale.
    pub levels: [f32; 2],
}

/// One of the others, as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Voice {
    /// Who.
    pub person: Person,
    /// What both see, once both have met.
    pub words: Option<Words>,
    /// The loudest sample of its last block.
    pub level: f32,
    /// What became of its frames.
    pub frames: Counts,
    /// Seconds that its sound waits here.
    pub buffered: f64,
    /// Frames of it that did not open.
    pub refused: u64,
    /// The generation of its newest key.
    pub generation: Option<u8>,
}
