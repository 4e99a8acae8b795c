//! The sliders of the dashboard: what each sets, in which steps, and how a change of it is written.

use levada_link::{Bitrate, LinkConfig, Loss, Percent};
use std::time::Duration;

/// What can be slid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slider {
    /// How fast the link sends.
    Rate,
    /// How long the way is.
    Delay,
    /// How much gets lost.
    Loss,
}

impl Slider {
    /// From above to below.
    pub const ALL: [Slider; 3] = [Slider::Rate, Slider::Delay, Slider::Loss];

    /// The key of a link's description that it sets.
    pub fn key(self) -> &'static str {
        ["rate", "delay", "loss"][self as usize]
    }

    /// Where it stands: bits per second, seconds, or a share; infinite for a rate without limit.
    pub fn value(self, link: &LinkConfig) -> f64 {
        match self {
            Slider::Rate => link.rate.map_or(f64::INFINITY, |rate| rate.0 as f64),
            Slider::Delay => link.delay.as_secs_f64(),
            Slider::Loss => match &link.loss {
                Loss::Random(odds) => odds.percent.share(),
                _ => 0.0,
            },
        }
    }

    /// How a person reads it; for losses that no slider can say, the words.
    pub fn shown(self, link: &LinkConfig) -> String {
        let written = word(self, link);
        match self {
            Slider::Rate if link.rate.is_none() => "no limit".into(),
            _ => written,
        }
    }

    /// Between 0 (left) and 1 (right), by steps and not by amounts.
    pub fn place(self, link: &LinkConfig) -> f64 {
        let (steps, value) = (self.steps(), self.value(link));
        let below = steps.iter().filter(|step| **step < value * 0.999_999).count();
        below as f64 / (steps.len() - 1) as f64
    }

    /// What to write for so many steps further: `rate=2mbit`; what is there beside (jitter) stays. `None` at the end.
    pub fn moved(self, link: &LinkConfig, by: i32) -> Option<String> {
        let (steps, value) = (self.steps(), self.value(link));
        // Between two steps, either neighbour is one step away.
        let near = |step: f64| step == value || value.is_finite() && (step - value).abs() <= value * 1e-6;
        let below = steps.iter().filter(|step| **step < value && !near(**step)).count() as i64;
        let on = i64::from(steps.iter().any(|step| near(*step)));
        let to = if by >= 0 { below + on - 1 + i64::from(by) } else { below + i64::from(by) };
        let to = steps[to.clamp(0, steps.len() as i64 - 1) as usize];
        if near(to) {
            return None;
        }
        let mut link = link.clone();
        match self {
            Slider::Rate => link.rate = to.is_finite().then_some(Bitrate(to.round() as u64)),
            Slider::Delay => link.delay = Duration::from_secs_f64(to),
            Slider::Loss if to == 0.0 => link.loss = Loss::None,
            Slider::Loss => {
                let correlation =
                    if let Loss::Random(odds) = &link.loss { odds.correlation } else { Percent::ZERO };
                link.loss = Loss::Random(levada_link::Odds { percent: Percent::ratio(to), correlation });
            }
        }
        Some(format!("{}={}", self.key(), word(self, &link)))
    }

    /// All that it can be set to by arrows; other values can be typed.
    fn steps(self) -> Vec<f64> {
        let decades = |from: i32, to: i32| {
            let fine = [1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0];
            (from..to).flat_map(move |power| fine.map(|step| step * 10f64.powi(power))).collect::<Vec<_>>()
        };
        match self {
            // 10 kbit/s to 1 Gbit/s, and no limit.
            Slider::Rate => [decades(4, 9), vec![1e9, f64::INFINITY]].concat(),
            Slider::Delay => [vec![0.0], decades(-3, 0), vec![1.0]].concat(),
            Slider::Loss => [vec![0.0], decades(-3, 0), vec![1.0]].concat(),
        }
    }
}

/// The value of its key in a link's description.
fn word(slider: Slider, link: &LinkConfig) -> String {
    let text = link.to_string();
    let key = format!("{}=", slider.key());
    let said = text.split_whitespace().find_map(|word| word.strip_prefix(&key));
    // What is not written is what it is by default.
    let default = if slider == Slider::Rate { "none" } else { "0" };
    said.unwrap_or(default).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(words: &str) -> LinkConfig {
        words.parse().unwrap()
    }

    #[test]
    fn arrows_go_from_step_to_step_and_keep_what_is_beside() {
        let moved =
            |slider: Slider, words: &str, by| slider.moved(&link(words), by).unwrap_or("nothing".into());
        let rate = |words: &str, by| moved(Slider::Rate, words, by);
        assert_eq!(rate("rate=10mbit", 1), "rate=12mbit");
        assert_eq!(rate("rate=10mbit", -1), "rate=8mbit");
        assert_eq!(rate("rate=11mbit", 1), "rate=12mbit");
        assert_eq!(rate("rate=11mbit", -1), "rate=10mbit");
        assert_eq!(rate("rate=1gbit", 1), "rate=none");
        assert_eq!(rate("delay=1ms", 1), "nothing");
        assert_eq!(rate("delay=1ms", -1), "rate=1gbit");
        assert_eq!(rate("rate=10kbit", -5), "nothing");
        let jittery = "delay=100ms±20ms~25% distribution=normal";
        assert_eq!(moved(Slider::Delay, jittery, 1), "delay=120ms±20ms~25%");
        assert_eq!(moved(Slider::Delay, "delay=1ms", -1), "delay=0");
        assert_eq!(moved(Slider::Loss, "delay=1ms", 1), "loss=0.1%");
        assert_eq!(moved(Slider::Loss, "loss=0.1%", -1), "loss=0");
    }

    #[test]
    fn every_step_is_a_description_that_holds() {
        for slider in Slider::ALL {
            let mut at = link(if slider == Slider::Rate { "rate=10kbit" } else { "delay=0" });
            let mut seen = vec![slider.place(&at)];
            for _ in 1..slider.steps().len() {
                let text = slider.moved(&at, 1).unwrap();
                at.edit(&text, levada_link::Library::EMPTY).unwrap();
                at.check().unwrap();
                seen.push(slider.place(&at));
            }
            assert!(seen.windows(2).all(|two| two[0] < two[1]), "{slider:?}: {seen:?}");
            assert_eq!((seen[0], seen[seen.len() - 1]), (0.0, 1.0), "{slider:?}");
        }
    }
}
