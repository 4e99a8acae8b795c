//! The values of the nicer spelling, read and written.

use super::Library;
use super::keys::NONE;
use crate::bucket::{Bucket, Peak};
use crate::chance::Odds;
use crate::config::{ConfigError, Reorder};
use crate::loss::{FourStates, Gilbert, Loss, PacketList};
use crate::outage::{Outages, Spans, When};
use crate::queue::{Discipline, Room};
use crate::serial::Overhead;
use crate::slots::{Pause, Slots};
use crate::units::{UnitError, show_time, time};
use crate::{Bitrate, Distribution, Percent, Size};
use std::str::FromStr;
use std::time::Duration;

/// A value, and the key at which it stands.
#[derive(Clone, Copy)]
pub(super) struct Value<'t>(pub(super) &'static str, pub(super) &'t str);

type Read<T> = Result<T, ConfigError>;

impl<'t> Value<'t> {
    fn with(self, text: &'t str) -> Value<'t> {
        Value(self.0, text)
    }

    fn wrong(self, expected: &'static str) -> ConfigError {
        ConfigError::Value { key: self.0.into(), value: self.1.into(), expected }
    }

    /// A quantity with a unit.
    pub(super) fn unit<T: FromStr<Err = UnitError>>(self) -> Read<T> {
        self.1.parse().map_err(|why| ConfigError::Unit { key: self.0.into(), why })
    }

    pub(super) fn parse<T: FromStr>(self, expected: &'static str) -> Read<T> {
        self.1.parse().map_err(|_| self.wrong(expected))
    }

    pub(super) fn one_of<T: Copy>(self, known: &[(&str, T)], expected: &'static str) -> Read<T> {
        let found = known.iter().find(|(word, _)| *word == self.1);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| self.wrong(expected))
    }

    /// `none`, or something.
    pub(super) fn optional<T>(self, read: impl FnOnce(Value<'t>) -> Read<T>) -> Read<Option<T>> {
        if self.1 == NONE { Ok(None) } else { read(self).map(Some) }
    }

    fn time(self) -> Read<Duration> {
        time(self.1, Duration::ZERO).map_err(|why| ConfigError::Unit { key: self.0.into(), why })
    }

    /// `20`, `20/48+5`.
    pub(super) fn overhead(self) -> Read<Overhead> {
        let expected = "bytes such as 20, -14 or 20/48+5";
        let (packet, cells) = self.1.split_once('/').unwrap_or((self.1, "0"));
        let cells = self.with(cells);
        let sign = cells.1.get(1..).and_then(|rest| rest.find(['+', '-'])).map(|at| at + 1);
        let (cell, per_cell) = cells.1.split_at(sign.unwrap_or(cells.1.len()));
        Ok(Overhead {
            packet: self.with(packet).parse(expected)?,
            cell: self.with(cell).parse(expected)?,
            per_cell: if per_cell.is_empty() { 0 } else { self.with(per_cell).parse(expected)? },
        })
    }

    /// `200kbit:128kb,peak=1mbit:1600b,mpu=64,overhead=…`.
    pub(super) fn bucket(self) -> Read<Bucket> {
        let expected =
            "a rate and a burst such as 200kbit:128kb, then peak=RATE:MTU, mpu=BYTES or overhead=BYTES";
        let pair = |text: &'t str| -> Read<(Bitrate, Size)> {
            let (rate, size) = text.split_once(':').ok_or_else(|| self.wrong(expected))?;
            Ok((self.with(rate).unit()?, self.with(size).unit()?))
        };
        let mut parts = self.1.split(',');
        let (rate, burst) = pair(parts.next().unwrap_or_default())?;
        let mut bucket = Bucket::new(rate, burst);
        for part in parts {
            match part.split_once('=') {
                Some(("peak", value)) => {
                    bucket.peak = Some(pair(value).map(|(rate, mtu)| Peak { rate, mtu })?)
                }
                Some(("mpu", value)) => bucket.mpu = self.with(value).parse(expected)?,
                Some(("overhead", value)) => bucket.overhead = self.with(value).overhead()?,
                _ => return Err(self.wrong(expected)),
            }
        }
        Ok(bucket)
    }

