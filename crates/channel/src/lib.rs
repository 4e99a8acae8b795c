//! One publisher, many subscribers, in this process.
//!
//! The [`Publisher`] never waits. Each [`Subscriber`] has its own position in a ring that is bounded in bytes, items
//! and time; one that falls behind it is moved to the newest entry point and told how much it missed. A newcomer gets
//! the header set in force first, then what [`Start`] asks for.
//!
//! ```
//! use levada_channel::{Bounds, Channel, Flow, Role, Start, Taken};
//! use std::time::Duration;
//!
//! #[derive(Clone)]
//! struct Word(&'static str, Role);
//! impl Flow for Word {
//!     fn weight(&self) -> usize { self.0.len() }
//!     fn role(&self) -> Role { self.1 }
//!     fn at(&self) -> Option<Duration> { None }
//! }
//!
//! let (mut publisher, channel) = Channel::new(Bounds::default());
//! publisher.send(Word("head", Role::Header));
//! publisher.send(Word("one", Role::Entry));
//! publisher.send(Word("two", Role::Entry));
//! let mut late = channel.subscribe(Start::Entry);
//! assert!(matches!(late.try_next(), Taken::Item(Word("head", _))));
//! assert!(matches!(late.try_next(), Taken::Item(Word("two", _))));
//! assert!(matches!(late.try_next(), Taken::Empty));
//! drop(publisher);
//! assert!(matches!(late.try_next(), Taken::Ended));
//! ```
#![forbid(unsafe_code)]

mod clock;
mod flow;
mod headers;
mod publisher;
mod ring;
mod seats;
mod stats;
mod subscriber;
mod sync;

pub use clock::MediaClock;
pub use flow::{Flow, Role};
pub use publisher::{Channel, Publisher};
pub use ring::{Bounds, Start};
pub use stats::Stats;
pub use subscriber::{Subscriber, Taken};
