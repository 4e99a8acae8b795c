//! Pictures in a `.y4m` file (YUV4MPEG2), 4:2:0, read one by one.

use super::Picture;
use std::io::{self, BufRead};

/// Reads pictures.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    width: usize,
    height: usize,
    rate: [u32; 2],
    narrow: bool,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is no such file, or says nonsense.
    #[error("no y4m file")]
    Format,
    /// It has another layout than 4:2:0 with 8 bits.
    #[error("pictures are to be 4:2:0 with 8 bits, these are {0}")]
    Layout(String),
    /// Odd, or too large.
    #[error("pictures are to have even sides of up to 1920 samples")]
    Size,
    /// The file could not be read.
    #[error(transparent)]
    Read(#[from] io::Error),
}

impl<R: BufRead> Reader<R> {
    /// Reads the head of a file.
    ///
    /// # Errors
    /// That it is none, or of another layout.
    pub fn new(mut from: R) -> Result<Reader<R>, Error> {
        let line = line(&mut from)?.ok_or(Error::Format)?;
        let mut words = line.split(' ');
        if words.next() != Some("YUV4MPEG2") {
            return Err(Error::Format);
        }
        let (mut width, mut height, mut rate, mut narrow) = (0, 0, [30, 1], false);
        for word in words {
            let Some(kind) = word.get(..1) else { continue };
            let said = &word[1..];
            match kind {
                "W" => width = said.parse().map_err(|_| Error::Format)?,
                "H" => height = said.parse().map_err(|_| Error::Format)?,
                "F" => {
                    let (over, under) = said.split_once(':').ok_or(Error::Format)?;
                    rate = [over, under].map(|word| word.parse().unwrap_or(0));
                }
                "C" if !["420", "420jpeg", "420mpeg2", "420paldv"].contains(&said) => {
                    return Err(Error::Layout(said.into()));
                }
                "X" if said == "COLORRANGE=LIMITED" => narrow = true,
                _ => {}
            }
        }
        if rate.contains(&0) || rate[0] / rate[1] > 1_000 {
            return Err(Error::Format);
        }
        Picture::new(width, height).ok_or(Error::Size)?;
        Ok(Reader { from, width, height, rate, narrow })
    }

    /// Samples a row, and rows.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Pictures a second.
    pub fn rate(&self) -> f64 {
        f64::from(self.rate[0]) / f64::from(self.rate[1])
    }

    /// Whether brightness goes from 16 to 235 only, as ffmpeg says it.
    pub fn is_narrow(&self) -> bool {
        self.narrow
    }

    /// The next picture; none at the end, or where the last one is cut off.
    ///
    /// # Errors
    /// That the file cannot be read, or something else than a picture follows.
    pub fn picture(&mut self) -> Result<Option<Picture>, Error> {
        let Some(line) = line(&mut self.from)? else { return Ok(None) };
        if line.split(' ').next() != Some("FRAME") {
            return Err(Error::Format);
        }
        let mut picture = Picture::new(self.width, self.height).ok_or(Error::Size)?;
        for plane in &mut picture.planes {
            match self.from.read_exact(plane) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                other => other?,
            }
        }
        Ok(Some(picture))
    }
}

/// A line of at most 200 bytes; none at the end.
fn line(from: &mut impl BufRead) -> Result<Option<String>, Error> {
    let mut line = Vec::new();
    loop {
        let mut byte = [0];
        if from.read(&mut byte)? == 0 {
            return if line.is_empty() { Ok(None) } else { Err(Error::Format) };
        }
        if byte == *b"\n" {
            return String::from_utf8(line).map(Some).map_err(|_| Error::Format);
        }
        if line.len() == 200 {
            return Err(Error::Format);
        }
        line.push(byte[0]);
    }
}

/// Appends the head of a file of pictures like this one, so many a second.
pub fn write_head(picture: &Picture, rate: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(
        format!(
            "YUV4MPEG2 W{} H{} F{rate}:1 Ip A1:1 C420jpeg XCOLORRANGE=FULL\n",
            picture.width, picture.height
        )
        .as_bytes(),
    );
}

/// Appends a picture.
pub fn write(picture: &Picture, out: &mut Vec<u8>) {
    out.extend_from_slice(b"FRAME\n");
    picture.planes.iter().for_each(|plane| out.extend_from_slice(plane));
}
