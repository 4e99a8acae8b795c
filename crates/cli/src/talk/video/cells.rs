//! Pictures in a terminal, above what is said and the meters.

use super::Shared;
use levada_codec::video::Picture;
use levada_device::pictures::pixels::resized;
use std::fmt::Write as _;
use std::io::{Write, stderr};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// How pictures are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum How {
    /// Where somebody watches, and pictures are sent or nowhere else shown.
    Auto,
    /// Two pixels a character, as halves of blocks.
    Blocks,
    /// Not.
    Off,
}

/// The upper lines of a terminal, drawn on a thread of its own, which a slow terminal makes miss pictures. What is said scrolls below.
pub struct Cells {
    to: Option<SyncSender<Shared>>,
    thread: Option<JoinHandle<()>>,
}

impl Cells {
    pub fn start() -> Cells {
        let (to, pictures) = sync_channel(1);
        let thread = thread::Builder::new().name("cells".into()).spawn(move || work(&pictures)).ok();
        Cells { to: Some(to), thread }
    }

    /// From now on, this picture.
    pub fn show(&self, picture: &Shared) {
        if let Some(to) = &self.to {
            let _missed = to.try_send(picture.clone());
        }
    }
}

impl Drop for Cells {
    fn drop(&mut self) {
        self.to = None;
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

fn work(pictures: &Receiver<Shared>) {
    let mut terminal = None;
    let colors = Colors::of(&std::env::var("COLORTERM").unwrap_or_default());
    while let Ok(picture) = pictures.recv() {
        let Some((columns, lines)) = size() else { continue };
        let Some((across, down)) = fitting(&picture, columns, lines) else { continue };
        let mut out = String::new();
        if terminal != Some((columns, lines, down)) {
            terminal = Some((columns, lines, down));
            // what is said from now on scrolls in the lines below
            let _ = write!(out, "\x1b[r\x1b[2J\x1b[{};{lines}r\x1b[{};1H", down + 1, lines);
        }
        out.push_str("\x1b7\x1b[?25l");
        for (n, line) in drawn(&picture, across, down, colors).iter().enumerate() {
            let _ = write!(out, "\x1b[{};1H{line}", n + 1);
        }
        out.push_str("\x1b[0m\x1b8\x1b[?25h");
        put(&out);
    }
    if let Some((_, lines, _)) = terminal {
        put(&format!("\x1b7\x1b[r\x1b8\x1b[{lines};1H\n"));
    }
}

fn put(text: &str) {
    let mut out = stderr().lock();
    let _watched = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn size() -> Option<(usize, usize)> {
    let (columns, lines) = terminal_size::terminal_size_of(stderr())?;
    Some((usize::from(columns.0), usize::from(lines.0)))
}

/// Characters across and lines down, in the picture's shape, that leave some lines below; none where there is no room.
fn fitting(picture: &Picture, columns: usize, lines: usize) -> Option<(usize, usize)> {
    let most = lines.saturating_sub(6).min(60);
    if most < 4 || columns < 8 {
        return None;
    }
    let (width, height) = (picture.width as f64, picture.height as f64);
    // a character is two pixels high
    let share = (columns.min(240) as f64 / width).min(2.0 * most as f64 / height);
    let even = |side: f64| ((side * share / 2.0) as usize * 2).max(2);
    Some((even(width), even(height) / 2))
}

/// Lines of upper halves of blocks, whose lower halves are the background.
fn drawn(picture: &Picture, across: usize, down: usize, colors: Colors) -> Vec<String> {
    let Some(small) = resized(picture, across, 2 * down) else { return Vec::new() };
    let mut lines = Vec::with_capacity(down);
    for line in 0..down {
        let (mut text, mut last) = (String::with_capacity(across * 40), None);
        for x in 0..across {
            let pair = [small.rgb(x, 2 * line), small.rgb(x, 2 * line + 1)].map(|rgb| colors.of_rgb(rgb));
            if last.as_ref() != Some(&pair) {
                let _ = write!(text, "\x1b[38;{};48;{}m", pair[0], pair[1]);
                last = Some(pair);
            }
            text.push('▀');
        }
        text.push_str("\x1b[0m");
        lines.push(text);
    }
    lines
}

/// What a terminal can show.
#[derive(Clone, Copy, Debug)]
enum Colors {
    /// 24 bits.
    All,
    /// A cube of 216 and 24 greys.
    Some,
}

impl Colors {
    fn of(colorterm: &str) -> Colors {
        if ["truecolor", "24bit"].contains(&colorterm) { Colors::All } else { Colors::Some }
    }

    /// What stands behind 38 or 48.
    fn of_rgb(self, [r, g, b]: [u8; 3]) -> String {
        match self {
            Colors::All => format!("2;{r};{g};{b}"),
            Colors::Some => {
                let grey = r.abs_diff(g) < 10 && g.abs_diff(b) < 10 && (8..=238).contains(&g);
                let level = |x: u8| if x < 48 { 0 } else { (u16::from(x.max(75)) - 35) / 40 };
                let index = match grey {
                    true => 232 + (u16::from(g) - 8) / 10,
                    false => 16 + 36 * level(r) + 6 * level(g) + level(b),
                };
                format!("5;{index}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use levada_device::pictures::from_bgr;

    #[test]
    fn two_pixels_are_a_character_and_colours_are_told_once() {
        let pixels: Vec<u8> = (0..64).flat_map(|n| if n < 32 { [0, 0, 255] } else { [255, 0, 0] }).collect();
        let picture = from_bgr(8, 8, &pixels).unwrap();
        assert_eq!(fitting(&picture, 80, 12), Some((12, 6)));
        assert_eq!(fitting(&picture, 80, 9), None);
        let lines = drawn(&picture, 4, 2, Colors::All);
        assert_eq!(
            lines,
            ["\x1b[38;2;254;0;0;48;2;254;0;0m▀▀▀▀\x1b[0m", "\x1b[38;2;0;0;254;48;2;0;0;254m▀▀▀▀\x1b[0m"]
        );
        assert_eq!(Colors::Some.of_rgb([255, 255, 255]), "5;231");
        assert_eq!(Colors::Some.of_rgb([128, 128, 128]), "5;244");
        assert_eq!(Colors::Some.of_rgb([255, 0, 0]), "5;196");
    }
}
