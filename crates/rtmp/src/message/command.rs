//! Commands: a name, a number to answer to, and values.

use super::{COMMAND, COMMAND_AMF3, Message};
use crate::amf0::{self, Value};
use bytes::{Bytes, BytesMut};

/// A command, or the answer to one.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// `connect`, `_result`, `onStatus` …
    pub name: String,
    /// Which call it is or answers; 0 where no answer is wanted.
    pub transaction: f64,
    /// The command object, then the arguments.
    pub arguments: Vec<Value>,
}

/// Why a command cannot be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Its values are damaged.
    #[error("a command cannot be read")]
    Values(#[from] amf0::Error),
    /// It does not begin with a name and a number.
    #[error("a command has no name or number")]
    Anonymous,
}

impl Command {
    /// A command with a null command object and `arguments` after it.
    pub fn new(name: &str, transaction: f64, arguments: impl IntoIterator<Item = Value>) -> Command {
        let arguments = std::iter::once(Value::Null).chain(arguments).collect();
        Command { name: name.to_owned(), transaction, arguments }
    }

    /// Reads a command message.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn read(message: &Message) -> Result<Command, Error> {
        let mut values = amf0::read_all(&values_of(message, COMMAND_AMF3))?.into_iter();
        let (Some(Value::String(name)), Some(Value::Number(transaction))) = (values.next(), values.next())
        else {
            return Err(Error::Anonymous);
        };
        Ok(Command { name, transaction, arguments: values.collect() })
    }

    /// The message that says this on `stream`.
    pub fn message(&self, stream: u32) -> Message {
        let mut payload = BytesMut::new();
        amf0::write(&mut payload, &Value::from(self.name.as_str()));
        amf0::write(&mut payload, &Value::Number(self.transaction));
        self.arguments.iter().for_each(|value| amf0::write(&mut payload, value));
        Message { kind: COMMAND, stream, timestamp: 0, payload: payload.freeze() }
    }

    /// Argument `index` after the command object.
    pub fn argument(&self, index: usize) -> Option<&Value> {
        self.arguments.get(index + 1)
    }

    /// Argument `index` after the command object, if it is text.
    pub fn text(&self, index: usize) -> Option<&str> {
        self.argument(index)?.as_str()
    }
}

/// The values in a message. Those of the AMF3 kinds follow a byte that says in which AMF; in practice it is AMF0.
pub(crate) fn values_of(message: &Message, amf3: u8) -> Bytes {
    match (message.kind == amf3, message.payload.first()) {
        (true, Some(0)) => message.payload.slice(1..),
        _ => message.payload.clone(),
    }
}
