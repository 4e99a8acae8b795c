//! Raw pictures in numbered pieces, as `minimal_video` and its TFG variant send them.

/// The size of the pictures, which both ends must know: rows of blue, green and red bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
}

/// How a picture is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Into runs of so many bytes, the last one shorter.
    Runs(usize),
    /// Into squares of so many pixels, smaller at the right and lower edge, row by row.
    Squares(usize),
}

impl Picture {
    /// How many bytes it has.
    pub fn bytes(self) -> usize {
        self.width * self.height * 3
    }

    /// How many pieces it is cut into; none where the cut is of no size.
    pub fn pieces(self, cut: Cut) -> usize {
        match cut {
            Cut::Runs(0) | Cut::Squares(0) => 0,
            Cut::Runs(bytes) => self.bytes().div_ceil(bytes),
            Cut::Squares(side) => self.width.div_ceil(side) * self.height.div_ceil(side),
        }
    }

    /// Appends the datagram of a piece to `out`: its index and its bytes.
    pub fn write(self, cut: Cut, index: u16, pixels: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&index.to_be_bytes());
        self.rows(cut, usize::from(index))
            .for_each(|row| out.extend_from_slice(pixels.get(row).unwrap_or(&[])));
    }

    /// Puts a datagram's piece where it belongs; false for one that is none or has the wrong length.
    pub fn read(self, cut: Cut, datagram: &[u8], pixels: &mut [u8]) -> bool {
        let Some((index, mut bytes)) = datagram.split_first_chunk() else { return false };
        let index = usize::from(u16::from_be_bytes(*index));
        let length: usize = self.rows(cut, index).map(|row| row.len()).sum();
        if length == 0 || bytes.len() != length || pixels.len() != self.bytes() {
            return false;
        }
        for row in self.rows(cut, index) {
            let (now, later) = bytes.split_at(row.len());
            pixels[row].copy_from_slice(now);
            bytes = later;
        }
        true
    }

    /// Where a piece's bytes lie in the picture; nothing for an index beyond the last.
    fn rows(self, cut: Cut, index: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
        let (rows, first, length, stride) = match cut {
            _ if index >= self.pieces(cut) => (0, 0, 0, 0),
            Cut::Runs(bytes) => (1, index * bytes, bytes.min(self.bytes() - index * bytes), 0),
            Cut::Squares(side) => {
                let across = self.width.div_ceil(side);
                let (x, y) = (index % across * side, index / across * side);
                let (wide, high) = (side.min(self.width - x), side.min(self.height - y));
                (high, (y * self.width + x) * 3, wide * 3, self.width * 3)
            }
        };
        (0..rows).map(move |row| first + row * stride..first + row * stride + length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Picture = Picture { width: 320, height: 240 };

    #[test]
    fn a_picture_of_the_seminar_is_165_runs_of_1398_bytes() {
        assert_eq!(SMALL.pieces(Cut::Runs(1398)), 165);
        let pixels = vec![7; SMALL.bytes()];
        let mut last = Vec::new();
        SMALL.write(Cut::Runs(1398), 164, &pixels, &mut last);
        assert_eq!((last.len(), &last[..2]), (2 + 1128, &[0, 164][..]));
    }

    #[test]
    fn pictures_come_back_from_their_pieces_in_any_order() {
        let picture = Picture { width: 37, height: 21 };
        let pixels: Vec<u8> = (0..picture.bytes()).map(|n| (n * 31 % 251) as u8).collect();
        for cut in [Cut::Runs(100), Cut::Squares(16)] {
            let mut back = vec![0; pixels.len()];
            for index in (0..picture.pieces(cut) as u16).rev() {
                let mut datagram = Vec::new();
                picture.write(cut, index, &pixels, &mut datagram);
                assert!(picture.read(cut, &datagram, &mut back));
                datagram.push(0);
                assert!(!picture.read(cut, &datagram, &mut back));
            }
            assert_eq!(back, pixels);
        }
        assert!(!picture.read(Cut::Squares(16), &[255, 255, 1], &mut vec![0; pixels.len()]));
        assert!(!picture.read(Cut::Runs(0), &[0, 0, 1], &mut vec![0; pixels.len()]));
    }
}
