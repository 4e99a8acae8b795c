//! What the dashboard knows and which keys do what: no terminal, no clock, no socket.

use super::super::glimpse::{Glimpse, Shown};
use super::slider::Slider;
use levada_lab::{Priority, Stats};
use levada_link::LinkConfig;
use std::collections::VecDeque;

/// The state of a dashboard.
///
/// Holds the last minute, at most 1,200 glimpses; the oldest leave first.
pub struct Desk {
    /// The links, as of the last glimpse.
    pub links: Vec<Shown>,
    /// What is on them: `down` and `up` of each.
    configs: Vec<[LinkConfig; 2]>,
    /// Which link is looked at.
    pub link: usize,
    /// Which directions of it a change is for.
    pub way: Way,
    /// Which slider is held.
    pub slider: usize,
    /// A change being typed.
    pub typed: Option<String>,
    /// The last change, or why there was none.
    pub said: Result<String, String>,
    /// What scheduling the engine got.
    pub priority: Option<Priority>,
    history: VecDeque<Moment>,
}

/// A glimpse, with what the links were then.
struct Moment {
    stats: Stats,
    /// Of each direction, in bits per second.
    rates: Vec<Option<f64>>,
}

/// Which directions of a link are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Both.
    Both,
    /// From its first end to its second.
    Down,
    /// And back.
    Up,
}

/// A key of the dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// To the slider above or below.
    Slider(i32),
    /// Slides by so many steps.
    Slide(i32),
    /// To the next link or the one before.
    Link(i32),
    /// Other directions.
    Way,
    /// Begins to type a change.
    Type,
    /// A letter of it.
    Letter(char),
    /// Takes the last one back.
    Back,
    /// Does what was typed.
    Enter,
    /// Leaves typing, or the dashboard.
    Leave,
}

/// What a key asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Only to be drawn again.
    Nothing,
    /// A change: of which link or direction, and to what.
    Change(String, String),
    /// The end of the dashboard.
    Leave,
}

/// A curve of the last minute: seconds before now (at most 0), and a value.
pub type Curve = Vec<(f64, f64)>;

impl Desk {
    /// Looking at the bottleneck.
    pub fn new() -> Desk {
        Desk {
            links: Vec::new(),
            configs: Vec::new(),
            link: 0,
            way: Way::Both,
            slider: 0,
            typed: None,
            said: Ok(String::new()),
            priority: None,
            history: VecDeque::new(),
        }
    }

    /// Takes in how the lab is now.
    pub fn see(&mut self, glimpse: Glimpse) {
        if self.links.is_empty() {
            self.link = glimpse.links.iter().position(|link| link.name == "core").unwrap_or(0);
        }
        self.configs = glimpse.links.iter().map(Shown::configs).collect();
        self.links = glimpse.links;
        self.link = self.link.min(self.links.len().saturating_sub(1));
        self.priority = Some(glimpse.priority);
        let rates =
            self.configs.iter().flatten().map(|config| config.rate.map(|rate| rate.0 as f64)).collect();
        let now = glimpse.stats.seconds;
        self.history.push_back(Moment { stats: glimpse.stats, rates });
        let old = |moment: &Moment| moment.stats.seconds < now - SPAN - 1.0;
        while self.history.len() > MOST || self.history.front().is_some_and(old) {
            self.history.pop_front();
        }
    }

    /// The link that is looked at: what it is in the direction that a change is for, `down` where that is both.
    pub fn config(&self) -> Option<&LinkConfig> {
        Some(&self.configs.get(self.link)?[usize::from(self.way == Way::Up)])
    }

    /// Its two directions.
    pub fn both(&self) -> Option<&[LinkConfig; 2]> {
        self.configs.get(self.link)
    }

    /// What the engine has been doing until now.
    pub fn stats(&self) -> Option<&Stats> {
        self.history.back().map(|moment| &moment.stats)
    }

    /// Does what a key asks for, and says what is left to others.
    pub fn press(&mut self, key: Key) -> Wish {
        if let Some(text) = &mut self.typed {
            match key {
                Key::Letter(letter) if text.chars().count() < LONGEST => text.push(letter),
                Key::Back => drop(text.pop()),
                Key::Leave => self.typed = None,
                Key::Enter => {
                    let text = self.typed.take().unwrap_or_default();
                    return if text.trim().is_empty() { Wish::Nothing } else { self.change(text.trim()) };
                }
                _ => {}
            }
            return Wish::Nothing;
        }
        let round =
            |at: usize, by: i32, of: usize| (at as i64 + i64::from(by)).rem_euclid(of.max(1) as i64) as usize;
        match key {
            Key::Slider(by) => self.slider = round(self.slider, by, Slider::ALL.len()),
            Key::Link(by) => self.link = round(self.link, by, self.links.len()),
            Key::Way => self.way = [Way::Down, Way::Up, Way::Both][self.way as usize],
            Key::Type => self.typed = Some(String::new()),
            Key::Slide(by) => {
                let text = self.config().and_then(|config| Slider::ALL[self.slider].moved(config, by));
                return text.map_or(Wish::Nothing, |text| self.change(&text));
            }
            Key::Leave => return Wish::Leave,
            Key::Letter(_) | Key::Back | Key::Enter => {}
        }
        Wish::Nothing
    }

    fn change(&self, text: &str) -> Wish {
        let Some(link) = self.links.get(self.link) else { return Wish::Nothing };
        let name = match self.way {
            Way::Both => link.name.clone(),
            Way::Down => format!("{}.down", link.name),
            Way::Up => format!("{}.up", link.name),
        };
        Wish::Change(name, text.to_owned())
    }

