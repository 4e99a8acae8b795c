//! The contract of everything that talks over a network on its own clock.
//!
//! A [`Machine`] neither reads a clock nor owns a socket: it is told the time and what arrived, and asked what it wants.
//! A driver connects it to something: a thread and a socket, tokio, or
//! thousands of others in virtual time ([`World`](crate::World)).

use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Instant;

/// Something that talks over a network on its own clock.
///
/// The driver calls [`handle`](Machine::handle) when something happens, and after each call polls until the answer is
/// [`Output::Wait`]. A machine that never waits is never left in peace.
pub trait Machine {
    /// What it has to tell the program around it.
    type Event;

    /// Something happened at `now`. Bad bytes are counted by the machine, not returned.
    fn handle(&mut self, now: Instant, input: Input);

    /// What is to be done next.
    fn poll(&mut self, now: Instant) -> Output<Self::Event>;

    /// Reads a little of what [`handle`](Machine::handle) will need for a datagram, or to wake, and gives something made of
    /// it that means nothing: for who has more machines than fit the processor's cache. What several wait for comes from
    /// memory at once, if it is asked for at once. Each `step`, from 0 to 2, may follow what that before it has brought.
    fn read_ahead(&self, step: u32, datagram: Option<&Bytes>) -> u64 {
        let _ = (step, datagram);
        0
    }
}

/// What happens to a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A datagram arrived.
    Datagram {
        /// Who sent it.
        from: SocketAddr,
        /// What it says; shared, not copied.
        bytes: Bytes,
    },
    /// Something happened on a stream.
    Stream {
        /// Which stream.
        id: StreamId,
        /// What.
        what: StreamInput,
    },
    /// The time it waited for has come, or may have.
    Wake,
}

/// What happens on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamInput {
    /// It is open: the peer accepted ours, or opened one to us.
    Opened {
        /// Who is at the other end.
        peer: SocketAddr,
    },
    /// The next bytes, in order, however they were cut.
    Bytes(Bytes),
    /// It is over; the id means nothing any longer.
    Closed(Closed),
}

/// Why a stream is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The peer closed it, after all it had sent was delivered.
    ByPeer,
    /// Nobody accepted it, or the driver has no streams.
    Refused,
    /// The way or the peer failed.
    Lost,
    /// More was written than leaves in time: the driver's buffer was full.
    Overflow,
}

/// What a machine wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<E> {
    /// To send something.
    Send(Transmit),
    /// To tell the program around it something.
    Event(E),
    /// To be left in peace until something arrives or, if there is one, this time has come.
    Wait(Option<Instant>),
}

/// What a machine sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// A datagram; what cannot be sent is lost.
    Datagram {
        /// Whom to.
        to: SocketAddr,
        /// What; one allocation may go to many.
        bytes: Bytes,
    },
    /// Something on a stream.
    Stream {
        /// Which stream.
        id: StreamId,
        /// What.
        what: StreamOutput,
    },
}

/// What a machine does with a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamOutput {
    /// Opens it under an id of [`StreamId::ours`] that is not in use; bytes may follow at once.
    Open {
        /// Whom to.
        to: SocketAddr,
    },
    /// Sends bytes on it. The driver keeps what has not left, at most [`STREAM_BUFFER`]; a stream that has more is closed as
    /// [`Closed::Overflow`].
    Bytes(Bytes),
    /// Closes it in both directions, once all bytes have left. The id means nothing any longer.
    Close,
}

/// How many bytes a driver keeps of a stream that cannot send as fast as it is written to.
pub const STREAM_BUFFER: usize = 4 << 20;

/// Names a stream of a machine while it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u32);

impl StreamId {
    /// The id of the `n`th stream that a machine opens itself, `n` below 2^31.
    pub const fn ours(n: u32) -> StreamId {
        StreamId(n & !THEIRS)
    }

    /// The id of the `n`th stream that others opened to it: for drivers.
    pub const fn theirs(n: u32) -> StreamId {
        StreamId(n | THEIRS)
    }

    /// Whether the machine opened it itself.
    pub const fn is_ours(self) -> bool {
        self.0 & THEIRS == 0
    }
}

const THEIRS: u32 = 1 << 31;

impl<M: Machine + ?Sized> Machine for Box<M> {
    type Event = M::Event;

    fn handle(&mut self, now: Instant, input: Input) {
        (**self).handle(now, input);
    }

    fn poll(&mut self, now: Instant) -> Output<M::Event> {
        (**self).poll(now)
    }

    fn read_ahead(&self, step: u32, datagram: Option<&Bytes>) -> u64 {
        (**self).read_ahead(step, datagram)
    }
}
