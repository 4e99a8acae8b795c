//! Why a request came to nothing, and what that means for whoever asked.

use super::MOST_REDIRECTS;
use crate::http::BadHead;
use std::io;

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not an address that one can connect to.
    #[error("{0} is no http or https address")]
    Address(String),
    /// No connection.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Host and port.
        address: String,
        /// What the system or TLS said.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    /// The server closed the connection instead of answering.
    #[error("the server closed the connection without an answer")]
    Closed,
    /// The body ended before its announced end.
    #[error("the answer was cut short")]
    CutShort,
    /// What the message names did not come in time.
    #[error("no {0} in time")]
    Patience(&'static str),
    /// The answer is no HTTP.
    #[error("the answer is no HTTP: {0}")]
    Head(#[from] BadHead),
    /// The server says no.
    #[error("the server answered {status} {reason}{}", if said.is_empty() { String::new() } else { format!(": {said}") })]
    Refused {
        /// The status code.
        status: u16,
        /// The words behind it.
        reason: String,
        /// The first sentence of the body, if it was readable.
        said: String,
    },
    /// A stream without an announced end ended.
    #[error("the stream ended")]
    Ended,
    /// The address leads to something that lists streams, but to none that can be received.
    #[error("{0}")]
    NoStream(String),
    /// A server outside led to an address that only our own network reaches.
    #[error("a foreign server led to {0}, which is inside our own network")]
    Inside(String),
    /// More than ten redirects.
    #[error("redirected more than {MOST_REDIRECTS} times")]
    Redirects,
    /// A text longer than expected.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

impl Error {
    /// Whether user or password were not accepted.
    pub fn is_auth(&self) -> bool {
        matches!(self, Error::Refused { status: 401, .. })
    }

    /// Whether trying again cannot help: the address, the password or the request itself is wrong.
    pub fn is_final(&self) -> bool {
        match self {
            Error::Address(_) | Error::Redirects | Error::NoStream(_) => true,
            Error::Refused { status, .. } => matches!(status, 400 | 401 | 405 | 410 | 415 | 501),
            _ => false,
        }
    }
}
