//! Charts for papers and pages: what is in them, apart from how they are drawn.

mod axis;
mod draw;
mod surface;
mod thin;
mod with_kuva;

pub use axis::{Axis, Scale, Unit};
pub(crate) use axis::{bit_rate, duration};
pub use surface::{Anchor, Ink, Style, Surface};
pub use with_kuva::Sheet;

/// A point in the units of the axes, or on the paper.
pub type Point = (f64, f64);

/// Charts above each other over one horizontal axis.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it is called among files: letters and dashes.
    pub name: &'static str,
    /// What it shows, in a line.
    pub title: String,
    /// What belongs to every panel.
    pub x: Axis,
    /// From the top.
    pub panels: Vec<Panel>,
    /// Vertical lines through all panels, with what they say.
    pub marks: Vec<(f64, String)>,
}

/// One chart of a figure.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Its own axis.
    pub y: Axis,
    /// On the paper.
    pub height: f64,
    /// What is drawn, from the back to the front.
    pub layers: Vec<Layer>,
    /// What the inks mean here.
    pub legend: Vec<(Ink, String)>,
}

/// Something drawn by the axes. Points may be many: they are thinned to what can be told apart.
#[derive(Clone, Debug)]
pub enum Layer {
    /// A line from point to point.
    Line(Ink, Vec<Point>),
    /// The same, dashed.
    Dashed(Ink, Vec<Point>),
    /// A line that keeps each value until the next point; over a light area down to the axis if `fill`.
    #[allow(missing_docs)]
    Steps { ink: Ink, points: Vec<Point>, fill: bool },
    /// Dots of that radius.
    #[allow(missing_docs)]
    Dots { ink: Ink, points: Vec<Point>, radius: f64 },
    /// Short strokes along the upper edge at these places.
    Ticks(Ink, Vec<f64>),
    /// A row of strokes, the `row`th of `rows` from the top, with what it is called.
    #[allow(missing_docs)]
    Row { ink: Ink, row: usize, rows: usize, name: String, at: Vec<f64> },
    /// A dotted horizontal line with what it says.
    Level(Ink, f64, String),
    /// A dotted vertical line with what it says.
    Place(Ink, f64, String),
}

impl Figure {
    /// Draws it on a sheet of its own.
    pub fn sheet(&self) -> Sheet {
        let mut sheet = Sheet::new(WIDTH, draw::height(self));
        draw::figure(self, &mut sheet, WIDTH);
        sheet
    }
}

/// Two columns of a paper, or one of a page.
const WIDTH: f64 = 860.0;
