//! Chunks with their proofs.

use crate::native::seal::Hash;
use crate::wire::Reader;
use bytes::{BufMut, Bytes, BytesMut};

/// A chunk with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its number; it never wraps.
    pub number: u64,
    /// [`ENTRY`].
    pub flags: u8,
    /// How many have passed it on.
    pub hops: u8,
    /// Which of its group it is, and how many there are.
    pub place: (u8, u8),
    /// The way to the group's root.
    pub siblings: Vec<Hash>,
    /// The splitter's of the group.
    pub signature: [u8; 64],
    /// Its bytes, at most [`LONGEST`].
    pub data: Bytes,
}

/// A player may begin here, after the head.
pub const ENTRY: u8 = 1;
/// The most bytes of the stream in a chunk.
pub const LONGEST: usize = 1_200;
/// The most chunks that a splitter puts into a group.
pub const GROUP: usize = 16;
/// What a polluter fills its chunks with, in simulations.
pub const FORGERY: u8 = 0x66;

impl Sealed {
    /// The number of a datagram that is a chunk.
    pub fn number(datagram: &[u8]) -> Option<u64> {
        let (kind, number) = (datagram.first()?, datagram.get(6..14)?);
        (*kind == 7).then(|| number.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    /// Reads a datagram that is a chunk.
    pub fn of(datagram: &Bytes) -> Option<Sealed> {
        let mut reader = Reader::new(datagram);
        if reader.u8()? == 7 { Sealed::read(datagram, &mut reader) } else { None }
    }

    /// A datagram that is a chunk as it goes on: with one more hop behind it.
    pub fn passed_on(datagram: &[u8]) -> Bytes {
        let mut out = BytesMut::from(datagram);
        if let Some(hops) = out.get_mut(2) {
            *hops = hops.saturating_add(1);
        }
        out.freeze()
    }

    /// The same with other content: what a polluter does, in simulations.
    pub fn forged(datagram: &[u8]) -> Bytes {
        let mut out = BytesMut::from(&Sealed::passed_on(datagram)[..]);
        let header = 14 + 16 * usize::from(datagram.get(5).copied().unwrap_or_default()) + 64;
        if let Some(data) = out.get_mut(header..) {
            data.fill(FORGERY);
        }
        out.freeze()
    }

    /// The chunk as it goes on, with one more hop behind it or not.
    pub fn write(&self, hops: u8) -> Bytes {
        let mut out = BytesMut::with_capacity(80 + 16 * self.siblings.len() + self.data.len());
        out.put_slice(&[7, self.flags, hops, self.place.0, self.place.1, self.siblings.len() as u8]);
        out.put_u64(self.number);
        self.siblings.iter().for_each(|sibling| out.put_slice(sibling));
        out.put_slice(&self.signature);
        out.put_slice(&self.data);
        out.freeze()
    }

    pub(super) fn read(bytes: &Bytes, reader: &mut Reader<'_>) -> Option<Sealed> {
        let [flags, hops, at, count, levels] = reader.array()?;
        let number = reader.u64()?;
        let sound = at < count
            && usize::from(count) <= super::LEAVES
            && usize::from(levels) <= 8
            && number >= u64::from(at);
        if !sound {
            return None;
        }
        let siblings = (0..levels).map(|_| reader.array()).collect::<Option<_>>()?;
        let signature = reader.array()?;
        let data = bytes.slice_ref(reader.rest());
        let fits = (1..=LONGEST).contains(&data.len());
        fits.then_some(Sealed { number, flags, hops, place: (at, count), siblings, signature, data })
    }
}

/// Whether a datagram is a chunk that a simulated polluter forged.
pub fn is_forged(bytes: &[u8]) -> bool {
    bytes.first() == Some(&7) && bytes.ends_with(&[FORGERY; 4])
}
