//! Values there and back, and values that mean harm.

use super::*;
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

fn round(value: &Value) -> Value {
    let mut out = BytesMut::new();
    write(&mut out, value);
    let mut bytes = out.freeze();
    let back = read(&mut bytes).unwrap();
    assert!(bytes.is_empty());
    back
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(|number| Value::Number(f64::from(number) / 7.0)),
        any::<bool>().prop_map(Value::Boolean),
        ".*".prop_map(Value::String),
        ".*".prop_map(Value::Xml),
        any::<u16>().prop_map(Value::Reference),
        (any::<i32>(), any::<i16>())
            .prop_map(|(millis, zone)| Value::Date { millis: f64::from(millis), zone }),
        prop_oneof![Just(Value::Null), Just(Value::Undefined), Just(Value::Unsupported)],
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let fields = prop::collection::vec(("[a-z]{0,5}", inner.clone()), 0..6);
        prop_oneof![
            fields.clone().prop_map(Value::Object),
            fields.clone().prop_map(Value::Map),
            ("[a-z]{0,5}", fields).prop_map(|(class, fields)| Value::Typed { class, fields }),
            prop::collection::vec(inner, 0..6).prop_map(Value::Array),
        ]
    })
}

proptest! {
    #[test]
    fn values_are_read_as_they_were_written(value in any_value()) {
        prop_assert_eq!(round(&value), value);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _ = read_all(&Bytes::from(bytes));
    }

    #[test]
    fn every_cut_is_noticed_or_harmless(value in any_value(), cut in any::<prop::sample::Index>()) {
        let mut out = BytesMut::new();
        write(&mut out, &value);
        let cut = cut.index(out.len());
        let _ = read_all(&out.freeze().slice(..cut));
    }
}

#[test]
fn long_text_takes_the_long_form() {
    let text = "ä".repeat(40_000);
    assert_eq!(round(&Value::String(text.clone())), Value::String(text));
}

#[test]
fn a_name_too_long_is_cut_between_letters() {
    let value = Value::Object(vec![("ä".repeat(40_000), Value::Null)]);
    assert_eq!(round(&value).fields()[0].0.len(), 65_534);
}

#[test]
fn nesting_ends_at_its_limit_whatever_the_kind() {
    for opening in [&b"\x03\0\x01a"[..], b"\x08\0\0\0\0\0\x01a", b"\x10\0\0\0\x01a", b"\x0a\0\0\0\x01"] {
        let deep = Bytes::from(opening.repeat(100_000));
        assert_eq!(read_all(&deep), Err(Error::Depth));
    }
}

#[test]
fn counts_and_lengths_beyond_the_bytes_are_refused_before_anything_is_allocated() {
    for bytes in [
        &b"\x0a\xff\xff\xff\xff\x05"[..],
        b"\x0c\xff\xff\xff\xff",
        b"\x02\xff\xffab",
        b"\x0f\xff\xff\xff\xff",
    ] {
        assert_eq!(read_all(&Bytes::from_static(bytes)), Err(Error::Short));
    }
}

#[test]
fn too_many_values_are_refused() {
    assert_eq!(read_all(&Bytes::from(vec![5; MAX_VALUES + 1])), Err(Error::Many));
}

#[test]
fn reserved_types_and_amf3_are_refused_by_name() {
    for marker in [4, 9, 14, 17, 255] {
        assert_eq!(read_all(&Bytes::copy_from_slice(&[marker])), Err(Error::Marker(marker)));
    }
}

#[test]
fn an_object_at_the_end_may_lack_its_end() {
    let value = read_all(&Bytes::from_static(b"\x08\0\0\0\x09\0\x01a\x01\x01")).unwrap();
    assert_eq!(value, [Value::Map(vec![("a".into(), Value::Boolean(true))])]);
}
