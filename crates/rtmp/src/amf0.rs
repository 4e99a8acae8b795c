//! AMF0: the values in commands and metadata.
//!
//! Reading is bounded in depth and in the number of values; what is allocated stays in proportion to the bytes.

mod read;
mod value;
mod write;

pub use read::{MAX_DEPTH, MAX_VALUES, read, read_all};
pub use value::Value;
pub use write::write;

/// Why values cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes end within a value.
    #[error("a value is cut off")]
    Short,
    /// Objects within objects, deeper than [`MAX_DEPTH`].
    #[error("values are nested deeper than {MAX_DEPTH}")]
    Depth,
    /// More than [`MAX_VALUES`] values.
    #[error("more than {MAX_VALUES} values")]
    Many,
    /// A type that does not exist, is reserved, or switches to AMF3.
    #[error("values of type {0} cannot be read")]
    Marker(u8),
}

#[cfg(test)]
mod tests;
