//! The quantization step, as the seminar's programs change it.

use levada_codec::compat::layer::Control;

/// Follows one program's rule.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    control: Control,
    least: u32,
    q: u32,
    sent: u64,
    received: u64,
    /// Whether a peer was heard at all: until then nothing tells anything.
    heard: bool,
}

impl Step {
    /// Begins at `least`, below which it never goes.
    pub fn new(control: Control, least: u32) -> Step {
        let least = least.clamp(1, MOST);
        Step { control, least, q: least, sent: 0, received: 0, heard: false }
    }

    /// The step now.
    pub fn q(&self) -> u32 {
        self.q
    }

    /// A block was sent.
    pub fn sent(&mut self) {
        self.sent += 1;
    }

    /// A block was received.
    pub fn received(&mut self) {
        if !std::mem::replace(&mut self.heard, true) {
            self.sent = 0; // what was sent before the peer was there is not lost
        }
        self.received += 1;
    }

    /// A period is over. What was sent and not received counts as lost: the programs take the two ways for alike. Until a
    /// peer is heard the step stays, and it never grows beyond 2^15.
    pub fn period(&mut self) {
        let lost = self.sent as i64 - self.received as i64;
        (self.sent, self.received) = (0, 0);
        if !self.heard {
            return;
        }
        let q = i64::from(self.q);
        let next = match self.control {
            Control::No => q,
            Control::AddLost => q + lost - 1,
            Control::Lost => lost - 1,
            Control::Conservative => ((if lost > 2 { 2 * q } else { q }) as f64 / 1.1) as i64,
        };
        self.q = next.clamp(i64::from(self.least), i64::from(MOST)) as u32;
    }
}

const MOST: u32 = 1 << 15;

#[cfg(test)]
mod tests {
    use super::*;

    fn after(control: Control, losses: &[i64]) -> Vec<u32> {
        let mut step = Step::new(control, 128);
        let period = |lost: &i64| {
            (0..43).for_each(|_| step.sent());
            (0..43 - lost).for_each(|_| step.received());
            step.period();
            step.q()
        };
        losses.iter().map(period).collect()
    }

    #[test]
    fn each_rule_is_the_programs() {
        let losses = [0, 10, 3, 0, 0, 0, 0, 0, 0];
        assert_eq!(after(Control::No, &losses[..2]), [128, 128]);
        assert_eq!(after(Control::AddLost, &losses[..5]), [128, 137, 139, 138, 137]);
        assert_eq!(after(Control::Lost, &losses[..3]), [128, 128, 128]);
        assert_eq!(after(Control::Conservative, &losses), [128, 232, 421, 382, 347, 315, 286, 260, 236]);
    }

    /// A Python peer whose partner begins half a second late doubles its step, and both are out of step for a minute.
    #[test]
    fn a_peer_that_begins_later_has_lost_nothing() {
        let mut step = Step::new(Control::Conservative, 128);
        (0..20).for_each(|_| step.sent());
        (0..23).for_each(|_| {
            step.sent();
            step.received();
        });
        step.period();
        assert_eq!(step.q(), 128);
    }

    #[test]
    fn alone_the_step_stays_and_in_the_worst_case_it_is_bounded() {
        let mut alone = Step::new(Control::Conservative, 128);
        (0..100).for_each(|_| {
            alone.sent();
            alone.period();
        });
        assert_eq!(alone.q(), 128);
        assert_eq!(after(Control::Conservative, &[43, 42, 40].repeat(40)).last(), Some(&32_768));
    }
}