    /// Bits per second that came out of a direction of the link: `side` 0 for down, 1 for up.
    pub fn throughput(&self, side: usize) -> Curve {
        self.steps(side, |before, after, seconds| {
            Some((after.delivered_bytes - before.delivered_bytes) as f64 * 8.0 / seconds)
        })
    }

    /// Seconds that packets were on the way, on average over those that came out since the glimpse before.
    pub fn delay(&self, side: usize) -> Curve {
        self.steps(side, |before, after, _| {
            let (packets, nanos) = (after.delivered - before.delivered, after.delay_ns - before.delay_ns);
            (packets > 0).then(|| nanos as f64 / 1e9 / packets as f64)
        })
    }

    /// Packets in its queue.
    pub fn queue(&self, side: usize) -> Curve {
        self.curve(|moment| Some(moment.stats.queues.get(2 * self.link + side)?.0 as f64))
    }

    /// Its rate in bits per second, where it has one.
    pub fn rate(&self, side: usize) -> Curve {
        self.curve(|moment| *moment.rates.get(2 * self.link + side)?)
    }

    fn curve(&self, value: impl Fn(&Moment) -> Option<f64>) -> Curve {
        let now = self.stats().map_or(0.0, |stats| stats.seconds);
        self.history.iter().filter_map(|moment| Some((moment.stats.seconds - now, value(moment)?))).collect()
    }

    fn steps(
        &self,
        side: usize,
        value: impl Fn(&levada_lab::Totals, &levada_lab::Totals, f64) -> Option<f64>,
    ) -> Curve {
        let now = self.stats().map_or(0.0, |stats| stats.seconds);
        let direction = 2 * self.link + side;
        let pairs = self.history.iter().zip(self.history.iter().skip(1));
        let one = |(before, after): (&Moment, &Moment)| {
            let (before, after) = (&before.stats, &after.stats);
            let seconds = (after.seconds - before.seconds).max(1e-6);
            let value = value(before.directions.get(direction)?, after.directions.get(direction)?, seconds)?;
            Some((after.seconds - now, value))
        };
        pairs.filter_map(one).collect()
    }
}

/// How far back plots go, in seconds.
pub const SPAN: f64 = 60.0;
const MOST: usize = 1_200;
/// Of a change that is typed, in letters.
const LONGEST: usize = 200;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use levada_lab::Totals;

    /// A lab of two links after so many seconds, at 100 kB/s down the second.
    pub fn glimpse(seconds: f64) -> Glimpse {
        let shown = |name: &str, words: &str| Shown {
            name: name.into(),
            ends: ["s1-eth2".into(), "s2-eth1".into()],
            down: words.into(),
            up: words.into(),
        };
        let packets = (seconds * 100.0).round() as u64;
        let busy = Totals {
            packets,
            delivered: packets,
            delivered_bytes: packets * 1_000,
            delay_ns: packets * 30_000_000,
            ..Totals::default()
        };
        let stats = Stats {
            seconds,
            directions: vec![Totals::default(), Totals::default(), busy, Totals::default()],
            queues: vec![(0, 0), (0, 0), (7, 7_000), (0, 0)],
            ..Stats::default()
        };
        let links = vec![shown("access", ""), shown("core", "rate=1mbit delay=20ms±5ms")];
        Glimpse { links, priority: Priority::Normal, stats }
    }

    #[test]
    fn curves_say_what_went_over_the_link() {
        let mut desk = Desk::new();
        (0..=100).for_each(|tenth| desk.see(glimpse(f64::from(tenth) / 10.0)));
        assert_eq!(desk.links[desk.link].name, "core", "the bottleneck first");
        let throughput = desk.throughput(0);
        assert_eq!(throughput.len(), 100);
        assert!(throughput.iter().all(|(at, rate)| *at <= 0.0 && (rate - 800_000.0).abs() < 1_000.0));
        assert!(desk.delay(0).iter().all(|(_, delay)| (delay - 0.03).abs() < 1e-9));
        assert_eq!((desk.delay(1), desk.queue(0)[3].1, desk.rate(1)[0].1), (vec![], 7.0, 1e6));
        // An hour later only a minute is left.
        (0..2_000).for_each(|tenth| desk.see(glimpse(3_600.0 + f64::from(tenth) / 10.0)));
        assert!(desk.queue(0).len() < 620 && desk.queue(0)[0].0 >= -61.1);
    }

    #[test]
    fn keys_slide_choose_and_type() {
        let mut desk = Desk::new();
        assert_eq!(desk.press(Key::Slide(1)), Wish::Nothing, "there is nothing yet");
        desk.see(glimpse(1.0));
        let change = |name: &str, text: &str| Wish::Change(name.into(), text.into());
        assert_eq!(desk.press(Key::Slide(-1)), change("core", "rate=800kbit"));
        desk.press(Key::Slider(1));
        desk.press(Key::Way);
        assert_eq!(desk.press(Key::Slide(1)), change("core.down", "delay=25ms±5ms"));
        desk.press(Key::Way);
        desk.press(Key::Link(1));
        assert_eq!(desk.press(Key::Slide(1)), change("access.up", "delay=1ms"));
        desk.press(Key::Type);
        "loss=3%x".chars().for_each(|letter| drop(desk.press(Key::Letter(letter))));
        desk.press(Key::Back);
        assert_eq!(desk.press(Key::Enter), change("access.up", "loss=3%"));
        desk.press(Key::Type);
        assert_eq!((desk.press(Key::Leave), desk.press(Key::Leave)), (Wish::Nothing, Wish::Leave));
    }
}
