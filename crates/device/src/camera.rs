//! Pictures of a camera, by Video4Linux.

mod kernel;
mod tables;

use crate::Error;
use crate::pictures::pixels::{from_nv12, from_ycc, from_yuyv, widen};
use kernel::{Device, Kernel};
use levada_codec::video::Picture;
use std::borrow::Cow;
use std::time::{Duration, Instant};
use tables::TABLES;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// A camera that gives pictures. Four that it has taken wait in the kernel; of these, the newest is given and the others are not.
pub struct Camera {
    name: String,
    kernel: Box<dyn Kernel>,
    format: Format,
    rate: f64,
    /// When the last picture came.
    last: Instant,
}

/// What pictures are like, as the kernel says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub width: u32,
    pub height: u32,
    /// Four letters, the first one lowest.
    pub pixels: u32,
    /// Bytes a row, where there are rows.
    pub stride: u32,
    /// Whether brightness goes from 0 to 255.
    pub wide: bool,
}

impl Camera {
    /// The camera at `name`, or where that is `camera` the first there is, at a size near `size` and thirty pictures a second, or nearly.
    ///
    /// # Errors
    /// That there is none, or that it gives no pictures that are understood here (YUYV, NV12, MJPEG).
    pub fn open(name: &str, size: (usize, usize)) -> Result<Camera, Error> {
        if name != "camera" {
            let device = Device::open(name).map_err(|why| failed(name)(&why))?;
            return Camera::on(name, Box::new(device), size);
        }
        let mut why = "there is none".to_owned();
        for number in 0..64 {
            let path = format!("/dev/video{number}");
            match Device::open(&path) {
                Ok(device) => match Camera::on(&path, Box::new(device), size) {
                    Ok(camera) => return Ok(camera),
                    Err(error) => why = error.to_string(),
                },
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => why = format!("{path}: {error}"),
            }
        }
        Err(Error::Camera { name: name.into(), why })
    }

    fn on(name: &str, mut kernel: Box<dyn Kernel>, size: (usize, usize)) -> Result<Camera, Error> {
        let failed = failed(name);
        let bad = |why: &str| Error::Camera { name: name.into(), why: why.into() };
        if !kernel.captures().map_err(|why| failed(&why))? {
            return Err(bad("it is no camera"));
        }
        let mut offered = Vec::new();
        // more than any driver has
        for index in 0..64 {
            let Some(pixels) = kernel.offers(index).map_err(|why| failed(&why))? else { break };
            offered.push(pixels);
        }
        let known = [YUYV, NV12, MJPEG].into_iter().filter(|pixels| offered.contains(pixels));
        let mut best: Option<(Format, f64)> = None;
        for pixels in known {
            let wanted =
                Format { width: size.0 as u32, height: size.1 as u32, pixels, stride: 0, wide: false };
            let Ok(format) = kernel.set_format(wanted) else { continue };
            let rate = kernel.set_rate(30).unwrap_or(30.0);
            let sides = format.width.is_multiple_of(2) && format.height.is_multiple_of(2);
            let fits = format.pixels == pixels
                && sides
                && Picture::new(format.width as usize, format.height as usize).is_some();
            // large raw pictures come seldom through a thin cable: then compressed ones are better
            if fits && best.is_none_or(|(_, before)| rate > 1.5 * before) {
                best = Some((format, rate));
            }
        }
        let (format, _) = best.ok_or_else(|| bad("its pictures are neither YUYV nor NV12 nor MJPEG"))?;
        let format = kernel.set_format(format).map_err(|why| failed(&why))?;
        let rate = kernel.set_rate(30).unwrap_or(30.0).clamp(1.0, 240.0);
        kernel.begin(4).map_err(|why| failed(&why))?;
        Ok(Camera { name: name.into(), kernel, format, rate, last: Instant::now() })
    }

    /// Pictures a second, about.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Waits for the next picture, a tenth of a second at most; with it, when it came.
    ///
    /// # Errors
    /// That the camera is gone, or has given nothing for five seconds.
    pub fn wait(&mut self) -> Result<Option<(Instant, Picture)>, Error> {
        let failed = failed(&self.name);
        if !self.kernel.wait(Duration::from_millis(100)).map_err(|why| failed(&why))? {
            let gives = self.last.elapsed() < SILENT;
            let why = "it gives no pictures".to_owned();
            return if gives { Ok(None) } else { Err(Error::Camera { name: self.name.clone(), why }) };
        }
        let (format, mut picture) = (self.format, None);
        self.kernel.take(&mut |bytes| picture = draw(format, bytes)).map_err(|why| failed(&why))?;
        if picture.is_some() {
            self.last = Instant::now();
        }
        Ok(picture.map(|picture| (Instant::now(), picture)))
    }
}

impl std::fmt::Debug for Camera {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Camera")
            .field("name", &self.name)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

fn failed(name: &str) -> impl Fn(&std::io::Error) -> Error {
    move |why| Error::Camera { name: name.into(), why: why.to_string() }
}

/// None where the bytes are no picture of that form: a cable that is shaken loses some.
fn draw(format: Format, bytes: &[u8]) -> Option<Picture> {
    let (width, height, stride) = (format.width as usize, format.height as usize, format.stride as usize);
    let mut picture = match format.pixels {
        YUYV => from_yuyv(width, height, stride.max(2 * width), bytes),
        NV12 => from_nv12(width, height, stride.max(width), bytes),
        _ => return from_jpeg(bytes),
    }?;
    if !format.wide {
        widen(&mut picture);
    }
    Some(picture)
}

/// A JPEG; as some cameras send them, without the tables that all of them have in common.
fn from_jpeg(bytes: &[u8]) -> Option<Picture> {
    let whole = with_tables(bytes)?;
    let options = DecoderOptions::default()
        .jpeg_set_out_colorspace(ColorSpace::YCbCr)
        .set_max_width(levada_codec::video::LARGEST)
        .set_max_height(levada_codec::video::LARGEST);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&whole[..]), options);
    let pixels = decoder.decode().ok()?;
    let (width, height) = decoder.dimensions()?;
    from_ycc(width, height, &pixels)
}

/// The same with the common tables before what needs them, where it has none; none where it is no JPEG.
fn with_tables(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut at = 2;
    loop {
        let &[0xff, kind, high, low] = bytes.get(at..)?.first_chunk()? else { return None };
        match kind {
            0xc4 => return Some(bytes.into()),
            0xda => return Some([&bytes[..at], &TABLES, &bytes[at..]].concat().into()),
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
}

const YUYV: u32 = u32::from_le_bytes(*b"YUYV");
const NV12: u32 = u32::from_le_bytes(*b"NV12");
const MJPEG: u32 = u32::from_le_bytes(*b"MJPG");
/// A camera that gives nothing so long is taken for gone.
const SILENT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
