//! Which numbers of a session were there already.

/// The last 1,024 numbers; what is older counts as there already. (The seminar's jitter puts a datagram behind some hundred others.)
#[derive(Clone, Debug)]
pub struct Window {
    /// A bit for each number, at its place modulo 1,024.
    bits: [u64; WORDS],
    highest: Option<u64>,
}

impl Default for Window {
    fn default() -> Window {
        Window::new()
    }
}

impl Window {
    pub fn new() -> Window {
        Window { bits: [0; WORDS], highest: None }
    }

    /// The highest number that was taken.
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Whether the number may be taken.
    pub fn is_new(&self, number: u64) -> bool {
        match self.highest {
            Some(highest) if number <= highest => highest - number < LAST && !self.has(number),
            _ => true,
        }
    }

    /// Takes it; false where it may not be.
    pub fn take(&mut self, number: u64) -> bool {
        if !self.is_new(number) {
            return false;
        }
        let from = self.highest.map_or(number, |highest| highest + 1).max(number.saturating_sub(LAST - 1));
        for skipped in from..number {
            self.bits[place(skipped)] &= !bit(skipped);
        }
        self.bits[place(number)] |= bit(number);
        self.highest = Some(self.highest.map_or(number, |highest| highest.max(number)));
        true
    }

    /// The number of which only these 32 bits are known: the one nearest to the highest.
    pub fn unwrap(&self, low: u32) -> u64 {
        let near = self.highest.unwrap_or(0);
        let ahead = i64::from(low.wrapping_sub(near as u32) as i32);
        near.checked_add_signed(ahead).unwrap_or(u64::from(low))
    }

    fn has(&self, number: u64) -> bool {
        self.bits[place(number)] & bit(number) != 0
    }
}

fn place(number: u64) -> usize {
    (number / 64) as usize % WORDS
}

fn bit(number: u64) -> u64 {
    1 << (number % 64)
}

const WORDS: usize = 16;
const LAST: u64 = 64 * WORDS as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_taken_once_in_any_order() {
        let mut window = Window::new();
        assert!(window.take(5) && window.take(3) && !window.take(5) && !window.take(3) && window.take(4));
        assert!(window.take(1_000) && window.take(999) && !window.take(4) && window.take(6));
        assert!(window.take(1_030) && !window.take(6) && window.take(7) && !window.take(1_030));
        assert!(window.take(1_000_000) && !window.take(7) && window.take(999_000) && !window.take(999_000));
        assert!(!window.take(998_976) && window.take(998_977));
    }

    #[test]
    fn numbers_are_unwrapped_near_the_highest() {
        let mut window = Window::new();
        assert_eq!(window.unwrap(7), 7);
        window.take(u64::from(u32::MAX) - 1);
        assert_eq!(window.unwrap(2), (1 << 32) + 2);
        assert_eq!(window.unwrap(u32::MAX - 9), u64::from(u32::MAX) - 9);
    }
}
