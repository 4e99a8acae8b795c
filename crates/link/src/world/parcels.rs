//! Packets under way in a world: their bytes, and who they are between.

use bytes::Bytes;

/// A packet under way: one cache line.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct Parcel {
    pub(super) bytes: Bytes,
    /// Its number, for those who watch.
    pub(super) number: u64,
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) load: Load,
    /// When it leaves the core or arrives, once that is known: the lower half of the nanoseconds.
    due: u32,
    pub(super) brand: Brand,
    known: bool,
    /// How many copies are under way.
    copies: u8,
}

impl Parcel {
    /// Its length on the links, with headers.
    pub(super) fn length(&self) -> u32 {
        let headers = if self.load.is_datagram() { UDP_HEADERS } else { TCP_HEADERS };
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX).saturating_add(headers)
    }

    /// Whether a note that something is due `now`, for a packet whose number ends in `number`, is about this one and not
    /// out of date.
    pub(super) fn is_due(&self, now: u64, number: u16) -> bool {
        self.known && self.due == now as u32 && self.number as u16 == number
    }
}

/// What links did to a packet, in one byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Brand(u8);

impl Brand {
    pub(super) fn new(copy: bool, corrupt: bool, marked: bool) -> Brand {
        Brand(u8::from(copy) | u8::from(corrupt) << 1 | u8::from(marked) << 2)
    }

    pub(super) fn is_copy(self) -> bool {
        self.0 & 1 != 0
    }

    pub(super) fn is_corrupt(self) -> bool {
        self.0 & 2 != 0
    }

    pub(super) fn is_marked(self) -> bool {
        self.0 & 4 != 0
    }
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// From and to these ports.
    Datagram { from: u16, to: u16 },
    /// Part of a connection, sent by this end of it.
    Stream { connection: u32, end: u8, part: Part },
}

impl Load {
    pub(super) fn is_datagram(self) -> bool {
        matches!(self, Load::Datagram { .. })
    }
}

/// What a packet of a connection says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Open,
    Accept,
    Bytes,
    Close,
}

/// All of them, by ticket.
#[derive(Clone, Debug, Default)]
pub(super) struct Parcels {
    all: Vec<Parcel>,
    free: Vec<u32>,
    sent: u64,
}

impl Parcels {
    /// Sends one off; its ticket.
    pub(super) fn add(&mut self, from: u32, to: u32, load: Load, bytes: Bytes) -> u32 {
        self.sent += 1;
        let brand = Brand::default();
        self.keep(Parcel { bytes, number: self.sent, from, to, load, brand, due: 0, known: false, copies: 1 })
    }

    fn keep(&mut self, parcel: Parcel) -> u32 {
        if let Some(ticket) = self.free.pop() {
            self.all[ticket as usize] = parcel;
            return ticket;
        }
        self.all.push(parcel);
        // Four thousand million packets of a hundred bytes do not fit a machine.
        (self.all.len() - 1) as u32
    }

    pub(super) fn get(&self, ticket: u32) -> &Parcel {
        &self.all[ticket as usize]
    }

    /// It leaves the core, or arrives, at `due`; or that is not known any longer.
    pub(super) fn set_due(&mut self, ticket: u32, due: Option<u64>) {
        let parcel = &mut self.all[ticket as usize];
        parcel.known = due.is_some();
        parcel.due = due.unwrap_or_default() as u32;
    }

    /// One copy of it becomes a packet of its own, with this brand beside what it has.
    pub(super) fn brand(&mut self, ticket: u32, brand: Brand) -> u32 {
        let mut parcel = self.get(ticket).clone();
        parcel.bytes = self.done(ticket);
        parcel.brand.0 |= brand.0;
        parcel.copies = 1;
        self.keep(parcel)
    }

    /// Instead of one of it there are `taken`.
    pub(super) fn copied(&mut self, ticket: u32, taken: u8) {
        let copies = self.all[ticket as usize].copies.saturating_add(taken).saturating_sub(1);
        self.set(ticket, copies);
    }

    /// One of its copies has arrived, or never will; the bytes, if they are wanted.
    pub(super) fn done(&mut self, ticket: u32) -> Bytes {
        let copies = self.all[ticket as usize].copies.saturating_sub(1);
        let bytes = match copies {
            0 => std::mem::take(&mut self.all[ticket as usize].bytes),
            _ => self.all[ticket as usize].bytes.clone(),
        };
        self.set(ticket, copies);
        bytes
    }

    fn set(&mut self, ticket: u32, copies: u8) {
        let parcel = &mut self.all[ticket as usize];
        parcel.copies = copies;
        if copies == 0 {
            parcel.bytes = Bytes::new();
            parcel.known = false;
            self.free.push(ticket);
        }
    }

    /// How many packets are under way.
    pub(super) fn len(&self) -> usize {
        self.all.len() - self.free.len()
    }
}

/// Headers of IPv4 and UDP.
const UDP_HEADERS: u32 = 28;
/// Headers of IPv4 and TCP.
const TCP_HEADERS: u32 = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parcel_is_a_cache_line() {
        assert_eq!(size_of::<Parcel>(), 64);
    }
}
