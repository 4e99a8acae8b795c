//! Quantities as tc prints them, roundings included.

use crate::{Bitrate, Percent};
use std::time::Duration;

/// C's `%.{digits}g`.
pub(super) fn general(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".into();
    }
    let digits = digits.max(1);
    let scientific = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= digits as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs());
    }
    let decimals = usize::try_from(digits as i32 - 1 - exponent).unwrap_or(0);
    trimmed(&format!("{value:.decimals$}")).into()
}

/// `25%`, to six digits.
pub(super) fn percent(share: Percent) -> String {
    format!("{}%", general(share.share() * 100.0, 6))
}

/// Whole bytes per second as `200Kbit`, in the largest unit that leaves at least one, or three whole digits exactly.
pub(super) fn rate(rate: Bitrate) -> String {
    let mut bits = u128::from(rate.bytes()) * 8;
    let mut unit = 0;
    while unit + 1 < RATES.len() && bits >= 1_000 && (bits.is_multiple_of(1_000) || bits >= 1_000_000) {
        bits /= 1_000;
        unit += 1;
    }
    format!("{bits}{}bit", RATES[unit])
}

/// Bytes as `128Kb`, where that is nearly right, or `1749b`.
pub(super) fn size(bytes: u64) -> String {
    let (kilo, mega) = (1 << 10, 1 << 20);
    let near = |unit: u64, within: u64| {
        let rounded = (bytes + unit / 2) / unit;
        (bytes >= unit && (rounded * unit).abs_diff(bytes) < within).then_some(rounded)
    };
    match (near(mega, kilo), near(kilo, 16)) {
        (Some(megabytes), _) => format!("{megabytes}Mb"),
        (None, Some(kilobytes)) => format!("{kilobytes}Kb"),
        (None, None) => format!("{bytes}b"),
    }
}

/// A time in three digits: `1.5s`, `100ms`, `800us`, `7ns`.
pub(super) fn time(time: Duration) -> String {
    let nanos = time.as_nanos();
    let scaled = |unit: f64| general(nanos as f64 / unit, 3);
    match nanos {
        1_000_000_000.. => format!("{}s", scaled(1e9)),
        1_000_000.. => format!("{}ms", scaled(1e6)),
        1_000.. => format!("{}us", scaled(1e3)),
        _ => format!("{nanos}ns"),
    }
}

/// A time of whole microseconds, which is as fine as tbf's latency is.
pub(super) fn micros(micros: u32) -> String {
    match micros {
        1_000.. => time(Duration::from_micros(u64::from(micros))),
        _ => format!("{micros}us"),
    }
}

fn trimmed(number: &str) -> &str {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => number,
    }
}

const RATES: [&str; 5] = ["", "K", "M", "G", "T"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_look_as_tc_prints_them() {
        // Measured with tc 6.1.
        let rates = [
            (8, "8bit"),
            (200_000, "200Kbit"),
            (12_345_678, "12345Kbit"),
            (1_500_000_000, "1500Mbit"),
            (100_000_000_000_000, "100Tbit"),
            (1_048_576, "1048Kbit"),
            (8_192, "8192bit"),
            (100, "96bit"),
            (34_359_738_368, "34359Mbit"),
        ];
        for (bits, shown) in rates {
            assert_eq!(rate(Bitrate(bits)), shown);
        }
        for (bytes, shown) in
            [(131_072, "128Kb"), (1_748, "1748b"), (1 << 20, "1Mb"), (99, "99b"), (1_048_162, "1048162b")]
        {
            assert_eq!(size(bytes), shown);
        }
        for (nanos, shown) in [
            (1_234_000, "1.23ms"),
            (1_999_999, "2ms"),
            (1_500, "1.5us"),
            (999, "999ns"),
            (123_456_000_000, "123s"),
        ] {
            assert_eq!(time(Duration::from_nanos(nanos)), shown);
        }
        assert_eq!(micros(3_790_000_000), "3.79e+03s");
        assert_eq!(
            (percent(Percent::of(33.333)), percent(Percent::of(0.00001))),
            ("33.333%".into(), "9.98843e-06%".into())
        );
    }
}
