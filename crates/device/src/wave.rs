//! A WAV file that is written while it grows.

use crate::{Error, Form};
use std::fs;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};

/// A WAV file of 16-bit samples. Its lengths are mended when it is finished or dropped; until then it reads as one of
/// unknown length.
#[derive(Debug)]
pub struct Wave {
    file: BufWriter<fs::File>,
    bytes: u64,
}

impl Wave {
    /// Makes the file, or empties it.
    ///
    /// # Errors
    /// That it cannot be written.
    pub fn create(name: &str, form: Form) -> Result<Wave, Error> {
        let file = fs::File::create(name).map_err(Error::file(name))?;
        let mut wave = Wave { file: BufWriter::new(file), bytes: 0 };
        wave.head(form).map_err(Error::file(name))?;
        Ok(wave)
    }

    fn head(&mut self, form: Form) -> io::Result<()> {
        let frame = 2 * form.channels as u32;
        self.file.write_all(b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0")?;
        self.file.write_all(&(form.channels as u16).to_le_bytes())?;
        self.file.write_all(&form.rate.to_le_bytes())?;
        self.file.write_all(&form.rate.saturating_mul(frame).to_le_bytes())?;
        self.file.write_all(&(frame as u16).to_le_bytes())?;
        self.file.write_all(b"\x10\0data\xff\xff\xff\xff")
    }

    /// Appends a block.
    ///
    /// # Errors
    /// That the disk is full, say.
    pub fn write(&mut self, block: &[i16]) -> io::Result<()> {
        for sample in block {
            self.file.write_all(&sample.to_le_bytes())?;
        }
        self.bytes += 2 * block.len() as u64;
        Ok(())
    }

    /// Writes the lengths.
    ///
    /// # Errors
    /// That they cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.mend()
    }

    fn mend(&mut self) -> io::Result<()> {
        self.file.flush()?;
        let data = self.bytes.min(u64::from(u32::MAX) - 36) as u32;
        let file = self.file.get_mut();
        file.seek(SeekFrom::Start(4))?;
        file.write_all(&(data + 36).to_le_bytes())?;
        file.seek(SeekFrom::Start(40))?;
        file.write_all(&data.to_le_bytes())?;
        file.seek(SeekFrom::End(0)).map(|_| ())
    }
}

impl Drop for Wave {
    fn drop(&mut self) {
        let _nobody_asks = self.mend();
    }
}
