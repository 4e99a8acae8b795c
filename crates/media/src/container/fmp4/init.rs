//! The initialization: what tracks there are, and no sample (ISO 14496-12 8.2, 8.8).

use super::{
    boxes::{put, put_full},
    entry::Entry,
};
use crate::Kind;
use bytes::{BufMut, Bytes, BytesMut};

/// The initialization of these tracks, which fragments call 1, 2, and so on.
pub(super) fn init<'a>(entries: impl Iterator<Item = &'a Entry> + Clone) -> Bytes {
    let numbered = || (1u32..).zip(entries.clone());
    let mut out = BytesMut::new();
    put(&mut out, b"ftyp", |out| out.put_slice(b"iso6\0\0\0\0iso6cmfcmp41"));
    put(&mut out, b"moov", |out| {
        put_full(out, b"mvhd", 0, 0, |out| {
            out.put_slice(&[0; 8]);
            out.put_u32(1_000);
            out.put_u32(0);
            out.put_u32(0x0001_0000);
            out.put_u16(0x0100);
            out.put_bytes(0, 10);
            put_matrix(out);
            out.put_bytes(0, 24);
            out.put_u32(u32::MAX); // next track: look for one
        });
        numbered().for_each(|(id, entry)| put_track(out, id, entry));
        put(out, b"mvex", |out| {
            for (id, _) in numbered() {
                put_full(out, b"trex", 0, 0, |out| [id, 1, 0, 0, 0].iter().for_each(|n| out.put_u32(*n)));
            }
        });
    });
    out.freeze()
}

fn put_track(out: &mut BytesMut, id: u32, entry: &Entry) {
    let sound = entry.kind == Kind::Audio;
    put(out, b"trak", |out| {
        put_full(out, b"tkhd", 0, 3, |out| {
            out.put_slice(&[0; 8]);
            out.put_u32(id);
            out.put_bytes(0, 4 + 4 + 8);
            out.put_u16(0);
            out.put_u16(0);
            out.put_u16(if sound { 0x0100 } else { 0 });
            out.put_u16(0);
            put_matrix(out);
            out.put_u32(u32::from(entry.size.0) << 16);
            out.put_u32(u32::from(entry.size.1) << 16);
        });
        put(out, b"mdia", |out| {
            put_full(out, b"mdhd", 0, 0, |out| {
                out.put_slice(&[0; 8]);
                out.put_u32(entry.timescale);
                out.put_u32(0);
                out.put_u16(UNDETERMINED);
                out.put_u16(0);
            });
            put_full(out, b"hdlr", 0, 0, |out| {
                out.put_u32(0);
                out.put_slice(if sound { b"soun" } else { b"vide" });
                out.put_bytes(0, 13); // reserved, and a name without letters
            });
            put(out, b"minf", |out| put_media(out, entry));
        });
    });
}

fn put_media(out: &mut BytesMut, entry: &Entry) {
    match entry.kind {
        Kind::Audio => put_full(out, b"smhd", 0, 0, |out| out.put_u32(0)),
        _ => put_full(out, b"vmhd", 0, 1, |out| out.put_u64(0)),
    }
    put(out, b"dinf", |out| {
        put_full(out, b"dref", 0, 0, |out| {
            out.put_u32(1);
            put_full(out, b"url ", 0, 1, |_| ());
        });
    });
    put(out, b"stbl", |out| {
        put_full(out, b"stsd", 0, 0, |out| {
            out.put_u32(1);
            out.put_slice(&entry.bytes);
        });
        put_full(out, b"stts", 0, 0, |out| out.put_u32(0));
        put_full(out, b"stsc", 0, 0, |out| out.put_u32(0));
        put_full(out, b"stsz", 0, 0, |out| out.put_u64(0));
        put_full(out, b"stco", 0, 0, |out| out.put_u32(0));
    });
}

fn put_matrix(out: &mut BytesMut) {
    [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000].iter().for_each(|n: &u32| out.put_u32(*n));
}

/// "und", packed (ISO 14496-12 8.4.2.3).
const UNDETERMINED: u16 = 0x55c4;
