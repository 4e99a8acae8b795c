use super::*;
use proptest::prelude::*;

#[test]
fn rates_are_read_as_tc_reads_them() {
    // Measured with tc 6.1: what it takes, and what it then shows.
    let cases = [
        ("8", 8),
        ("200kbit", 200_000),
        ("1.5gbit", 1_500_000_000),
        ("1500kibit", 1_536_000),
        ("1mbps", 8_000_000),
        ("1KiBps", 8_192),
        ("1KBps", 8_000),
        ("1MBit", 1_000_000),
        ("1mibit", 1_048_576),
        ("0.1kbit", 100),
        ("1e3kbit", 1_000_000),
    ];
    for (text, bits) in cases {
        assert_eq!(text.parse(), Ok(Bitrate(bits)), "{text}");
    }
    assert!("1m".parse::<Bitrate>().is_err());
    assert!(matches!("-1mbit".parse::<Bitrate>(), Err(UnitError::Negative(_))));
    assert!(matches!("99999999999tbit".parse::<Bitrate>(), Err(UnitError::TooLarge(_))));
    assert!(matches!("mbit".parse::<Bitrate>(), Err(UnitError::Number(_))));
}

#[test]
fn sizes_count_in_1024_and_kbit_is_128_bytes() {
    for (text, bytes) in
        [("1024kbit", 131_072), ("128kbit", 16_384), ("10k", 10_240), ("1500", 1_500), ("1mb", 1 << 20)]
    {
        assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
    }
    assert_eq!(Size(131_072).to_string(), "128kb");
}

#[test]
fn a_bare_time_counts_in_the_unit_of_its_place() {
    assert_eq!(time("50", Duration::from_micros(1)), Ok(Duration::from_micros(50)));
    assert_eq!(time("50", Duration::from_nanos(1)), Ok(Duration::from_nanos(50)));
    assert_eq!(time("2.3us", Duration::ZERO), Ok(Duration::from_nanos(2_300)));
    assert_eq!(time("1Sec", Duration::ZERO), Ok(Duration::from_secs(1)));
    assert!(time("1minutes", Duration::ZERO).is_err());
    assert!(time("99999999999s", Duration::ZERO).is_err());
}

#[test]
fn a_share_is_at_most_everything() {
    assert_eq!("100%".parse(), Ok(Percent::ALL));
    assert_eq!("25".parse(), Ok(Percent(1_073_741_824)));
    assert!("101%".parse::<Percent>().is_err());
    assert!("1%%".parse::<Percent>().is_err());
    assert_eq!(Percent::of(0.3).to_string(), "0.3%");
    assert_eq!(Percent::ratio(f64::NAN), Percent::ZERO);
}

#[test]
fn the_nearest_word_is_named_and_nonsense_is_not() {
    assert_eq!(nearest("dealy", &["rate", "delay", "loss"]), Some("delay"));
    assert_eq!(nearest("xyzzy", &["rate", "delay", "loss"]), None);
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(n: u64, share: u32) {
        prop_assert_eq!(Bitrate(n).to_string().parse(), Ok(Bitrate(n)));
        prop_assert_eq!(Size(n).to_string().parse(), Ok(Size(n)));
        prop_assert_eq!(Percent(share).to_string().parse(), Ok(Percent(share)));
        let shown = Duration::from_nanos(n >> 1);
        prop_assert_eq!(time(&show_time(shown), Duration::ZERO), Ok(shown));
    }

    #[test]
    fn odd_text_is_refused_without_panic(text in "\\PC{0,24}", odd in "[-+.0-9eE%a-zµ]{0,40}") {
        for text in [text, odd] {
            let _ = (text.parse::<Bitrate>(), text.parse::<Size>(), text.parse::<Percent>());
            let _ = time(&text, Duration::from_nanos(1));
            let _ = nearest(&text, &["rate", "delay"]);
        }
    }
}
