//! What goes between the bytes of the stream on the way to one listener.

/// How a listener's body is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// The stream's bytes and nothing else.
    #[default]
    Raw,
    /// A title block after each `metaint` bytes of this listener's body, as `icy-metaint` announced it.
    Icy {
        /// Bytes between blocks; 0 is taken as 1.
        metaint: usize,
    },
}
