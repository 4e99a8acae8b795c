//! Reads values.

use super::{Error, Value};
use bytes::{Buf, Bytes};

/// Reads the value at the front of `bytes` and takes it from there.
///
/// # Errors
/// When it is cut off, too deep, too large or of an unknown type.
pub fn read(bytes: &mut Bytes) -> Result<Value, Error> {
    Source { bytes, values: 0 }.value(0)
}

/// Reads values until `bytes` end; [`MAX_VALUES`] holds for all together.
///
/// # Errors
/// When one of them cannot be read.
pub fn read_all(bytes: &Bytes) -> Result<Vec<Value>, Error> {
    let mut rest = bytes.clone();
    let mut source = Source { bytes: &mut rest, values: 0 };
    let mut all = Vec::new();
    while !source.bytes.is_empty() {
        all.push(source.value(0)?);
    }
    Ok(all)
}

struct Source<'a> {
    bytes: &'a mut Bytes,
    values: usize,
}

impl Source<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(Error::Many);
        }
        if depth > MAX_DEPTH {
            return Err(Error::Depth);
        }
        match self.u8()? {
            NUMBER => Ok(Value::Number(self.f64()?)),
            BOOLEAN => Ok(Value::Boolean(self.u8()? != 0)),
            STRING => Ok(Value::String(self.text()?)),
            OBJECT => Ok(Value::Object(self.fields(depth)?)),
            NULL => Ok(Value::Null),
            UNDEFINED => Ok(Value::Undefined),
            REFERENCE => Ok(Value::Reference(self.u16()?)),
            MAP => self.map(depth),
            ARRAY => self.array(depth),
            DATE => Ok(Value::Date { millis: self.f64()?, zone: self.u16()? as i16 }),
            LONG_STRING => Ok(Value::String(self.long_text()?)),
            UNSUPPORTED => Ok(Value::Unsupported),
            XML => Ok(Value::Xml(self.long_text()?)),
            TYPED => Ok(Value::Typed { class: self.text()?, fields: self.fields(depth)? }),
            other => Err(Error::Marker(other)),
        }
    }

    /// Named values until the end marker, or the end of the bytes: some encoders leave the marker out at the end.
    fn fields(&mut self, depth: usize) -> Result<Vec<(String, Value)>, Error> {
        let mut fields = Vec::new();
        while !self.bytes.is_empty() {
            let name = self.text()?;
            if name.is_empty() && self.bytes.first() == Some(&OBJECT_END) {
                self.bytes.advance(1);
                break;
            }
            fields.push((name, self.value(depth + 1)?));
        }
        Ok(fields)
    }

    /// The count before an ECMA array is a hint that encoders get wrong; the end marker decides.
    fn map(&mut self, depth: usize) -> Result<Value, Error> {
        self.u32()?;
        Ok(Value::Map(self.fields(depth)?))
    }

    fn array(&mut self, depth: usize) -> Result<Value, Error> {
        let count = self.u32()? as usize;
        // each value takes a byte at least, so a count larger than the bytes is cut off whatever follows
        if count > self.bytes.len() {
            return Err(Error::Short);
        }
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.value(depth + 1)?);
        }
        Ok(Value::Array(values))
    }

    fn text(&mut self) -> Result<String, Error> {
        let size = self.u16()?;
        self.utf8(usize::from(size))
    }

    fn long_text(&mut self) -> Result<String, Error> {
        let size = self.u32()?;
        self.utf8(size as usize)
    }

    fn utf8(&mut self, size: usize) -> Result<String, Error> {
        if size > self.bytes.len() {
            return Err(Error::Short);
        }
        Ok(String::from_utf8_lossy(&self.bytes.split_to(size)).into_owned())
    }

    fn u8(&mut self) -> Result<u8, Error> {
        self.bytes.try_get_u8().map_err(|_| Error::Short)
    }

    fn u16(&mut self) -> Result<u16, Error> {
        self.bytes.try_get_u16().map_err(|_| Error::Short)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.bytes.try_get_u32().map_err(|_| Error::Short)
    }

    fn f64(&mut self) -> Result<f64, Error> {
        self.bytes.try_get_f64().map_err(|_| Error::Short)
    }
}

/// Objects within objects; commands nest three deep.
pub const MAX_DEPTH: usize = 16;
/// Values in one message; the largest metadata seen have about a hundred, those with a key frame index thousands.
pub const MAX_VALUES: usize = 65_536;

pub(super) const NUMBER: u8 = 0;
pub(super) const BOOLEAN: u8 = 1;
pub(super) const STRING: u8 = 2;
pub(super) const OBJECT: u8 = 3;
pub(super) const NULL: u8 = 5;
pub(super) const UNDEFINED: u8 = 6;
pub(super) const REFERENCE: u8 = 7;
pub(super) const MAP: u8 = 8;
pub(super) const OBJECT_END: u8 = 9;
pub(super) const ARRAY: u8 = 10;
pub(super) const DATE: u8 = 11;
pub(super) const LONG_STRING: u8 = 12;
pub(super) const UNSUPPORTED: u8 = 13;
pub(super) const XML: u8 = 15;
pub(super) const TYPED: u8 = 16;
