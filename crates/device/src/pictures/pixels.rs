//! Pictures made of what cameras and programs give: other orders of samples, other sizes.

use levada_codec::video::Picture;

/// Of rows of blue, green and red bytes; none where there are fewer than a picture has, or its sides are odd.
pub fn from_bgr(width: usize, height: usize, pixels: &[u8]) -> Option<Picture> {
    let mut picture = Picture::new(width, height).filter(|_| pixels.len() >= width * height * 3)?;
    let pixel = |x: usize, y: usize| {
        let at = (y * width + x) * 3;
        [pixels[at + 2], pixels[at + 1], pixels[at]].map(i32::from)
    };
    for y in 0..height {
        for x in 0..width {
            let [r, g, b] = pixel(x, y);
            picture.planes[0][y * width + x] = ((19_595 * r + 38_470 * g + 7_471 * b + 32_768) >> 16) as u8;
        }
    }
    for y in 0..height / 2 {
        for x in 0..width / 2 {
            let four = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| pixel(2 * x + dx, 2 * y + dy));
            let [r, g, b] = [0, 1, 2].map(|color| four.iter().map(|pixel| pixel[color]).sum::<i32>());
            let at = y * (width / 2) + x;
            // a quarter of four, around 128
            picture.planes[1][at] = cut(128 + ((-11_059 * r - 21_709 * g + 32_768 * b + 131_072) >> 18));
            picture.planes[2][at] = cut(128 + ((32_768 * r - 27_439 * g - 5_329 * b + 131_072) >> 18));
        }
    }
    Some(picture)
}

/// Appends rows of blue, green and red bytes.
pub fn to_bgr(picture: &Picture, out: &mut Vec<u8>) {
    out.reserve(picture.width * picture.height * 3);
    for y in 0..picture.height {
        for x in 0..picture.width {
            let [r, g, b] = picture.rgb(x, y);
            out.extend_from_slice(&[b, g, r]);
        }
    }
}

/// Of `Y U Y V` bytes, `stride` bytes a row, at full range or, as most cameras give, from 16 to 235.
pub fn from_yuyv(width: usize, height: usize, stride: usize, bytes: &[u8]) -> Option<Picture> {
    let mut picture = Picture::new(width, height)?;
    let row = |y: usize| bytes.get(y * stride..)?.get(..2 * width);
    for y in 0..height {
        let samples = row(y)?.iter().step_by(2);
        picture.planes[0][y * width..][..width].iter_mut().zip(samples).for_each(|(to, from)| *to = *from);
    }
    for y in 0..height / 2 {
        let (upper, lower) = (row(2 * y)?, row(2 * y + 1)?);
        for x in 0..width / 2 {
            for plane in [1, 2] {
                let at = 4 * x + 2 * plane - 1;
                picture.planes[plane][y * (width / 2) + x] =
                    (u16::from(upper[at]) + u16::from(lower[at])).div_ceil(2) as u8;
            }
        }
    }
    Some(picture)
}

/// Of a plane of brightness and one of `U V` pairs, `stride` bytes a row each.
pub fn from_nv12(width: usize, height: usize, stride: usize, bytes: &[u8]) -> Option<Picture> {
    let mut picture = Picture::new(width, height)?;
    let row = |y: usize| bytes.get(y * stride..)?.get(..width);
    for y in 0..height {
        picture.planes[0][y * width..][..width].copy_from_slice(row(y)?);
    }
    for y in 0..height / 2 {
        for (x, pair) in row(height + y)?.chunks_exact(2).enumerate() {
            let at = y * (width / 2) + x;
            (picture.planes[1][at], picture.planes[2][at]) = (pair[0], pair[1]);
        }
    }
    Some(picture)
}

/// Of `Y Cb Cr` bytes, as JPEG has them; odd sides lose their last row or column.
pub fn from_ycc(width: usize, height: usize, bytes: &[u8]) -> Option<Picture> {
    let mut picture = Picture::new(width & !1, height & !1).filter(|_| bytes.len() >= width * height * 3)?;
    let (across, down) = (picture.width, picture.height);
    for y in 0..down {
        for x in 0..across {
            picture.planes[0][y * across + x] = bytes[(y * width + x) * 3];
        }
    }
    for plane in [1, 2] {
        for y in 0..down / 2 {
            for x in 0..across / 2 {
                let at = |dx: usize, dy: usize| bytes[((2 * y + dy) * width + 2 * x + dx) * 3 + plane];
                let sum: u16 = [at(0, 0), at(1, 0), at(0, 1), at(1, 1)].map(u16::from).iter().sum();
                picture.planes[plane][y * (across / 2) + x] = ((sum + 2) / 4) as u8;
            }
        }
    }
    Some(picture)
}

/// Brightness from 16 to 235 and colours from 16 to 240 become 0 to 255.
pub fn widen(picture: &mut Picture) {
    let wider = |over: i32, under: i32, middle: i32| {
        move |x: &mut u8| *x = cut(middle + ((i32::from(*x) - over) * 255 + under / 2).div_euclid(under))
    };
    picture.planes[0].iter_mut().for_each(wider(16, 219, 0));
    picture.planes[1].iter_mut().for_each(wider(128, 224, 128));
    picture.planes[2].iter_mut().for_each(wider(128, 224, 128));
}