    /// `60ms`, `100p`, `64kb`.
    pub(super) fn room(self) -> Read<Room> {
        if let Some(packets) = self.1.strip_suffix('p') {
            return self.with(packets).parse("packets such as 100p").map(Room::Packets);
        }
        let expected = "a time such as 60ms, packets such as 100p or bytes such as 64kb";
        let as_size = self.1.parse().map(Room::Bytes).ok();
        let as_time = || time(self.1, Duration::ZERO).map(Room::Time).ok();
        as_size.or_else(as_time).ok_or_else(|| self.wrong(expected))
    }

    /// `droptail`, `drophead`, `codel`, `codel:5ms,100ms,ecn`.
    pub(super) fn discipline(self) -> Read<Discipline> {
        let expected = "droptail, drophead, codel or codel:TARGET,INTERVAL[,ecn]";
        let Some(numbers) = self.1.strip_prefix("codel:") else {
            let known = [
                ("droptail", Discipline::DropTail),
                ("drophead", Discipline::DropHead),
                ("codel", Discipline::codel()),
            ];
            return self.one_of(&known, expected);
        };
        let parts: Vec<&str> = numbers.split(',').collect();
        let (target, interval, ecn) = match parts.as_slice() {
            [target, interval] => (target, interval, false),
            [target, interval, "ecn"] => (target, interval, true),
            _ => return Err(self.wrong(expected)),
        };
        Ok(Discipline::Codel {
            target: self.with(target).time()?,
            interval: self.with(interval).time()?,
            ecn,
        })
    }

    /// `10ms`, `10ms±2ms`, `10ms±2ms~25%`.
    pub(super) fn scattered(self) -> Read<(Duration, Duration, Percent)> {
        let (rest, tie) = self.1.split_once('~').unwrap_or((self.1, "0%"));
        let (mean, jitter) = rest.split_once('±').or_else(|| rest.split_once("+-")).unwrap_or((rest, "0s"));
        Ok((self.with(mean).time()?, self.with(jitter).time()?, self.with(tie).unit()?))
    }

    /// `1%`, `1%~25%`, `1%~burst3`.
    pub(super) fn odds(self) -> Read<Odds> {
        let (share, tie) = self.1.split_once('~').unwrap_or((self.1, "0%"));
        let percent = self.with(share).unit()?;
        if let Some(mean) = tie.strip_prefix("burst") {
            let expected = "a mean length of one packet or more, such as burst3";
            let mean: f64 = self.with(mean).parse(expected)?;
            // Not-a-number fails this too.
            return if mean >= 1.0 { Ok(Odds::bursts(percent, mean)) } else { Err(self.wrong(expected)) };
        }
        Ok(Odds { percent, correlation: self.with(tie).unit()? })
    }

    /// `none`, odds, `state:…`, `gemodel:…`, `list:…`.
    pub(super) fn loss(self) -> Read<Loss> {
        if self.1 == NONE {
            return Ok(Loss::None);
        }
        let Some((model, numbers)) = self.1.split_once(':') else { return self.odds().map(Loss::Random) };
        let numbers: Vec<Value<'t>> = numbers.split(',').map(|number| self.with(number)).collect();
        let share =
            |i: usize, otherwise: Percent| numbers.get(i).map_or(Ok(otherwise), |number| number.unit());
        match (model, numbers.len()) {
            ("state", 1..=5) => {
                let p = FourStates::from_p13(share(0, Percent::ZERO)?);
                let (p31, p32) = (share(1, p.p31)?, share(2, p.p32)?);
                Ok(Loss::State(FourStates { p31, p32, p23: share(3, p.p23)?, p14: share(4, p.p14)?, ..p }))
            }
            ("gemodel", 1..=4) => {
                let g = Gilbert::from_p(share(0, Percent::ZERO)?);
                Ok(Loss::Gemodel(Gilbert {
                    r: share(1, g.r)?,
                    bad: share(2, g.bad)?,
                    good: share(3, g.good)?,
                    ..g
                }))
            }
            ("list", _) => {
                let ranges = numbers.into_iter().map(Value::range).collect::<Read<Vec<_>>>()?;
                Ok(Loss::List(PacketList::new(ranges)))
            }
            _ => Err(self.wrong("1%, 1%~25%, state:P13,P31,P32,P23,P14, gemodel:P,R,1-H,1-K or list:3,7-9")),
        }
    }

