//! What OBS Studio writes, piece by piece (plugins/obs-outputs/librtmp: which messages, in which chunks).

use bytes::{BufMut, BytesMut};
use levada_rtmp::amf0::{self, Value};

/// A chunk header as librtmp writes it: full (`LARGE`) or without the stream (`MEDIUM`), then the payload in chunks.
fn packet(out: &mut BytesMut, csid: u8, medium: bool, kind: u8, stream: u32, payload: &[u8], size: usize) {
    out.put_u8(u8::from(medium) << 6 | csid);
    out.put_slice(&[0, 0, 0]);
    out.put_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.put_u8(kind);
    if !medium {
        out.put_u32_le(stream);
    }
    for (index, piece) in payload.chunks(size).enumerate() {
        if index > 0 {
            out.put_u8(0xc0 | csid);
        }
        out.put_slice(piece);
    }
}

pub fn values(all: &[Value]) -> Vec<u8> {
    let mut out = BytesMut::new();
    all.iter().for_each(|value| amf0::write(&mut out, value));
    out.to_vec()
}

pub fn call(name: &str, number: f64, arguments: &[Value]) -> Vec<u8> {
    [values(&[name.into(), number.into()]), values(arguments)].concat()
}

/// C0 C1 with zeros for a version: the simple greeting. OBS sends its echo together with what follows.
pub fn greeting() -> Vec<u8> {
    let mut bytes = vec![3];
    bytes.extend([0; 8]);
    bytes.extend((0..1528u32).map(|n| (n * 7) as u8));
    bytes
}

pub fn connect(server: &str, app: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    // the size of its chunks comes before everything else
    packet(&mut out, 2, false, 1, 0, &4096u32.to_be_bytes(), 128);
    let properties = Value::object([
        ("app", app.into()),
        ("type", "nonprivate".into()),
        ("flashVer", "FMLE/3.0 (compatible; FMSc/1.0)".into()),
        ("swfUrl", server.into()),
        ("tcUrl", server.into()),
    ]);
    packet(&mut out, 3, false, 20, 0, &call("connect", 1.0, &[properties]), 4096);
    out.to_vec()
}

pub fn create(key: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    packet(&mut out, 3, true, 20, 0, &call("releaseStream", 2.0, &[Value::Null, key.into()]), 4096);
    packet(&mut out, 3, true, 20, 0, &call("FCPublish", 3.0, &[Value::Null, key.into()]), 4096);
    packet(&mut out, 3, true, 20, 0, &call("createStream", 4.0, &[Value::Null]), 4096);
    out.to_vec()
}

pub fn publish(key: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    packet(&mut out, 4, false, 20, 1, &call("publish", 5.0, &[Value::Null, key.into(), "live".into()]), 4096);
    out.to_vec()
}

pub fn media() -> Vec<u8> {
    let mut out = BytesMut::new();
    let metadata = Value::Map(vec![
        ("duration".to_owned(), 0.0.into()),
        ("width".to_owned(), 1280.0.into()),
        ("videocodecid".to_owned(), 7.0.into()),
        ("audiocodecid".to_owned(), 10.0.into()),
        ("encoder".to_owned(), "obs-output module".into()),
    ]);
    let metadata = values(&["@setDataFrame".into(), "onMetaData".into(), metadata]);
    packet(&mut out, 4, false, 18, 1, &metadata, 4096);
    packet(&mut out, 4, true, 8, 1, &[0xaf, 0, 0x11, 0x90], 4096);
    packet(&mut out, 4, true, 9, 1, b"\x17\0\0\0\0avcC", 4096);
    packet(&mut out, 4, true, 9, 1, &[&b"\x17\x01\0\0\0"[..], &[5; 10_000]].concat(), 4096);
    out.to_vec()
}
