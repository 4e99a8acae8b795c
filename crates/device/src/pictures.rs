//! Where pictures come from.

mod film;
pub mod pixels;

pub use film::Film;
pub use pixels::{from_bgr, scaled, to_bgr};

use crate::Error;
use levada_codec::video::{Picture, Scene};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Where pictures come from. Those of files and the test picture are paced by the clock: of two that are due the later one is given.
#[derive(Debug)]
#[non_exhaustive]
pub enum Pictures {
    /// A test picture: somebody who talks before a still camera, 320 by 240, thirty a second.
    Test(Scene, Pace),
    /// A `.y4m` file, again and again.
    Film(Film, Pace),
    /// A camera.
    #[cfg(target_os = "linux")]
    Camera(crate::camera::Camera),
}

/// When pictures are due that have no clock of their own.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    began: Instant,
    /// Pictures a second.
    rate: f64,
    /// Those that are over.
    done: u64,
}

impl Pictures {
    /// What is called `name`: `test`, a file that ends in `.y4m`, `camera` for the first one there is, or a camera by its device
    /// (`/dev/video2`). Of a camera's sizes the one that is nearest to `size` is chosen.
    ///
    /// # Errors
    /// That there is none, or what is wrong with it.
    pub fn open(name: &str, size: (usize, usize)) -> Result<Pictures, Error> {
        if name == "test" {
            return Ok(Pictures::Test(Scene::new(320, 240, 1), Pace::new(30.0)));
        }
        if Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case("y4m")) {
            let film = Film::open(name)?;
            let pace = Pace::new(film.rate());
            return Ok(Pictures::Film(film, pace));
        }
        #[cfg(target_os = "linux")]
        if name == "camera" || name.starts_with("/dev/") {
            return Ok(Pictures::Camera(crate::camera::Camera::open(name, size)?));
        }
        #[cfg(not(target_os = "linux"))]
        let _ = size;
        Err(Error::NoPictures { name: name.into() })
    }

    /// Pictures a second, about.
    pub fn rate(&self) -> f64 {
        match self {
            Pictures::Test(_, pace) | Pictures::Film(_, pace) => pace.rate,
            #[cfg(target_os = "linux")]
            Pictures::Camera(camera) => camera.rate(),
        }
    }

    /// The clock of pictures that have none of their own begins then.
    pub fn begin(&mut self, at: Instant) {
        if let Pictures::Test(_, pace) | Pictures::Film(_, pace) = self {
            pace.began = at;
        }
    }

    /// Waits for the next picture, a tenth of a second at most; with it, when it was captured.
    ///
    /// # Errors
    /// That no more will come.
    pub fn wait(&mut self) -> Result<Option<(Instant, Picture)>, Error> {
        match self {
            Pictures::Test(scene, pace) => {
                Ok(pace.wait().map(|(at, number)| (at, scene.picture(number as u32))))
            }
            Pictures::Film(film, pace) => match pace.wait() {
                Some((at, number)) => Ok(Some((at, film.picture(number)?))),
                None => Ok(None),
            },
            #[cfg(target_os = "linux")]
            Pictures::Camera(camera) => camera.wait(),
        }
    }
}

impl Pace {
    fn new(rate: f64) -> Pace {
        Pace { began: Instant::now(), rate: rate.clamp(0.1, 240.0), done: 0 }
    }

    /// The number of the picture that is due, when it is: those that were slept through are left out.
    fn wait(&mut self) -> Option<(Instant, u64)> {
        let due = |number: u64| self.began + Duration::from_secs_f64(number as f64 / self.rate);
        let left = due(self.done).saturating_duration_since(Instant::now());
        thread::sleep(left.min(Duration::from_millis(100)));
        if left > Duration::from_millis(100) {
            return None;
        }
        let over = (self.began.elapsed().as_secs_f64() * self.rate + 1e-6) as u64;
        let number = over.max(self.done);
        self.done = number + 1;
        Some((due(number), number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_pictures_come_in_time_and_those_that_were_slept_through_do_not() {
        let mut pictures = Pictures::open("test", (320, 240)).unwrap();
        let began = Instant::now();
        pictures.begin(began);
        let (first, _) = pictures.wait().unwrap().unwrap();
        assert_eq!((first, pictures.rate()), (began, 30.0));
        thread::sleep(Duration::from_millis(150));
        let (later, picture) = pictures.wait().unwrap().unwrap();
        assert!(later >= began + Duration::from_millis(130), "{:?}", later - began);
        assert_eq!((picture.width, picture.height), (320, 240));
        assert!(matches!(Pictures::open("peer.example", (2, 2)), Err(Error::NoPictures { .. })));
        assert!(matches!(Pictures::open("/nowhere/a.y4m", (2, 2)), Err(Error::File { .. })));
    }
}
