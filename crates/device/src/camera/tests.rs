use super::*;
use crate::pictures::{from_bgr, pixels::resized};
use std::io;

/// A camera that exists in this test alone.
struct Fake {
    camera: bool,
    offered: Vec<(u32, f64)>,
    now: Option<Format>,
    picture: Picture,
    /// Bytes of a row beside its pixels.
    padding: u32,
    begun: bool,
    left: usize,
}

fn fake(offered: &[(u32, f64)]) -> Fake {
    let pixels: Vec<u8> =
        (0..32 * 16).flat_map(|n| if n % 32 < 16 { [0, 0, 255] } else { [255, 0, 0] }).collect();
    let picture = from_bgr(32, 16, &pixels).unwrap();
    Fake { camera: true, offered: offered.into(), now: None, picture, padding: 8, begun: false, left: 2 }
}

impl Kernel for Fake {
    fn captures(&mut self) -> io::Result<bool> {
        Ok(self.camera)
    }

    fn offers(&mut self, index: u32) -> io::Result<Option<u32>> {
        Ok(self.offered.get(index as usize).map(|(pixels, _)| *pixels))
    }

    /// Whatever is asked for, it has one size.
    fn set_format(&mut self, wanted: Format) -> io::Result<Format> {
        let stride = if wanted.pixels == NV12 { 32 } else { 64 } + self.padding;
        let format = Format { width: 32, height: 16, stride, wide: true, ..wanted };
        self.now = Some(format);
        Ok(format)
    }

    fn set_rate(&mut self, _: u32) -> io::Result<f64> {
        let now = self.now.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.offered.iter().find(|(pixels, _)| *pixels == now.pixels).unwrap().1)
    }

    fn begin(&mut self, buffers: u32) -> io::Result<()> {
        self.begun = buffers > 1;
        Ok(())
    }

    fn wait(&mut self, _: Duration) -> io::Result<bool> {
        self.left = self.left.checked_sub(1).ok_or_else(|| io::Error::other("unplugged"))?;
        Ok(self.begun)
    }

    fn take(&mut self, look: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let now = self.now.unwrap();
        let (width, height, stride) = (32, 16, now.stride as usize);
        let [luma, blue, red] = &self.picture.planes;
        let mut bytes = vec![0; stride * height * 3 / 2];
        for (n, y) in luma.iter().enumerate() {
            let (x, row) = (n % width, n / width);
            let chroma = if x % 2 == 0 { blue } else { red }[row / 2 * 16 + x / 2];
            match now.pixels {
                NV12 => {
                    bytes[row * stride + x] = *y;
                    bytes[(height + row / 2) * stride + x] = chroma;
                }
                _ => bytes[row * stride + 2 * x..][..2].copy_from_slice(&[*y, chroma]),
            }
        }
        if now.pixels == MJPEG {
            bytes = JPEG.to_vec();
        }
        look(&bytes);
        Ok(())
    }
}

const JPEG: &[u8] = include_bytes!("../../tests/data/red_and_blue.jpg");

fn colours(picture: &Picture) -> [[u8; 3]; 2] {
    [picture.rgb(4, 8), picture.rgb(28, 8)].map(|rgb| rgb.map(|x| x / 64 * 64))
}

const RED_AND_BLUE: [[u8; 3]; 2] = [[192, 0, 0], [0, 0, 192]];

#[test]
fn every_kind_of_pixels_is_the_same_picture() {
    for pixels in [YUYV, NV12, MJPEG] {
        let other = u32::from_le_bytes(*b"H264");
        let fake = fake(&[(other, 60.0), (pixels, 30.0)]);
        let mut camera = Camera::on("fake", Box::new(fake), (32, 16)).unwrap();
        assert_eq!((camera.format.pixels, camera.rate()), (pixels, 30.0));
        let (_, picture) = camera.wait().unwrap().unwrap();
        assert_eq!((picture.width, picture.height, colours(&picture)), (32, 16, RED_AND_BLUE));
        camera.wait().unwrap().unwrap();
        assert!(camera.wait().unwrap_err().to_string().contains("unplugged"));
    }
}

#[test]
fn compressed_pictures_are_taken_where_raw_ones_are_slow() {
    let chosen = |offered: &[(u32, f64)]| {
        Camera::on("fake", Box::new(fake(offered)), (640, 480)).map(|camera| camera.format.pixels)
    };
    assert_eq!(chosen(&[(MJPEG, 30.0), (YUYV, 30.0)]).unwrap(), YUYV);
    assert_eq!(chosen(&[(MJPEG, 30.0), (YUYV, 5.0)]).unwrap(), MJPEG);
    let none = chosen(&[(u32::from_le_bytes(*b"H264"), 30.0)]).unwrap_err();
    assert!(none.to_string().contains("neither YUYV nor NV12 nor MJPEG"), "{none}");
    let printer = Fake { camera: false, ..fake(&[(YUYV, 30.0)]) };
    assert!(Camera::on("fake", Box::new(printer), (2, 2)).is_err());
}

#[test]
fn pictures_that_are_cut_off_are_none_and_common_tables_may_be_missing() {
    let raw = Format { width: 32, height: 16, pixels: YUYV, stride: 64, wide: false };
    assert!(draw(raw, &[7; 1_023]).is_none() && draw(raw, &[7; 1_024]).is_some());
    assert!(draw(Format { pixels: NV12, stride: 0, ..raw }, &[7; 767]).is_none());
    let jpeg = Format { pixels: MJPEG, ..raw };
    (0..200).for_each(|end| assert!(draw(jpeg, &JPEG[..end]).is_none(), "{end}"));
    // segments of Huffman tables (FF C4) are left out
    let mut bare = JPEG[..2].to_vec();
    let mut at = 2;
    while JPEG[at + 1] != 0xda {
        let length = 2 + usize::from(u16::from_be_bytes([JPEG[at + 2], JPEG[at + 3]]));
        if JPEG[at + 1] != 0xc4 {
            bare.extend_from_slice(&JPEG[at..at + length]);
        }
        at += length;
    }
    bare.extend_from_slice(&JPEG[at..]);
    assert!(bare.len() < JPEG.len());
    let picture = draw(jpeg, &bare).unwrap();
    assert_eq!(colours(&resized(&picture, 32, 16).unwrap()), RED_AND_BLUE);
}
