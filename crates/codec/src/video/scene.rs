//! A test picture that moves: somebody talks before a still camera, whose sensor is noisy.

use super::Picture;

/// Draws pictures by number, always the same ones.
#[derive(Clone, Debug)]
pub struct Scene {
    width: usize,
    height: usize,
    seed: u32,
    /// The room.
    wall: Picture,
}

impl Scene {
    /// Of a size, even; odd or absurd sizes become 320 by 240.
    pub fn new(width: usize, height: usize, seed: u32) -> Scene {
        let fits = Picture::new(width, height);
        let mut wall = fits.or_else(|| Picture::new(320, 240)).expect("that size is even");
        let (width, height) = (wall.width, wall.height);
        for plane in 0..3 {
            let half = if plane == 0 { 1 } else { 2 };
            let columns = width / half;
            for (i, sample) in wall.planes[plane].iter_mut().enumerate() {
                let (x, y) = (i % columns * half, i / columns * half);
                *sample = room(plane, x, y, width, height, seed);
            }
        }
        Scene { width, height, seed, wall }
    }

    /// The picture of a number; thirty a second are meant.
    pub fn picture(&self, number: u32) -> Picture {
        let mut picture = self.wall.clone();
        let t = f64::from(number) / 30.0;
        // a head that nods and turns, shoulders below
        let size = self.height as f64;
        let centre = [
            self.width as f64 * 0.5 + size * 0.04 * (t * 1.3).sin(),
            size * (0.45 + 0.015 * (t * 2.1).sin()),
        ];
        let open = 0.02 + 0.02 * (t * 9.0).sin().abs() * ((t * 0.7).sin() > -0.3) as u8 as f64;
        let blink = (t % 3.1) < 0.15;
        let noise = |i: usize, plane: u32| {
            let mut x = (i as u32)
                .wrapping_mul(0x9e37_79b1)
                .wrapping_add(number.wrapping_mul(0x85eb_ca6b))
                .wrapping_add(self.seed ^ plane << 29);
            x = (x ^ x >> 15).wrapping_mul(0x2c1b_3c6d);
            x = (x ^ x >> 12).wrapping_mul(0x297a_2d39);
            x ^= x >> 15;
            // about 1.3 of 255, as a webcam's after its own filter
            ((x & 3) + (x >> 2 & 3) + (x >> 4 & 3)) as i32 / 2 - 2
        };
        for plane in 0..3 {
            let half = if plane == 0 { 1 } else { 2 };
            let columns = self.width / half;
            for (i, sample) in picture.planes[plane].iter_mut().enumerate() {
                let x = ((i % columns * half) as f64 - centre[0]) / size;
                let y = ((i / columns * half) as f64 - centre[1]) / size;
                let drawn = person(plane, x, y, open, blink).unwrap_or(i32::from(*sample));
                let grain = if plane == 0 { noise(i, plane as u32) } else { noise(i, plane as u32) / 2 };
                *sample = (drawn + grain).clamp(0, 255) as u8;
            }
        }
        picture
    }
}

/// A wall with a picture, a shelf of books, a lamp's light.
fn room(plane: usize, x: usize, y: usize, width: usize, height: usize, seed: u32) -> u8 {
    let (u, v) = (x as f64 / width as f64, y as f64 / height as f64);
    let light = 150.0 + 60.0 * (-((u - 0.2).powi(2) + (v - 0.1).powi(2)) * 3.0).exp() - 50.0 * v;
    let grain = |scale: usize| {
        let cell = (x / scale) as u32 * 7_919 + (y / scale) as u32 * 104_729 + seed;
        f64::from(cell.wrapping_mul(2_654_435_761) >> 24) / 255.0 - 0.5
    };
    let [mut luma, mut blue, mut red] = [light + 6.0 * grain(3), 120.0, 134.0];
    if (0.68..0.95).contains(&u) && (0.1..0.62).contains(&v) {
        let book = (u * 60.0) as u32 * 31 + (v * 3.85) as u32 * 977;
        let shade = f64::from(book.wrapping_mul(2_246_822_519) >> 24);
        let edge = (u * 60.0).fract() < 0.14 || (v * 3.85).fract() < 0.06;
        luma = if edge { 40.0 } else { 60.0 + 0.4 * shade + 12.0 * grain(2) };
        (blue, red) = (100.0 + 0.25 * shade, 155.0 - 0.2 * shade);
    } else if (0.06..0.3).contains(&u) && (0.16..0.5).contains(&v) {
        let frame = !(0.08..0.28).contains(&u) || !(0.2..0.46).contains(&v);
        luma = if frame { 50.0 } else { 110.0 + 50.0 * (u * 70.0).sin() * (v * 45.0 + u * 20.0).cos() };
        (blue, red) = if frame { (118.0, 138.0) } else { (150.0, 112.0) };
    }
    [luma, blue, red][plane].clamp(0.0, 255.0) as u8
}

/// Somebody, in heights of the picture from the middle of the head.
fn person(plane: usize, x: f64, y: f64, open: f64, blink: bool) -> Option<i32> {
    let within = |cx: f64, cy: f64, rx: f64, ry: f64| ((x - cx) / rx).powi(2) + ((y - cy) / ry).powi(2) < 1.0;
    let shade = 1.0 - 0.9 * x.abs() - 0.25 * (y + 0.1).abs();
    let color = |luma: f64, blue: i32, red: i32| match plane {
        0 => Some(luma as i32),
        1 => Some(blue),
        _ => Some(red),
    };
    if within(0.0, 0.0, 0.15, 0.2) {
        if within(0.0, 0.1, 0.05, open) {
            return color(60.0, 118, 160);
        }
        if within(-0.06, -0.03, 0.022, 0.014) || within(0.06, -0.03, 0.022, 0.014) {
            return if blink { color(140.0 * shade, 112, 150) } else { color(35.0, 128, 128) };
        }
        if y < -0.1 {
            return color(60.0 + 25.0 * (x * 160.0 + y * 40.0).sin(), 120, 136);
        }
        return color(175.0 * shade + 4.0 * (x * 90.0).sin() * (y * 70.0).sin(), 110, 152);
    }
    if within(0.0, 0.62, 0.42, 0.42) || within(0.0, 0.2, 0.07, 0.12) {
        let stripe = if (y * 40.0).sin() > 0.2 { 95.0 } else { 70.0 };
        return if y < 0.26 && x.abs() < 0.07 {
            color(150.0 * shade, 112, 150)
        } else {
            color(stripe * shade, 150, 112)
        };
    }
    None
}
