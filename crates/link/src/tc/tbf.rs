//! `tbf`: its words read and written, and its line in `show`.

use super::words::{Words, count, short};
use super::{Refusal, shown};
use crate::bucket::{Bucket, Peak};
use crate::config::LinkConfig;
use crate::queue::Room;
use crate::serial::Overhead;
use crate::{Bitrate, Size};
use std::fmt::Write;
use std::time::Duration;

/// The words so far; zero stands for unsaid, as in tc.
#[derive(Default)]
struct Said {
    rate: Bitrate,
    peak: Bitrate,
    burst: u32,
    mtu: u32,
    limit: u32,
    latency: Duration,
    mpu: u32,
    overhead: u32,
    atm: bool,
}

/// Reads what follows `tbf`.
pub(super) fn parse(mut words: Words<'_>) -> Result<LinkConfig, Refusal> {
    let mut said = Said::default();
    while let Some(word) = words.next() {
        said.take(word, &mut words)?;
    }
    said.finish()
}

impl Said {
    fn take(&mut self, word: &str, words: &mut Words<'_>) -> Result<(), Refusal> {
        match word {
            "help" => return Err(Refusal::new(1, USAGE)),
            _ if short(word, "limit") => {
                let limit = words.need()?;
                once(self.limit != 0, "limit")?;
                exclusive(!self.latency.is_zero(), "latency", "limit")?;
                self.limit = read(limit, "limit", count)?;
            }
            _ if short(word, "latency") => {
                let latency = words.need()?;
                once(!self.latency.is_zero(), "latency")?;
                exclusive(self.limit != 0, "limit", "/latency")?;
                self.latency = read(latency, "latency", microseconds)?;
            }
            "buffer" | "maxburst" => self.burst = burst(words, self.burst, word)?,
            _ if short(word, "burst") => self.burst = burst(words, self.burst, "burst")?,
            "mtu" | "minburst" => {
                let mtu = words.need()?;
                once(self.mtu != 0, "mtu/minburst")?;
                self.mtu = read(mtu, word, cells)?;
            }
            "mpu" => self.mpu = read(words.need()?, "mpu", count)?,
            "rate" => {
                let rate = words.need()?;
                once(self.rate.0 != 0, "rate")?;
                self.rate = read(rate, "rate", whole_bytes)?;
            }
            _ if short(word, "peakrate") => {
                let peak = words.need()?;
                once(self.peak.0 != 0, "peakrate")?;
                self.peak = read(peak, "peakrate", whole_bytes)?;
            }
            _ if short(word, "overhead") => {
                self.overhead = read(words.need()?, "overhead", |w| w.parse().ok())?
            }
            _ if short(word, "linklayer") => {
                self.atm = read(words.need()?, "linklayer", |layer| match layer {
                    "ethernet" => Some(false),
                    "atm" | "adsl" => Some(true),
                    _ => None,
                })?;
            }
            _ => {
                return Err(Refusal::new(
                    1,
                    format!("tbf: unknown parameter \"{word}\"\n{}{USAGE}", nearest(word)),
                ));
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<LinkConfig, Refusal> {
        let missing = [
            (self.rate.0 == 0, "the \"rate\" parameter is mandatory."),
            (self.burst == 0, "the \"burst\" parameter is mandatory."),
            (
                self.peak.0 != 0 && self.mtu == 0,
                "when \"peakrate\" is specified, \"mtu\" must also be specified.",
            ),
            (self.limit == 0 && self.latency.is_zero(), "either \"limit\" or \"latency\" is required."),
        ];
        let missing: String =
            missing.iter().filter(|(wrong, _)| *wrong).map(|(_, why)| format!("tbf: {why}\n")).collect();
        if !missing.is_empty() {
            return Err(Refusal::new(1, format!("{missing}{USAGE}")));
        }
        // The kernel's answer to a peak that is no peak.
        if self.peak.0 != 0 && self.peak <= self.rate {
            return Err(Refusal::new(2, "RTNETLINK answers: Invalid argument"));
        }
        let (cell, per_cell) = if self.atm { (48, 5) } else { (0, 0) };
        let packet = i32::try_from(self.overhead).unwrap_or(i32::MAX);
        let bucket = Bucket {
            rate: self.rate,
            burst: Size(self.burst.into()),
            peak: (self.peak.0 != 0).then_some(Peak { rate: self.peak, mtu: Size(self.mtu.into()) }),
            overhead: Overhead { packet, cell, per_cell },
            mpu: self.mpu,
        };
        let limit = Room::Bytes(Size(self.bytes()));
        Ok(LinkConfig { bucket: Some(bucket), queue: limit, ..LinkConfig::default() })
    }

    /// The limit, said or made of the latency: what passes in that time, and the burst.
    fn bytes(&self) -> u64 {
        if self.limit != 0 {
            return self.limit.into();
        }
        let within = |rate: Bitrate, burst: u32| rate.bytes_in(self.latency).saturating_add(burst.into());
        let mean = within(self.rate, self.burst);
        if self.peak.0 == 0 { mean } else { mean.min(within(self.peak, self.mtu)) }
    }
}

/// tc's line in `show`, from `rate` on; `None` for what is no tbf.
pub(super) fn show(config: &LinkConfig) -> Option<String> {
    let bucket = config.bucket.as_ref()?;
    let limit = limit(config);
    let burst = Ticks::of(bucket.rate, bucket.overhead.wire(length(bucket.burst)));
    let mut line =
        format!("rate {} burst {} ", shown::rate(bucket.rate), shown::size(burst.size(bucket.rate)));
    let mut latency = burst.latency(bucket.rate, limit);
    if let Some(peak) = bucket.peak {
        let mtu = Ticks::of(peak.rate, bucket.overhead.wire(length(peak.mtu)));
        let _ = write!(
            line,
            "peakrate {} minburst {} ",
            shown::rate(peak.rate),
            shown::size(mtu.size(peak.rate))
        );
        latency = latency.max(mtu.latency(peak.rate, limit));
    }
    // A latency below nothing is one that the burst already exceeds: tc shows the limit then.
    let _ = match latency {
        // Beyond 71 minutes the 32 bits of it wrap.
        0.0.. => write!(line, "lat {} ", shown::micros(latency as u64 as u32)),
        _ => write!(line, "limit {} ", shown::size(limit)),
    };
    if bucket.overhead.packet != 0 {
        let _ = write!(line, "overhead {} ", bucket.overhead.packet);
    }
    if bucket.overhead.cell != 0 {
        line.push_str("linklayer atm ");
    }
    Some(line)
}

/// The words that [`parse`] reads back as the same; `None` for what is no tbf.
pub(super) fn write(config: &LinkConfig) -> Option<String> {
    let bucket = config.bucket.as_ref()?;
    let mut words = format!("tbf rate {} burst {} limit {}", bucket.rate, bucket.burst, Size(limit(config)));
    if let Some(peak) = bucket.peak {
        let _ = write!(words, " peakrate {} mtu {}", peak.rate, peak.mtu);
    }
    if bucket.mpu != 0 {
        let _ = write!(words, " mpu {}", bucket.mpu);
    }
    if bucket.overhead.packet != 0 {
        let _ = write!(words, " overhead {}", bucket.overhead.packet);
    }
    if bucket.overhead.cell != 0 {
        words.push_str(" linklayer atm");
    }
    Some(words)
}

fn limit(config: &LinkConfig) -> u64 {
    match (config.queue, config.slowest()) {
        (Room::Bytes(size), _) => size.0,
        (Room::Time(time), Some(rate)) => rate.bytes_in(time),
        (Room::Packets(n), _) => u64::from(n) * 1_514,
        (Room::Time(_), None) => 0,
    }
}

/// A bucket's depth as tc and the kernel hand it to each other: ticks of 64 ns, in 32 bits that may wrap.
struct Ticks(u32);

impl Ticks {
    /// How long `bytes` take at `rate`, with the kernel's division: by a reciprocal of 32 bits, rounded down.
    fn of(rate: Bitrate, bytes: u64) -> Ticks {
        let rate = u128::from(rate.bytes().max(1));
        let (mut factor, mut shift) = (1_000_000_000u128, 0);
        while (factor / rate) & (1 << 31) == 0 && factor & (1 << 63) == 0 {
            factor <<= 1;
            shift += 1;
        }
        let reciprocal = (factor / rate) as u32;
        Ticks(((u128::from(bytes) * u128::from(reciprocal)) >> (shift + 6)) as u32)
    }

    /// Whole microseconds.
    fn micros(&self) -> u64 {
        u64::from(self.0) * 64 / 1_000
    }

    fn size(&self, rate: Bitrate) -> u64 {
        let bytes = u128::from(rate.bytes()) * u128::from(self.micros()) / 1_000_000;
        u64::from(bytes as u32)
    }

    /// How many microseconds a queue of `limit` bytes takes, beyond the burst.
    fn latency(&self, rate: Bitrate, limit: u64) -> f64 {
        limit as f64 / rate.bytes().max(1) as f64 * 1e6 - self.micros() as f64
    }
}

fn length(size: Size) -> u32 {
    u32::try_from(size.0).unwrap_or(u32::MAX)
}

fn burst(words: &mut Words<'_>, before: u32, name: &str) -> Result<u32, Refusal> {
    let burst = words.need()?;
    once(before != 0, "buffer/burst/maxburst")?;
    read(burst, name, cells)
}

/// A size, with the length of a cell behind a slash, a power of two that changes nothing here.
fn cells(word: &str) -> Option<u32> {
    let (size, cell) = word.split_once('/').unwrap_or((word, "1"));
    cell.parse::<u32>().ok().filter(|cell| cell.is_power_of_two())?;
    count(size)
}

fn microseconds(word: &str) -> Option<Duration> {
    crate::units::time(word, Duration::from_micros(1)).ok()
}

fn whole_bytes(word: &str) -> Option<Bitrate> {
    word.parse::<Bitrate>().ok().map(|rate| Bitrate(rate.bytes() * 8))
}

fn once(said: bool, name: &str) -> Result<(), Refusal> {
    if !said {
        return Ok(());
    }
    Err(Refusal::new(1, format!("tbf: duplicate \"{name}\" specification")))
}

fn exclusive(said: bool, first: &str, second: &str) -> Result<(), Refusal> {
    if !said {
        return Ok(());
    }
    Err(Refusal::new(1, format!("tbf: specifying both \"{first}\" and \"{second}\" is not allowed")))
}

fn read<T>(word: &str, name: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Refusal> {
    parse(word).ok_or_else(|| Refusal::new(1, format!("tbf: illegal value for \"{name}\": \"{word}\"")))
}

fn nearest(word: &str) -> String {
    crate::units::nearest(word, &WORDS).map_or(String::new(), |near| format!("Did you mean {near:?}?\n"))
}

const WORDS: [&str; 8] = ["limit", "latency", "burst", "mtu", "rate", "peakrate", "overhead", "linklayer"];
const USAGE: &str = "\
tbf takes, in any order: rate RATE, burst BYTES, and either limit BYTES or latency TIME; peakrate RATE with mtu BYTES,
mpu BYTES, overhead BYTES, linklayer ethernet|atm";
