//! Writes pictures into a file, as many a second as it says, whatever came when.

use super::Shared;
use anyhow::{Context, Result};
use levada_codec::video::{Picture, y4m};
use levada_device::pictures::pixels::resized;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// A file that is written on a thread of its own. Sixteen pictures wait to be written; one that finds no room is seen no longer than those
/// beside it, and the file stays as long as the sound.
pub struct Film {
    path: PathBuf,
    file: Option<File>,
    rate: f64,
    /// The place of the last picture that was given.
    place: Option<u64>,
    to: Option<SyncSender<(u64, Shared)>>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Film {
    pub fn create(path: &Path) -> Result<Film> {
        let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Film { path: path.into(), file: Some(file), rate: 30.0, place: None, to: None, thread: None })
    }

    /// From `position` seconds on, this picture. The first one says how many there are a second, and what their size is.
    pub fn show(&mut self, picture: &Shared, rate: f64, position: f64) {
        if let Some(file) = self.file.take() {
            self.rate = rate.clamp(1.0, 255.0).round();
            let (to, from) = sync_channel(16);
            let first = picture.clone();
            let rate = self.rate as u32;
            let thread = thread::Builder::new().name("film".into());
            self.thread = thread.spawn(move || write(file, rate, &first, &from)).ok();
            self.to = Some(to);
        }
        let exact = position * self.rate;
        // pictures that come as fast as they should take places in a row, wherever between two places they come
        let place = match self.place {
            Some(before) if (exact - before as f64 - 1.0).abs() < 0.75 => before + 1,
            Some(before) => (exact.max(0.0).round() as u64).max(before + 1),
            None => exact.max(0.0).round() as u64,
        };
        self.place = Some(place);
        if let Some(to) = &self.to {
            let _no_room = to.try_send((place, picture.clone()));
        }
    }

    /// Ends it after so many seconds.
    pub fn finish(mut self, position: f64) -> Result<()> {
        if let Some(to) = self.to.take() {
            let last = Arc::new(Picture::new(2, 2).context("that size is even")?);
            let _failed = to.send(((position * self.rate) as u64, last));
        }
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let written = thread.join().unwrap_or_else(|_| Err(std::io::Error::other("the writer failed")));
        written.with_context(|| format!("{} takes no more", self.path.display()))
    }
}

/// Each picture from its place on to the next one's; the last one's place is the end.
fn write(file: File, rate: u32, like: &Picture, from: &Receiver<(u64, Shared)>) -> std::io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 17, file);
    let mut bytes = Vec::new();
    y4m::write_head(like, rate, &mut bytes);
    file.write_all(&bytes)?;
    let mut black = like.clone();
    black.planes[0].fill(0);
    black.planes[1..].iter_mut().for_each(|plane| plane.fill(128));
    let mut now: Shared = Arc::new(black);
    let mut place = 0;
    while let Ok((until, next)) = from.recv() {
        bytes.clear();
        y4m::write(&now, &mut bytes);
        while place < until {
            file.write_all(&bytes)?;
            place += 1;
        }
        now = match (next.width, next.height) == (like.width, like.height) {
            true => next,
            false => resized(&next, like.width, like.height).map_or(next, Arc::new),
        };
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use levada_codec::video::{Scene, y4m::Reader};

    #[test]
    fn pictures_stay_until_the_next_one_and_the_file_is_as_long_as_the_sound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.y4m");
        let scene = Scene::new(32, 16, 1);
        let mut film = Film::create(&path).unwrap();
        // begins at the fourth picture; one is missing; then another size
        for (number, position) in [(1, 0.101), (2, 0.139), (3, 0.165), (5, 0.235), (6, 0.27)] {
            film.show(&Arc::new(scene.picture(number)), 30.0, position);
        }
        film.show(&Arc::new(Scene::new(64, 32, 1).picture(0)), 30.0, 0.4);
        film.finish(0.5).unwrap();
        let mut reader = Reader::new(std::io::BufReader::new(File::open(path).unwrap())).unwrap();
        let mut all = Vec::new();
        while let Some(picture) = reader.picture().unwrap() {
            let found = (0..8).find(|number| scene.picture(*number) == picture);
            all.push(found.unwrap_or(if picture.planes[0][0] == 0 { 90 } else { 99 }));
        }
        assert_eq!(all, [90, 90, 90, 1, 2, 3, 3, 5, 6, 6, 6, 6, 99, 99, 99]);
    }
}
