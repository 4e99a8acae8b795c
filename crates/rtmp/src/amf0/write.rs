//! Writes values.

use super::{Value, read::*};
use bytes::{BufMut, BytesMut};

/// Appends `value` to `out`. Names longer than 65,535 bytes are cut; values have no such limit.
pub fn write(out: &mut BytesMut, value: &Value) {
    match value {
        Value::Number(number) => {
            out.put_u8(NUMBER);
            out.put_f64(*number);
        }
        Value::Boolean(yes) => out.put_slice(&[BOOLEAN, u8::from(*yes)]),
        Value::String(text) => string(out, text),
        Value::Object(fields) => {
            out.put_u8(OBJECT);
            named(out, fields);
        }
        Value::Map(fields) => {
            out.put_u8(MAP);
            out.put_u32(fields.len() as u32);
            named(out, fields);
        }
        Value::Array(values) => array(out, values),
        Value::Typed { class, fields } => {
            out.put_u8(TYPED);
            name(out, class);
            named(out, fields);
        }
        Value::Date { millis, zone } => {
            out.put_u8(DATE);
            out.put_f64(*millis);
            out.put_i16(*zone);
        }
        Value::Xml(text) => long(out, XML, text),
        Value::Reference(index) => {
            out.put_u8(REFERENCE);
            out.put_u16(*index);
        }
        Value::Null => out.put_u8(NULL),
        Value::Undefined => out.put_u8(UNDEFINED),
        Value::Unsupported => out.put_u8(UNSUPPORTED),
    }
}

fn string(out: &mut BytesMut, text: &str) {
    if text.len() > SHORT {
        return long(out, LONG_STRING, text);
    }
    out.put_u8(STRING);
    name(out, text);
}

fn long(out: &mut BytesMut, marker: u8, text: &str) {
    out.put_u8(marker);
    out.put_u32(text.len() as u32);
    out.put_slice(text.as_bytes());
}

fn array(out: &mut BytesMut, values: &[Value]) {
    out.put_u8(ARRAY);
    out.put_u32(values.len() as u32);
    values.iter().for_each(|value| write(out, value));
}

fn named(out: &mut BytesMut, fields: &[(String, Value)]) {
    for (field, value) in fields {
        name(out, field);
        write(out, value);
    }
    out.put_slice(&[0, 0, OBJECT_END]);
}

fn name(out: &mut BytesMut, text: &str) {
    let size = text.floor_char_boundary(SHORT);
    out.put_u16(size as u16);
    out.put_slice(&text.as_bytes()[..size]);
}

const SHORT: usize = u16::MAX as usize;
