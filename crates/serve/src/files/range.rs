//! `Range: bytes=…` of one part (RFC 9110 §14.2); several parts are answered with the whole, as is allowed.

/// What is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    All,
    Part {
        first: u64,
        length: u64,
    },
    /// There is no such part.
    Nothing,
}

/// What a `Range` field wants of a file of `length` bytes. What cannot be understood is ignored.
pub(super) fn wanted(field: Option<&str>, length: u64) -> Wanted {
    let Some(part) = field.and_then(|field| field.trim().strip_prefix("bytes=")) else { return Wanted::All };
    let Some((first, last)) = part.split_once('-').filter(|_| !part.contains(',')) else {
        return Wanted::All;
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (first, end) = match (first.trim(), number(first), number(last)) {
        ("", _, Some(0)) => return Wanted::Nothing,
        ("", _, Some(count)) => (length.saturating_sub(count), length),
        (_, Some(first), Some(last)) if last >= first => (first, length.min(last.saturating_add(1))),
        (_, Some(first), None) if last.trim().is_empty() => (first, length),
        _ => return Wanted::All,
    };
    if first < end { Wanted::Part { first, length: end - first } } else { Wanted::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_range_reaches_beyond_the_file(field in "bytes=[0-9 -]{0,24}", length: u64) {
            if let Wanted::Part { first, length: part } = wanted(Some(&field), length) {
                proptest::prop_assert!(part > 0 && first.checked_add(part).is_some_and(|end| end <= length));
            }
        }
    }

    #[test]
    fn ranges_are_what_the_standard_says() {
        let part = |first, length| Wanted::Part { first, length };
        for (field, is) in [
            ("bytes=0-", part(0, 100)),
            ("bytes=0-0", part(0, 1)),
            ("bytes=10-19", part(10, 10)),
            ("bytes=90-500", part(90, 10)),
            ("bytes=-7", part(93, 7)),
            ("bytes=-700", part(0, 100)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-4", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=18446744073709551615-18446744073709551615", Wanted::Nothing),
            ("lines=1-2", Wanted::All),
        ] {
            assert_eq!(wanted(Some(field), 100), is, "{field}");
        }
        assert_eq!(wanted(None, 100), Wanted::All);
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Nothing);
    }
}
