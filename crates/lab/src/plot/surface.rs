//! What charts are drawn on, and with what.

use super::Point;

/// Takes shapes, in the order from back to front; units are points of 1/96 inch from the upper left corner.
///
/// It is the seam to the plotting crate: charts know this, and [`Sheet`](super::Sheet) alone knows the crate.
pub trait Surface {
    /// A straight stroke.
    fn line(&mut self, from: Point, to: Point, style: Style);
    /// Strokes from point to point.
    fn polyline(&mut self, points: &[Point], style: Style);
    /// A filled shape; opacity from 0 to 1.
    fn area(&mut self, points: &[Point], ink: Ink, opacity: f64);
    /// Filled circles.
    fn dots(&mut self, points: &[Point], radius: f64, ink: Ink, opacity: f64);
    /// A filled rectangle.
    fn rect(&mut self, at: Point, size: Point, ink: Ink, opacity: f64);
    /// Words beginning, centred or ending at a point of the base line; turned by a quarter to the left if `turned`.
    fn text(&mut self, at: Point, text: &str, ink: Ink, size: u32, anchor: Anchor, turned: bool);
    /// What follows belongs together: a class for style sheets, more attributes, and what to say of it.
    fn begin(&mut self, class: &str, attributes: &str, title: Option<&str>);
    /// Ends what [`begin`](Surface::begin) began.
    fn end(&mut self);
}

/// How a stroke looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Style {
    /// Its ink.
    pub ink: Ink,
    /// Its width.
    pub width: f64,
    /// Its dashes, as SVG has them; empty is none.
    pub dashes: &'static str,
}

/// Where words are in respect of their point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    #[allow(missing_docs)]
    Start,
    #[allow(missing_docs)]
    Middle,
    #[allow(missing_docs)]
    End,
}

/// Inks by what they mean. The first two differ for those who see no colours as well (Okabe and Ito's palette).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ink {
    /// Behind everything.
    Paper,
    /// Words and frames.
    Text,
    /// Words that matter less.
    Muted,
    /// Lines that help the eye.
    Grid,
    /// The first side, usually where the stream is sent.
    Server,
    /// The second one.
    Client,
    /// The link between them.
    Link,
    /// What was lost.
    Lost,
    /// When something changed.
    Mark,
    /// Key pictures.
    Key,
    /// Other pictures.
    Video,
    /// Sound.
    Audio,
    /// Whatever else.
    Other,
}

impl Ink {
    /// All of them.
    pub const ALL: [Ink; 13] = [
        Ink::Paper,
        Ink::Text,
        Ink::Muted,
        Ink::Grid,
        Ink::Server,
        Ink::Client,
        Ink::Link,
        Ink::Lost,
        Ink::Mark,
        Ink::Key,
        Ink::Video,
        Ink::Audio,
        Ink::Other,
    ];

    /// On white, and on black. No two are the same on white, so that a style sheet can tell them apart.
    pub fn colors(self) -> [&'static str; 2] {
        match self {
            Ink::Paper => ["#ffffff", "#15181c"],
            Ink::Text => ["#1b1f24", "#e6e8ea"],
            Ink::Muted => ["#5c636b", "#9aa2aa"],
            Ink::Grid => ["#e4e7ea", "#2c3138"],
            Ink::Server => ["#0072b2", "#4db2ec"],
            Ink::Client => ["#d55e00", "#ff944d"],
            Ink::Link => ["#444a51", "#c3c9cf"],
            Ink::Lost => ["#c4161c", "#ff5c61"],
            Ink::Mark => ["#8a8f00", "#c9cf3a"],
            Ink::Key => ["#b0307f", "#f083c4"],
            Ink::Video => ["#0a7fb5", "#56b4e9"],
            Ink::Audio => ["#008a63", "#2cd0a0"],
            Ink::Other => ["#7d828a", "#a0a7ae"],
        }
    }
}