/// The picture in a size that fits into `size`, its shape kept: itself where it does.
pub fn scaled(picture: Picture, size: (usize, usize)) -> Picture {
    let (width, height) = (picture.width, picture.height);
    if width <= size.0 && height <= size.1 {
        return picture;
    }
    let share = (size.0 as f64 / width as f64).min(size.1 as f64 / height as f64);
    let even = |side: usize| ((side as f64 * share / 2.0) as usize * 2).max(2);
    resized(&picture, even(width), even(height)).unwrap_or(picture)
}

/// The picture in another size, each sample the mean of those that it covers.
pub fn resized(picture: &Picture, width: usize, height: usize) -> Option<Picture> {
    let mut out = Picture::new(width, height)?;
    for (which, plane) in out.planes.iter_mut().enumerate() {
        let half = if which == 0 { 1 } else { 2 };
        let (from, across, down) = (&picture.planes[which], picture.width / half, picture.height / half);
        let (wide, high) = (width / half, height / half);
        for y in 0..high {
            let rows = y * down / high..((y + 1) * down).div_ceil(high).max(y * down / high + 1);
            for x in 0..wide {
                let columns = x * across / wide..((x + 1) * across).div_ceil(wide).max(x * across / wide + 1);
                let mut sum = 0;
                for row in rows.clone() {
                    let samples = &from[row * across..][columns.clone()];
                    sum += samples.iter().map(|x| u32::from(*x)).sum::<u32>();
                }
                let count = (rows.len() * columns.len()) as u32;
                plane[y * wide + x] = ((sum + count / 2) / count) as u8;
            }
        }
    }
    Some(out)
}

fn cut(x: i32) -> u8 {
    x.clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four fields of one colour each.
    fn fields(width: usize, height: usize) -> Vec<u8> {
        let colors = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];
        let at = |n: usize| colors[n / width / (height / 2) * 2 + n % width / (width / 2)];
        (0..width * height).flat_map(at).collect()
    }

    #[test]
    fn colours_come_back_from_bytes_of_blue_green_and_red() {
        let pixels = fields(16, 8);
        let picture = from_bgr(16, 8, &pixels).unwrap();
        let mut back = Vec::new();
        to_bgr(&picture, &mut back);
        assert!(pixels.iter().zip(&back).all(|(a, b)| a.abs_diff(*b) < 4), "{back:?}");
        assert_eq!(picture.rgb(0, 0).map(|x| x / 32), [0, 0, 7], "blue comes first");
        assert!(from_bgr(16, 8, &pixels[1..]).is_none() && from_bgr(15, 8, &pixels).is_none());
    }

    #[test]
    fn orders_of_samples_are_the_same_picture() {
        let (width, height) = (8, 4);
        let truth = from_bgr(width, height, &fields(width, height)).unwrap();
        let chroma = |plane: usize, x: usize, y: usize| truth.planes[plane][y / 2 * (width / 2) + x / 2];
        let luma = |x: usize, y: usize| truth.planes[0][y * width + x];
        let stride = 2 * width + 4;
        let mut yuyv = vec![0; stride * height];
        let mut nv12 = vec![0; (width + 3) * height * 3 / 2];
        let mut ycc = vec![0; width * height * 3];
        for y in 0..height {
            for x in 0..width {
                yuyv[y * stride + 2 * x] = luma(x, y);
                yuyv[y * stride + 2 * x + 1] = chroma(1 + x % 2, x, y);
                nv12[y * (width + 3) + x] = luma(x, y);
                nv12[(height + y / 2) * (width + 3) + x] = chroma(1 + x % 2, x, y);
                let all = [luma(x, y), chroma(1, x, y), chroma(2, x, y)];
                ycc[(y * width + x) * 3..][..3].copy_from_slice(&all);
            }
        }
        assert!(from_yuyv(width, height, stride, &yuyv).unwrap() == truth);
        assert!(from_nv12(width, height, width + 3, &nv12).unwrap() == truth);
        assert!(from_ycc(width, height, &ycc).unwrap() == truth);
        for end in [0, 1, yuyv.len() - 8] {
            assert!(from_yuyv(width, height, stride, &yuyv[..end]).is_none());
        }
        assert!(from_nv12(width, height, width, &nv12[..20]).is_none());
    }

    #[test]
    fn pictures_shrink_in_their_shape_and_keep_their_colours() {
        let picture = from_bgr(64, 32, &fields(64, 32)).unwrap();
        let small = scaled(picture.clone(), (16, 16));
        assert_eq!((small.width, small.height), (16, 8));
        for (x, y) in [(1, 1), (14, 1), (1, 6), (14, 6)] {
            assert_eq!(small.rgb(x, y), picture.rgb(4 * x, 4 * y));
        }
        assert!(scaled(picture.clone(), (64, 40)) == picture);
        let large = resized(&picture, 100, 70).unwrap();
        assert_eq!(large.rgb(99, 69), picture.rgb(63, 31));
        let mut narrow = Picture::new(2, 2).unwrap();
        narrow.planes[0] = vec![16, 235, 0, 126];
        narrow.planes[1] = vec![240];
        widen(&mut narrow);
        assert_eq!((&narrow.planes[0][..], narrow.planes[1][0]), (&[0, 255, 0, 128][..], 255));
    }
}
