//! A decimal number read exactly, so that `2.3us` is 2300 ns and not 2299.

use super::UnitError;

/// `digits × 10^exponent`.
pub(super) struct Decimal {
    digits: u128,
    exponent: i32,
}

impl Decimal {
    /// Splits `text` into the number it begins with and the unit that follows.
    pub(super) fn split(text: &str) -> Result<(Decimal, &str), UnitError> {
        let text = text.trim();
        if text
            .strip_prefix('-')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
        {
            return Err(UnitError::Negative(text.into()));
        }
        let rest = text.strip_prefix('+').unwrap_or(text);
        let (whole, rest) = digits(rest);
        let (part, rest) = match rest.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", rest),
        };
        if whole.is_empty() && part.is_empty() {
            return Err(UnitError::Number(text.into()));
        }
        let (power, unit) = exponent(rest);
        let part = part.trim_end_matches('0');
        let digits = format!("{whole}{part}").parse().map_err(|_| UnitError::TooLarge(text.into()))?;
        let exponent = power.saturating_sub(i32::try_from(part.len()).unwrap_or(i32::MAX));
        Ok((Decimal { digits, exponent }, unit))
    }

    pub(super) fn is_zero(&self) -> bool {
        self.digits == 0
    }

    /// The number times `factor`, over `parts`, to the nearest whole; `None` where that does not fit.
    pub(super) fn times(&self, factor: u128, parts: u128) -> Option<u64> {
        let product = self.digits.checked_mul(factor)?;
        let power = 10u128.checked_pow(self.exponent.unsigned_abs());
        let (above, below) = match (self.exponent < 0, power) {
            _ if product == 0 => return Some(0),
            (true, None) => return Some(0),
            (false, None) => return None,
            (true, Some(power)) => (product, parts.checked_mul(power)?),
            (false, Some(power)) => (product.checked_mul(power)?, parts),
        };
        u64::try_from(above.checked_add(below / 2)? / below).ok()
    }
}

/// The decimal digits at the start of `text`, and what follows them.
fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// The power of ten that `text` begins with (`e3`, `E-6`), zero where there is none, and what follows it.
fn exponent(text: &str) -> (i32, &str) {
    let Some(after) = text.strip_prefix(['e', 'E']) else { return (0, text) };
    let (sign, after) = match after.strip_prefix('-') {
        Some(after) => (-1, after),
        None => (1, after.strip_prefix('+').unwrap_or(after)),
    };
    let (power, rest) = digits(after);
    if power.is_empty() {
        return (0, text);
    }
    (sign * power.parse().unwrap_or(10_000), rest)
}