    /// `3` or `7-9`.
    fn range(self) -> Read<(u64, u64)> {
        let expected = "packets counted from one, such as 3 or 7-9";
        let (from, to) = self.1.split_once('-').unwrap_or((self.1, self.1));
        let range: (u64, u64) = (self.with(from).parse(expected)?, self.with(to).parse(expected)?);
        if range.0 == 0 || range.0 > range.1 { Err(self.wrong(expected)) } else { Ok(range) }
    }

    /// `25%~50%/5`.
    pub(super) fn reorder(self) -> Read<Reorder> {
        let (odds, gap) = self.1.split_once('/').unwrap_or((self.1, "1"));
        let gap = self.with(gap).parse("a gap in packets")?;
        Ok(Reorder { odds: self.with(odds).odds()?, gap })
    }

    /// `800us..1ms,packets=42,bytes=512` or `normal:7.5ms±1.2ms`.
    pub(super) fn slots(self, library: Library<'_>) -> Read<Slots> {
        let expected = "MIN..MAX or NAME:DELAY±JITTER, then packets=N or bytes=N";
        let mut parts = self.1.split(',');
        let pause = parts.next().unwrap_or_default();
        let pause = match (pause.split_once(".."), pause.split_once(':')) {
            (Some((least, most)), _) => Pause::Between(self.with(least).time()?, self.with(most).time()?),
            (None, Some((name, rest))) => {
                let (delay, jitter, _) = self.with(rest).scattered()?;
                Pause::Scattered { delay, jitter, distribution: distribution(name, library)? }
            }
            (None, None) => self.with(pause).time().map(|pause| Pause::Between(pause, pause))?,
        };
        let mut slots = Slots { pause, packets: 0, bytes: 0 };
        for part in parts {
            match part.split_once('=') {
                Some(("packets", n)) => slots.packets = self.with(n).parse(expected)?,
                Some(("bytes", n)) => slots.bytes = self.with(n).parse(expected)?,
                _ => return Err(self.wrong(expected)),
            }
        }
        Ok(slots)
    }

    /// `10s..12s,30s..31s,lose` or `2s/30s,lose`.
    pub(super) fn outages(self) -> Read<Outages> {
        let expected = "spans such as 10s..12s,30s..31s or DOWN/PERIOD, then lose";
        let (spans, lose) = match self.1.strip_suffix(",lose") {
            Some(spans) => (spans, true),
            None => (self.1, false),
        };
        if let Some((down, period)) = spans.split_once('/') {
            let (down, period) = (self.with(down).time()?, self.with(period).time()?);
            return Ok(Outages { when: When::Every { down, period }, lose });
        }
        let span = |text: &'t str| -> Read<(Duration, Duration)> {
            let (from, to) = text.split_once("..").ok_or_else(|| self.wrong(expected))?;
            Ok((self.with(from).time()?, self.with(to).time()?))
        };
        let spans = spans.split(',').map(span).collect::<Read<Vec<_>>>()?;
        Ok(Outages { when: When::Spans(Spans::new(spans)), lose })
    }
}

/// A distribution by its name.
pub(super) fn distribution(name: &str, library: Library<'_>) -> Read<Distribution> {
    let found = (library.distribution)(name).or_else(|| Distribution::named(name));
    found.ok_or_else(|| ConfigError::Missing { what: "distribution", name: name.into() })
}

