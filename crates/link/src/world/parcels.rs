//! Packets under way in a world: their bytes, and who they are between.

use bytes::Bytes;

/// A packet under way.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) bytes: Bytes,
    /// Its number, for those who watch.
    pub(super) number: u64,
    pub(super) from: u32,
    pub(super) to: u32,
    /// Its length on the links.
    pub(super) length: u32,
    pub(super) load: Load,
    pub(super) brand: Brand,
    /// When it leaves the core or arrives, once that is known; notes for other times are out of date.
    pub(super) due: u64,
    /// How many copies are under way.
    copies: u8,
}

/// What links did to a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Brand {
    pub(super) copy: bool,
    pub(super) corrupt: bool,
    pub(super) marked: bool,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    Datagram,
    /// Part of a connection, sent by this end of it.
    Stream {
        connection: u32,
        end: u8,
        part: Part,
    },
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
    pub(super) fn add(&mut self, from: u32, to: u32, length: u32, load: Load, bytes: Bytes) -> u32 {
        self.sent += 1;
        let brand = Brand::default();
        self.keep(Parcel {
            bytes,
            number: self.sent,
            from,
            to,
            length,
            load,
            brand,
            due: u64::MAX,
            copies: 1,
        })
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

    /// It leaves the core, or arrives, at `due`.
    pub(super) fn set_due(&mut self, ticket: u32, due: u64) {
        self.all[ticket as usize].due = due;
    }

    /// One copy of it becomes a packet of its own, with these marks beside those it has.
    pub(super) fn brand(&mut self, ticket: u32, copy: bool, corrupt: bool, marked: bool) -> u32 {
        let mut parcel = self.get(ticket).clone();
        parcel.bytes = self.done(ticket);
        let brand = parcel.brand;
        parcel.brand = Brand {
            copy: copy || brand.copy,
            corrupt: corrupt || brand.corrupt,
            marked: marked || brand.marked,
        };
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
            parcel.due = u64::MAX;
            self.free.push(ticket);
        }
    }

    /// How many packets are under way.
    pub(super) fn len(&self) -> usize {
        self.all.len() - self.free.len()
    }
}
