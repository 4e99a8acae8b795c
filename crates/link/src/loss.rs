//! Which packets a link loses.

use crate::Percent;
use crate::chance::{Chance, Coin, Odds};
use std::sync::Arc;

/// The rule by which packets are lost.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Loss {
    /// None are.
    #[default]
    None,
    /// A share of them; with a correlation in runs.
    Random(Odds),
    /// The Markov chain of four states that netem calls `state`: 1 good, 2 good within a bad time, 3 lost within a bad
    /// time, 4 lost alone. A packet is lost where its state is 3 or 4; the first comes out of state 1.
    State(FourStates),
    /// Gilbert and Elliott's chain of a good and a bad state, each with its own share of losses; the first packet
    /// meets the good one.
    Gemodel(Gilbert),
    /// Exactly these packets, counted from one.
    List(PacketList),
}

/// The transitions of the four-state chain; what is left of each state's share stays in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FourStates {
    /// From good to lost in a bad time.
    pub p13: Percent,
    /// From lost in a bad time to good.
    pub p31: Percent,
    /// From lost in a bad time to good within it.
    pub p32: Percent,
    /// From good within a bad time to lost.
    pub p23: Percent,
    /// From good to lost alone.
    pub p14: Percent,
}

/// The four numbers of the Gilbert–Elliott model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gilbert {
    /// How often good turns bad.
    pub p: Percent,
    /// How often bad turns good.
    pub r: Percent,
    /// The share lost in the bad state (netem's 1-h).
    pub bad: Percent,
    /// The share lost in the good state (netem's 1-k).
    pub good: Percent,
}

impl FourStates {
    /// What netem makes of `p13` alone.
    pub const fn from_p13(p13: Percent) -> FourStates {
        FourStates { p13, p31: p13.rest(), p32: Percent::ZERO, p23: Percent::ALL, p14: Percent::ZERO }
    }
}

impl Gilbert {
    /// What netem makes of `p` alone: single losses.
    pub const fn from_p(p: Percent) -> Gilbert {
        Gilbert { p, r: p.rest(), bad: Percent::ALL, good: Percent::ZERO }
    }
}

/// Places in a sequence, counted from one, as ranges in rising order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PacketList(Arc<[(u64, u64)]>);

impl PacketList {
    /// Takes ranges with both ends included, in any order.
    pub fn new(ranges: impl IntoIterator<Item = (u64, u64)>) -> PacketList {
        let mut ranges: Vec<(u64, u64)> = ranges.into_iter().filter(|(from, to)| from <= to).collect();
        ranges.sort_unstable();
        PacketList(ranges.into())
    }

    /// The ranges, in rising order.
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.0
    }
}

/// A [`Loss`] at work.
#[derive(Clone, Debug)]
pub(crate) struct Losses {
    chance: Chance,
    process: Process,
}

#[derive(Clone, Debug)]
enum Process {
    Coin(Coin),
    State { now: State, p13: f64, p31: f64, p32: f64, p23: f64, p14: f64 },
    Gemodel { bad_now: bool, gilbert: Gilbert },
    List { list: PacketList, next: u64, range: usize },
}

#[derive(Clone, Copy, Debug)]
enum State {
    Good,
    GoodInBad,
    LostInBad,
    LostAlone,
}

impl Losses {
    /// `None` where nothing is ever lost.
    pub(crate) fn new(loss: &Loss, chance: Chance) -> Option<Losses> {
        let process = match loss {
            Loss::None => return None,
            Loss::Random(odds) => Process::Coin(Coin::new(*odds, chance.clone())),
            Loss::State(s) => Process::State {
                now: State::Good,
                p13: s.p13.share(),
                p31: s.p31.share(),
                p32: s.p32.share(),
                p23: s.p23.share(),
                p14: s.p14.share(),
            },
            Loss::Gemodel(gilbert) => Process::Gemodel { bad_now: false, gilbert: *gilbert },
            Loss::List(list) => Process::List { list: list.clone(), next: 1, range: 0 },
        };
        Some(Losses { chance, process })
    }

    /// Whether the next packet is lost.
    pub(crate) fn next(&mut self) -> bool {
        match &mut self.process {
            Process::Coin(coin) => coin.draw(),
            Process::State { now, p13, p31, p32, p23, p14 } => {
                let drawn = self.chance.unit();
                *now = match now {
                    State::Good if drawn < *p14 => State::LostAlone,
                    State::Good if drawn < *p14 + *p13 => State::LostInBad,
                    State::GoodInBad if drawn < *p23 => State::LostInBad,
                    State::GoodInBad => State::GoodInBad,
                    State::LostInBad if drawn < *p32 => State::GoodInBad,
                    State::LostInBad if drawn < *p32 + *p31 => State::Good,
                    State::LostInBad => State::LostInBad,
                    State::Good | State::LostAlone => State::Good,
                };
                matches!(now, State::LostInBad | State::LostAlone)
            }
            Process::Gemodel { bad_now, gilbert } => {
                let (lost, turn) =
                    if *bad_now { (gilbert.bad, gilbert.r) } else { (gilbert.good, gilbert.p) };
                let lost = self.chance.happens(lost.share());
                *bad_now ^= self.chance.happens(turn.share());
                lost
            }
            Process::List { list, next, range } => {
                let packet = *next;
                *next += 1;
                while list.0.get(*range).is_some_and(|(_, to)| *to < packet) {
                    *range += 1;
                }
                list.0.get(*range).is_some_and(|(from, _)| *from <= packet)
            }
        }
    }
}

#[cfg(test)]
mod tests;
