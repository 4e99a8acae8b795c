//! Pictures of a `.y4m` file, again and again.

use super::pixels::widen;
use crate::Error;
use levada_codec::video::{Picture, y4m::Reader};
use std::fs::File;
use std::io::{BufReader, Seek};

/// A file of pictures.
#[derive(Debug)]
pub struct Film {
    name: String,
    reader: Reader<BufReader<File>>,
    /// How many were read since it began anew.
    read: u64,
    /// How many there are, once the end was seen.
    all: Option<u64>,
    last: Picture,
}

impl Film {
    /// # Errors
    /// That it cannot be read, or is no such file.
    pub fn open(name: &str) -> Result<Film, Error> {
        let file = File::open(name).map_err(Error::file(name))?;
        let bad =
            |why: levada_codec::video::y4m::Error| Error::Film { name: name.into(), why: why.to_string() };
        let mut reader = Reader::new(BufReader::with_capacity(1 << 17, file)).map_err(bad)?;
        let last = reader.picture().map_err(bad)?;
        let last = last.ok_or_else(|| Error::Film { name: name.into(), why: "no picture in it".into() })?;
        Ok(Film { name: name.into(), reader, read: 1, all: None, last })
    }

    /// Pictures a second.
    pub fn rate(&self) -> f64 {
        self.reader.rate()
    }

    /// The picture of a number, counted from 0 and round the end. To go on is cheaper than to go back.
    ///
    /// # Errors
    /// That the file is not what it was.
    pub fn picture(&mut self, number: u64) -> Result<Picture, Error> {
        let mut number = self.all.map_or(number, |all| number % all);
        loop {
            if number + 1 == self.read {
                let mut picture = self.last.clone();
                if self.reader.is_narrow() {
                    widen(&mut picture);
                }
                return Ok(picture);
            }
            if number < self.read {
                self.rewind()?;
            }
            match self.reader.picture() {
                Ok(Some(picture)) => (self.last, self.read) = (picture, self.read + 1),
                Ok(None) if self.read > 0 => {
                    self.all = Some(self.read);
                    number %= self.read;
                    self.rewind()?;
                }
                Ok(None) => return Err(self.bad("no picture in it any longer")),
                Err(why) => return Err(self.bad(&why.to_string())),
            }
        }
    }

    fn rewind(&mut self) -> Result<(), Error> {
        let mut file = File::open(&self.name).map_err(Error::file(&self.name))?;
        file.rewind().map_err(Error::file(&self.name))?;
        let size = self.reader.size();
        let reader =
            Reader::new(BufReader::with_capacity(1 << 17, file)).map_err(|why| self.bad(&why.to_string()))?;
        if reader.size() != size {
            return Err(self.bad("its pictures have another size now"));
        }
        (self.reader, self.read) = (reader, 0);
        Ok(())
    }

    fn bad(&self, why: &str) -> Error {
        Error::Film { name: self.name.clone(), why: why.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use levada_codec::video::{Scene, y4m};

    #[test]
    fn a_file_goes_round_and_numbers_may_be_left_out() {
        let scene = Scene::new(32, 16, 1);
        let mut bytes = Vec::new();
        y4m::write_head(&scene.picture(0), 25, &mut bytes);
        (0..5).for_each(|n| y4m::write(&scene.picture(n), &mut bytes));
        let name = std::env::temp_dir().join(format!("levada film {}.y4m", std::process::id()));
        std::fs::write(&name, bytes).unwrap();
        let mut film = Film::open(&name.display().to_string()).unwrap();
        for (asked, there) in [(0, 0), (1, 1), (4, 4), (4, 4), (6, 1), (23, 3), (1, 1), (50, 0)] {
            assert!(film.picture(asked).unwrap() == scene.picture(there), "{asked}");
        }
        assert_eq!(film.rate(), 25.0);
        std::fs::remove_file(name).unwrap();
    }
}
