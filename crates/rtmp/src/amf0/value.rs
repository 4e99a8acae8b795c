//! A value.

/// What AMF0 can say. Text that is not UTF-8 is read with replacement characters.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// Text of any length.
    String(String),
    /// Named values in their order.
    Object(Vec<(String, Value)>),
    /// Named values as an "ECMA array": what `onMetaData` has.
    Map(Vec<(String, Value)>),
    /// Values in their order.
    Array(Vec<Value>),
    /// Named values of a class.
    Typed {
        /// The name of the class.
        class: String,
        /// The values.
        fields: Vec<(String, Value)>,
    },
    /// Milliseconds since 1970, and a time zone that should be zero.
    Date {
        /// Milliseconds since 1970.
        millis: f64,
        /// Minutes.
        zone: i16,
    },
    /// A document as text.
    Xml(String),
    /// An object that came before in the same message.
    Reference(u16),
    /// Nothing.
    Null,
    /// Not even nothing.
    Undefined,
    /// Something the sender could not say.
    Unsupported,
}

impl Value {
    /// An object of `fields`.
    pub fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
        Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) | Value::Xml(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is a number.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The number as a whole one from 0 to 2^32 - 1, if it is near one.
    pub fn as_u32(&self) -> Option<u32> {
        self.as_f64()
            .filter(|number| (0.0..=f64::from(u32::MAX)).contains(number))
            .map(|number| number as u32)
    }

    /// The named values, if it has any kind of them.
    pub fn fields(&self) -> &[(String, Value)] {
        match self {
            Value::Object(fields) | Value::Map(fields) | Value::Typed { fields, .. } => fields,
            _ => &[],
        }
    }

    /// The value called `name`, if there is one.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields().iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.to_owned())
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Value {
        Value::Boolean(yes)
    }
}
