//! Boxes: a size, a name, and what is inside (ISO 14496-12 4.2).

use bytes::{BufMut, BytesMut};

/// Writes a box called `name` with what `inside` writes.
pub(super) fn put(out: &mut BytesMut, name: &[u8; 4], inside: impl FnOnce(&mut BytesMut)) {
    let at = out.len();
    out.put_u32(0);
    out.put_slice(name);
    inside(out);
    let size = u32::try_from(out.len() - at).unwrap_or(u32::MAX);
    out[at..at + 4].copy_from_slice(&size.to_be_bytes());
}

/// The same for a box with a version and flags.
pub(super) fn put_full(
    out: &mut BytesMut,
    name: &[u8; 4],
    version: u8,
    flags: u32,
    inside: impl FnOnce(&mut BytesMut),
) {
    put(out, name, |out| {
        out.put_u32(u32::from(version) << 24 | flags & 0xff_ffff);
        inside(out);
    });
}