pub(super) fn overhead(overhead: Overhead) -> String {
    match overhead {
        Overhead { packet, cell: 0, per_cell: 0 } => packet.to_string(),
        Overhead { packet, cell, per_cell } => format!("{packet}/{cell}{per_cell:+}"),
    }
}

pub(super) fn bucket(bucket: &Bucket) -> String {
    let peak = bucket.peak.map_or(String::new(), |peak| format!(",peak={}:{}", peak.rate, peak.mtu));
    let mpu = if bucket.mpu == 0 { String::new() } else { format!(",mpu={}", bucket.mpu) };
    let plain = bucket.overhead == Overhead::default();
    let wire = if plain { String::new() } else { format!(",overhead={}", overhead(bucket.overhead)) };
    format!("{}:{}{peak}{mpu}{wire}", bucket.rate, bucket.burst)
}

pub(super) fn room(room: Room) -> String {
    match room {
        Room::Packets(n) => format!("{n}p"),
        Room::Bytes(size) => size.to_string(),
        Room::Time(time) => show_time(time),
    }
}

pub(super) fn discipline(discipline: Discipline) -> String {
    match discipline {
        Discipline::DropTail => "droptail".into(),
        Discipline::DropHead => "drophead".into(),
        codel if codel == Discipline::codel() => "codel".into(),
        Discipline::Codel { target, interval, ecn } => {
            let ecn = if ecn { ",ecn" } else { "" };
            format!("codel:{},{}{ecn}", show_time(target), show_time(interval))
        }
    }
}

pub(super) fn scattered(mean: Duration, jitter: Duration, tie: Percent) -> String {
    let jitter = if jitter.is_zero() { String::new() } else { format!("±{}", show_time(jitter)) };
    let tie = if tie == Percent::ZERO { String::new() } else { format!("~{tie}") };
    format!("{}{jitter}{tie}", show_time(mean))
}

pub(super) fn odds(odds: Odds) -> String {
    match odds.correlation {
        Percent::ZERO => odds.percent.to_string(),
        tie => format!("{}~{tie}", odds.percent),
    }
}

pub(super) fn loss(loss: &Loss) -> String {
    match loss {
        Loss::None => NONE.into(),
        Loss::Random(Odds { percent: Percent::ZERO, .. }) => NONE.into(),
        Loss::List(list) if list.ranges().is_empty() => NONE.into(),
        Loss::Random(some) => odds(*some),
        Loss::State(p) => format!("state:{},{},{},{},{}", p.p13, p.p31, p.p32, p.p23, p.p14),
        Loss::Gemodel(g) => format!("gemodel:{},{},{},{}", g.p, g.r, g.bad, g.good),
        Loss::List(list) => {
            let ranges = list
                .ranges()
                .iter()
                .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") });
            format!("list:{}", ranges.collect::<Vec<_>>().join(","))
        }
    }
}

pub(super) fn slots(slots: &Slots) -> String {
    let pause = match &slots.pause {
        Pause::Between(least, most) => format!("{}..{}", show_time(*least), show_time(*most)),
        Pause::Scattered { delay, jitter, distribution } => {
            format!("{}:{}", distribution.name(), scattered(*delay, *jitter, Percent::ZERO))
        }
    };
    let bound = |word: &str, n: u32| if n == 0 { String::new() } else { format!(",{word}={n}") };
    format!("{pause}{}{}", bound("packets", slots.packets), bound("bytes", slots.bytes))
}

pub(super) fn outages(outages: &Outages) -> String {
    let when = match &outages.when {
        When::Never => return NONE.into(),
        When::Spans(spans) if spans.all().is_empty() => return NONE.into(),
        When::Every { down, period } => format!("{}/{}", show_time(*down), show_time(*period)),
        When::Spans(spans) => {
            let spans =
                spans.all().iter().map(|(from, to)| format!("{}..{}", show_time(*from), show_time(*to)));
            spans.collect::<Vec<_>>().join(",")
        }
    };
    format!("{when}{}", if outages.lose { ",lose" } else { "" })
}
