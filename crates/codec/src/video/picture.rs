//! A picture in brightness and two differences of colour, these at half its size.

/// 8 bits a sample, 4:2:0, rows from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Samples a row: even.
    pub width: usize,
    /// Rows: even.
    pub height: usize,
    /// Brightness, then the differences of blue and red.
    pub planes: [Vec<u8>; 3],
}

impl Picture {
    /// A grey one; none where a side is odd, nothing or too long.
    pub fn new(width: usize, height: usize) -> Option<Picture> {
        let fits = |side: usize| side.is_multiple_of(2) && (2..=super::LARGEST).contains(&side);
        let small = vec![128; width * height / 4];
        (fits(width) && fits(height)).then(|| Picture {
            width,
            height,
            planes: [vec![128; width * height], small.clone(), small],
        })
    }

    /// Red, green and blue of a place, each 0 to 255 (BT.601, full range).
    pub fn rgb(&self, x: usize, y: usize) -> [u8; 3] {
        let (x, y) = (x.min(self.width - 1), y.min(self.height - 1));
        let small = y / 2 * (self.width / 2) + x / 2;
        let luma = i32::from(self.planes[0][y * self.width + x]);
        let [blue, red] = [1, 2].map(|plane: usize| i32::from(self.planes[plane][small]) - 128);
        let cut = |more: i32| (luma + ((more + (1 << 15)) >> 16)).clamp(0, 255) as u8;
        [cut(91_881 * red), cut(-22_554 * blue - 46_802 * red), cut(116_130 * blue)]
    }

    /// How alike two pictures of a size are in brightness, in dB.
    pub fn psnr(&self, other: &Picture) -> f64 {
        let pairs = self.planes[0].iter().zip(&other.planes[0]);
        let sum: f64 = pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
        10.0 * (255.0 * 255.0 / (sum / self.planes[0].len() as f64).max(1e-6)).log10()
    }
}

/// A plane with room around it, of whole macroblocks.
#[derive(Clone, Debug)]
pub(super) struct Plane {
    pub width: usize,
    pub height: usize,
    pub stride: usize,
    pub data: Vec<u8>,
}

/// Samples around a plane.
pub(super) const PAD: usize = 32;

impl Plane {
    pub fn new(width: usize, height: usize) -> Plane {
        let stride = width + 2 * PAD;
        Plane { width, height, stride, data: vec![128; stride * (height + 2 * PAD)] }
    }

    /// Where a place lies in `data`.
    pub fn at(&self, x: isize, y: isize) -> usize {
        ((y + PAD as isize) * self.stride as isize + x + PAD as isize) as usize
    }

    /// Continues the edges outwards.
    pub fn pad(&mut self) {
        let (width, height) = (self.width, self.height);
        for y in 0..height {
            let row = self.at(0, y as isize);
            let (first, last) = (self.data[row], self.data[row + width - 1]);
            self.data[row - PAD..row].fill(first);
            self.data[row + width..row + width + PAD].fill(last);
        }
        let (top, bottom) = (PAD * self.stride, (PAD + height - 1) * self.stride);
        for row in 0..PAD {
            self.data.copy_within(top..top + self.stride, row * self.stride);
            self.data.copy_within(bottom..bottom + self.stride, (PAD + height + row) * self.stride);
        }
    }

    /// Takes a plane of a picture, and continues it to whole macroblocks.
    pub fn load(&mut self, samples: &[u8], width: usize, height: usize) {
        for y in 0..self.height {
            let from = &samples[y.min(height - 1) * width..][..width];
            let to = self.at(0, y as isize);
            self.data[to..to + width].copy_from_slice(from);
            self.data[to + width..to + self.width].fill(from[width - 1]);
        }
    }

    /// Gives the plane of a picture.
    pub fn store(&self, samples: &mut [u8], width: usize) {
        for (y, row) in samples.chunks_exact_mut(width).enumerate() {
            let from = self.at(0, y as isize);
            row.copy_from_slice(&self.data[from..from + width]);
        }
    }
}
