//! `levada lab dashboard`: the links of a lab that is up, with sliders and live plots, in a terminal.

use super::glimpse::Glimpse;
use super::{Which, speak};
use crate::exit::{self, Exit};
use anyhow::Result;
use clap::Args;
use levada_lab::house::{self, Say};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

mod desk;
mod draw;
mod slider;
use desk::{Desk, Key, Wish};

/// Sliders for rate, delay and loss, and live plots.
#[derive(Debug, Args)]
pub struct Dashboard {
    #[command(flatten)]
    which: Which,
}

impl Dashboard {
    /// Shows it until one leaves, or the lab ends.
    ///
    /// # Errors
    /// That there is no such lab, or no terminal.
    pub fn run(self) -> Result<()> {
        show(self.which.name())
    }
}

/// Shows the dashboard of the lab of that name until one leaves it.
///
/// # Errors
/// That there is no such lab, no terminal, or that the lab has ended meanwhile.
pub fn show(name: &str) -> Result<()> {
    let mut desk = Desk::new();
    desk.see(glimpse(name).map_err(|why| speak::nobody(name, why))?);
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        let said = "a dashboard needs a terminal; `levada lab stats --json` has the same as data";
        return Err(Exit(exit::USAGE, said.into()).into());
    }
    let mut terminal = ratatui::try_init()?;
    let left = work(name, &mut desk, &mut terminal);
    ratatui::restore();
    left
}

fn work(name: &str, desk: &mut Desk, terminal: &mut ratatui::DefaultTerminal) -> Result<()> {
    let mut looked = Instant::now();
    loop {
        terminal.draw(|frame| draw::draw(desk, frame))?;
        let left = EVERY.saturating_sub(looked.elapsed());
        let event = if event::poll(left)? { Some(event::read()?) } else { None };
        let key = match event {
            Some(Event::Key(event)) if event.kind != KeyEventKind::Release => {
                meant(desk.typed.is_some(), event)
            }
            _ => None,
        };
        match key.map_or(Wish::Nothing, |key| desk.press(key)) {
            Wish::Leave => return Ok(()),
            Wish::Change(link, text) => desk.said = change(name, &link, &text),
            Wish::Nothing => {}
        }
        if looked.elapsed() >= EVERY || key.is_some() {
            looked = Instant::now();
            desk.see(glimpse(name).map_err(|why| speak::nobody(name, why))?);
        }
    }
}

fn glimpse(name: &str) -> io::Result<Glimpse> {
    let (mut text, mut wrong) = (String::new(), String::new());
    house::ask(name, &["stats".into(), "--json".into()], |say| match say {
        Say::Out(more) => text.push_str(more),
        Say::Err(more) => wrong.push_str(more),
        Say::Status(_) => {}
    })?;
    serde_json::from_str(&text).map_err(|why| io::Error::other(format!("{why} {wrong}")))
}

/// Changes a link, and says so or why not.
fn change(name: &str, link: &str, text: &str) -> Result<String, String> {
    let mut words = vec!["link".to_owned(), link.to_owned()];
    words.extend(text.split_whitespace().map(str::to_owned));
    let mut wrong = String::new();
    let status = house::ask(name, &words, |say| {
        if let Say::Err(more) = say {
            wrong.push_str(more);
        }
    });
    match status {
        Ok(0) => Ok(format!("{link}: {text}")),
        Ok(_) => Err(wrong.split_whitespace().collect::<Vec<_>>().join(" ")),
        Err(why) => Err(why.to_string()),
    }
}

/// What a key of a terminal means.
fn meant(typing: bool, event: KeyEvent) -> Option<Key> {
    let further = if event.modifiers.contains(KeyModifiers::SHIFT) { 5 } else { 1 };
    match event.code {
        KeyCode::Char('c' | 'd') if event.modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Leave),
        KeyCode::Esc => Some(Key::Leave),
        KeyCode::Enter => Some(Key::Enter),
        KeyCode::Backspace => Some(Key::Back),
        KeyCode::Char(letter) if typing => Some(Key::Letter(letter)),
        KeyCode::Char('q') => Some(Key::Leave),
        KeyCode::Char('e') => Some(Key::Type),
        KeyCode::Char('d') => Some(Key::Way),
        KeyCode::Up | KeyCode::Char('k') => Some(Key::Slider(-1)),
        KeyCode::Down | KeyCode::Char('j') => Some(Key::Slider(1)),
        KeyCode::Left | KeyCode::Char('h') => Some(Key::Slide(-further)),
        KeyCode::Right | KeyCode::Char('l') => Some(Key::Slide(further)),
        KeyCode::Char('H') => Some(Key::Slide(-5)),
        KeyCode::Char('L') => Some(Key::Slide(5)),
        KeyCode::Tab => Some(Key::Link(1)),
        KeyCode::BackTab => Some(Key::Link(-1)),
        _ => None,
    }
}

/// How often it looks.
const EVERY: Duration = Duration::from_millis(100);
