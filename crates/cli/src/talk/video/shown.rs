//! Where the other end's pictures are seen.

use super::{
    Shared,
    cells::{Cells, How},
    film::Film,
    page::Page,
};
use crate::output::Console;
use anyhow::Result;
use std::path::Path;

/// Options of what is seen.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "where pictures are seen")]
pub struct Options {
    /// Show the other end's pictures in a browser: at a port of 127.0.0.1, or any
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "0")]
    view: Option<u16>,
    /// How to draw the other end's pictures in the terminal
    #[arg(long, value_enum, value_name = "HOW", default_value = "auto")]
    picture: How,
}

/// All places at once.
pub struct Shown {
    film: Option<Film>,
    page: Option<Page>,
    cells: Option<Cells>,
}

impl Shown {
    /// What is asked for.
    pub fn open(options: &Options, file: Option<&Path>, sends: bool, console: Console) -> Result<Shown> {
        let film = file.map(Film::create).transpose()?;
        let page = options.view.map(|port| Page::start(port, console)).transpose()?;
        let watched = console.is_live();
        let draws = match options.picture {
            How::Auto => watched && sends && page.is_none() && Console::wants_color(true),
            How::Blocks => watched,
            How::Off => false,
        };
        Ok(Shown { film, page, cells: draws.then(Cells::start) })
    }

    /// Nowhere.
    pub fn nothing() -> Shown {
        Shown { film: None, page: None, cells: None }
    }

    /// Whether pictures are seen at all.
    pub fn is_any(&self) -> bool {
        self.film.is_some() || self.page.is_some() || self.cells.is_some()
    }

    /// From `position` seconds of the call on, this picture, of `rate` a second.
    pub fn show(&mut self, picture: &Shared, rate: f64, position: f64) {
        if let Some(film) = &mut self.film {
            film.show(picture, rate, position);
        }
        if let Some(page) = &self.page {
            page.show(picture);
        }
        if let Some(cells) = &self.cells {
            cells.show(picture);
        }
    }

    /// Ends it well, after so many seconds.
    pub fn finish(self, position: f64) -> Result<()> {
        self.film.map_or(Ok(()), |film| film.finish(position))
    }
}
